// The camera against the library's, and its inverse and its matrix for GL against itself.
import assert from "node:assert/strict";
import { test } from "node:test";

import { clipMatrix, project, rayThrough, unproject } from "../../web/js/core/camera.js";
import { add, scale } from "../../web/js/core/vectors.js";
import { distance, golden } from "./goldens.mjs";

const cameras = golden("cameras");

test("points are seen within a millionth of a pixel of where Python sees them", () => {
  for (const camera of cameras) {
    assert.ok(
      distance(
        camera.points.map((point) => project(camera, point)),
        camera.pixels,
      ) < 1e-6,
    );
  }
});

test("a pixel at a depth is the point that is seen there", () => {
  for (const camera of cameras) {
    const found = camera.pixels.map((pixel, n) => unproject(camera, pixel, camera.points[n][2]));
    assert.ok(distance(found, camera.points) < 1e-6);
  }
});

test("the ray through a pixel is seen there at every distance", () => {
  for (const camera of cameras) {
    const { origin, direction } = rayThrough(camera, camera.pixels[0]);
    for (const metres of [0.1, 1, 10]) {
      const seen = project(camera, add(origin, scale(direction, metres)));
      assert.ok(distance(seen, camera.pixels[0]) < 1e-6);
    }
  }
});

test("a GL viewport of the picture's size shows points at their pixels, and depths between near and far", () => {
  for (const camera of cameras) {
    const m = clipMatrix(camera, 0.3, 5);
    camera.points.forEach(([x, y, z], n) => {
      const [cx, cy, cz, cw] = [0, 1, 2, 3].map((row) => m[row] * x + m[4 + row] * y + m[8 + row] * z + m[12 + row]);
      const seen = [((cx / cw + 1) / 2) * camera.width, ((1 - cy / cw) / 2) * camera.height];
      assert.ok(distance(seen, camera.pixels[n]) < 1e-6);
      assert.ok(Math.abs(cz / cw) < 1);
    });
    const depth = (z) => (m[10] * z + m[14]) / z;
    assert.ok(Math.abs(depth(0.3) + 1) < 1e-9 && Math.abs(depth(5) - 1) < 1e-9);
  }
});
