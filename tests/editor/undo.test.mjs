// Whose a step of undo is: the editor's, the page's around it, or that of a field that something is typed into.
import assert from "node:assert/strict";
import { test } from "node:test";

import { curlFinger } from "../../web/js/core/fingers.js";
import { COMMANDS } from "../../web/js/editor/commands.js";
import { HandEditor } from "../../web/js/editor/hand_editor.js";
import { commandBeside } from "../../web/js/view/keys.js";
import { anatomy, golden, model } from "./goldens.mjs";

test("an editor without steps of its own leaves undo to the page, and one that has gone through them does not", () => {
  const asked = [];
  const host = { travel: (way) => asked.push(way) };
  const editor = new HandEditor({ model, facts: golden("editor_facts"), host });
  COMMANDS.undo({ editor });
  COMMANDS.redo({ editor });
  assert.deepEqual(asked, ["undo", "redo"]);
  editor.changePose((pose) => curlFinger(anatomy, pose, "index", 1));
  editor.commit();
  for (const name of ["redo", "undo", "undo"]) COMMANDS[name]({ editor });
  assert.deepEqual([asked.length, editor.text], [2, ""]);
});

test("beside the stage, undo is the editor's but where words are typed", () => {
  const pressed = (key, localName, type, held = { ctrlKey: true }) =>
    commandBeside({ key, ...held, target: { localName, type } })?.name;
  assert.equal(pressed("z", "input", "range"), "undo");
  assert.equal(pressed("z", "input", "search"), "undo");
  assert.equal(pressed("Z", "button", "button", { ctrlKey: true, shiftKey: true }), "redo");
  assert.equal(pressed("z", "input", "number"), undefined);
  assert.equal(pressed("z", "textarea", "textarea"), undefined);
  assert.equal(pressed("Escape", "textarea", "textarea", {}), "escape");
  assert.equal(pressed("m", "input", "range", {}), undefined);
});
