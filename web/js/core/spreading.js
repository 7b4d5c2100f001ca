// How far the fingers of a right hand are spread, and how the thumb stands, read off any pose and set; the limits hold.
import { ABDUCTION, TWIST } from "./anatomy.js";
import { opposeThumb, rowsOf, spreadFinger, twistThumb, withAngles } from "./fingers.js";
import { FINGERS } from "./skeleton.js";
import { cross, dot } from "./vectors.js";

/** Those that a fan moves: the middle finger is what they leave, and the thumb goes a way of its own. */
export const FAN = Object.freeze(["index", "ring", "pinky"]);

/** Return a finger's first joint: its place in a pose, and its angles in radians. */
function firstJoint(anatomy, pose, finger) {
  const [j] = rowsOf(finger);
  return { j, angles: anatomy.angles(pose[j], j) };
}

/** Return how often three directions, none in the plane of the others, are needed to come to a point. */
function shares(point, a, b, c) {
  const volume = dot(a, cross(b, c));
  return [dot(point, cross(b, c)) / volume, dot(a, cross(point, c)) / volume, dot(a, cross(b, point)) / volume];
}

/** Return what the thumb's first joint is turned by: `spread`, `opposition` and `twist`, together its angles. */
export function thumbOf(anatomy, pose) {
  const { angles } = firstJoint(anatomy, pose, "thumb");
  const [spread, opposition, twist] = shares(angles, anatomy.spread[0], anatomy.opposition, anatomy.twist);
  return { spread, opposition, twist };
}

/** Return how far a finger is spread, in the units of `spreadFinger`, from where it is in the flat hand. */
export function spreadOf(anatomy, pose, finger) {
  if (finger === "thumb") return thumbOf(anatomy, pose).spread;
  const unit = anatomy.spread[FINGERS.indexOf(finger)];
  return dot(firstJoint(anatomy, pose, finger).angles, unit) / dot(unit, unit);
}

/** Return a pose with a finger spread so that `spreadOf` finds an amount, as far as the joint goes. */
export const withSpread = (anatomy, pose, finger, amount) =>
  spreadFinger(anatomy, pose, finger, amount - spreadOf(anatomy, pose, finger));

/** Return a pose with the thumb opposed so that `thumbOf` finds an amount, as far as the joint goes. */
export const withOpposition = (anatomy, pose, amount) =>
  opposeThumb(anatomy, pose, amount - thumbOf(anatomy, pose).opposition);

/** Return a pose with the thumb twisted so that `thumbOf` finds an amount, as far as the joint goes. */
export const withTwist = (anatomy, pose, amount) => twistThumb(anatomy, pose, amount - thumbOf(anatomy, pose).twist);

/** Return the least and the most that one angle of a joint lets a change be that turns it by `unit` radians. */
function within([least, most], unit) {
  return [least / unit, most / unit].sort((a, b) => a - b);
}

/** Return the least and the most of what `spreadOf` finds within a finger's limits. */
export function spreadRange(anatomy, finger) {
  const unit = anatomy.spread[FINGERS.indexOf(finger)];
  const axis = unit.findIndex((radians) => radians !== 0);
  return within(anatomy.ranges[rowsOf(finger)[0]][axis], unit[axis]);
}

/** Return the least and the most of the thumb's opposition, by how far it goes out of the palm. */
export const oppositionRange = (anatomy) =>
  within(anatomy.ranges[rowsOf("thumb")[0]][ABDUCTION], anatomy.opposition[ABDUCTION]);

/** Return the least and the most of the thumb's twist where it is not opposed. */
export const twistRange = (anatomy) => within(anatomy.ranges[rowsOf("thumb")[0]][TWIST], anatomy.twist[TWIST]);

/** Return the radians of abduction of a finger that is fanned out to its limit, away from the middle one. */
function fanned(anatomy, finger) {
  const [, most] = spreadRange(anatomy, finger);
  return most * anatomy.spread[FINGERS.indexOf(finger)][ABDUCTION];
}

/** Return how far fingers are fanned out on average: 1 at their limits, 0 as in the flat hand, -1 side by side. */
export function fanOf(anatomy, pose, fingers = FAN) {
  const each = (finger) => firstJoint(anatomy, pose, finger).angles[ABDUCTION] / fanned(anatomy, finger);
  return fingers.reduce((sum, finger) => sum + each(finger), 0) / fingers.length;
}

/** Return a pose with fingers fanned out by an amount more. */
export const fanFingers = (anatomy, pose, amount, fingers = FAN) =>
  fingers.reduce((spread, finger) => {
    const { j, angles } = firstJoint(anatomy, spread, finger);
    const abduction = angles[ABDUCTION] + amount * fanned(anatomy, finger);
    return withAngles(anatomy, spread, j, angles.with(ABDUCTION, abduction));
  }, pose);

/** Return a pose with fingers fanned out so that `fanOf` finds an amount, as far as their joints go. */
export const withFan = (anatomy, pose, amount, fingers = FAN) =>
  fingers.length ? fanFingers(anatomy, pose, amount - fanOf(anatomy, pose, fingers), fingers) : pose;
