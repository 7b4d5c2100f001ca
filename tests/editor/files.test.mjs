// Files that are dropped: scenes are taken, pictures give a first hand its size, and what is neither is refused in words.
import assert from "node:assert/strict";
import { File } from "node:buffer";
import { test } from "node:test";

import { takeDropped } from "../../web/js/editor/files.js";
import { HandEditor } from "../../web/js/editor/hand_editor.js";
import { startAnew, startIn } from "../../web/js/editor/ways_out.js";
import { golden, model } from "./goldens.mjs";

const facts = golden("editor_facts");
const FOUND = golden("hands")[3].scene;

/** Return an editor, and what it said for all to see. */
function edited(given = {}) {
  const seen = [];
  const editor = new HandEditor({ model, facts, ...given });
  editor.speakThrough((words, isSeen) => isSeen && seen.push(words));
  return { editor, seen };
}

const sizeOf = ({ state }) => [state.scene.camera.width, state.scene.camera.height];

test("a scene that is dropped is taken, as one step of undo", async () => {
  const { editor, seen } = edited();
  await takeDropped(editor, new File([FOUND], "hands.JSON"));
  assert.equal(editor.state.scene.hands.length, JSON.parse(FOUND).hands.length);
  editor.undo();
  assert.deepEqual([editor.text, seen], ["", []]);
});

test("what is no scene and no picture is refused in words and changes nothing", async () => {
  const { editor, seen } = edited({ text: FOUND });
  await takeDropped(editor, new File(["{}"], "x.json"));
  await takeDropped(editor, new File(["x"], "x.txt", { type: "text/plain" }));
  editor.showWired(FOUND);
  await takeDropped(editor, new File([FOUND], "x.json"));
  assert.equal(editor.text, FOUND);
  assert.match(seen[0], /^The scene lacks format/);
  assert.deepEqual(seen.slice(1), [editor.t("said.notTaken"), editor.t("state.viewOnly")]);
});

test("a picture that cannot be taken says why", async () => {
  const host = { dropPicture: () => Promise.reject(new Error("too odd.")) };
  const { editor, seen } = edited({ host });
  await takeDropped(editor, new File(["x"], "x.png", { type: "image/png" }));
  assert.deepEqual(seen, [editor.t("panel.background.failed", { problem: "too odd." })]);
});

test("a picture gives its size to the first hand, and to none that is there already", () => {
  const { editor } = edited();
  startIn(editor, [600, 400]);
  assert.deepEqual([editor.status, sizeOf(editor)], ["edited", [600, 400]]);
  startIn(editor, [300, 300]);
  assert.deepEqual(sizeOf(editor), [600, 400]);
  editor.setBackground({ image: { naturalWidth: 320, naturalHeight: 640 }, dropped: true });
  startAnew(editor);
  assert.deepEqual(sizeOf(editor), [320, 640]);
});
