// What sliders show of a pose and make of it: curl, spread and the thumb's settings; the fan is the library's.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ABDUCTION, FLEXION, TWIST } from "../../web/js/core/anatomy.js";
import { meanCurl, withCurl, withMeanCurl } from "../../web/js/core/curling.js";
import { curlOf, opposeThumb, rowsOf, spreadFinger, twistThumb } from "../../web/js/core/fingers.js";
import { IDENTITY } from "../../web/js/core/rotations.js";
import { FINGERS } from "../../web/js/core/skeleton.js";
import {
  fanFingers,
  fanOf,
  oppositionRange,
  spreadOf,
  spreadRange,
  thumbOf,
  twistRange,
  withFan,
  withOpposition,
  withSpread,
  withTwist,
} from "../../web/js/core/spreading.js";
import { anatomy, distance, golden, randomNumbers, randomPose } from "./goldens.mjs";

const flat = Array(15).fill(IDENTITY);
const random = randomNumbers(3);
const poses = Array.from({ length: 40 }, () => randomPose(random));
const anglesOf = (pose, finger) => rowsOf(finger).map((j) => anatomy.angles(pose[j], j));
const close = (a, b, tolerance = 1e-9) => assert.ok(Math.abs(a - b) < tolerance, `${a} is not ${b}`);

test("the curl that is set is the curl that is read, and what is sideways of the finger stays", () => {
  for (const pose of poses) {
    for (const finger of FINGERS) {
      const curl = random();
      const bent = withCurl(anatomy, pose, finger, curl);
      close(curlOf(anatomy, bent, finger), curl);
      const sideways = (each) => anglesOf(each, finger).flatMap((angles) => [angles[ABDUCTION], angles[TWIST]]);
      assert.ok(distance(sideways(bent), sideways(pose)) < 1e-9);
      assert.ok(distance(withCurl(anatomy, pose, finger, curlOf(anatomy, pose, finger)), pose) < 1e-12);
    }
  }
});

test("a curl of 0 is straight and of 1 bends as the fist, however the joints were bent before", () => {
  for (const pose of poses) {
    const flexions = (each) => anglesOf(each, "ring").map((angles) => angles[FLEXION]);
    // One that is bent backwards or beyond the fist only comes back as far as it must.
    if (curlOf(anatomy, pose, "ring") <= 0 || curlOf(anatomy, pose, "ring") >= 1) continue;
    assert.ok(distance(flexions(withCurl(anatomy, pose, "ring", 0)), [0, 0, 0]) < 1e-9);
    const fist = rowsOf("ring").map((j) => anatomy.fist[j][FLEXION]);
    assert.ok(distance(flexions(withCurl(anatomy, pose, "ring", 1)), fist) < 1e-9);
  }
});

test("fingers that close together end in the fist, thumb and all, and those that are left out stay", () => {
  const fist = anatomy.fist.map((angles, j) => anatomy.rotation(angles, j));
  for (const pose of poses) {
    assert.ok(distance(withMeanCurl(anatomy, pose, FINGERS, 1), fist) < 1e-9);
    const some = ["index", "pinky"];
    const closed = withMeanCurl(anatomy, pose, some, 0.6);
    close(meanCurl(anatomy, closed, some), 0.6);
    closed.forEach((rotation, j) =>
      assert.equal(rotation === pose[j], !some.some((finger) => rowsOf(finger).includes(j))),
    );
  }
});

test("spread, opposition and twist that are set are read, and lie within the ranges that sliders have", () => {
  const between = ([least, most]) => least + (most - least) * random();
  for (let n = 0; n < 40; n++) {
    for (const finger of FINGERS) {
      const spread = between(spreadRange(anatomy, finger));
      close(spreadOf(anatomy, withSpread(anatomy, flat, finger, spread), finger), spread);
      close(spreadOf(anatomy, spreadFinger(anatomy, flat, finger, 0.3), finger), 0.3);
    }
    const twist = between(twistRange(anatomy));
    close(thumbOf(anatomy, withTwist(anatomy, flat, twist)).twist, twist);
    // Beyond this, the joint's other angles are at their limits before the one that the range is of.
    const opposition = Math.max(-0.7, Math.min(1, between(oppositionRange(anatomy))));
    close(thumbOf(anatomy, withOpposition(anatomy, flat, opposition)).opposition, opposition);
  }
});

test("the thumb's three settings are apart: each is what it was set to", () => {
  const set = [
    [opposeThumb, 0.5],
    [twistThumb, -0.4],
    [(a, pose, amount) => spreadFinger(a, pose, "thumb", amount), 0.3],
  ];
  const pose = set.reduce((changed, [change, amount]) => change(anatomy, changed, amount), flat);
  const { spread, opposition, twist } = thumbOf(anatomy, pose);
  assert.ok(distance([opposition, twist, spread], [0.5, -0.4, 0.3]) < 1e-9);
});

test("a fan is the library's spread of these fingers", () => {
  golden("shapes").forEach(({ base, spread, fanned }, n) => {
    // Every fourth is beyond the limits, where an edit draws nothing in.
    if (n % 4 === 3) return;
    assert.ok(distance(fanFingers(anatomy, base, spread), fanned) < 3e-6);
  });
});

test("the fan that is set is the fan that is read, also of some fingers only", () => {
  for (const amount of [-1, -0.2, 0.5, 1]) {
    close(fanOf(anatomy, withFan(anatomy, flat, amount)), amount);
    close(fanOf(anatomy, withFan(anatomy, flat, amount, ["ring"]), ["ring"]), amount);
  }
  assert.equal(withFan(anatomy, flat, 1, []), flat);
});
