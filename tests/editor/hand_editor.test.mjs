// The editor without a page: what it writes and when, what it shows of what came in, and what it never touches.
import assert from "node:assert/strict";
import { test } from "node:test";

import { curlFinger } from "../../web/js/core/fingers.js";
import { rightPose } from "../../web/js/core/hand.js";
import { readScene } from "../../web/js/core/scene_reading.js";
import { FINGERS } from "../../web/js/core/skeleton.js";
import { COMMANDS, copiedText, pasteText } from "../../web/js/editor/commands.js";
import { HandEditor } from "../../web/js/editor/hand_editor.js";
import { follow, keepMine, startAnew, startIn, takeOver } from "../../web/js/editor/ways_out.js";
import { commandOf, isOurs } from "../../web/js/view/keys.js";
import { anatomy, distance, golden, model } from "./goldens.mjs";

const facts = golden("editor_facts");
const FOUND = golden("hands")[3].scene;

/** Return an editor, and the list of texts that it wrote. */
function edited(given = {}) {
  const written = [];
  const editor = new HandEditor({ model, facts, host: { write: (text) => written.push(text) }, ...given });
  return { editor, written };
}

const curl = (editor, finger, amount) => editor.changePose((pose) => curlFinger(anatomy, pose, finger, amount));
const move = (editor, by) =>
  editor.changeHand((hand) => ({ ...hand, translation: hand.translation.map((value) => value + by) }));

test("a gesture of many moves is written once, as what it ended with, and can be undone in one step", () => {
  const { editor, written } = edited();
  for (const amount of [0.1, 0.2, 0.6]) curl(editor, "index", amount);
  assert.deepEqual(written, []);
  editor.commit("bent");
  assert.equal(written.length, 1);
  assert.deepEqual(readScene(written[0], model.name).hands.length, 1);
  editor.commit("again");
  assert.equal(written.length, 1);
  editor.undo();
  assert.deepEqual([written.length, written.at(-1), editor.text, editor.status], [2, "", "", "empty"]);
  editor.redo();
  assert.equal(written.at(-1), written[0]);
});

test("what is cancelled has not been, and what ends where it began is not written", () => {
  const { editor, written } = edited({ text: FOUND });
  const before = editor.state.scene;
  move(editor, 0.01);
  editor.cancel();
  assert.equal(editor.state.scene, before);
  move(editor, 0.01);
  editor.change((draft) => {
    draft.hands = [...before.hands];
  });
  editor.commit();
  assert.deepEqual([written, editor.history.canUndo], [[], false]);
});

test("edits end within the limits, and locked fingers stay as they were", () => {
  const { editor } = edited();
  editor.lock("index", true);
  const before = rightPose(editor.hand);
  editor.changePose((pose) => pose.map((_, j) => anatomy.rotation([3, 2, -2], j)));
  const after = rightPose(editor.hand);
  for (const j of [0, 1, 2]) assert.ok(distance(after[j], before[j]) < 1e-12);
  for (const j of [3, 9, 14]) {
    anatomy.angles(after[j], j).forEach((angle, axis) => {
      const [least, most] = anatomy.ranges[j][axis];
      assert.ok(angle >= least - 1e-9 && angle <= most + 1e-9);
    });
  }
  editor.lock("index", false);
  curl(editor, "index", 1);
  assert.ok(distance(rightPose(editor.hand)[0], before[0]) > 0.1);
});

test("hands that came in are shown, and taken over by the first edit with the name of their input", () => {
  const { editor, written } = edited();
  editor.receive({ linked: true });
  assert.deepEqual([editor.status, editor.editable, editor.state.scene.hands.length], ["unseen", false, 0]);
  editor.receive({ found: FOUND, fingerprint: "one" });
  assert.deepEqual([editor.status, editor.text], ["following", ""]);
  move(editor, 0.01);
  editor.commit();
  assert.equal(readScene(written[0], model.name).takenFrom, "one");
  assert.equal(editor.status, "edited");
  editor.receive({ fingerprint: "two" });
  assert.deepEqual([editor.status, editor.text], ["outdated", written[0]]);
  keepMine(editor);
  assert.deepEqual([editor.status, readScene(written[1], model.name).takenFrom], ["edited", "two"]);
  follow(editor);
  assert.deepEqual([editor.status, editor.text, written.at(-1)], ["following", "", ""]);
  takeOver(editor);
  const [taken, found] = [editor.text, FOUND].map((text) => readScene(text, model.name).hands);
  assert.deepEqual(
    taken.map(({ handPose, translation }) => [handPose, translation]),
    found.map(({ handPose, translation }) => [handPose, translation]),
  );
  editor.receive({ linked: false });
  assert.equal(editor.status, "edited");
});

test("a run that waits says so until hands are edited", () => {
  const { editor } = edited();
  editor.receive({ linked: true, found: FOUND, waits: true });
  assert.equal(editor.status, "waiting");
  takeOver(editor);
  assert.equal(editor.status, "edited");
});

test("a text that cannot be read is kept until it is asked to go, and hands of another model are only said", () => {
  const { editor, written } = edited({ text: "{}" });
  assert.deepEqual([editor.status, editor.editable, editor.state.scene], ["unreadable", false, null]);
  move(editor, 1);
  editor.commit();
  COMMANDS.add({ editor });
  COMMANDS.remove({ editor });
  assert.deepEqual([written, editor.text], [[], "{}"]);
  startAnew(editor);
  assert.equal(editor.status, "edited");
  const other = edited().editor;
  other.receive({ linked: true, found: FOUND.replace(/"hand_model": ?"[^"]*"/, '"hand_model": "mano"') });
  assert.equal(other.status, "unshown");
  assert.match(other.problem, /mano/);
});

test("a text of another node is shown and never edited", () => {
  const { editor, written } = edited({ text: "" });
  editor.showWired(FOUND);
  assert.deepEqual([editor.status, editor.editable], ["viewOnly", false]);
  move(editor, 1);
  editor.commit();
  editor.undo();
  editor.replaceText("x");
  assert.deepEqual([written, editor.text], [[], ""]);
  editor.showWired(null);
  assert.equal(editor.status, "empty");
});

test("what is chosen and how it is looked at is never in the text", () => {
  const { editor, written } = edited({ text: FOUND });
  editor.choose({ joint: 4 });
  editor.view({ look: "around", shown: "depth" });
  editor.lock("ring", true);
  editor.setBackground({ opacity: 0.3 });
  assert.deepEqual([written, editor.text], [[], FOUND]);
  editor.choose({ hand: 7, joint: 2 });
  assert.deepEqual([editor.state.chosen, editor.hand === editor.state.scene.hands[0]], [0, true]);
});

test("a first hand takes the size of the picture that came in", () => {
  const { editor } = edited();
  editor.receive({ size: [300, 200] });
  const { width, height } = editor.state.scene.camera;
  assert.deepEqual([width, height, editor.text], [300, 200, ""]);
});

test("hands are added, copied as texts of their own, and removed down to none", () => {
  const { editor } = edited();
  COMMANDS.add({ editor });
  assert.deepEqual([editor.state.chosen, editor.state.scene.hands.map(({ side }) => side)], [1, ["right", "left"]]);
  const copied = copiedText(editor);
  assert.equal(readScene(copied, model.name).hands[0].side, "left");
  pasteText(editor, copied);
  pasteText(editor, "no hand");
  assert.equal(editor.state.scene.hands.length, 3);
  for (let k = 0; k < 4; k++) COMMANDS.remove({ editor });
  assert.deepEqual([editor.state.scene.hands, editor.state.chosen, editor.status], [[], -1, "edited"]);
  COMMANDS.add({ editor });
  assert.equal(editor.state.scene.hands.length, 1);
});

test("a reset opens a finger, or the whole hand, whatever it was", () => {
  const { editor } = edited();
  const open = rightPose(editor.hand);
  for (const finger of FINGERS) curl(editor, finger, 0.8);
  editor.choose({ joint: 1 });
  COMMANDS.resetFinger({ editor });
  const one = rightPose(editor.hand);
  assert.ok(distance(one[0], open[0]) < 1e-12 && distance(one[4], open[4]) > 0.1);
  COMMANDS.resetHand({ editor });
  assert.ok(distance(rightPose(editor.hand), open) < 1e-12);
});

test("arrows bend the chosen joint by two degrees, ten with Shift, and move the hand where none is chosen", () => {
  const { editor } = edited();
  const view = { editor, arrows: null };
  COMMANDS.finger(view, "middle");
  const before = anatomy.angles(rightPose(editor.hand)[3], 3);
  COMMANDS.arrow(view, [0, 1], false);
  COMMANDS.arrow(view, [0, 1], true);
  COMMANDS.twist(view, 1, false);
  const after = anatomy.angles(rightPose(editor.hand)[3], 3);
  assert.ok(Math.abs(((after[0] - before[0]) * 180) / Math.PI - 12) < 1e-9);
  COMMANDS.arrows(view, "move");
  const [x] = editor.hand.translation;
  COMMANDS.arrow(view, [1, 0], false);
  assert.ok(Math.abs(editor.hand.translation[0] - x - 0.002) < 1e-12);
});

test("keys are commands only where the table has them; Tab and what is ComfyUI's go on", () => {
  const key = (name, held = {}) => commandOf({ key: name, code: "", ...held });
  assert.deepEqual(key("z", { ctrlKey: true }), { name: "undo", value: undefined, large: false });
  assert.equal(key("Z", { metaKey: true, shiftKey: true }).name, "redo");
  assert.deepEqual(key("ArrowLeft", { shiftKey: true }), { name: "arrow", value: [-1, 0], large: true });
  assert.deepEqual(key("R", { shiftKey: true }).name, "resetHand");
  assert.deepEqual(commandOf({ key: "3", code: "Numpad3" }).value, "side");
  assert.deepEqual(commandOf({ key: "3", code: "Digit3" }).value, "middle");
  for (const [name, held] of [
    ["s", { ctrlKey: true }],
    ["Enter", { ctrlKey: true }],
    ["m", { altKey: true }],
    ["Tab", {}],
    ["constructor", {}],
    ["w", {}],
  ]) {
    assert.equal(key(name, held), null);
  }
  assert.deepEqual(
    [isOurs({ key: "w" }), isOurs({ key: "Tab" }), isOurs({ key: "s", ctrlKey: true })],
    [true, false, false],
  );
});

test("every key's command is there", () => {
  const keys = "12345[],.marshtgdvf".split("").concat(["Delete", "Backspace", "Escape", "ArrowUp"]);
  for (const key of keys) assert.ok(commandOf({ key, code: "" }).name in COMMANDS, key);
});

test("a picture too large for a text, or of no size, does not make a text that nothing reads", () => {
  const { editor, written } = edited();
  editor.receive({ size: [20000, 4000] });
  curl(editor, "index", 0.5);
  editor.commit("bent");
  const { camera } = readScene(written.at(-1), model.name);
  assert.deepEqual([camera.width, camera.height], [16384, 3277]);
  for (const size of [
    [0, 0],
    [150, 0],
  ]) {
    const { editor: another, written: nothing } = edited();
    startIn(another, size);
    assert.deepEqual([another.status, nothing], ["empty", []]);
  }
});
