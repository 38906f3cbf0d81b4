// What the table of messages computes, without a page: formats, sorting, filtering, selection, texts.

export const AMBER_MILLISECONDS = 30_000;

const SYMBOLS = { acked: "✓", returned: "↩", put_back: "↩", "dead-lettered": "↪", held: "●", refused: "✗", lost_lock: "⚠", unknown: "?", skipped: "–" };
const SETTLED = ["acked", "returned", "put_back", "dead-lettered", "lost_lock"];
const WIDTHS = { state: 110, message_id: 285, created: 162, received_at: 162, delivery_count: 145, lock_left: 100, size: 90, preview: 460 };
const LABELS = { lock_left: "lock left", preview: "body" };

/** Return what an object has under a name. A column may be called "constructor", which every object inherits. */
const ownOf = (object, name) => (Object.hasOwn(object, name) ? object[name] : undefined);

/** Return a column's heading. */
export const labelOf = (name) => ownOf(LABELS, name) ?? name;

/** Return a column's width in pixels. */
export const widthOf = (name, widths) => ownOf(widths, name) ?? ownOf(WIDTHS, name) ?? 140;

/** Return a state with its symbol: colour never says it alone. */
export function stateWords(state) {
  if (!state) return "";
  return `${ownOf(SYMBOLS, state) ?? "•"} ${state.replaceAll("_", " ")}`;
}

/** Return a time (milliseconds since 1970) as text, UTC. */
export function timeWords(milliseconds) {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? String(milliseconds) : date.toISOString().slice(0, 19).replace("T", " ");
}

/** Return what a lock has left, in words, and how urgent that is: "", "soon" or "over". */
export function lockWords(end, now, state) {
  if (end === null || end === undefined || SETTLED.includes(state)) return { text: "", level: "" };
  const left = end - now;
  if (left <= 0) return { text: "✗ over", level: "over" };
  return left < AMBER_MILLISECONDS ? { text: `⚠ ${timeLeft(left)}`, level: "soon" } : { text: timeLeft(left), level: "" };
}

/** Return a cell as it is shown; the time that a lock has left is not among them, as it changes by itself. */
export function cellText(table, name, row) {
  if (name === "state") return [stateWords(table.stateOf(row)), ...table.flagsOf(row).map((flag) => `✎ ${flag}`)].filter(Boolean).join(" ");
  if (name === "lock_left") return "";
  const column = table.columns.get(name);
  const cell = column?.cells[row];
  if (cell === null || cell === undefined) return "";
  if (name === "size") return humanBytes(cell);
  if (name === "delivery_count" && table.isLastChance(row)) return `${cell} ⚠ last chance`;
  return column.kind === "time" ? timeWords(cell) : String(cell);
}

const WHOLE = /^-?\d+$/;
const asNumber = (cell) => (typeof cell === "number" ? cell : Number(cell));

/** Compare two numbers, of which large ones come as text; a text that is no number comes after them. */
export function compareNumbers(a, b) {
  if (typeof a === "string" && typeof b === "string" && WHOLE.test(a) && WHOLE.test(b)) {
    const [x, y] = [BigInt(a), BigInt(b)];
    return x < y ? -1 : Number(x > y);
  }
  const [x, y] = [asNumber(a), asNumber(b)];
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || compareTexts(String(a), String(b));
  return x - y;
}

export const compareTexts = (a, b) => (a < b ? -1 : Number(a > b));

/** Return what a row is sorted by. */
export function sortKey(table, name, row) {
  if (name === "state") return table.stateOf(row) || null;
  const column = table.columns.get(name === "lock_left" ? "lock_expires_at" : name);
  return column?.cells[row] ?? null;
}

/** Return positions sorted by a column: numbers as numbers, missing ones last, equal ones as they came. */
export function sortRows(table, rows, name, descending) {
  const column = table.columns.get(name === "lock_left" ? "lock_expires_at" : name);
  const compare = name !== "state" && column && column.kind !== "text" ? compareNumbers : compareTexts;
  const keys = new Map();
  const [there, missing] = [[], []];
  for (const row of rows) {
    const key = sortKey(table, name, row);
    if (key === null) missing.push(row);
    else {
      keys.set(row, key);
      there.push(row);
    }
  }
  there.sort((a, b) => (descending ? compare(keys.get(b), keys.get(a)) : compare(keys.get(a), keys.get(b))));
  return Uint32Array.from(there.concat(missing));
}

/** Return the positions, in order, for which all of these hold: the query's hits, and the text in a shown cell or in the body. */
export function filterRows(table, { text, columns, queryHits, bodyHits }) {
  const wanted = text.toLowerCase();
  const found = [];
  for (let row = 0; row < table.loaded; row += 1) {
    if (queryHits && !queryHits[row]) continue;
    if (wanted && !bodyHits?.[row] && !columns.some((name) => cellText(table, name, row).toLowerCase().includes(wanted))) continue;
    found.push(row);
  }
  return Uint32Array.from(found);
}

/** Return 0, 1, 2, … */
export function everyRow(count) {
  const rows = new Uint32Array(count);
  for (let row = 0; row < count; row += 1) rows[row] = row;
  return rows;
}

/** Return the positions shown from one place to another, both included, whichever comes first. */
export function between(order, from, to) {
  return Array.from(order.subarray(Math.min(from, to), Math.max(from, to) + 1));
}

/** Return the place that a key leads to from another, or null when it is not such a key. */
export function placeAfter(key, place, count, page) {
  const to = { ArrowDown: place + 1, ArrowUp: place - 1, PageDown: place + page, PageUp: place - page, Home: 0, End: count - 1 }[key];
  return to === undefined ? null : Math.max(0, Math.min(count - 1, to));
}

/** Return the first and the last place to draw, the last one excluded. */
export function windowOf(scrolled, height, rowHeight, count, spare) {
  const first = Math.max(0, Math.floor(scrolled / rowHeight) - spare);
  return [first, Math.min(count, Math.ceil((scrolled + height) / rowHeight) + spare)];
}

/** Return the columns with one of them moved by some places. */
export function movedColumn(columns, name, to) {
  const others = columns.filter((other) => other !== name);
  others.splice(Math.max(0, Math.min(others.length, to)), 0, name);
  return others;
}

/** Return the line that says how many rows are selected and shown. */
export function countsWords({ selected, hidden, shown, total, loaded }) {
  const words = (number) => number.toLocaleString("en-US");
  const parts = [`${words(selected)} selected${hidden ? ` (${words(hidden)} hidden by the filter)` : ""}`];
  parts.push(`${words(shown)} of ${words(total)} shown`);
  if (loaded < total) parts.push(`${words(loaded)} loaded so far`);
  return parts.join(" · ");
}

/** Return rows as tab-separated text with a heading. A text that a spreadsheet takes for a formula gets an apostrophe in front. */
export function rowsAsText(table, columns, rows) {
  const copied = columns.filter((name) => name !== "lock_left");
  const safe = (name, text) => {
    const flat = text.replace(/[\t\r\n]/g, " ");
    return /^[=+\-@]/.test(flat) && table.columns.get(name)?.kind !== "number" ? `'${flat}` : flat;
  };
  const lines = [copied.map((name) => safe("", labelOf(name))).join("\t")];
  for (const row of rows) lines.push(copied.map((name) => safe(name, cellText(table, name, row))).join("\t"));
  return `${lines.join("\n")}\n`;
}

/** Return the numbers of a buffer that holds 32-bit positions. */
export function numbersOf(view) {
  const bytes = view ? view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) : new ArrayBuffer(0);
  return new Uint32Array(bytes, 0, Math.floor(bytes.byteLength / 4));
}

/** Return a version and positions, ascending, as a buffer. */
export function packedSelection(version, rows) {
  const sorted = Uint32Array.from(rows).sort();
  const packed = new Uint32Array(sorted.length + 1);
  packed[0] = version;
  packed.set(sorted, 1);
  return new DataView(packed.buffer);
}
