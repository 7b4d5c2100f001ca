// Dragging a finger: where its tip goes, and what its joints may do on the way.
import assert from "node:assert/strict";
import { test } from "node:test";

import { project, rayThrough, unproject } from "../../web/js/core/camera.js";
import { FingerChain } from "../../web/js/core/finger_chain.js";
import { curlFinger } from "../../web/js/core/fingers.js";
import { mirrorHand, restHand, rightPose, withRightPose } from "../../web/js/core/hand.js";
import { freedom, reachWithFinger } from "../../web/js/core/reaching.js";
import { fromAxisAngle } from "../../web/js/core/rotations.js";
import { FINGER_JOINTS, FINGERS, keypointOf } from "../../web/js/core/skeleton.js";
import { norm, subtract } from "../../web/js/core/vectors.js";
import { anatomy, distance, golden, handOf, model, randomNumbers, randomPose } from "./goldens.mjs";

const CAMERA = { focalLength: 703.3, principalPoint: [256, 256], width: 512, height: 512 };
const MILLIMETRE = 1e-3;
const MICRORADIAN = 1e-6;

/** Return a hand of either side anywhere in front of the camera, turned and posed at random. */
function randomHand(random) {
  const angles = [0, 1, 2].map(() => 4 * random() - 2);
  const hand = {
    ...restHand(),
    translation: [0.2 * random() - 0.1, 0.2 * random() - 0.1, 0.4 + 0.4 * random()],
    globalOrient: fromAxisAngle(angles),
    handPose: randomPose(random),
    betas: Array.from({ length: 10 }, () => 4 * random() - 2),
  };
  return random() < 0.5 ? hand : mirrorHand(hand);
}

/** Return the hand with the angles that a drag may change set anywhere in their ranges. */
function withFinger(hand, finger, point, random) {
  const pose = [...rightPose(hand)];
  const free = freedom(finger, point, true);
  FINGER_JOINTS[finger].forEach((joint, place) => {
    const angles = anatomy.angles(pose[joint - 1], joint - 1).map((angle, axis) => {
      const [least, most] = anatomy.ranges[joint - 1][axis];
      return free.includes(3 * place + axis) ? least + (most - least) * random() : angle;
    });
    pose[joint - 1] = anatomy.rotation(angles, joint - 1);
  });
  return withRightPose(hand, pose);
}

/** Return how far a hand's angles are beyond their ranges at most, radians. */
const beyond = (hand) =>
  Math.max(
    ...rightPose(hand).flatMap((rotation, j) =>
      anatomy.angles(rotation, j).map((angle, axis) => {
        const [least, most] = anatomy.ranges[j][axis];
        return Math.max(least - angle, angle - most);
      }),
    ),
  );

const pointOf = (hand, finger, point) => model.keypoints(hand)[keypointOf(finger, point)];
const anyOf = (list, random) => list[Math.floor(list.length * random())];

test("a finger alone is where the whole hand has it", () => {
  for (const { scene } of golden("hands").slice(0, 8)) {
    const hand = handOf(scene);
    for (const finger of FINGERS) {
      const chain = new FingerChain(model, anatomy, hand, finger);
      const found = [0, 1, 2, 3].map((point) => chain.point(chain.angles, point));
      const whole = [0, 1, 2, 3].map((point) => pointOf(hand, finger, point));
      assert.ok(distance(found, whole) < 1e-7);
    }
  }
});

test("500 random drags never break the limits, move no other finger, and reach a point that can be reached", () => {
  const random = randomNumbers(3);
  for (let drag = 0; drag < 500; drag++) {
    const hand = randomHand(random);
    const finger = anyOf(FINGERS, random);
    const point = anyOf([2, 3, 3], random);
    const goal = { origin: pointOf(withFinger(hand, finger, point, random), finger, point) };
    const moved = reachWithFinger(model, anatomy, hand, finger, point, goal);
    const off = norm(subtract(goal.origin, pointOf(moved, finger, point)));
    assert.ok(off < MILLIMETRE, `drag ${drag}, ${finger} ${point}: ${1000 * off} mm off`);
    assert.ok(beyond(moved) < MICRORADIAN);
    const own = FINGER_JOINTS[finger].map((joint) => joint - 1);
    moved.handPose.forEach((rotation, j) => assert.ok(own.includes(j) || rotation === hand.handPose[j]));
  }
});

test("drags in the picture bring the tip under the pointer where a pose does, and never break the limits", () => {
  const random = randomNumbers(4);
  for (let drag = 0; drag < 300; drag++) {
    const hand = randomHand(random);
    const finger = anyOf(FINGERS, random);
    const there = pointOf(withFinger(hand, finger, 3, random), finger, 3);
    const moved = reachWithFinger(model, anatomy, hand, finger, 3, rayThrough(CAMERA, project(CAMERA, there)));
    const tip = pointOf(moved, finger, 3);
    // A millimetre, as it is seen.
    const off = subtract(unproject(CAMERA, project(CAMERA, tip), there[2]), there);
    assert.ok(norm(off) < MILLIMETRE, `drag ${drag}, ${finger}: ${1000 * norm(off)} mm off`);
    assert.ok(beyond(moved) < MICRORADIAN);
  }
});

test("drags to where no finger comes end within the limits, as near as it gets", () => {
  const random = randomNumbers(5);
  for (let drag = 0; drag < 200; drag++) {
    const hand = randomHand(random);
    const finger = anyOf(FINGERS, random);
    const goal = { origin: [random() - 0.5, random() - 0.5, random()] };
    const [point, whole] = [anyOf([1, 2, 3], random), random() < 0.5];
    const gap = (each) => norm(subtract(goal.origin, pointOf(each, finger, point)));
    const moved = reachWithFinger(model, anatomy, hand, finger, point, goal, whole);
    assert.ok(beyond(moved) < MICRORADIAN && gap(moved) <= gap(hand) + MILLIMETRE);
  }
});

test("a tip of a palm that faces the camera is dragged in ten pointer moves to wherever bending brings it", () => {
  const [shape] = golden("shapes");
  const palm = {
    ...restHand(),
    translation: [0, 0.09, 0.36],
    globalOrient: [0, 0, 1, 1, 0, 0, 0, 1, 0],
    handPose: shape.base,
  };
  for (const finger of FINGERS) {
    for (const amount of [0.1, 0.25, 0.4, 0.6, 0.8]) {
      const [from, to] = [palm, withRightPose(palm, curlFinger(anatomy, shape.base, finger, amount))].map((hand) =>
        project(CAMERA, pointOf(hand, finger, 3)),
      );
      let hand = palm;
      for (let move = 1; move <= 10; move++) {
        const pixel = [0, 1].map((k) => from[k] + ((to[k] - from[k]) * move) / 10);
        hand = reachWithFinger(model, anatomy, hand, finger, 3, rayThrough(CAMERA, pixel));
      }
      const end = project(CAMERA, pointOf(hand, finger, 3));
      assert.ok(Math.hypot(end[0] - to[0], end[1] - to[1]) < 1, `${finger} ${amount}`);
    }
  }
});

test("a curled finger that is dragged out by its tip opens as fingers do", () => {
  const [shape] = golden("shapes");
  const palm = { ...restHand(), translation: [0, 0.09, 0.36], globalOrient: [0, 0, 1, 1, 0, 0, 0, 1, 0] };
  for (const finger of ["index", "middle", "ring", "pinky"]) {
    const curled = (amount) => ({ ...palm, handPose: curlFinger(anatomy, shape.base, finger, amount) });
    for (const amount of [0.02, 0.1, 0.2, 0.3]) {
      const pixel = project(CAMERA, pointOf(curled(amount), finger, 3));
      const moved = reachWithFinger(model, anatomy, curled(1), finger, 3, rayThrough(CAMERA, pixel));
      const { angles } = new FingerChain(model, anatomy, moved, finger);
      const [knuckle, middle, last] = [0, 3, 6].map((k) => angles[k]);
      const words = `${finger} ${amount}: ${[knuckle, middle, last]}`;
      assert.ok(knuckle > -0.1 && Math.abs(last - (2 / 3) * middle) < 0.25, words);
      const [x, y] = project(CAMERA, pointOf(moved, finger, 3));
      assert.ok(Math.hypot(x - pixel[0], y - pixel[1]) < 0.1, words);
    }
  }
});

test("dragging a joint turns only the bone before it, and a knuckle nothing", () => {
  const hand = randomHand(randomNumbers(6));
  const goal = { origin: [0, 0, 0.5] };
  const changed = (point) => {
    const moved = reachWithFinger(model, anatomy, hand, "index", point, goal, false);
    return [0, 1, 2].filter((place) => moved.handPose[place] !== hand.handPose[place]);
  };
  assert.deepEqual([0, 1, 2, 3].map(changed), [[], [0], [1], [2]]);
});

test("a drag to where the tip is changes nothing to speak of", () => {
  const hand = randomHand(randomNumbers(7));
  const moved = reachWithFinger(model, anatomy, hand, "middle", 3, { origin: pointOf(hand, "middle", 3) });
  assert.ok(distance(moved.handPose, hand.handPose) < 1e-9);
});
