// The list under the text field: only the rows in sight are in the page.

const ROW_PIXELS = 28;
const SPARE_ROWS = 4;
const MOST_ROWS = 9; // in sight

/** Make the list. `describe(row)` gives the cells and the label of a row; `onPick(row)` is told of a click. */
export function makeOptionList({ describe, onPick, onScroll }) {
  const id = uniqueId("destinations");
  const space = make("div", { class: "cnb-pick-space", role: "presentation" });
  const box = make("div", { class: "cnb-pick-list", role: "listbox", id, "aria-label": "Destinations" }, space);
  let rows = [];
  let active = -1;
  let picked = "";
  const optionId = (index) => `${id}-${index}`;

  function range() {
    const first = Math.floor(box.scrollTop / ROW_PIXELS);
    const count = Math.ceil(box.clientHeight / ROW_PIXELS) + 1;
    return [Math.max(0, first), Math.min(rows.length, first + count)];
  }

  function option(row, index) {
    const { label, cells } = describe(row);
    const element = make(
      "div",
      {
        role: "option", id: optionId(index), class: "cnb-pick-option", title: label, "aria-label": label,
        "aria-selected": String(index === active), "aria-setsize": rows.length, "aria-posinset": index + 1,
        "aria-current": row.name === picked ? "true" : undefined,
      },
      ...cells,
    );
    element.style.top = `${index * ROW_PIXELS}px`;
    element.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays in the text field
    element.addEventListener("click", () => onPick(row));
    return element;
  }

  function draw() {
    const [first, end] = range();
    const from = Math.max(0, first - SPARE_ROWS);
    const shown = rows.slice(from, end + SPARE_ROWS).map((row, offset) => option(row, from + offset));
    space.style.height = `${rows.length * ROW_PIXELS}px`;
    box.style.height = `${Math.min(rows.length, MOST_ROWS) * ROW_PIXELS + 2}px`;
    space.replaceChildren(...shown);
  }

  box.addEventListener("scroll", () => {
    draw();
    onScroll();
  });
  const resized = new ResizeObserver(draw);
  resized.observe(box);

  return {
    id,
    element: box,
    draw,
    stop: () => resized.disconnect(),
    get active() {
      return rows[active];
    },
    get activeId() {
      return active >= 0 && active < rows.length ? optionId(active) : "";
    },
    get size() {
      return rows.length;
    },
    get page() {
      return Math.max(1, Math.floor(box.clientHeight / ROW_PIXELS) - 1);
    },
    /** The rows that somebody can see. */
    inSight() {
      const [first, end] = range();
      return box.clientHeight ? rows.slice(first, end) : [];
    },
    /** Show other rows. The active one is kept where it is among them, unless told which is. */
    show(found, pickedName, activeIndex) {
      const before = rows[active]?.name;
      rows = found;
      picked = pickedName;
      active = activeIndex ?? (before === undefined ? -1 : rows.findIndex((row) => row.name === before));
      if (activeIndex !== undefined) box.scrollTop = 0;
      draw();
    },
    /** Make another row the active one, and bring it into sight. */
    move(index) {
      active = Math.max(0, Math.min(rows.length - 1, index));
      const top = active * ROW_PIXELS;
      if (top < box.scrollTop) box.scrollTop = top;
      else if (top + ROW_PIXELS > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW_PIXELS - box.clientHeight;
      draw();
    },
    step(by) {
      this.move(active < 0 ? (by > 0 ? 0 : rows.length - 1) : active + by);
    },
  };
}
