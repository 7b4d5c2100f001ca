// One hand as a value: nothing of it is changed in place, an edit makes another hand that shares what stayed.
import { mirroredHeld } from "./held_object.js";
import { IDENTITY, mirrorRotation } from "./rotations.js";
import { NUM_BETAS, NUM_JOINTS } from "./skeleton.js";
import { mirrorVector } from "./vectors.js";

/**
 * @typedef {object} Hand
 * @property {number} frame the picture it is in
 * @property {"right" | "left"} side
 * @property {number} score 0 to 1
 * @property {number[]} translation metres in the camera's frame, added after posing
 * @property {number[]} globalOrient rotation in the camera's frame
 * @property {number[][]} handPose 15 absolute rotations in MANO's order, this side's own
 * @property {number[]} betas 10 numbers of its shape
 * @property {import("./held_object.js").HeldObject} [held] what it holds, if anything
 */

/** Return a flat right hand with the mean shape, at the camera. */
export const restHand = () => ({
  frame: 0,
  side: "right",
  score: 1,
  translation: [0, 0, 0],
  globalOrient: IDENTITY,
  handPose: Array(NUM_JOINTS - 1).fill(IDENTITY),
  betas: Array(NUM_BETAS).fill(0),
});

const OTHER_SIDE = { right: "left", left: "right" };

/** Return the pose of a hand of either side in a right hand's terms. */
export const rightPose = (hand) => (hand.side === "right" ? hand.handPose : hand.handPose.map(mirrorRotation));

/**
 * Return a hand with another pose.
 * @param {Hand} hand of either side
 * @param {number[][]} pose in a right hand's terms
 */
export function withRightPose(hand, pose) {
  const before = rightPose(hand);
  // Joints that stayed keep their very rotation, which a scene then writes as it was read.
  const own = (rotation) => (hand.side === "right" ? rotation : mirrorRotation(rotation));
  const same = (rotation, j) => rotation.every((value, k) => value === before[j][k]);
  return { ...hand, handPose: pose.map((rotation, j) => (same(rotation, j) ? hand.handPose[j] : own(rotation))) };
}

/** Return the hand of the other side that a mirror at the plane x = 0 shows. */
export const mirrorHand = (hand) => ({
  ...hand,
  side: OTHER_SIDE[hand.side],
  translation: mirrorVector(hand.translation),
  globalOrient: mirrorRotation(hand.globalOrient),
  handPose: hand.handPose.map(mirrorRotation),
  ...(hand.held ? { held: mirroredHeld(hand.held) } : {}),
});
