// Giving a hand something to hold, and closing its fingers on it until they touch, as in sesahand/hands/gripping.py.
// There, the hand begins in a gesture; here, `gripped` begins with the hand and the object where they are.
import { Closing } from "./closing.js";
import { rowsOf } from "./fingers.js";
import { rightPose, withRightPose } from "./hand.js";
import { rowOf } from "./hand_model.js";
import { mirroredHeld } from "./held_object.js";
import { layOnThumb, moveToPalm } from "./settling.js";
import { FINGERS } from "./skeleton.js";
import { scale, subtract } from "./vectors.js";

/**
 * @typedef {object} Touch of a hand and what it holds
 * @property {Object<string, number>} gaps metres from each finger's skin to the object, by the finger's name
 * @property {number} depth how deep the hand goes into the object at most, metres
 */

/**
 * Return a hand whose fingers are closed on what it holds, until they touch.
 * @param {import("./closing.js").Known} known
 * @param {import("./hand.js").Hand} hand of either side, which holds something
 * @param {string[]} staying fingers that are not to move
 */
export function gripped(known, hand, staying = []) {
  const closing = new Closing(known, hand);
  closing.grip(staying);
  return closing.closed;
}

/**
 * Return a hand that holds an object as people do, in place of its pose and of what it held.
 * @param {import("./closing.js").Known} known
 * @param {import("./hand.js").Hand} hand of either side
 * @param {string} kind of object
 * @param {number[][]} pose the right hand's that its grasp begins in
 * @param {{size?: number, staying?: string[]}} given the object's size, and fingers that are not to move
 */
export function holding(known, hand, kind, pose, { size = 1, staying = [] } = {}) {
  const { place, orient, inPalm, heldAt } = known.objects.get(kind).grasp;
  const wrist = rowOf(known.model.rest(hand.betas).joints, 0);
  // What is held at one end grows away from the hand.
  const grown = scale([orient[2], orient[5], orient[8]], (size - 1) * heldAt);
  const held = { kind, position: subtract(subtract(place, grown), wrist), orient, size };
  const kept = new Set(staying.flatMap(rowsOf));
  const begun = rightPose(hand).map((rotation, j) => (kept.has(j) ? rotation : pose[j]));
  const own = hand.side === "right" ? held : mirroredHeld(held);
  const closing = new Closing(known, withRightPose({ ...hand, held: own }, begun));
  if (inPalm) {
    const open = FINGERS.filter((finger) => !staying.includes(finger));
    moveToPalm(
      closing,
      open.reduce((made, finger) => closing.opened(made, finger), closing.pose),
    );
  } else if (!staying.length) layOnThumb(closing);
  closing.grip(staying);
  return closing.closed;
}

/**
 * Return how a hand and what it holds touch.
 * @param {import("./closing.js").Known} known
 * @param {import("./hand.js").Hand} hand of either side, which holds something
 * @returns {Touch}
 */
export function touchOf(known, hand) {
  const closing = new Closing(known, hand);
  const nearest = ["palm", ...FINGERS].map((part) => closing.nearest(closing.pose, [part]).distance);
  const gaps = FINGERS.map((finger, n) => [finger, Math.max(0, nearest[n + 1])]);
  return { gaps: Object.fromEntries(gaps), depth: Math.max(0, -Math.min(...nearest)) };
}
