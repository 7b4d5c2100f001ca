// Where new hands go: beside each other, inside the picture, none on another.
import assert from "node:assert/strict";
import { test } from "node:test";

import { besideOthers, boxOf, sideBySide } from "../../web/js/core/beside.js";
import { sizedInPicture, swappedSide } from "../../web/js/core/placing.js";
import { readScene } from "../../web/js/core/scene_reading.js";
import { COMMANDS, copiedText, pasteText } from "../../web/js/editor/commands.js";
import { HandEditor } from "../../web/js/editor/hand_editor.js";
import { golden, model } from "./goldens.mjs";

const facts = golden("editor_facts");
const scene = readScene(facts.default_scene, model.name);
const { camera } = scene;
const [hand] = scene.hands;
const pivotOf = (each) => model.keypoints(each)[9];
const boxed = (hands) => hands.map((each) => boxOf(model, camera, each));

/** Tell whether boxes are inside the picture and none is on another. */
function areApart(boxes) {
  const isInside = ({ left, top, right, bottom }) =>
    left >= 0 && top >= 0 && right <= camera.width && bottom <= camera.height;
  const isClear = (a, b) => a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
  return boxes.every((box, n) => isInside(box) && boxes.slice(n + 1).every((other) => isClear(box, other)));
}

test("new hands stand beside each other in the picture, as they are where there is room and smaller where not", () => {
  const small = sizedInPicture(hand, pivotOf(hand), 0.35);
  const beside = besideOthers(model, camera, swappedSide(model, small), [small]);
  const [[first], [second]] = boxed([small, beside]).map((box) => [box.right - box.left]);
  assert.ok(areApart(boxed([small, beside])) && Math.abs(second / first - 1) < 0.05, `${first} ${second}`);
  const many = [hand];
  for (let k = 0; k < 7; k++) many.push(besideOthers(model, camera, swappedSide(model, many.at(-1)), many));
  assert.ok(areApart(boxed(many)));
  assert.equal(besideOthers(model, camera, small, []), small);
});

test("a large hand and its copy share the picture, of one size", () => {
  const pair = sideBySide(model, camera, [hand, swappedSide(model, hand)]);
  const boxes = boxed(pair);
  const [a, b] = boxes.map(({ left, right }) => right - left);
  assert.ok(areApart(boxes) && Math.abs(a / b - 1) < 0.01 && a > 0.4 * camera.width, `${a} ${b}`);
});

test("hands that are added or pasted are in the picture, and none on another", () => {
  const editor = new HandEditor({ model, facts });
  const copied = copiedText(editor);
  for (let k = 0; k < 3; k++) COMMANDS.add({ editor });
  for (let k = 0; k < 2; k++) pasteText(editor, copied);
  const { hands } = editor.state.scene;
  assert.equal(hands.length, 6);
  assert.ok(areApart(boxed(hands)));
});

test("a hand that lies over a picture stays where it is when another is added", () => {
  const editor = new HandEditor({ model, facts });
  editor.setBackground({ image: { naturalWidth: 512, naturalHeight: 512 } });
  const [before] = editor.state.scene.hands;
  COMMANDS.add({ editor });
  assert.equal(editor.state.scene.hands[0], before);
});
