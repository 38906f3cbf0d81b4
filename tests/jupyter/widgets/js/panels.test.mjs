import test from "node:test";
import assert from "node:assert/strict";
import { elapsed, fieldShown, progressWords, reasonLines, stopWords } from "./widget.mjs";

test("progress is in words, with a share where the end is known", () => {
  const progress = { done: 61, total: 275, unit: "msg", note: "", seconds: 75, stopping: false };
  assert.equal(progressWords(progress), "61 of 275 messages, 22 %, 1 min 15 s");
  assert.equal(progressWords({ ...progress, total: null, note: "throttled" }), "61 messages, 1 min 15 s; throttled");
  assert.equal(progressWords({ ...progress, done: 300 }), "300 of 275 messages, 100 %, 1 min 15 s");
  assert.equal(progressWords({ ...progress, done: 0, total: 0, seconds: 3 }), "0 messages, 3 s");
});

test("a time has minutes when it needs them", () => {
  assert.equal(elapsed(59), "59 s");
  assert.equal(elapsed(60), "1 min 0 s");
});

test("a field may be shown for one value of another only", () => {
  assert.equal(fieldShown({ shown_for: null }, {}), true);
  assert.equal(fieldShown({ shown_for: ["how", "peek"] }, { how: "peek" }), true);
  assert.equal(fieldShown({ shown_for: ["how", "peek"] }, { how: "receive" }), false);
});

test("Stop says what it means before it is pressed again", () => {
  assert.equal(stopWords(false, false), "");
  assert.match(stopWords(true, false), /busy with a cell/);
  assert.match(stopWords(true, true), /End now cuts it off/);
});

test("each reason is said once, with the buttons that it is about", () => {
  const actions = [
    { label: "Ack", reason: "select rows." },
    { label: "Nack", reason: "select rows." },
    { label: "Release", reason: "" },
  ];
  assert.deepEqual(reasonLines(actions), ["Ack, Nack: Select rows."]);
  assert.deepEqual(reasonLines(actions.slice(0, 2)), ["Select rows."]);
  assert.deepEqual(reasonLines([{ label: "Ack", reason: "" }]), []);
});
