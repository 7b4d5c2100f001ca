// Where hands are in the picture and how they are turned, in the library's angles, and the lens they are seen through.
import assert from "node:assert/strict";
import { test } from "node:test";

import { project } from "../../web/js/core/camera.js";
import { fieldOfView, focalLengthOf, sceneWithLens } from "../../web/js/core/lens.js";
import { knuckleOf, placedAt, placeOf, turnedTo } from "../../web/js/core/place.js";
import { readScene } from "../../web/js/core/scene_reading.js";
import { viewAngles, viewRotation } from "../../web/js/core/turning.js";
import { distance, golden, model } from "./goldens.mjs";

const views = golden("views");
const scenes = golden("hands").map(({ scene }) => readScene(scene, model.name));

test("roll, pitch and yaw turn a hand as the library's do, and are read off again", () => {
  for (const { side, angles, global_orient: expected } of views) {
    const turned = viewRotation(side, angles);
    assert.ok(distance(turned, expected) < 1e-12);
    const { roll, pitch, yaw } = viewAngles(side, turned);
    assert.ok(distance([roll, pitch, yaw], [angles.roll, angles.pitch, angles.yaw]) < 1e-9);
  }
});

test("the back of a hand is a yaw of 180, and edge on angles still give the turn that they were read off", () => {
  const back = viewAngles("left", viewRotation("left", { roll: 20, pitch: 10, yaw: 180 }));
  assert.ok(distance([back.roll, back.pitch, Math.abs(back.yaw)], [20, 10, 180]) < 1e-9);
  for (const yaw of [90, -90]) {
    const turn = viewRotation("right", { roll: 30, pitch: 50, yaw });
    assert.ok(distance(viewRotation("right", viewAngles("right", turn)), turn) < 1e-9);
  }
});

test("a hand is put where it is wanted, as large as it is wanted, and back without a trace", () => {
  for (const { hands, camera } of scenes) {
    const wanted = { pixel: [40.5, 300], size: 0.7 };
    const put = placedAt(model, hands[0], camera, wanted);
    const found = placeOf(model, put, camera);
    assert.ok(distance([...found.pixel, found.size], [40.5, 300, 0.7]) < 1e-9);
    assert.ok(distance(project(camera, model.keypoints(put)[9]), wanted.pixel) < 1e-9);
    const back = placedAt(model, put, camera, placeOf(model, hands[0], camera));
    assert.ok(distance(back.translation, hands[0].translation) < 1e-12);
  }
});

test("a size of one is a flat hand as long as the picture is high", () => {
  const { hands, camera } = scenes[0];
  const facing = { ...hands[0], handPose: Array(15).fill(hands[0].handPose[0]), betas: Array(10).fill(0) };
  const flat = { ...facing, globalOrient: viewRotation("right", { roll: 0, pitch: 0, yaw: 0 }) };
  const straight = { ...flat, handPose: flat.handPose.map(() => [1, 0, 0, 0, 1, 0, 0, 0, 1]) };
  const put = placedAt(model, straight, camera, { pixel: camera.principalPoint, size: 1 });
  const points = model.keypoints(put).map((point) => project(camera, point));
  // Seen from the front the tip is a little nearer or farther than the knuckle.
  assert.ok(Math.abs(Math.hypot(points[12][0] - points[0][0], points[12][1] - points[0][1]) / camera.height - 1) < 0.1);
});

test("a hand behind the camera has no place", () => {
  const [{ hands, camera }] = scenes;
  assert.equal(placeOf(model, { ...hands[0], translation: [0, 0, -1] }, camera), null);
});

test("a turn leaves the knuckle where it was", () => {
  for (const { hands } of scenes) {
    const turned = turnedTo(model, hands[0], viewRotation(hands[0].side, { roll: 10, pitch: 20, yaw: 30 }));
    assert.ok(distance(knuckleOf(model, turned), knuckleOf(model, hands[0])) < 1e-12);
  }
});

test("a field of view is the library's", () => {
  for (const { fov, focal_length: focalLength, ...size } of views) {
    assert.ok(Math.abs(focalLengthOf(fov, size) / focalLength - 1) < 1e-9);
    assert.ok(Math.abs(fieldOfView({ focalLength, ...size }) - fov) < 1e-9);
  }
});

test("another lens leaves every hand as large and where it was", () => {
  for (const scene of scenes) {
    const seen = sceneWithLens(model, scene, 70);
    assert.ok(Math.abs(fieldOfView(seen.camera) - 70) < 1e-9);
    const [before, after] = [placeOf(model, scene.hands[0], scene.camera), placeOf(model, seen.hands[0], seen.camera)];
    assert.ok(distance([...before.pixel, before.size], [...after.pixel, after.size]) < 1e-9);
    assert.deepEqual(scene.camera, readScene(golden("hands")[scenes.indexOf(scene)].scene, model.name).camera);
  }
});
