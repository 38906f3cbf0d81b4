import test from "node:test";
import assert from "node:assert/strict";
import { modeBadges, tabAfter, timeLeft, humanBytes } from "./widget.mjs";

test("production and the right to write are always in words", () => {
  const words = (mode) => modeBadges(mode).map(([text]) => text);
  assert.deepEqual(words({ production: true, read_only: true }), [
    "PRODUCTION: a destination's name must be typed",
    "READ ONLY: nothing is added or deleted",
  ]);
  assert.deepEqual(words({ production: false, read_only: false }), ["not production", "may write"]);
  assert.deepEqual(words({ production: null, production_note: "production: not known (asking …)" })[0], "production: not known (asking …)");
});

test("arrow keys go around the tabs", () => {
  const names = ["Receive", "Settle", "Python"];
  assert.equal(tabAfter(names, "Receive", "ArrowRight"), "Settle");
  assert.equal(tabAfter(names, "Receive", "ArrowLeft"), "Python");
  assert.equal(tabAfter(names, "Python", "ArrowRight"), "Receive");
  assert.equal(tabAfter(names, "Settle", "End"), "Python");
  assert.equal(tabAfter(names, "Settle", "Home"), "Receive");
  assert.equal(tabAfter(names, "Settle", "x"), "Settle");
});

test("time and size are in words", () => {
  assert.deepEqual([0, 400, 65_000, 7_389_000].map(timeLeft), ["over", "0:01", "1:05", "2:03:09"]);
  assert.deepEqual([999, 1_500, 4_200_000].map(humanBytes), ["999 B", "1.5 kB", "4.2 MB"]);
});
