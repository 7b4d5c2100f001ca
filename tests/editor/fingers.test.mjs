// Joint angles, limits, and changes of single fingers against the library's.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Anatomy, FLEXION } from "../../web/js/core/anatomy.js";
import {
  blendPoses,
  curlFinger,
  curlOf,
  opposeThumb,
  rowsOf,
  spreadFinger,
  twistThumb,
} from "../../web/js/core/fingers.js";
import { rightPose, withRightPose } from "../../web/js/core/hand.js";
import { FINGERS } from "../../web/js/core/skeleton.js";
import { anatomy, distance, golden, handOf, randomNumbers, randomPose } from "./goldens.mjs";

// Python's poses are in single precision, and so are the axes it takes angles about.
const SINGLE = 3e-6;
const hands = golden("hands");
const shapes = golden("shapes");

test("angles are Python's, and give the rotations again that they were read off", () => {
  for (const { scene, angles } of hands) {
    const pose = rightPose(handOf(scene));
    const found = pose.map((rotation, j) => anatomy.angles(rotation, j));
    assert.ok(distance(found, angles) < SINGLE);
    const again = found.map((each, j) => anatomy.rotation(each, j));
    assert.ok(distance(again, pose) < SINGLE);
  }
});

test("clamping brings any rotation to where Python brings it", () => {
  for (const { pose, clamped } of golden("beyond_limits")) {
    const found = pose.map((rotation, j) => anatomy.rotation(anatomy.clamp(anatomy.angles(rotation, j), j), j));
    assert.ok(distance(found, clamped) < SINGLE);
  }
});

test("curl, spread, opposition, twist and blend are Python's, also of poses beyond the limits", () => {
  for (const { finger, curl, spread, opposition, twist, share, ...poses } of shapes) {
    assert.ok(distance(curlFinger(anatomy, poses.base, finger, curl), poses.curled) < SINGLE);
    assert.ok(distance(spreadFinger(anatomy, poses.base, finger, spread), poses.spreaded) < SINGLE);
    assert.ok(distance(opposeThumb(anatomy, poses.base, opposition), poses.opposed) < SINGLE);
    assert.ok(distance(twistThumb(anatomy, poses.base, twist), poses.twisted) < SINGLE);
    assert.ok(distance(blendPoses(poses.base, poses.other, share), poses.blended) < SINGLE);
  }
});

test("the curl that is read is the curl that was set", () => {
  const { base } = shapes[0];
  for (const finger of FINGERS) {
    for (const amount of [0, 0.3, 1]) {
      const found = curlOf(anatomy, curlFinger(anatomy, base, finger, amount), finger);
      assert.ok(Math.abs(found - amount) < 1e-6, `${finger} ${amount}: ${found}`);
    }
  }
});

test("other fingers keep their very rotations, also in a left hand", () => {
  const hand = handOf(hands[1].scene);
  assert.equal(hand.side, "left");
  const bent = withRightPose(hand, curlFinger(anatomy, rightPose(hand), "ring", 0.5));
  const changed = rowsOf("ring");
  bent.handPose.forEach((rotation, j) => assert.equal(rotation === hand.handPose[j], !changed.includes(j)));
  assert.ok(Math.abs(curlOf(anatomy, rightPose(bent), "ring") - 0.5) < 1e-6);
});

test("any sequence of changes stays within the limits", () => {
  const random = randomNumbers(1);
  let pose = randomPose(random);
  for (let step = 0; step < 300; step++) {
    const finger = FINGERS[Math.floor(5 * random())];
    const amount = 6 * random() - 3;
    pose = [curlFinger, spreadFinger].reduce((changed, change) => change(anatomy, changed, finger, amount), pose);
    pose = opposeThumb(anatomy, pose, amount);
    assert.ok(beyond(pose) < 1e-9);
  }
});

test("a joint beyond its limits, as fits have some, is not drawn in at once and gets no further out", () => {
  const [most] = [anatomy.ranges[0][FLEXION][1]];
  const bentBy = (angle) => [anatomy.rotation([angle, 0, 0], 0), ...randomPose(randomNumbers(2)).slice(1)];
  const flexionAfter = (pose, amount) => anatomy.angles(spreadFinger(anatomy, pose, "index", amount)[0], 0)[FLEXION];
  const fitted = bentBy(most + 0.2);
  assert.ok(Math.abs(flexionAfter(fitted, 0.3) - most - 0.2) < 1e-9);
  assert.ok(beyond(curlFinger(anatomy, fitted, "index", 5)) < 0.2 + 1e-9);
});

test("facts that are none are refused", () => {
  const facts = golden("facts");
  for (const wrong of [null, {}, { ...facts, frames: facts.frames.slice(1) }, { ...facts, fist: [[NaN]] }]) {
    assert.throws(() => new Anatomy(wrong), { name: "InvalidFileError" });
  }
});

/** Return how far a pose's angles are beyond their ranges at most, radians. */
function beyond(pose) {
  const over = pose.map((rotation, j) =>
    anatomy.angles(rotation, j).map((angle, axis) => {
      const [least, most] = anatomy.ranges[j][axis];
      return Math.max(least - angle, angle - most);
    }),
  );
  return Math.max(...over.flat());
}
