// Whole hands: moved, turned and sized as they are seen, mirrored, copied; and the first one in pictures of any size.
import assert from "node:assert/strict";
import { test } from "node:test";

import { project } from "../../web/js/core/camera.js";
import { firstScene } from "../../web/js/core/first_scene.js";
import {
  cameraFor,
  hasProportions,
  mirroredInPicture,
  sizedInPicture,
  swappedSide,
  trackballTurn,
  turnedHand,
} from "../../web/js/core/placing.js";
import { isRotation } from "../../web/js/core/rotations.js";
import { readScene } from "../../web/js/core/scene_reading.js";
import { distance, golden, model, randomNumbers } from "./goldens.mjs";

const scene = readScene(golden("editor_facts").default_scene, model.name);
const { camera } = scene;
const [hand] = scene.hands;
const MIDDLE = 9;
const seen = (each) => model.keypoints(each).map((point) => project(camera, point));
const pivotOf = (each) => model.keypoints(each)[MIDDLE];
const far = ([a, b], [c, d]) => Math.hypot(a - c, b - d);

test("the first hand is where the library puts it, in pictures of any size", () => {
  for (const { size, scene: text } of golden("first_scenes")) {
    const expected = readScene(text, model.name);
    const found = firstScene(model, scene, size[0], size[1]);
    assert.ok(distance(found.hands[0].translation, expected.hands[0].translation) < 1e-6);
    assert.ok(Math.abs(found.camera.focalLength - expected.camera.focalLength) < 1e-9);
    assert.deepEqual(
      [found.camera.width, found.camera.height, found.camera.principalPoint],
      [...size, expected.camera.principalPoint],
    );
  }
});

test("a turn keeps its pivot, stays a rotation after a thousand steps, and comes back by the opposite one", () => {
  const random = randomNumbers(8);
  let turned = hand;
  const turns = Array.from({ length: 500 }, () => [0, 1, 2].map(() => random() - 0.5));
  const backwards = turns.toReversed().map((turn) => turn.map((value) => -value));
  for (const turn of [...turns, ...backwards]) turned = turnedHand(model, turned, pivotOf(turned), turn);
  assert.ok(isRotation(turned.globalOrient, 1e-12));
  assert.ok(distance(pivotOf(turned), pivotOf(hand)) < 1e-9);
  assert.ok(distance(turned.globalOrient, hand.globalOrient) < 1e-9);
});

test("a roll turns what is seen about the pivot, clockwise in the picture", () => {
  const away = { ...hand, translation: [hand.translation[0], hand.translation[1], 40] };
  const pivot = pivotOf(away);
  const [before, after] = [away, turnedHand(model, away, pivot, [0, 0, Math.PI / 2])].map(seen);
  before.forEach(([x, y], k) => {
    const [cx, cy] = before[MIDDLE];
    assert.ok(far(after[k], [cx - (y - cy), cy + (x - cx)]) < 0.1);
  });
});

test("the front of a trackball follows the pointer", () => {
  const depths = model.keypoints(hand).map(([, , z]) => z);
  const front = depths.indexOf(Math.min(...depths));
  for (const way of [
    [10, 0],
    [0, 10],
    [-7, 7],
  ]) {
    const turned = turnedHand(model, hand, pivotOf(hand), trackballTurn(way, 0.01));
    const [before, after] = [model.keypoints(hand)[front], model.keypoints(turned)[front]];
    assert.ok((after[0] - before[0]) * way[0] + (after[1] - before[1]) * way[1] > 0);
  }
});

test("a sized hand looks larger by the factor about its pivot, and never comes to the camera", () => {
  const flat = { ...hand, translation: [hand.translation[0], hand.translation[1], 30] };
  const pivot = pivotOf(flat);
  const [before, after] = [flat, sizedInPicture(flat, pivot, 1.5)].map(seen);
  assert.ok(far(before[MIDDLE], after[MIDDLE]) < 1e-9);
  const ratio = far(after[0], after[MIDDLE]) / far(before[0], before[MIDDLE]);
  assert.ok(Math.abs(ratio - 1.5) < 0.01);
  const near = sizedInPicture(hand, pivotOf(hand), 1e9);
  const back = sizedInPicture(hand, pivotOf(hand), 1e-9);
  assert.ok(pivotOf(near)[2] > 0.05 && pivotOf(back)[2] < 21);
});

test("mirrored twice in the picture is the hand itself, and once is where a mirror in its middle shows it", () => {
  const mirrored = mirroredInPicture(model, camera, hand);
  assert.equal(mirrored.side, "left");
  model.keypoints(hand).forEach((point, k) => {
    const [x, y] = project(camera, point);
    assert.ok(far(project(camera, model.keypoints(mirrored)[k]), [camera.width - x, y]) < 1e-9);
  });
  const aside = { ...camera, principalPoint: [200, 256] };
  const [x, y] = project(aside, pivotOf(hand));
  const other = mirroredInPicture(model, aside, hand);
  assert.ok(far(project(aside, pivotOf(other)), [aside.width - x, y]) < 1e-9);
  const twice = mirroredInPicture(model, aside, other);
  assert.ok(distance(twice.translation, hand.translation) < 1e-12 && distance(twice.handPose, hand.handPose) === 0);
});

test("a hand of the other side stays where it was", () => {
  const swapped = swappedSide(model, hand);
  assert.equal(swapped.side, "left");
  assert.ok(distance(pivotOf(swapped), pivotOf(hand)) < 1e-12);
});

test("a camera fitted to other proportions keeps what is in the picture in it, about the middle", () => {
  const wide = cameraFor(camera, 1024, 512);
  assert.deepEqual([wide.focalLength, wide.principalPoint], [camera.focalLength, [512, 256]]);
  const small = cameraFor(camera, 256, 512);
  assert.ok(Math.abs(small.focalLength - camera.focalLength / 2) < 1e-9);
  assert.deepEqual(small.principalPoint, [128, 256]);
  assert.ok(hasProportions(camera, 1000, 1001) && !hasProportions(camera, 1000, 1002));
});
