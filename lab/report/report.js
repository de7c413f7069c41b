
// The report's own behaviour, after the player's module: tables sort when a heading is clicked, and the
// takes that are selected in the grid are shown in the player.

for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.querySelectorAll("thead th")];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((one, other) => {
        const [x, y] = [one.cells[column], other.cells[column]];
        const numeric = "number" in x.dataset && "number" in y.dataset;
        const order = numeric
          ? Number(x.dataset.number) - Number(y.dataset.number)
          : x.textContent.localeCompare(y.textContent, undefined, { numeric: true });
        return descending ? -order : order;
      });
      body.append(...rows);
    });
  });
}

/** A replacement for anywidget's model: values by name, and listeners for their changes. */
class PageModel {
  constructor(values) {
    this.values = values;
    this.listeners = {};
  }
  get(name) { return this.values[name]; }
  set(name, value) {
    this.values[name] = value;
    for (const listener of this.listeners[`change:${name}`] ?? []) listener();
  }
  on(name, listener) { (this.listeners[name] ??= []).push(listener); }
  save_changes() {}
}

const playerElement = document.getElementById("i2v-player");
if (playerElement) {
  const session = JSON.parse(document.getElementById("i2v-session").textContent);
  const clips = new Map(session.clips.map((clip) => [clip.id, clip]));
  const tiles = [...document.querySelectorAll(".tile button")];
  let chosen = playerElement.dataset.chosen.split(" ").filter((id) => clips.has(id));
  const model = new PageModel({ time_s: 0 });
  const update = () => {
    for (const tile of tiles) tile.setAttribute("aria-pressed", chosen.includes(tile.dataset.take));
    model.set("session", { ...session, clips: chosen.map((id) => clips.get(id)) });
  };
  for (const tile of tiles) {
    tile.addEventListener("click", () => {
      const { take } = tile.dataset;
      chosen = chosen.includes(take) ? chosen.filter((id) => id !== take) : [...chosen, take].slice(-session.max_clips);
      update();
    });
  }
  update();
  render({ model, el: playerElement });
}
