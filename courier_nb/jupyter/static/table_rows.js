// The rows of the table: only those in sight are in the page, however many there are.

const ROW_HEIGHT = 27;
const SPARE_ROWS = 8;

class TableRows {
  /** `table` tells what is shown: order, columns, selection, active row; see table.js. */
  constructor(table, scroller, head) {
    this.table = table;
    this.scroller = scroller;
    this.head = head;
    this.body = make("div", { role: "rowgroup", class: "cnb-rows" });
    this.drawn = new Map(); // by position
    scroller.addEventListener("scroll", () => this.draw());
  }

  get page() {
    return Math.max(1, Math.floor((this.scroller.clientHeight - this.head.offsetHeight) / ROW_HEIGHT) - 1);
  }

  /** Draw the rows in sight; those that are drawn already are kept unless their contents have changed. */
  draw({ anew = false } = {}) {
    const { order, places } = this.table;
    if (anew) this.clear();
    this.body.style.height = `${order.length * ROW_HEIGHT}px`;
    const [first, last] = windowOf(this.scroller.scrollTop, this.scroller.clientHeight || 400, ROW_HEIGHT, order.length, SPARE_ROWS);
    const wanted = new Set(order.subarray(first, last));
    if (places.has(this.table.active)) wanted.add(this.table.active); // it may have the focus
    for (const [row, element] of this.drawn) {
      if (!wanted.has(row)) {
        element.remove();
        this.drawn.delete(row);
      }
    }
    for (const row of wanted) {
      if (!this.drawn.has(row)) this.drawn.set(row, this.make(row));
      this.place(row, this.drawn.get(row));
    }
  }

  clear() {
    const holdsFocus = this.body.contains(document.activeElement);
    for (const element of this.drawn.values()) element.remove();
    this.drawn.clear();
    if (holdsFocus) queueMicrotask(() => this.focus(this.table.active));
  }

  /** Draw again what selection and activity have changed. */
  mark() {
    for (const [row, element] of this.drawn) this.place(row, element);
  }

  /** Draw the time that locks have left, and the word for it. */
  tick() {
    let isNearEnd = false;
    for (const [row, element] of this.drawn) {
      const cell = element.querySelector(".cnb-lock");
      if (cell && this.drawLock(cell, row) === "soon") isNearEnd = true;
    }
    return isNearEnd;
  }

  focus(row) {
    const place = this.table.places.get(row);
    if (place === undefined) return;
    const [top, height] = [place * ROW_HEIGHT, this.scroller.clientHeight - this.head.offsetHeight];
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top + ROW_HEIGHT > this.scroller.scrollTop + height) this.scroller.scrollTop = top + ROW_HEIGHT - height;
    this.draw();
    this.drawn.get(row)?.focus({ preventScroll: true });
  }

  make(row) {
    const { store, columns } = this.table;
    const element = make("div", { role: "row", class: "cnb-row", "data-row": row });
    element.append(make("div", { role: "gridcell", class: "cnb-cell cnb-tick" }));
    columns.forEach((name, i) => {
      const cell = make("div", { role: "gridcell", class: "cnb-cell", "aria-colindex": i + 2, "data-column": name });
      if (name === "lock_left") {
        cell.classList.add("cnb-lock");
        this.drawLock(cell, row);
      } else {
        cell.textContent = cellText(store, name, row);
        if (cell.textContent.length > 12) cell.title = cell.textContent;
      }
      if (name === "state") cell.classList.add(`cnb-state-${store.stateOf(row).replace(/\W/g, "") || "none"}`);
      if (name === "delivery_count" && store.isLastChance(row)) cell.classList.add("cnb-soon");
      if (store.columns.get(name)?.kind === "number" && name !== "delivery_count") cell.classList.add("cnb-number");
      if (name === "preview" || name === "message_id") cell.classList.add("cnb-code");
      element.append(cell);
    });
    this.body.append(element);
    return element;
  }

  place(row, element) {
    const { places, selection, active } = this.table;
    const place = places.get(row);
    const isSelected = selection.has(row);
    element.style.transform = `translateY(${place * ROW_HEIGHT}px)`;
    element.setAttribute("aria-rowindex", place + 2);
    element.setAttribute("aria-selected", String(isSelected));
    element.tabIndex = row === active ? 0 : -1;
    element.classList.toggle("cnb-active", row === active);
    element.firstChild.textContent = isSelected ? "☑" : "☐";
  }

  drawLock(cell, row) {
    const { store } = this.table;
    const { text, level } = lockWords(store.lockEnd(row), store.now(), store.stateOf(row));
    if (cell.textContent !== text) cell.textContent = text;
    cell.classList.toggle("cnb-soon", level === "soon");
    cell.classList.toggle("cnb-over", level === "over");
    return level;
  }
}
