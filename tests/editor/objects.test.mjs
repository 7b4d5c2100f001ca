// What hands hold: where its surface is, what is seen of it, how fingers close on it, and how it goes with its hand.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";

import { mirrorHand, rightPose } from "../../web/js/core/hand.js";
import { gripped, holding, touchOf } from "../../web/js/core/gripping.js";
import { meshShape } from "../../web/js/core/held_mesh.js";
import { withHeldMoved, withHeldSize } from "../../web/js/core/held_object.js";
import { heldSurface, middleOfHeld } from "../../web/js/core/held_surface.js";
import { objectShapes, shapeOfHeld } from "../../web/js/core/objects.js";
import { sizedInPicture, swappedSide, turnedHand } from "../../web/js/core/placing.js";
import { fromAxisAngle } from "../../web/js/core/rotations.js";
import { FARTHEST_OBJECT, OBJECT_SIZES, OBJECTS } from "../../web/js/core/scene_format.js";
import { writeScene } from "../../web/js/core/scene_writing.js";
import { Sight } from "../../web/js/core/sight.js";
import { subtract } from "../../web/js/core/vectors.js";
import { anatomy, distance, golden, model, randomNumbers } from "./goldens.mjs";
import { facts, grips, holders, known, missing, objects, read, seen } from "./held.mjs";

const poseOf = (kind) =>
  facts.gestures.find(({ name }) => name === objects.get(kind).grasp.gesture).hand_pose.map(fromAxisAngle);

test("the text knows the objects, sizes and distances that the library has", () => {
  assert.deepEqual(
    OBJECTS,
    facts.objects.map(({ name }) => name),
  );
  assert.deepEqual(golden("object_sizes"), [...OBJECT_SIZES]);
  assert.equal(golden("farthest_object"), FARTHEST_OBJECT);
});

test("an object's surface is where the library has it, within a micrometre, and so is each point's distance", () => {
  for (const [n, { vertices }] of grips.entries()) {
    const { held } = holders[n];
    const found = heldSurface(model, objects.get(held.kind), holders[n]);
    assert.ok(distance(found.vertices, vertices) < 1e-6, held.kind);
  }
  for (const { kind, points, distances } of golden("distances")) {
    const own = points.map(([x, y, z]) => objects.get(kind).distance(x, y, z));
    assert.ok(distance(own, distances) < 1e-7, kind);
  }
});

test("hand and object cover what the library draws of them", () => {
  for (const [n, { scene, covered }] of grips.entries()) {
    const { camera } = read(scene);
    const { skin, object } = seen(holders[n], new Sight(camera));
    const isCovered = covered.map((_, k) => {
      const pixel = [(k % camera.width) + 0.5, Math.floor(k / camera.width) + 0.5];
      return Math.min(skin.depthAt(pixel), object.depthAt(pixel)) < Infinity;
    });
    const both = covered.filter((is, k) => is && isCovered[k]).length;
    const either = covered.filter((is, k) => is || isCovered[k]).length;
    assert.ok(both > 300 && both / either > 0.99, `${n}: ${both} of ${either}`);
  }
});

test("a hand that is given an object holds it as the library does", () => {
  for (const [n, hand] of holders.entries()) {
    const { kind, size, position } = hand.held;
    const given = holding(known, { ...hand, held: undefined }, kind, poseOf(kind), { size });
    assert.ok(distance(given.held.position, position) < 1e-3, `${kind}: ${subtract(given.held.position, position)}`);
    const tips = [8, 12, 16, 20].map((tip) => distance(model.keypoints(given)[tip], model.keypoints(hand)[tip]));
    assert.ok(Math.max(...tips) < 1e-2, `${kind}, ${n}: ${tips}`);
    assert.equal(given.translation, hand.translation);
  }
});

test("a mesh of the user's is as far from points as the library says, gripped, mirrored and written as it was", () => {
  const { scene, points, distances } = golden("mesh_distances");
  const [hand] = read(scene).hands;
  const shape = shapeOfHeld(objects, hand.held);
  for (const [n, [x, y, z]] of points.entries()) {
    // Near the surface both are as exact as their grids are fine.
    const off = Math.abs(shape.distance(x, y, z) - distances[n]);
    assert.ok(off < (Math.abs(distances[n]) < 0.01 ? 1e-3 : 4e-3), `${points[n]}: ${distances[n]}, ${off} off`);
  }
  const closed = gripped(known, withHeldSize(hand, 0.9));
  assert.deepEqual([missing(closed), touchOf(known, closed).depth < 1e-3], [[], true]);
  const copy = mirrorHand(hand);
  const text = writeScene({ ...read(scene), hands: [hand, copy, mirrorHand(copy)] });
  const { objects: written, meshes } = JSON.parse(text);
  assert.deepEqual(
    written.map(({ mesh }) => mesh),
    [0, 1, 0],
  );
  assert.deepEqual(meshes[0], JSON.parse(scene).meshes[0]);
  assert.equal(writeScene(read(text)), text);
});

test("large faces in their thousands take a coarser grid, about as the library's, and a time that nobody minds", () => {
  const { vertices, faces, points, distances } = golden("large_faces");
  const given = { name: "spindle", vertices: Float32Array.from(vertices), faces: Uint16Array.from(faces) };
  const shape = meshShape(given);
  for (const [n, [x, y, z]] of points.entries()) {
    const off = Math.abs(shape.distance(x, y, z) - distances[n]);
    assert.ok(off < 6e-3, `${points[n]}: ${distances[n]}, ${off} off`);
  }
  const random = randomNumbers(5);
  const anywhere = {
    name: "anywhere",
    vertices: Float32Array.from({ length: 18000 }, () => random() - 0.5),
    faces: Uint16Array.from({ length: 18000 }, () => 6000 * random()),
  };
  const before = process.cpuUsage().user;
  assert.ok(Number.isFinite(meshShape(anywhere).distance(0, 0, 0)));
  // Microseconds; without the bound 24 s.
  assert.ok(process.cpuUsage().user - before < 8e6);
});

test("fingers close on an object wherever it is in the hand, within their limits, and none goes into it", () => {
  for (const hand of holders) {
    const down = hand.side === "right" ? 0.006 : -0.006;
    const moved = withHeldSize(withHeldMoved(hand, [0.002, down, 0.003]), hand.held.size * 0.92);
    const closed = gripped(known, moved);
    assert.deepEqual([missing(closed), touchOf(known, closed).depth < 1e-3], [[], true], hand.held.kind);
    for (const [j, rotation] of rightPose(closed).entries()) {
      anatomy.angles(rotation, j).forEach((angle, axis) => {
        const [least, most] = anatomy.ranges[j][axis];
        assert.ok(angle > least - 1e-6 && angle < most + 1e-6);
      });
    }
  }
});

test("a finger that cannot reach the object stays as it was, and one that is locked does not move", () => {
  const [ball] = holders;
  const away = { ...ball, held: { ...ball.held, position: [0.3, 0.3, 0.3] } };
  const closed = gripped(known, away);
  assert.deepEqual(missing(closed), objects.get("sphere").grasp.fingers);
  assert.ok(distance(rightPose(closed), rightPose(ball)) < 1e-6);
  const other = gripped(known, withHeldSize(ball, 0.9), ["index"]);
  assert.deepEqual(other.handPose.slice(0, 3), ball.handPose.slice(0, 3));
  assert.ok(distance(other.handPose.slice(3, 6), ball.handPose.slice(3, 6)) > 0.01);
});

test("an object goes with its hand: moved, turned, brought nearer, mirrored, and back again", () => {
  const [hand] = holders;
  const middle = (each) => subtract(middleOfHeld(model, each), model.keypoints(each)[9]);
  const [pivot] = [model.keypoints(hand)[9]];
  assert.ok(distance(middle(sizedInPicture(hand, pivot, 1.5)), middle(hand)) < 1e-12);
  const turn = [0.4, -1, 0.3];
  const turned = turnedHand(model, hand, pivot, turn);
  const [x, y, z] = middle(hand);
  const m = fromAxisAngle(turn);
  const expected = [0, 3, 6].map((row) => m[row] * x + m[row + 1] * y + m[row + 2] * z);
  assert.ok(distance(middle(turned), expected) < 1e-9);
  const swapped = swappedSide(model, hand);
  const [a, b] = [middle(swapped), middle(hand)];
  assert.ok(distance(a, [-b[0], b[1], b[2]]) < 1e-9 && swapped.side === "left");
  assert.deepEqual(swappedSide(model, swapped).held, hand.held);
});

test("an answer without objects, or with solids that nobody knows, is refused with a sentence", () => {
  const odd = { ...facts.objects[0], solids: [{ type: "Torus" }] };
  for (const given of [undefined, [], facts.objects.slice(1), [odd, ...facts.objects.slice(1)]]) {
    assert.throws(() => objectShapes(given), { name: "InvalidFileError", message: /Reload the page/ });
  }
});
