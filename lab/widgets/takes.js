// A table of takes: filter, sort, choose. Rows and columns are plain JSON; every text is put in as
// text. Rows that did not change keep their elements, so a live table loses neither focus nor place.

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function located(address) {
  const config = document.getElementById("jupyter-config-data");
  const base = config ? JSON.parse(config.textContent).baseUrl : "/";
  return (base ?? "/") + address.split("/").map(encodeURIComponent).join("/");
}

const COMPARED = /^([\w.]+)(<=|>=|<|>)(-?[\d.]+)$/;

class Takes {
  constructor(model, el) {
    this.model = model;
    this.drawn = new Map();
    this.sorted = { column: null, down: false };
    this.search = make("input", { type: "search", placeholder: "filter: words, or flicker<1", "aria-label": "Filter takes by words, or by a number such as flicker<1", oninput: () => this.order() });
    this.count = make("span", { class: "quiet", role: "status" });
    this.head = make("thead");
    this.body = make("tbody");
    const clear = make("button", { type: "button", onclick: () => this.choose([]) }, "choose none");
    this.tools = make("div", { class: "tools" }, this.search, this.count, clear);
    clear.hidden = !model.get("choosable");
    const table = make("table", {}, make("caption", {}, model.get("caption")), this.head, this.body);
    const scroll = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": model.get("caption") }, table);
    // JupyterLab takes keys for its cells unless the element in focus says not to.
    const onfocusin = ({ target }) => { target.dataset.lmSuppressShortcuts = "true"; };
    el.append(make("div", { class: "i2v-takes", onfocusin }, this.tools, scroll));
    this.listeners = [
      ["change:columns", () => this.build()],
      ["change:rows", () => this.fill()],
      ["change:chosen", () => this.mark()],
    ];
    for (const [name, heard] of this.listeners) model.on(name, heard);
    this.build();
  }

  close() {
    for (const [name, heard] of this.listeners) this.model.off?.(name, heard);
  }

  build() {
    this.columns = this.model.get("columns");
    this.sorted = { column: null, down: false };
    const cells = this.columns.map((column, place) =>
      make("th", { scope: "col", title: column.title },
        make("button", { type: "button", onclick: () => this.sort(place) }, column.label)));
    const leading = [make("th", {}, make("span", { class: "unseen" }, "picture"))];
    if (this.model.get("choosable")) leading.unshift(make("th", {}, make("span", { class: "unseen" }, "chosen")));
    this.head.replaceChildren(make("tr", {}, ...leading, ...cells));
    this.drawn.clear();
    this.body.replaceChildren();
    this.fill();
  }

  fill() {
    // Columns and rows may be told in either order; rows of other columns wait for their own.
    if (this.model.get("columns") !== this.columns) return this.build();
    const rows = this.model.get("rows").filter(({ cells }) => cells.length === this.columns.length);
    const kept = new Map();
    for (const row of rows) {
      const key = JSON.stringify(row);
      const before = this.drawn.get(row.id);
      kept.set(row.id, before?.key === key ? before : { key, row, element: this.line(row) });
    }
    this.drawn = kept;
    this.order();
    this.mark();
  }

  line(row) {
    const picture = row.poster ? make("img", { src: located(row.poster), alt: "", loading: "lazy" }) : "";
    const cells = row.cells.map((cell, place) =>
      make("td", { class: this.columns[place].number ? "number" : null, title: cell.title }, cell.text));
    if (this.model.get("choosable")) {
      const box = make("input", { type: "checkbox", "aria-label": `choose ${row.title}`, onchange: () => this.toggle(row.id, box.checked) });
      box.disabled = !row.choosable;
      cells.unshift(make("td", {}, box), make("td", { class: "picture" }, picture));
    } else cells.unshift(make("td", { class: "picture" }, picture));
    return make("tr", { "data-take": row.id, "data-tone": row.tone }, ...cells);
  }

  /** Rows that pass the filter, in the order of the pressed heading. */
  order() {
    const asked = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const passing = [...this.drawn.values()].filter(({ row }) => asked.every((word) => this.passes(row, word)));
    const { column, down } = this.sorted;
    if (column !== null) {
      const number = this.columns[column].number;
      passing.sort((one, other) => {
        const [x, y] = [one.row.cells[column], other.row.cells[column]];
        const order = number ? (x.number ?? Infinity) - (y.number ?? Infinity) || 0 : x.text.localeCompare(y.text, undefined, { numeric: true });
        return down ? -order : order;
      });
    }
    const elements = passing.map(({ element }) => element);
    const same = elements.length === this.body.children.length && elements.every((element, place) => this.body.children[place] === element);
    if (!same) {
      const focused = document.activeElement;
      this.body.replaceChildren(...elements);
      if (this.body.contains(focused)) focused.focus();
    }
    this.count.textContent = `${elements.length} of ${this.drawn.size} takes`;
  }

  passes(row, word) {
    const compared = COMPARED.exec(word);
    const place = compared ? this.columns.findIndex(({ name }) => name.toLowerCase() === compared[1]) : -1;
    if (place >= 0 && this.columns[place].number) {
      const { number } = row.cells[place];
      if (number == null) return false;
      const [, , sign, text] = compared;
      const limit = Number(text);
      return { "<": number < limit, ">": number > limit, "<=": number <= limit, ">=": number >= limit }[sign];
    }
    return `${row.title} ${row.id} ${row.cells.map(({ text }) => text).join(" ")}`.toLowerCase().includes(word);
  }

  sort(place) {
    this.sorted = { column: place, down: this.sorted.column === place && !this.sorted.down };
    const leading = this.head.rows[0].cells.length - this.columns.length;
    [...this.head.rows[0].cells].forEach((cell, index) => {
      if (index - leading === place) cell.setAttribute("aria-sort", this.sorted.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    this.order();
  }

  toggle(id, on) {
    const chosen = this.model.get("chosen").filter((other) => other !== id);
    this.choose(on ? [...chosen, id] : chosen);
  }

  choose(chosen) {
    this.model.set("chosen", chosen);
    this.model.save_changes();
    this.mark();
  }

  mark() {
    const chosen = new Set(this.model.get("chosen"));
    for (const [id, { element }] of this.drawn) {
      const box = element.querySelector("input");
      if (box) box.checked = chosen.has(id);
      element.classList.toggle("chosen", chosen.has(id));
    }
  }
}

function render({ model, el }) {
  const takes = new Takes(model, el);
  return () => takes.close();
}

export default { render };
