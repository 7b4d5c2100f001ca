// Edits scenes in every way that the modules know, and prints their texts and their vertices, for Python to read.
import process from "node:process";

import { curlFinger, opposeThumb, spreadFinger, twistThumb } from "../../web/js/core/fingers.js";
import { mirrorHand, rightPose, withRightPose } from "../../web/js/core/hand.js";
import { gripped } from "../../web/js/core/gripping.js";
import { withHeldMoved, withHeldSize } from "../../web/js/core/held_object.js";
import { objectShapes } from "../../web/js/core/objects.js";
import { reachWithFinger } from "../../web/js/core/reaching.js";
import { fromAxisAngle, multiply } from "../../web/js/core/rotations.js";
import { readScene } from "../../web/js/core/scene_reading.js";
import { writeScene } from "../../web/js/core/scene_writing.js";
import { FINGERS } from "../../web/js/core/skeleton.js";
import { anatomy, golden, model } from "./goldens.mjs";

const shaped = (hand, change) => withRightPose(hand, change(rightPose(hand)));

const EDITS = [
  (hand) => hand,
  (hand) => ({ ...hand, translation: [0.01, -0.02, 0.7] }),
  (hand) => ({ ...hand, globalOrient: multiply(fromAxisAngle([0.1, 2, -1]), hand.globalOrient) }),
  (hand) => shaped(hand, (pose) => curlFinger(anatomy, pose, "middle", 0.7)),
  (hand) => shaped(hand, (pose) => spreadFinger(anatomy, pose, "pinky", 1)),
  (hand) => shaped(hand, (pose) => opposeThumb(anatomy, pose, 0.8)),
  (hand) => shaped(hand, (pose) => twistThumb(anatomy, pose, -1)),
  (hand) => mirrorHand(hand),
  ...FINGERS.map((finger) => (hand) => reachWithFinger(model, anatomy, hand, finger, 3, { origin: hand.translation })),
];

/** Return a hand whose rotations do not remember how they were read, so that they are written as axis-angle vectors. */
const forgetful = (hand) => structuredClone(hand);

const written = golden("hands").flatMap(({ scene }, n) => {
  const before = readScene(scene, model.name);
  const edited = EDITS[n % EDITS.length](before.hands[0]);
  return [edited, forgetful(edited)].map((hand) => ({
    text: writeScene({ ...before, hands: [hand] }),
    vertices: [...model.vertices(hand)],
  }));
});

/** Scenes whose hands were closed on objects that had been moved, sized or given to them here. */
const objects = objectShapes(golden("editor_facts").objects);
const closed = golden("grips").map(({ scene }, n) => {
  const before = readScene(scene, model.name);
  const moved = withHeldSize(withHeldMoved(before.hands[0], [0.001, -0.002, 0.002]), 1.1 - 0.05 * n);
  return writeScene({ ...before, hands: [forgetful(gripped({ model, anatomy, objects }, moved))] });
});
process.stdout.write(JSON.stringify({ written, closed }));
