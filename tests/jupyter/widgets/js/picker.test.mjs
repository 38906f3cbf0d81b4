// Run by test_picker_js.py, which puts picker_order.js beside it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { countInWords, fit, fittingRows, kindInWords, lagInWords, linksInWords, offers, sortedRows, spanInWords } from "./widget.mjs";

const rows = [
  { name: "events", kind: "exchange" },
  { name: "orders", kind: "queue", deadLetterQueue: "orders-dlq" },
  { name: "orders-dlq", kind: "queue", deadLettersOf: ["orders", "payments"] },
  { name: "parked", kind: "queue" },
  { name: "quiet-dlq", kind: "queue", deadLettersOf: ["quiet"] },
  { name: "unread", kind: "queue" },
];
const at = (messages, inFlight = 0, at = 0) => ({ messages, inFlight, at });
const counts = new Map([["orders", at(500)], ["orders-dlq", at(3)], ["parked", at(0)], ["quiet-dlq", at(0)]]);
const names = (found) => found.map((row) => row.name);

test("dead-letter queues that hold messages come first, then the deepest, then unread, then exchanges", () => {
  const expected = ["orders-dlq", "orders", "parked", "quiet-dlq", "unread", "events"];
  assert.deepEqual(names(sortedRows(rows, counts, "dead letters", true)), expected);
});

test("the deepest first", () => {
  assert.deepEqual(names(sortedRows(rows, counts, "depth", true)).slice(0, 2), ["orders", "orders-dlq"]);
});

test("by name", () => {
  assert.deepEqual(names(sortedRows([...rows].reverse(), counts, "name", true)), names(rows));
});

test("names used before keep their order, the latest first", () => {
  const used = [{ name: "z", kind: "" }, { name: "a", kind: "" }];
  assert.deepEqual(names(sortedRows(used, new Map(), "dead letters", false)), ["z", "a"]);
});

test("sorting changes nothing of what it was given", () => {
  const before = names(rows);
  sortedRows(rows, counts, "depth", true);
  assert.deepEqual(names(rows), before);
});

test("every word must be in the name, whatever its case", () => {
  assert.equal(fit("Orders.EU-dlq", "dlq orders"), 2);
  assert.equal(fit("orders", "orders dlq"), -1);
  assert.deepEqual(["orders", "orders-dlq", "eu.orders", "reorders"].map((name) => fit(name, "ORDERS ")), [0, 1, 2, 3]);
});

test("the best fit comes first, otherwise the order stays", () => {
  const found = fittingRows(["reorders", "eu.orders", "orders-dlq", "orders"].map((name) => ({ name })), "orders");
  assert.deepEqual(names(found), ["orders", "orders-dlq", "eu.orders", "reorders"]);
});

test("what looks like a pattern is taken as it stands", () => {
  assert.deepEqual(fittingRows(rows, ".*"), []);
  assert.deepEqual(fittingRows(rows, "("), []);
});

test("a typed name is offered last with a whole list, first without, and not where it is there", () => {
  assert.deepEqual(names(offers(rows, "dlq", true)), ["orders-dlq", "quiet-dlq", "dlq"]);
  assert.deepEqual(names(offers(rows, "dlq", false)), ["dlq", "orders-dlq", "quiet-dlq"]);
  assert.equal(offers(rows, "orders", true).some((row) => row.isTyped), false);
  assert.deepEqual(names(offers(rows, "no such", true)), []);
});

test("kinds, counts and links are words", () => {
  assert.equal(kindInWords({ kind: "FIFO queue", deadLettersOf: ["a"], fallback: true }), "FIFO queue, dead-letter queue, fallback queue");
  assert.equal(kindInWords({}), "kind not known");
  assert.equal(countInWords(rows[1], at(1234, 5)), "1,234 waiting, 5 in flight");
  assert.equal(countInWords(rows[1], undefined), "not read yet");
  assert.equal(countInWords(rows[1], at(null, null)), "the service knows no such queue");
  assert.equal(linksInWords({ deadLettersOf: ["a", "b", "c", "d", "e"], deadLetterQueue: "x" }), "dead letters of a, b, c and 2 more; dead letters go to x");
});

test("the lag is told by the oldest count in sight, and what was not read is told too", () => {
  const lately = new Map([["orders", at(1, 0, 88_000)], ["orders-dlq", at(1, 0, 95_000)]]);
  assert.equal(
    lagInWords(rows, rows.slice(1, 3), lately, 100_000),
    "Counts up to a minute old; read 12 s ago; 3 of 5 queues not read yet.",
  );
  assert.equal(lagInWords([rows[0]], [], new Map(), 0), "");
});

test("time spans are words", () => {
  assert.deepEqual([0, 12, 300, 7200, 864_000].map(spanInWords), ["just now", "12 s ago", "5 min ago", "2 h ago", "10 d ago"]);
});

test("five thousand names are sorted and filtered in a moment", () => {
  const many = Array.from({ length: 5000 }, (_, i) => ({ name: `team-${i % 97}.events.${i}`, kind: "queue" }));
  const read = new Map(many.map((row, i) => [row.name, at((i * 7919) % 1000)]));
  const began = performance.now();
  const found = fittingRows(sortedRows(many, read, "depth", true), "team 42");
  console.log(`5,000 names sorted and filtered in ${(performance.now() - began).toFixed(0)} ms`);
  assert.ok(found.length > 0 && found.every((row) => row.name.includes("42")));
});
