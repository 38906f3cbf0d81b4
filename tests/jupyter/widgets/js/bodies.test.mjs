// Run by test_bodies_scripts.py, which puts the viewer's scripts beside this file as one module.
import assert from "node:assert/strict";
import { test } from "node:test";

import * as viewer from "./widget.mjs";

const node = (depth, kind, key = null, text = "", count = 0) => [depth, kind, key, text, count, false];
// {"a": [10, 20], "odd key": {"b": true}, "c": []}
const NODES = [
  node(0, "object", null, "", 3),
  node(1, "array", '"a"', "", 2),
  node(2, "number", null, "10"),
  node(2, "number", null, "20"),
  node(1, "object", '"odd key"', "", 1),
  node(2, "word", '"b"', "true"),
  node(1, "array", '"c"', "", 0),
];
const tree = viewer.indexTree(NODES);
const shown = (open, limits = new Map()) => viewer.visibleRows(tree, new Set(open), limits).map((row) => row.at ?? `more ${row.more}`);
const list = (length) => viewer.indexTree([node(0, "array", null, "", length), ...Array.from({ length }, (_, at) => node(1, "number", null, String(at)))]);

test("a tree knows parents, places and ends", () => {
  assert.deepEqual(tree.parents, [-1, 0, 1, 1, 0, 4, 0]);
  assert.deepEqual(tree.places, [0, 0, 0, 1, 1, 0, 2]);
  assert.deepEqual(tree.ends, [7, 4, 3, 4, 6, 6, 7]);
  assert.deepEqual(viewer.membersOf(tree, 0), [1, 4, 6]);
});

test("only what is open is shown", () => {
  assert.deepEqual(shown([]), [0]);
  assert.deepEqual(shown([0]), [0, 1, 4, 6]);
  assert.deepEqual(shown([0, 4]), [0, 1, 4, 5, 6]);
  assert.deepEqual(shown([4]), [0]);
});

test("a long array is shown in pieces", () => {
  const long = list(1000);
  const rows = viewer.visibleRows(long, new Set([0]), new Map());
  assert.equal(rows.length, 202);
  assert.deepEqual(rows.at(-1), { more: 0, hidden: 800 });
  assert.equal(viewer.visibleRows(long, new Set([0]), new Map([[0, 400]])).length, 402);
});

test("no depth is too deep", () => {
  const deep = viewer.indexTree(Array.from({ length: 20_000 }, (_, depth) => node(depth, "array", null, "", depth < 19_999 ? 1 : 0)));
  const all = viewer.allOpen(deep);
  assert.equal(all.isAll, false);
  assert.equal(viewer.visibleRows(deep, all.open, new Map()).length, viewer.MOST_OPEN);
  assert.ok(viewer.visibleRows(deep, viewer.firstOpen(deep), new Map()).length <= 70);
});

test("at first a small document is open, and of a large one the first level", () => {
  assert.deepEqual([...viewer.firstOpen(tree)].sort(), [0, 1, 4, 6]);
  assert.deepEqual([...viewer.firstOpen(list(5000))], [0]);
  assert.deepEqual([...viewer.firstOpen(viewer.indexTree([]))], []);
});

test("keys walk the tree", () => {
  const open = new Set([0, 1]);
  const rows = viewer.visibleRows(tree, open, new Map());
  const press = (key, at) => viewer.treeKey(key, rows, rows.findIndex((row) => row.at === at), tree, open);
  assert.deepEqual(press("ArrowDown", 0), { focus: 1 });
  assert.deepEqual(press("ArrowUp", 0), { focus: 0 });
  assert.deepEqual(press("End", 0), { focus: 5 });
  assert.deepEqual(press("Home", 6), { focus: 0 });
  assert.deepEqual(press("ArrowRight", 4), { open: 4 });
  assert.deepEqual(press("ArrowRight", 1), { focus: 2 });
  assert.deepEqual(press("ArrowRight", 2), { focus: 2 });
  assert.deepEqual(press("ArrowLeft", 1), { close: 1 });
  assert.deepEqual(press("ArrowLeft", 3), { focus: 1 });
  assert.deepEqual(press("ArrowLeft", 4), { focus: 0 });
  assert.deepEqual(press("Enter", 4), { open: 4 });
  assert.deepEqual(press(" ", 1), { close: 1 });
  assert.deepEqual(press("Enter", 6), { focus: 5 });
  assert.equal(press("x", 0), null);
  const long = list(300);
  const pieces = viewer.visibleRows(long, new Set([0]), new Map());
  assert.deepEqual(viewer.treeKey("Enter", pieces, 201, long, new Set([0])), { more: 0 });
  assert.deepEqual(viewer.treeKey("ArrowLeft", pieces, 201, long, new Set([0])), { focus: 0 });
});

test("a node has a path", () => {
  assert.deepEqual([0, 3, 5].map((at) => viewer.pathOf(tree, at)), ["$", "$.a[1]", '$["odd key"].b']);
});

test("counts are said in words", () => {
  assert.equal(viewer.countWords(NODES[0]), "3 fields");
  assert.equal(viewer.countWords(node(0, "array", null, "", 1)), "1 item");
  assert.equal(viewer.countWords([0, "array", null, "", 1200, true]), "1,200 items read so far");
  assert.deepEqual([0, 1, 2000].map(viewer.differenceWords), ["no differences", "1 difference", "2,000 differences"]);
});

test("equal rows next to each other are folded", () => {
  const folded = viewer.foldRows([["=", "a", "1", "1", 1], ["=", "b", "2", "2", 4], ["≠", "c", "1", "2", 1], ["=", "d", "", "", 1]]);
  assert.deepEqual(folded.map(({ mark, count, rows }) => [mark, count, rows?.length]), [["=", 5, 2], ["≠", 1, undefined], ["=", 1, 1]]);
});

test("line ends survive a text field", () => {
  assert.deepEqual(["a", "a\nb", "a\r\nb\r\n", "a\r\nb\n", "a\rb"].map(viewer.lineEnds), ["\n", "\n", "\r\n", "mixed", "mixed"]);
  assert.equal(viewer.withLineEnds("a\nb\n", "\r\n"), "a\r\nb\r\n");
  assert.equal(viewer.withLineEnds("a\nb\n", "\n"), "a\nb\n");
  assert.equal(viewer.placeInField("a\r\nbc", 4), 3);
});

test("bytes that are no text are told from text", () => {
  assert.equal(viewer.textOf(new Uint8Array([0xff])), null);
  assert.equal(viewer.textOf(new TextEncoder().encode("\ufeffé")), "\ufeffé");
  assert.deepEqual(viewer.jsonOf(new DataView(new TextEncoder().encode('x{"a":1}').buffer, 1)), { a: 1 });
});
