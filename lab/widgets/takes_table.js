// A table of takes that the user can filter, sort and choose from. Rows and columns are plain JSON and
// every text is inserted as text. Unchanged rows keep their elements, so that an update of the table
// moves neither the focus nor the scroll position.

function element(tag, attributes = {}, ...children) {
  const target = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) target.addEventListener(name.slice(2), value);
    else if (value === true) target.setAttribute(name, "");
    else if (value !== false && value != null) target.setAttribute(name, value);
  }
  target.append(...children);
  return target;
}

/** The URL of a file that Jupyter serves. */
function resolveUrl(address) {
  const config = document.getElementById("jupyter-config-data");
  const base = config ? JSON.parse(config.textContent).baseUrl : "/";
  return (base ?? "/") + address.split("/").map(encodeURIComponent).join("/");
}

const COMPARISON = /^([\w.]+)(<=|>=|<|>)(-?[\d.]+)$/;

class TakesTable {
  constructor(model, el) {
    this.model = model;
    this.shown = new Map(); // by take id: the row, its JSON and its element
    this.sorting = { column: null, descending: false };
    this.search = element("input", { type: "search", placeholder: "filter: words, or flicker<1", "aria-label": "Filter takes by words, or by a number such as flicker<1", oninput: () => this.updateOrder() });
    this.count = element("span", { class: "quiet", role: "status" });
    this.head = element("thead");
    this.body = element("tbody");
    const clear = element("button", { type: "button", onclick: () => this.choose([]) }, "choose none");
    this.tools = element("div", { class: "tools" }, this.search, this.count, clear);
    clear.hidden = !model.get("choosable");
    const table = element("table", {}, element("caption", {}, model.get("caption")), this.head, this.body);
    const scroll = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": model.get("caption") }, table);
    // JupyterLab's shortcuts check the focused element itself, so each one is marked.
    const onfocusin = ({ target }) => { target.dataset.lmSuppressShortcuts = "true"; };
    el.append(element("div", { class: "i2v-takes", onfocusin }, this.tools, scroll));
    this.listeners = [
      ["change:columns", () => this.buildHead()],
      ["change:rows", () => this.updateRows()],
      ["change:chosen", () => this.updateChoice()],
    ];
    for (const [name, listener] of this.listeners) model.on(name, listener);
    this.buildHead();
  }

  destroy() {
    for (const [name, listener] of this.listeners) this.model.off?.(name, listener);
  }

  buildHead() {
    this.columns = this.model.get("columns");
    this.sorting = { column: null, descending: false };
    const cells = this.columns.map((column, index) =>
      element("th", { scope: "col", title: column.title },
        element("button", { type: "button", onclick: () => this.sort(index) }, column.label)));
    const leading = [element("th", {}, element("span", { class: "visually-hidden" }, "picture"))];
    if (this.model.get("choosable")) leading.unshift(element("th", {}, element("span", { class: "visually-hidden" }, "chosen")));
    this.head.replaceChildren(element("tr", {}, ...leading, ...cells));
    this.shown.clear();
    this.body.replaceChildren();
    this.updateRows();
  }

  updateRows() {
    // Columns and rows may arrive in either order. Rows that do not fit the columns are not shown yet.
    if (this.model.get("columns") !== this.columns) return this.buildHead();
    const rows = this.model.get("rows").filter(({ cells }) => cells.length === this.columns.length);
    const shown = new Map();
    for (const row of rows) {
      const key = JSON.stringify(row);
      const previous = this.shown.get(row.id);
      shown.set(row.id, previous?.key === key ? previous : { key, row, element: this.buildRow(row) });
    }
    this.shown = shown;
    this.updateOrder();
    this.updateChoice();
  }

  buildRow(row) {
    const picture = row.poster ? element("img", { src: resolveUrl(row.poster), alt: "", loading: "lazy" }) : "";
    const cells = row.cells.map((cell, index) =>
      element("td", { class: this.columns[index].number ? "number" : null, title: cell.title }, cell.text));
    if (this.model.get("choosable")) {
      const box = element("input", { type: "checkbox", "aria-label": `choose ${row.title}`, onchange: () => this.toggle(row.id, box.checked) });
      box.disabled = !row.choosable;
      cells.unshift(element("td", {}, box), element("td", { class: "picture" }, picture));
    } else cells.unshift(element("td", { class: "picture" }, picture));
    return element("tr", { "data-take": row.id, "data-tone": row.tone }, ...cells);
  }

  /** Show the rows that match the filter, sorted by the chosen column. */
  updateOrder() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matching = [...this.shown.values()].filter(({ row }) => words.every((word) => this.matches(row, word)));
    const { column, descending } = this.sorting;
    if (column !== null) {
      const number = this.columns[column].number;
      matching.sort((one, other) => {
        const [x, y] = [one.row.cells[column], other.row.cells[column]];
        const order = number ? (x.number ?? Infinity) - (y.number ?? Infinity) || 0 : x.text.localeCompare(y.text, undefined, { numeric: true });
        return descending ? -order : order;
      });
    }
    const elements = matching.map(({ element }) => element);
    const same = elements.length === this.body.children.length && elements.every((element, index) => this.body.children[index] === element);
    if (!same) {
      const focused = document.activeElement;
      this.body.replaceChildren(...elements);
      if (this.body.contains(focused)) focused.focus();
    }
    this.count.textContent = `${elements.length} of ${this.shown.size} takes`;
  }

  /** True if the row contains the word, or fulfils a comparison such as flicker<1. */
  matches(row, word) {
    const comparison = COMPARISON.exec(word);
    const index = comparison ? this.columns.findIndex(({ name }) => name.toLowerCase() === comparison[1]) : -1;
    if (index >= 0 && this.columns[index].number) {
      const { number } = row.cells[index];
      if (number == null) return false;
      const [, , sign, text] = comparison;
      const limit = Number(text);
      return { "<": number < limit, ">": number > limit, "<=": number <= limit, ">=": number >= limit }[sign];
    }
    return `${row.title} ${row.id} ${row.cells.map(({ text }) => text).join(" ")}`.toLowerCase().includes(word);
  }

  sort(index) {
    this.sorting = { column: index, descending: this.sorting.column === index && !this.sorting.descending };
    const leading = this.head.rows[0].cells.length - this.columns.length;
    [...this.head.rows[0].cells].forEach((cell, position) => {
      if (position - leading === index) cell.setAttribute("aria-sort", this.sorting.descending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    this.updateOrder();
  }

  toggle(id, on) {
    const chosen = this.model.get("chosen").filter((other) => other !== id);
    this.choose(on ? [...chosen, id] : chosen);
  }

  choose(chosen) {
    this.model.set("chosen", chosen);
    this.model.save_changes();
    this.updateChoice();
  }

  updateChoice() {
    const chosen = new Set(this.model.get("chosen"));
    for (const [id, { element }] of this.shown) {
      const box = element.querySelector("input");
      if (box) box.checked = chosen.has(id);
      element.classList.toggle("chosen", chosen.has(id));
    }
  }
}

function render({ model, el }) {
  const table = new TakesTable(model, el);
  return () => table.destroy();
}

export default { render };
