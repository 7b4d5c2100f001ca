// Rotations and their forms against the library's, and where formulas have their holes.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  blendRotations,
  fromAxisAngle,
  IDENTITY,
  invert,
  isRotation,
  multiply,
  rotate,
  toAxisAngle,
} from "../../web/js/core/rotations.js";
import { distance, golden, handOf, randomNumbers } from "./goldens.mjs";

test("axis-angle vectors are Python's", () => {
  for (const { scene, axis_angles: wanted } of golden("hands")) {
    assert.ok(distance(handOf(scene).handPose.map(toAxisAngle), wanted) < 2e-6);
  }
});

test("axis-angle vectors come back at every angle, also next to nothing and to half a turn", () => {
  const random = randomNumbers(1);
  for (const angle of [0, 1e-12, 1e-8, 1e-5, 1e-4, 1.1e-4, 0.1, 1, 3, Math.PI - 1e-6, Math.PI - 1e-9]) {
    for (let n = 0; n < 20; n++) {
      const axis = [0, 1, 2].map(() => random() - 0.5);
      const vector = axis.map((value) => (value * angle) / Math.hypot(...axis));
      assert.ok(distance(toAxisAngle(fromAxisAngle(vector)), vector) < 1e-9, `${vector}`);
    }
  }
});

test("half a turn about each axis is read as half a turn about it", () => {
  for (const axis of [0, 1, 2]) {
    const vector = [0, 0, 0].with(axis, Math.PI);
    assert.ok(distance(toAxisAngle(fromAxisAngle(vector)).map(Math.abs), vector) < 1e-9);
  }
});

test("turning by b and then by a is turning by their product, and the inverse turns back", () => {
  const [a, b, v] = [fromAxisAngle([0.3, -1, 2]), fromAxisAngle([1, 0.4, 0]), [0.1, 0.2, -0.7]];
  assert.ok(distance(rotate(multiply(a, b), v), rotate(a, rotate(b, v))) < 1e-15);
  assert.ok(distance(rotate(invert(a), rotate(a, v)), v) < 1e-15);
});

test("a quarter of the way is a quarter of the angle about the same axis", () => {
  assert.ok(distance(blendRotations(IDENTITY, fromAxisAngle([0, 2, 0]), 0.25), fromAxisAngle([0, 0.5, 0])) < 1e-15);
});

test("mirrored, sheared and scaled matrices are no rotations", () => {
  assert.ok(isRotation(fromAxisAngle([1, 2, 3]), 1e-9));
  for (const k of [0, 1, 4]) assert.ok(!isRotation(IDENTITY.with(k, IDENTITY[k] + 0.01), 1e-3));
  assert.ok(!isRotation(IDENTITY.with(8, -1), 1e-3));
});
