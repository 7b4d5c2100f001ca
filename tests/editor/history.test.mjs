// The editor's undo.
import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../../web/js/core/history.js";

test("steps are undone and done again in their order", () => {
  const history = new History("a");
  for (const text of ["b", "c"]) history.record(text);
  assert.deepEqual([history.undo(), history.undo(), history.undo()], ["b", "a", "a"]);
  assert.equal(history.canUndo, false);
  assert.deepEqual([history.redo(), history.redo(), history.redo()], ["b", "c", "c"]);
  assert.equal(history.canRedo, false);
});

test("an edit after an undo gives up what was undone", () => {
  const history = new History("a");
  history.record("b");
  history.undo();
  history.record("c");
  assert.deepEqual([history.redo(), history.undo()], ["c", "a"]);
});

test("no change is no step", () => {
  const history = new History("a");
  history.record("a");
  assert.equal(history.canUndo, false);
});

test("the oldest steps are forgotten beyond so many", () => {
  const history = new History(0, 3);
  for (const text of [1, 2, 3, 4]) history.record(text);
  assert.deepEqual([history.undo(), history.undo(), history.undo()], [3, 2, 2]);
});
