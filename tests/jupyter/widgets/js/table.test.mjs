// The table's own computations, run by `node --test`; see test_browser_js.py.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as table from "./widget.mjs";

const json = (value) => new DataView(new TextEncoder().encode(JSON.stringify(value)).buffer);
const positions = (...rows) => new DataView(Uint32Array.from(rows).buffer);

/** A model whose kernel says what the test says. */
function fakeModel() {
  const sent = [];
  let listener = null;
  return { sent, send: (message) => sent.push(message), on: (_, take) => (listener = take), hear: (message, ...buffers) => listener(message, buffers) };
}

function filled(columns, { total, shown = [], version = 2, start = 0 } = {}) {
  const model = fakeModel();
  const store = new table.TableStore(model);
  const parts = Object.fromEntries(Object.entries(columns).map(([name, [kind, cells]]) => [name, { kind, cells }]));
  const count = Object.values(columns)[0][1].length;
  model.hear({ tell: "rows", version, start, count, total: total ?? count, now: Date.now(), columns: Object.keys(columns), shown }, json(parts));
  return { store, model };
}

test("numbers are sorted as numbers, missing ones last whichever way, equal ones as they came", () => {
  const { store } = filled({ n: ["number", [10, null, 9, 10, -1, 2.5]] });
  assert.deepEqual([...table.sortRows(store, [0, 1, 2, 3, 4, 5], "n", false)], [4, 5, 2, 0, 3, 1]);
  assert.deepEqual([...table.sortRows(store, [0, 1, 2, 3, 4, 5], "n", true)], [0, 3, 2, 5, 4, 1]);
});

test("integers beyond the exact range come as text and are sorted exactly", () => {
  const { store } = filled({ n: ["number", ["9007199254740993", "9007199254740992", 5, "inf", "100000000000000000000"]] });
  assert.deepEqual([...table.sortRows(store, [0, 1, 2, 3, 4], "n", false)], [2, 1, 0, 4, 3]);
});

test("texts that look like numbers are sorted as texts, where the column is of texts", () => {
  const { store } = filled({ t: ["text", ["9", "10", "B", "a"]] });
  assert.deepEqual([...table.sortRows(store, [0, 1, 2, 3], "t", false)], [1, 0, 2, 3]);
});

test("only the rows given are sorted, and others stay away", () => {
  const { store } = filled({ n: ["number", [3, 2, 1]] });
  assert.deepEqual([...table.sortRows(store, [0, 2], "n", false)], [2, 0]);
});

test("a row is left by the filter when a shown cell contains the text, in upper or lower case", () => {
  const { store } = filled({ a: ["text", ["Alpha", "beta", null]], b: ["text", ["x", "ALPHABET", "y"]], size: ["number", [1500, 1, 1]] });
  const found = (text, columns, more = {}) => [...table.filterRows(store, { text, columns, ...more })];
  assert.deepEqual(found("alpha", ["a", "b"]), [0, 1]);
  assert.deepEqual(found("alpha", ["a"]), [0]);
  assert.deepEqual(found("1.5 kB", ["size"]), [0]);
  assert.deepEqual(found("", ["a"]), [0, 1, 2]);
  assert.deepEqual(found("alpha", ["a"], { bodyHits: [0, 0, 1] }), [0, 2]);
  assert.deepEqual(found("alpha", ["a", "b"], { queryHits: [0, 1, 1] }), [1]);
});

test("states, flags and last chances are found by their words", () => {
  const { store, model } = filled({ settlement: ["text", ["returned", null, null]], delivery_count: ["number", [1, 5, 2]], deliveries_left: ["number", [4, 0, null]] });
  model.hear({ tell: "marks", version: 2 }, json({ states: { lost_lock: [0] }, flags: { edited: [2] } }));
  assert.equal(table.cellText(store, "state", 0), "⚠ lost lock");
  assert.equal(table.cellText(store, "state", 2), "✎ edited");
  assert.equal(table.cellText(store, "delivery_count", 1), "5 ⚠ last chance");
  assert.deepEqual([...table.filterRows(store, { text: "last chance", columns: ["delivery_count"] })], [1]);
});

test("a lock counts down, is amber below 30 seconds, and over at its end; none of it by colour alone", () => {
  assert.deepEqual(table.lockWords(100_000, 0, ""), { text: "1:40", level: "" });
  assert.deepEqual(table.lockWords(30_000, 0, ""), { text: "0:30", level: "" });
  assert.deepEqual(table.lockWords(29_999, 0, ""), { text: "⚠ 0:30", level: "soon" });
  assert.deepEqual(table.lockWords(7_000, 7_000, ""), { text: "✗ over", level: "over" });
  for (const settled of ["acked", "returned", "lost_lock"]) assert.equal(table.lockWords(100_000, 0, settled).text, "");
  assert.equal(table.lockWords(null, 0, "").text, "");
});

test("the kernel's clock counts, not the page's", () => {
  const model = fakeModel();
  const store = new table.TableStore(model);
  model.hear({ tell: "data", version: 2, total: 0, now: Date.now() + 3_600_000 });
  assert.ok(Math.abs(store.now() - Date.now() - 3_600_000) < 5_000);
});

test("ranges, keys and windows stay inside the table", () => {
  const order = Uint32Array.from([5, 3, 9, 1]);
  assert.deepEqual(table.between(order, 2, 0), [5, 3, 9]);
  assert.deepEqual(["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End", "x"].map((key) => table.placeAfter(key, 3, 5, 10)), [4, 2, 4, 0, 0, 4, null]);
  assert.equal(table.placeAfter("ArrowUp", 0, 5, 10), 0);
  assert.deepEqual(table.windowOf(0, 270, 27, 1000, 8), [0, 18]);
  assert.deepEqual(table.windowOf(2700, 270, 27, 105, 8), [92, 105]);
});

test("a column is moved and the others keep their order", () => {
  assert.deepEqual(table.movedColumn(["a", "b", "c", "d"], "a", 2), ["b", "c", "a", "d"]);
  assert.deepEqual(table.movedColumn(["a", "b", "c", "d"], "d", -1), ["d", "a", "b", "c"]);
  assert.deepEqual(table.movedColumn(["a", "b"], "a", 9), ["b", "a"]);
});

test("the counts say what is hidden and what has not come yet", () => {
  assert.equal(table.countsWords({ selected: 12, hidden: 3, shown: 588, total: 10_000, loaded: 10_000 }), "12 selected (3 hidden by the filter) · 588 of 10,000 shown");
  assert.equal(table.countsWords({ selected: 0, hidden: 0, shown: 500, total: 1_000, loaded: 500 }), "0 selected · 500 of 1,000 shown · 500 loaded so far");
});

test("copied rows are lines with tabs, without times of locks, and no formulas for a spreadsheet", () => {
  const { store } = filled({ message_id: ["text", ["=1+1", "b"]], n: ["number", [-5, 2]], preview: ["text", ["a\tb\nc", "@x"]] });
  assert.equal(table.rowsAsText(store, ["message_id", "lock_left", "n", "preview"], [1, 0]), "message_id\tn\tbody\nb\t2\t'@x\n'=1+1\t-5\ta b c\n");
});

test("a selection is the version of the rows and their positions, ascending", () => {
  assert.deepEqual([...table.numbersOf(table.packedSelection(7, [30, 4, 100]))], [7, 4, 30, 100]);
  assert.deepEqual([...table.numbersOf(new DataView(new ArrayBuffer(0)))], []);
  const shifted = new DataView(new Uint8Array([0, 1, 0, 0, 0, 2, 0, 0, 0]).buffer, 1, 8);
  assert.deepEqual([...table.numbersOf(shifted)], [1, 2]);
});

test("rows are asked for at once, later ones are put behind, and rows of before are dropped", () => {
  const { store, model } = filled({ a: ["text", ["x", "y"]] }, { total: 3, shown: ["a"] });
  assert.deepEqual(model.sent, [{ do: "rows" }]);
  model.hear({ tell: "rows", version: 2, start: 2, count: 1, total: 3, columns: ["a", "prop.late"] }, json({ a: { kind: "text", cells: ["z"] }, "prop.late": { kind: "text", cells: ["new"] } }));
  assert.equal(store.loaded, 3);
  assert.deepEqual([table.cellText(store, "prop.late", 0), table.cellText(store, "prop.late", 2)], ["", "new"]);
  model.hear({ tell: "data", version: 3, total: 1 });
  assert.deepEqual([store.loaded, store.total, store.columns.size], [0, 1, 0]);
  model.hear({ tell: "rows", version: 2, start: 0, count: 1, total: 3, columns: ["a"] }, json({ a: { kind: "text", cells: ["old"] } }));
  assert.equal(store.loaded, 0);
});

test("a column that is shown and has not come is asked for once", () => {
  const { store, model } = filled({ a: ["text", ["x"]] });
  store.available.push("b");
  store.need(["a", "b", "state"]);
  store.need(["b"]);
  assert.deepEqual(model.sent.slice(1), [{ do: "rows", only: ["b"] }]);
});

test("more rows are asked for from where the others end, with the columns that are there", () => {
  const { store, model } = filled({ a: ["text", ["x"]] });
  model.hear({ tell: "more", version: 2, total: 5 });
  assert.deepEqual([model.sent.at(-1), store.total], [{ do: "rows", start: 1, columns: ["a"] }, 5]);
});

test("what a query and a search in bodies have found is kept as told", () => {
  const { store, model } = filled({ a: ["text", ["x", "y", "z"]] });
  model.hear({ tell: "found", version: 2, what: "query", all: false, error: "", text: "q" }, positions(0, 2));
  assert.deepEqual([...store.queryHits], [1, 0, 1]);
  model.hear({ tell: "found", version: 2, what: "query", all: true, error: "no column b", text: "" }, positions());
  assert.deepEqual([store.queryHits, store.queryError], [null, "no column b"]);
  model.hear({ tell: "found", version: 2, what: "bodies", all: false, text: "t" }, positions(1));
  assert.deepEqual([[...store.bodyHits], store.bodyText], [[0, 1, 0], "t"]);
});

test("extended locks take the place of the others", () => {
  const { store, model } = filled({ lock_expires_at: ["time", [1, 2]] });
  model.hear({ tell: "locks", version: 2, now: Date.now() }, json({ rows: [1], ends: [99] }));
  assert.deepEqual([store.lockEnd(0), store.lockEnd(1)], [1, 99]);
});

test("a column, a width or a state may have a name that every object inherits", () => {
  for (const name of ["constructor", "toString", "__proto__"]) {
    assert.equal(table.labelOf(name), name);
    assert.equal(table.widthOf(name, {}), 140);
    assert.ok(table.stateWords(name).startsWith("• "));
  }
});
