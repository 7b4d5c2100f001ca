// What is seen of hands from where: around the scene, which skin is in front, what a pointer takes hold of, what sank in.
import assert from "node:assert/strict";
import { test } from "node:test";

import { project } from "../../web/js/core/camera.js";
import { curlFinger } from "../../web/js/core/fingers.js";
import { rightPose, withRightPose } from "../../web/js/core/hand.js";
import { swappedSide, turnedHand } from "../../web/js/core/placing.js";
import { fromAxisAngle } from "../../web/js/core/rotations.js";
import { readScene } from "../../web/js/core/scene_reading.js";
import { hiddenKeypoints, nearestAt, SeenHand } from "../../web/js/core/seeing.js";
import { cameraOnStage, fitted, FRONT, orbited, Sight, zoomed } from "../../web/js/core/sight.js";
import { FINGERS } from "../../web/js/core/skeleton.js";
import { norm, scale, subtract } from "../../web/js/core/vectors.js";
import { HandEditor } from "../../web/js/editor/hand_editor.js";
import { dragOf, DRAGS } from "../../web/js/view/drags.js";
import { dotScale, handleAt, handleFromAround, ringOf } from "../../web/js/view/handles.js";
import { Surface } from "../../web/js/view/surface.js";
import { anatomy, distance, golden, model, randomNumbers } from "./goldens.mjs";

const facts = golden("editor_facts");
const scene = readScene(facts.default_scene, model.name);
const { camera } = scene;
const [open] = scene.hands;
const fist = FINGERS.slice(1).reduce(
  (hand, finger) => withRightPose(hand, curlFinger(anatomy, rightPose(hand), finger, 1)),
  open,
);
const pivot = (hand) => model.keypoints(hand)[9];
const turned = (hand, turn) => turnedHand(model, hand, pivot(hand), turn);
const seen = (hand, sight = new Sight(camera)) =>
  new SeenHand(model, sight, model.vertices(hand), model.keypoints(hand));
const STAGE = { width: 512, height: 512 };
const shown = (hands, chosen = 0) => ({ hands, hidden: hiddenKeypoints(hands), chosen, stage: STAGE });

test("a picture stands in the middle of its stage, and is seen there as its camera has it", () => {
  const stage = { width: 500, height: 300 };
  const fit = fitted({ ...camera, width: 400, height: 100 }, stage, 10);
  assert.deepEqual(fit, { scale: 1.2, left: 10, top: 90, width: 480, height: 120 });
  const [x, y] = project(camera, [0.02, -0.01, 0.4]);
  const [u, v] = project(cameraOnStage(camera, fit, stage), [0.02, -0.01, 0.4]);
  assert.ok(Math.abs(u - (10 + 1.2 * x)) < 1e-9 && Math.abs(v - (90 + 1.2 * y)) < 1e-9);
});

test("from wherever one looks, the ray of a pixel runs through all that is seen there, and ways match", () => {
  const random = randomNumbers(9);
  for (let k = 0; k < 50; k++) {
    const orbit = zoomed(orbited(FRONT, 6 * random() - 3, 4 * random() - 2), 0.5 + random());
    const sight = new Sight(camera, { pivot: [0.05, 0.02, 0.5], orbit });
    const point = [0.2 * random() - 0.1, 0.2 * random() - 0.1, 0.4 + 0.2 * random()];
    const [x, y, depth] = sight.project(point);
    const { origin, direction } = sight.ray([x, y]);
    const gap = subtract(point, origin);
    const along = gap[0] * direction[0] + gap[1] * direction[1] + gap[2] * direction[2];
    assert.ok(depth > 0 && norm(subtract(gap, scale(direction, along))) < 1e-9);
    const way = sight.way([5, -3], point);
    const [u, v] = sight.project([point[0] + way[0], point[1] + way[1], point[2] + way[2]]);
    assert.ok(Math.hypot(u - x - 5, v - y + 3) < 1e-9);
    assert.ok(distance([...sight.seenAll(Float64Array.from(point), new Float64Array(3))], sight.seen(point)) < 1e-12);
  }
  const front = new Sight(camera, { pivot: [0, 0, 0.5], orbit: FRONT });
  assert.ok(distance(front.seen([0.1, 0.2, 0.6]), [0.1, 0.2, 0.6]) < 1e-12);
});

test("the depth at a pixel is that of a ray against every face", () => {
  const random = randomNumbers(10);
  const hand = turned(fist, [0.4, 0.6, 0.1]);
  const vertices = model.vertices(hand);
  const found = seen(hand);
  const at = (v) => [vertices[3 * v], vertices[3 * v + 1], vertices[3 * v + 2]];
  let hits = 0;
  for (let k = 0; k < 60; k++) {
    const [left, top, right, bottom] = found.box;
    const pixel = [left + (right - left) * random(), top + (bottom - top) * random()];
    const ray = [(pixel[0] - 256) / camera.focalLength, (pixel[1] - 256) / camera.focalLength, 1];
    const depth = nearestHit(ray, at);
    const answer = found.depthAt(pixel);
    // What is linear in the picture is not in space; over a face, that is less than a tenth of a millimetre.
    assert.ok(depth === answer || Math.abs(depth - answer) < 1e-4, `${pixel}: ${depth} ${answer}`);
    hits += depth < Infinity;
  }
  assert.ok(hits > 10);
});

/** Return the depth of the nearest face that a ray from the camera meets (Möller and Trumbore, 1997). */
function nearestHit(ray, at) {
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  let nearest = Infinity;
  for (let f = 0; f < model.faces.length; f += 3) {
    const [a, b, c] = [at(model.faces[f]), at(model.faces[f + 1]), at(model.faces[f + 2])];
    const [first, second] = [subtract(b, a), subtract(c, a)];
    const p = cross(ray, second);
    const determinant = dot(first, p);
    const from = scale(a, -1);
    const u = dot(from, p) / determinant;
    const q = cross(from, first);
    const v = dot(ray, q) / determinant;
    if (u >= 0 && v >= 0 && u + v <= 1) nearest = Math.min(nearest, dot(second, q) / determinant);
  }
  return nearest;
}

test("no dot of an open palm is hidden; those of a fist's fingers are, from behind", () => {
  assert.deepEqual(
    hiddenKeypoints([seen(open)])[0].filter((hidden) => hidden),
    [],
  );
  const back = hiddenKeypoints([seen(turned(fist, [0, Math.PI, 0]))])[0];
  assert.deepEqual(
    [8, 12, 16, 20].map((tip) => back[tip]),
    [true, true, true, true],
  );
});

test("a finger that is locked says so when it is dragged, and any other follows", () => {
  const editor = new HandEditor({ model, facts });
  const said = [];
  editor.speakThrough((words, isSeen) => said.push([words, isSeen]));
  editor.lock("index", true);
  const view = { editor, shown: shown([seen(open)]), sight: new Sight(camera) };
  const pull = (keypoint) => {
    const [x, y] = view.shown.hands[0].keypoints[keypoint];
    DRAGS.bend(view, [x, y], { keypoint, whole: true }).move([x, y + 60]);
  };
  const before = editor.hand;
  pull(8);
  assert.deepEqual([said, editor.hand === before], [[[editor.t("said.locked", { finger: "Index" }), true]], true]);
  pull(12);
  assert.ok(said.length === 1 && distance(editor.hand.handPose, before.handPose) > 0.1);
});

test("a hand behind another is hidden by it, and a pointer takes the one in front", () => {
  const behind = { ...swappedSide(model, open), translation: [...open.translation.slice(0, 2), 0.6] };
  const hands = [behind, open].map((hand) => seen(hand));
  assert.equal(nearestAt(hands, hands[1].keypoints[9]), 1);
  assert.ok(hiddenKeypoints(hands)[0].some((hidden) => hidden));
  assert.equal(nearestAt(hands, [2, 2]), -1);
});

test("dots are smaller on a hand that is seen small, and as large as ever on others", () => {
  assert.equal(dotScale(seen(open)), 1);
  const small = seen({ ...open, translation: scale(open.translation, 4) });
  assert.ok(dotScale(small) < 0.8 && dotScale(small) >= 0.5);
  const [[x, y]] = small.keypoints.slice(8, 9);
  // On the pixels around a full dot, where none is now.
  assert.notEqual(handleAt(shown([small]), [x, y - 14.5])?.kind, "dot");
});

test("dots of the chosen finger are taken where others lie on them, and those beside them still are", () => {
  const hand = seen(open);
  const tip = hand.keypoints[12];
  // The ring finger's tip right on the middle finger's, and nearer.
  hand.keypoints[16] = [tip[0], tip[1], tip[2] - 0.01];
  hand.keypoints[20] = [tip[0] + 16, tip[1], tip[2]];
  const all = shown([hand]);
  all.hidden[0][12] = true;
  assert.equal(handleAt(all, tip).keypoint, 16);
  assert.equal(handleAt({ ...all, finger: "middle" }, tip).keypoint, 12);
  assert.equal(handleFromAround({ ...all, finger: "middle" }, tip).keypoint, 12);
  assert.equal(handleAt({ ...all, finger: "middle" }, hand.keypoints[20]).keypoint, 20);
});

test("a pointer takes a dot before the ring before the skin, and a hidden dot only where no other is", () => {
  const hand = seen(open);
  const all = shown([hand]);
  assert.deepEqual(handleAt(all, hand.keypoints[8]), { kind: "dot", hand: 0, keypoint: 8 });
  const ring = ringOf(hand, STAGE);
  assert.deepEqual(handleAt(all, [ring.x - ring.radius, ring.y]), { kind: "roll", hand: 0 });
  assert.deepEqual(handleAt(all, ring.square), { kind: "size", hand: 0 });
  const [wrist, middle] = [hand.keypoints[0], hand.keypoints[9]];
  const palm = [(wrist[0] + middle[0]) / 2, (wrist[1] + middle[1]) / 2];
  assert.deepEqual(handleAt(all, palm), { kind: "skin", hand: 0 });
  assert.equal(handleAt({ ...all, chosen: -1 }, middle).kind, "skin");
  assert.equal(handleAt(all, [1, 511]), null);
  const overlaid = { ...all, hidden: [hand.keypoints.map((_, k) => k === 8)] };
  const [x, y] = hand.keypoints[8];
  hand.keypoints[12] = [x + 4, y, 0.4];
  assert.equal(handleAt(overlaid, [x, y]).keypoint, 12);
});

test("what a handle is says what its drag does; Shift takes the other of the two ways to bend", () => {
  const dot = (keypoint, shift) => dragOf({ kind: "dot", keypoint }, { shift });
  assert.deepEqual(dot(8, false), { name: "bend", whole: true, keypoint: 8 });
  assert.deepEqual(dot(8, true), { name: "bend", whole: false, keypoint: 8 });
  assert.deepEqual(dot(6, false), { name: "bend", whole: false, keypoint: 6 });
  assert.deepEqual(
    [0, 5, 9].map((keypoint) => dot(keypoint, false).name),
    ["move", "move", "move"],
  );
  assert.deepEqual(
    ["skin", "roll", "size"].map((kind) => dragOf({ kind }).name),
    ["move", "roll", "size"],
  );
});

/** Return how many vertices of a hand are marked as sunk into other skin. */
const sunken = (hand) => new Surface(model).update(hand).sunk.filter((depth) => depth > 0).length;

test("no gesture of the library is shown as sunk into itself", () => {
  for (const { name, hand_pose: pose } of facts.gestures) {
    const hand = withRightPose(open, pose.map(fromAxisAngle));
    assert.ok(sunken(hand) <= 1, name);
    assert.equal(sunken(swappedSide(model, hand)), sunken(hand));
  }
});

test("fingers that stand in each other are shown as sunk, and only they", () => {
  const pose = rightPose(open);
  // The index straight, its knuckle turned far to the middle finger: through it.
  const [bend, , twist] = anatomy.angles(pose[0], 0);
  const crossed = withRightPose(open, pose.with(0, anatomy.rotation([bend, 0.6, twist], 0)));
  const other = withRightPose(open, pose.with(0, anatomy.rotation([bend, -0.6, twist], 0)));
  const marked = [crossed, other].map(sunken).toSorted((a, b) => a - b);
  assert.equal(marked[0], 0);
  assert.ok(marked[1] > 20, String(marked));
});

/** Return the volume inside a closed mesh whose faces are seen counter-clockwise from outside. */
function volume(positions, index) {
  const at = (k) => positions.subarray(3 * index[k], 3 * index[k] + 3);
  let sum = 0;
  for (let f = 0; f < index.length; f += 3) {
    const [a, b, c] = [at(f), at(f + 1), at(f + 2)];
    sum += a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
  }
  return sum / 6;
}

test("a surface is closed and its normals point outwards, on either side", () => {
  const right = new Surface(model).update(fist);
  const left = new Surface(model).update(swappedSide(model, fist));
  assert.ok(Math.abs(volume(left.positions, left.index) / volume(right.positions, right.index) - 1) < 1e-3);
  for (const { positions, normals, index } of [right, left]) {
    const inside = volume(positions, index);
    const grown = volume(
      positions.map((value, k) => value + 1e-3 * normals[k]),
      index,
    );
    // A hand holds a quarter to half a litre.
    assert.ok(inside > 2e-4 && inside < 6e-4 && grown > 1.05 * inside, `${inside} ${grown}`);
  }
});
