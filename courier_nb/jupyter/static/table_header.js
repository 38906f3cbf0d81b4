// The headings of the table: sorting, widths, order, and the menu of columns.

const LEAST_WIDTH = 48;
const WIDTH_STEP = 16;

class TableHeader {
  constructor(table, model) {
    this.table = table;
    this.model = model;
    this.row = make("div", { role: "row", class: "cnb-head-row", "aria-rowindex": 1 });
    this.element = make("div", { role: "rowgroup", class: "cnb-head" }, this.row);
    this.current = null; // the heading that the tab key leads to
    this.row.addEventListener("keydown", (event) => this.onKey(event));
  }

  draw() {
    const hadFocus = this.row.contains(document.activeElement);
    const { columns } = this.table;
    if (!columns.includes(this.current)) this.current = columns[0] ?? null;
    this.row.replaceChildren(make("div", { role: "columnheader", class: "cnb-cell cnb-tick", "aria-colindex": 1, "aria-label": "Selected" }));
    columns.forEach((name, i) => this.row.append(this.heading(name, i)));
    this.drawWidths();
    if (hadFocus) this.focus(this.current);
  }

  drawWidths() {
    const widths = this.model.get("widths");
    const tracks = this.table.columns.map((name) => `${widthOf(name, widths)}px`);
    this.table.grid.style.setProperty("--cnb-columns", `30px ${tracks.join(" ")}`);
  }

  heading(name, i) {
    const isSorted = this.model.get("sort_by") === name;
    const direction = this.model.get("descending") ? "descending" : "ascending";
    const arrow = make("span", { class: "cnb-arrow", "aria-hidden": "true" }, isSorted ? (direction === "ascending" ? "▲" : "▼") : "");
    const button = make("button", { type: "button", class: "cnb-sort", "data-column": name, tabindex: name === this.current ? 0 : -1 }, labelOf(name), arrow);
    button.addEventListener("click", () => this.sort(name));
    button.addEventListener("focus", () => this.setCurrent(name));
    const handle = make("span", { class: "cnb-resize", "aria-hidden": "true", title: "Drag to resize" });
    handle.addEventListener("pointerdown", (event) => this.startResize(event, name));
    const cell = make(
      "div",
      { role: "columnheader", class: "cnb-cell", "aria-colindex": i + 2, "aria-sort": isSorted ? direction : "none", draggable: "true" },
      button,
      handle,
    );
    cell.addEventListener("dragstart", (event) => {
      event.dataTransfer.setData("text/plain", name);
      this.dragged = name;
    });
    cell.addEventListener("dragover", (event) => this.dragged && event.preventDefault());
    cell.addEventListener("drop", (event) => {
      event.preventDefault();
      if (this.dragged) this.move(this.dragged, this.table.columns.indexOf(name));
      this.dragged = null;
    });
    cell.addEventListener("dragend", () => {
      this.dragged = null;
    });
    return cell;
  }

  setCurrent(name) {
    this.current = name;
    for (const button of this.row.querySelectorAll(".cnb-sort")) button.tabIndex = button.dataset.column === name ? 0 : -1;
  }

  focus(name) {
    for (const button of this.row.querySelectorAll(".cnb-sort")) if (button.dataset.column === name) button.focus();
  }

  /** Sort by a column; again, the other way round; a third time, not at all. */
  sort(name) {
    const isSorted = this.model.get("sort_by") === name;
    const isDescending = this.model.get("descending");
    this.model.set("sort_by", isSorted && isDescending ? "" : name);
    this.model.set("descending", isSorted && !isDescending);
    this.model.save_changes();
    const way = this.model.get("descending") ? "descending" : "ascending";
    this.table.say(this.model.get("sort_by") ? `Sorted by ${labelOf(name)}, ${way}.` : "In the order in which they came.");
  }

  move(name, to) {
    this.model.set("columns", movedColumn(this.table.columns, name, to));
    this.model.save_changes();
    this.table.say(`${labelOf(name)} is now column ${this.table.columns.indexOf(name) + 1} of ${this.table.columns.length}.`);
  }

  resize(name, width, isFinal = true) {
    this.model.set("widths", { ...this.model.get("widths"), [name]: Math.max(LEAST_WIDTH, Math.round(width)) });
    this.drawWidths();
    if (isFinal) this.model.save_changes();
  }

  startResize(event, name) {
    event.preventDefault();
    event.stopPropagation();
    const [handle, from] = [event.target, event.clientX];
    const before = widthOf(name, this.model.get("widths"));
    const follow = (moved) => this.resize(name, before + moved.clientX - from, false);
    const end = () => {
      handle.removeEventListener("pointermove", follow);
      this.model.save_changes();
    };
    handle.setPointerCapture(event.pointerId);
    handle.addEventListener("pointermove", follow);
    handle.addEventListener("pointerup", end, { once: true });
    handle.addEventListener("pointercancel", end, { once: true });
  }

  onKey(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const { columns } = this.table;
    const at = columns.indexOf(this.current);
    if (event.key === "ArrowDown" && !event.altKey) this.table.focusRows();
    else if (!step || at < 0) return;
    else if (event.altKey) this.move(this.current, at + step);
    else if (event.shiftKey) this.resize(this.current, widthOf(this.current, this.model.get("widths")) + step * WIDTH_STEP);
    else this.focus(columns[Math.max(0, Math.min(columns.length - 1, at + step))]);
    event.preventDefault();
    event.stopPropagation();
  }
}

/** The button that opens a list of all columns, each to be ticked. */
function columnsMenu(table, model) {
  const id = uniqueId("columns");
  const list = make("div", { class: "cnb-menu", id, role: "group", "aria-label": "Columns" });
  const button = make("button", { type: "button", "aria-expanded": "false", "aria-controls": id }, "Columns");
  list.hidden = true;
  const choose = (columns) => {
    model.set("columns", columns);
    model.save_changes();
  };
  const draw = () => {
    const others = ["state", "lock_left", ...table.store.available].filter((name) => !table.columns.includes(name));
    const boxes = [...table.columns, ...new Set(others)].map((name) => {
      const box = make("input", { type: "checkbox" });
      box.checked = table.columns.includes(name);
      box.addEventListener("change", () => {
        const rest = table.columns.filter((other) => other !== name);
        if (!box.checked && !rest.length) box.checked = true;
        else choose(box.checked ? [...rest, name] : rest);
      });
      return make("label", {}, box, name === "preview" ? "body (beginning)" : labelOf(name));
    });
    list.replaceChildren(...boxes, make("button", { type: "button", onclick: () => choose([]) }, "Default columns"));
  };
  const show = (isOpen) => {
    if (isOpen) draw();
    list.hidden = !isOpen;
    button.setAttribute("aria-expanded", String(isOpen));
  };
  button.addEventListener("click", () => show(list.hidden));
  const element = make("div", { class: "cnb-menu-place" }, button, list);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || list.hidden) return;
    event.stopPropagation();
    show(false);
    button.focus();
  });
  element.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !element.contains(event.relatedTarget)) show(false);
  });
  return element;
}
