// The message browser: a grid of rows that are sorted, filtered and selected in the page; the kernel learns of it.

const TICK_MILLISECONDS = 1_000;
const LOCKS_MILLISECONDS = 10_000;
const LOADING_MILLISECONDS = 400;
const FOCUS_MILLISECONDS = 120;

class MessageTable {
  constructor(model, el, store) {
    Object.assign(this, { model, store, columns: [], order: everyRow(0), places: new Map(), selection: new Set() });
    this.active = model.get("focus");
    this.anchor = this.active;
    this.header = new TableHeader(this, model);
    this.grid = make("div", { role: "grid", class: "cnb-grid", "aria-label": "Messages", "aria-multiselectable": "true", tabindex: "-1" });
    this.rows = new TableRows(this, this.grid, this.header.element);
    this.grid.append(this.header.element, this.rows.body);
    this.grid.style.maxHeight = `${model.get("height")}px`;
    this.filter = filterTools(this, model);
    this.query = queryTools(this, model);
    this.tools = selectionTools(this);
    this.empty = make("p", { class: "cnb-empty" });
    this.errors = errorPlace(model);
    el.classList.add("cnb", "cnb-table");
    el.append(
      make("div", { class: "cnb-row-of" }, ...this.filter.elements),
      make("div", { class: "cnb-row-of" }, ...this.query.elements),
      this.query.problem,
      this.tools.element,
      this.grid,
      this.empty,
      this.errors.element,
    );
    this.listen(el);
    this.takeSelection();
    this.arrange({ anew: true });
  }

  listen(el) {
    const { model } = this;
    this.saveFocus = afterPause(() => this.tellFocus(), FOCUS_MILLISECONDS);
    this.arrangeSoon = afterPause(() => this.arrange({}), LOADING_MILLISECONDS);
    const arrangement = () => this.arrange({ anew: true });
    const parts = {
      "change:_selected": () => this.takeSelection(),
      "change:filter": () => this.filtered(),
      "change:in_bodies": () => this.filtered(),
      "change:sort_by": arrangement,
      "change:descending": arrangement,
      "change:columns": arrangement,
      "change:query": () => this.query.draw(),
      "change:widths": () => this.header.drawWidths(),
      "change:focus": () => this.takeFocus(),
    };
    for (const [name, work] of Object.entries(parts)) model.on(name, work);
    const stopListening = this.store.listen((what) => this.told(what));
    const keysBack = keepKeys(el);
    this.grid.addEventListener("keydown", (event) => this.onKey(event));
    this.rows.body.addEventListener("click", (event) => this.onClick(event));
    this.rows.body.addEventListener("dblclick", () => this.tellFocus());
    const resized = new ResizeObserver(() => this.rows.draw());
    resized.observe(this.grid);
    const ticking = setInterval(() => this.tick(), TICK_MILLISECONDS);
    this.stop = () => {
      for (const [name, work] of Object.entries(parts)) model.off(name, work);
      stopListening();
      keysBack();
      resized.disconnect();
      clearInterval(ticking);
      this.errors.stop();
    };
  }

  /** Something of the rows has come from the kernel. */
  told(what) {
    const { store } = this;
    const isPlain = !this.model.get("filter") && !this.model.get("sort_by") && !store.queryHits;
    if (what === "data") {
      this.active = this.anchor = null;
      this.filter.clear();
      this.grid.scrollTop = 0;
      this.takeSelection();
    }
    if (what === "rows" && this.selectionOf !== store.version) this.takeSelection(); // a page that was loaded again
    if (what === "rows" && !isPlain && store.loaded < store.total && this.order.length) this.arrangeSoon();
    else if (what === "rows" && isPlain && this.columns.length) this.arrange({ anew: !this.isLoading });
    else if (what === "locks") this.rows.tick();
    else this.arrange({ anew: true });
    this.isLoading = store.loaded < store.total;
    if (what === "found") {
      this.query.draw();
      this.say("");
    }
  }

  /** The text to be found has changed. */
  filtered() {
    this.filter.draw();
    this.arrange({ anew: true });
  }

  /** Ask for the rows whose bodies contain the text, once for each text and set of rows. */
  searchBodies(text) {
    const wanted = `${this.store.version} ${this.store.total} ${text}`;
    if (!text || !this.model.get("in_bodies") || this.store.bodyText === text || this.searched === wanted) return;
    this.searched = wanted;
    this.say("Searching in bodies …");
    this.model.send({ do: "search", text });
  }

  /** Work out which rows are shown in which order, and draw them. */
  arrange({ anew = false }) {
    const { store, model } = this;
    const columns = model.get("columns").length ? model.get("columns") : store.defaults;
    if (anew || String(columns) !== String(this.columns)) {
      this.columns = [...columns];
      store.need([...this.columns, model.get("sort_by")]);
      this.header.draw();
      anew = true;
    }
    const text = model.get("filter");
    this.searchBodies(text);
    const bodyHits = model.get("in_bodies") && store.bodyText === text ? store.bodyHits : null;
    this.order = text || store.queryHits ? filterRows(store, { text, columns: this.columns, queryHits: store.queryHits, bodyHits }) : everyRow(store.loaded);
    if (model.get("sort_by")) this.order = sortRows(store, this.order, model.get("sort_by"), model.get("descending"));
    this.places = new Map();
    this.order.forEach((row, place) => this.places.set(row, place));
    if (!this.places.has(this.active)) this.active = this.order.length ? this.order[0] : null;
    this.grid.setAttribute("aria-rowcount", this.order.length + 1);
    this.grid.setAttribute("aria-colcount", this.columns.length + 1);
    this.empty.textContent = !store.version ? "Waiting for the kernel …" : store.total ? "No message is left by filter and query." : "There are no messages here.";
    this.empty.hidden = this.order.length > 0;
    this.rows.draw({ anew });
    this.tools.draw();
    this.tellShown();
  }

  tellShown() {
    const { store, model, order } = this;
    if (store.loaded < store.total || !store.version) return;
    const by = Object.fromEntries(["filter", "in_bodies", "sort_by", "descending", "columns", "query"].map((name) => [name, model.get(name)]));
    const isAll = order.length === store.total && !model.get("sort_by");
    model.send({ do: "visible", version: store.version, by, all: isAll }, undefined, isAll ? [] : [order.buffer]);
  }

  takeSelection() {
    const found = numbersOf(this.model.get("_selected"));
    this.selectionOf = this.store.version;
    this.selection = new Set(found[0] === this.store.version ? found.subarray(1) : []);
    this.rows.mark();
    this.tools.draw();
  }

  select(rows) {
    this.model.set("_selected", packedSelection(this.store.version, rows));
    this.model.save_changes();
    this.takeSelection();
  }

  selectShown() {
    this.select(new Set([...this.selection, ...this.order]));
  }

  toggle(row) {
    const rows = new Set(this.selection);
    if (!rows.delete(row)) rows.add(row);
    this.select(rows);
  }

  /** Select from where the last selection began to this row, besides what is hidden. */
  selectTo(row) {
    const from = this.places.get(this.anchor) ?? this.places.get(this.active) ?? 0;
    this.select(between(this.order, from, this.places.get(row)));
  }

  activate(row, { takesFocus = true } = {}) {
    this.active = row;
    if (takesFocus) this.rows.focus(row);
    this.rows.mark();
    this.saveFocus();
  }

  tellFocus() {
    if (this.active === null || this.model.get("focus") === this.active) return;
    this.model.set("focus", this.active);
    this.model.save_changes();
  }

  takeFocus() {
    const row = this.model.get("focus");
    if (row === null || row === this.active || !this.places.has(row)) return;
    this.active = row;
    this.rows.draw();
    this.rows.mark();
  }

  focusRows() {
    if (this.active !== null) this.rows.focus(this.active);
  }

  onClick(event) {
    const element = event.target.closest(".cnb-row");
    if (!element) return;
    const row = Number(element.dataset.row);
    if (event.shiftKey) this.selectTo(row);
    else {
      this.anchor = row;
      if (event.ctrlKey || event.metaKey || event.target.closest(".cnb-tick")) this.toggle(row);
      else this.select([row]);
    }
    this.activate(row);
  }

  onKey(event) {
    if (!event.target.closest(".cnb-row") && event.target !== this.grid) return;
    const isCommand = event.ctrlKey || event.metaKey;
    const letter = event.key.toLowerCase();
    const to = placeAfter(event.key, this.places.get(this.active) ?? 0, this.order.length, this.rows.page);
    if (to !== null && this.order.length) {
      const row = this.order[to];
      if (!event.shiftKey) this.anchor = row;
      else this.anchor ??= this.active;
      if (event.shiftKey) this.selectTo(row);
      this.activate(row);
    } else if (event.key === " ") {
      if (event.shiftKey) this.selectTo(this.active);
      else if (this.active !== null) this.toggle(this.active);
      this.anchor = this.active;
    } else if (event.key === "Enter") this.tellFocus();
    else if (event.key === "Escape") this.select([]);
    else if (isCommand && letter === "a") this.selectShown();
    else if (isCommand && letter === "c" && !String(document.getSelection())) this.copy();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  async copy() {
    const rows = this.order.filter((row) => this.selection.has(row));
    if (!rows.length) return this.say("Nothing is copied: no row that is shown is selected.");
    const isDone = await copyText(rowsAsText(this.store, this.columns, rows));
    return this.say(isDone ? `${rows.length.toLocaleString("en-US")} rows copied.` : "The browser did not allow copying.");
  }

  say(words) {
    this.tools.say(words);
  }

  tick() {
    if (!this.grid.isConnected || document.hidden || !this.columns.includes("lock_left")) return;
    const isNearEnd = this.rows.tick();
    if (isNearEnd && this.store.refreshes && Date.now() - (this.askedLocks ?? 0) > LOCKS_MILLISECONDS) {
      this.askedLocks = Date.now();
      this.model.send({ do: "locks" });
    }
  }
}

export default () => {
  let store = null;
  return {
    initialize({ model }) {
      store = new TableStore(model);
    },
    render({ model, el }) {
      const table = new MessageTable(model, el, store);
      return () => table.stop();
    },
  };
};
