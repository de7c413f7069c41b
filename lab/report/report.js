
// What the report does beside playing: tables sort by the heading that is pressed, numbers by value
// and words by alphabet; the takes that are pressed in the grid are those in the player.

for (const table of document.querySelectorAll("table.sorted")) {
  const headings = [...table.querySelectorAll("thead th")];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const key = (row) => row.cells[column];
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        const numbers = "number" in x.dataset && "number" in y.dataset;
        const order = numbers
          ? Number(x.dataset.number) - Number(y.dataset.number)
          : x.textContent.localeCompare(y.textContent, undefined, { numeric: true });
        return down ? -order : order;
      });
      body.append(...rows);
    });
  });
}

/** What anywidget's model is in a notebook: values by name, and who wants to know of changes. */
class PageModel {
  constructor(values) {
    this.values = values;
    this.heard = {};
  }
  get(name) { return this.values[name]; }
  set(name, value) {
    this.values[name] = value;
    for (const tell of this.heard[`change:${name}`] ?? []) tell();
  }
  on(name, tell) { (this.heard[name] ??= []).push(tell); }
  save_changes() {}
}

const place = document.getElementById("i2v-player");
if (place) {
  const session = JSON.parse(document.getElementById("i2v-session").textContent);
  const clips = new Map(session.clips.map((clip) => [clip.id, clip]));
  const tiles = [...document.querySelectorAll(".tile button")];
  let chosen = place.dataset.chosen.split(" ").filter((id) => clips.has(id));
  const model = new PageModel({ time_s: 0 });
  const show = () => {
    for (const tile of tiles) tile.setAttribute("aria-pressed", chosen.includes(tile.dataset.take));
    model.set("session", { ...session, clips: chosen.map((id) => clips.get(id)) });
  };
  for (const tile of tiles) {
    tile.addEventListener("click", () => {
      const { take } = tile.dataset;
      chosen = chosen.includes(take) ? chosen.filter((id) => id !== take) : [...chosen, take].slice(-session.most);
      show();
    });
  }
  show();
  render({ model, el: place });
}
