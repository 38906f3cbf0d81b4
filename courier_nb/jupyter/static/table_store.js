// The rows of one table, shared by all its views. They are never in the widget's state: the table asks for them.

const textOf = new TextDecoder();
const jsonOf = (buffer) => JSON.parse(textOf.decode(buffer));

function maskOf(view, total) {
  const mask = new Uint8Array(total);
  for (const row of numbersOf(view)) mask[row] = 1;
  return mask;
}

export class TableStore {
  constructor(model) {
    this.model = model;
    this.listeners = new Set();
    this.asked = new Set();
    this.skew = 0;
    this.refreshes = false;
    this.empty(0, 0);
    model.on("msg:custom", (message, buffers) => this.take(message, buffers));
    this.ask({});
  }

  empty(version, total) {
    Object.assign(this, { version, total, loaded: 0, columns: new Map(), available: [], defaults: [] });
    Object.assign(this, { states: new Map(), flags: new Map(), queryHits: null, queryError: "", bodyHits: null, bodyText: null });
    this.asked.clear();
  }

  ask(wanted) {
    this.model.send({ do: "rows", ...wanted });
  }

  /** Ask for columns that are shown and have not come yet. */
  need(names) {
    const missing = names.filter((name) => !this.columns.has(name) && this.available.includes(name) && !this.asked.has(name));
    for (const name of missing) this.asked.add(name);
    if (missing.length) this.ask({ only: missing });
  }

  /** The kernel's time, in milliseconds since 1970. */
  now() {
    return Date.now() + this.skew;
  }

  stateOf(row) {
    return this.states.get(row) ?? this.columns.get("settlement")?.cells[row] ?? "";
  }

  flagsOf(row) {
    return this.flags.get(row) ?? [];
  }

  isLastChance(row) {
    return this.columns.get("deliveries_left")?.cells[row] === 0;
  }

  lockEnd(row) {
    return this.columns.get("lock_expires_at")?.cells[row] ?? null;
  }

  listen(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  take(message, buffers) {
    const handle = { data: this.takeData, more: this.takeMore, rows: this.takeRows, marks: this.takeMarks, locks: this.takeLocks, found: this.takeFound }[message.tell];
    // The version only grows: what is older belongs to rows that are no longer shown.
    if (!handle || message.version < this.version) return;
    if (message.now) this.skew = message.now - Date.now();
    if (message.version > this.version && message.tell !== "data") this.empty(message.version, message.total ?? 0);
    handle.call(this, message, buffers);
    // Columns that were asked for later come like rows, but add none.
    const what = message.tell === "rows" && !message.columns ? "columns" : message.tell;
    for (const listener of this.listeners) listener(what);
  }

  takeData(message) {
    this.empty(message.version, message.total);
    this.ask({});
  }

  takeMore(message) {
    Object.assign(this, { total: message.total, bodyHits: null, bodyText: null });
    this.ask({ start: this.loaded, columns: [...this.columns.keys()] });
  }

  takeRows(message, buffers) {
    const parts = jsonOf(buffers[0]);
    this.total = message.total;
    this.refreshes = message.refreshes;
    for (const [name, { kind, cells }] of Object.entries(parts)) {
      const column = this.columns.get(name) ?? { kind, cells: [] };
      if (kind !== "text") column.kind = kind;
      for (let i = 0; i < cells.length; i += 1) column.cells[message.start + i] = cells[i];
      this.columns.set(name, column);
    }
    if (!message.columns) return;
    if (message.shown) this.defaults = message.shown;
    this.available = [...new Set([...this.available, ...message.columns])];
    if (message.start <= this.loaded) this.loaded = Math.max(this.loaded, message.start + message.count);
  }

  takeMarks(message, buffers) {
    const { states, flags } = jsonOf(buffers[0]);
    this.states = new Map(Object.entries(states).flatMap(([word, rows]) => rows.map((row) => [row, word])));
    this.flags = new Map();
    for (const [word, rows] of Object.entries(flags)) {
      for (const row of rows) this.flags.set(row, [...this.flagsOf(row), word]);
    }
  }

  takeLocks(message, buffers) {
    const column = this.columns.get("lock_expires_at") ?? { kind: "time", cells: [] };
    const { rows, ends } = jsonOf(buffers[0]);
    rows.forEach((row, i) => {
      column.cells[row] = ends[i];
    });
    this.columns.set("lock_expires_at", column);
  }

  takeFound(message, buffers) {
    const hits = message.all ? null : maskOf(buffers[0], this.total);
    if (message.what === "query") Object.assign(this, { queryHits: hits, queryError: message.error });
    else Object.assign(this, { bodyHits: hits, bodyText: message.text });
  }
}
