// What the joints of a hand can do: angles about anatomical axes and their ranges, as in sesahand/hands/limits.py.
// The axes, ranges and directions come from Python, so that there is no second table to go out of step.
import { InvalidFileError } from "./errors.js";
import { invert, multiply } from "./rotations.js";
import { FINGERS, NUM_JOINTS } from "./skeleton.js";

/** Places of a joint's three angles. */
export const FLEXION = 0;
export const ABDUCTION = 1;
export const TWIST = 2;

/** Tell whether a value is nested lists of finite numbers of a shape. */
function hasShape(value, shape) {
  if (!shape.length) return Number.isFinite(value);
  return Array.isArray(value) && value.length === shape[0] && value.every((item) => hasShape(item, shape.slice(1)));
}

/** Return the nested lists of a name, or throw. */
function lists(facts, name, shape) {
  if (hasShape(facts?.[name], shape)) return facts[name];
  throw new InvalidFileError(
    `The hand's ${name} are no list of ${shape} numbers. Reload the page, or update SesaHand.`,
  );
}

/** Axes, ranges and directions of the joints of a right hand; `j` counts its 15 rotations in MANO's order. */
export class Anatomy {
  /**
   * Take what Python says of a hand model.
   * @param {object} facts what `hand_facts` of sesahand/hands/facts.py returns: `frames` 15 x 9; in radians
   *   `ranges` 15 x 3 x 2, `fist` 15 x 3, and of a first joint for one unit `spread` 5 x 3, `opposition` and `twist` 3
   * @throws {InvalidFileError} if they are anything else
   */
  constructor(facts) {
    const joints = NUM_JOINTS - 1;
    this.frames = lists(facts, "frames", [joints, 9]);
    this.ranges = lists(facts, "ranges", [joints, 3, 2]);
    this.fist = lists(facts, "fist", [joints, 3]);
    this.spread = lists(facts, "spread", [FINGERS.length, 3]);
    this.opposition = lists(facts, "opposition", [3]);
    this.twist = lists(facts, "twist", [3]);
    this.inverses = this.frames.map(invert);
  }

  /** Return flexion, abduction and twist of a rotation of joint `j`, radians. */
  angles(rotation, j) {
    const m = multiply(multiply(this.inverses[j], rotation), this.frames[j]);
    return [Math.atan2(-m[5], m[8]), Math.atan2(m[2], Math.hypot(m[0], m[1])), Math.atan2(-m[1], m[0])];
  }

  /** Return the rotation of joint `j` that has flexion, abduction and twist, radians. */
  rotation([flexion, abduction, twist], j) {
    const [sa, sb, sc] = [Math.sin(flexion), Math.sin(abduction), Math.sin(twist)];
    const [ca, cb, cc] = [Math.cos(flexion), Math.cos(abduction), Math.cos(twist)];
    const local = [
      cb * cc,
      -cb * sc,
      sb,
      sa * sb * cc + ca * sc,
      ca * cc - sa * sb * sc,
      -sa * cb,
      sa * sc - ca * sb * cc,
      ca * sb * sc + sa * cc,
      ca * cb,
    ];
    return multiply(multiply(this.frames[j], local), this.inverses[j]);
  }

  /**
   * Return the angles of joint `j` brought into their ranges.
   * @param {number[]} angles radians
   * @param {number} j
   * @param {number[]} before the joint's angles until now: one that is beyond its range, as fitted hands have some, is
   *   not drawn in at once, but gets no further out
   */
  clamp(angles, j, before = angles.map(() => 0)) {
    return angles.map((angle, axis) => {
      const [least, most] = this.ranges[j][axis];
      return Math.min(Math.max(most, before[axis]), Math.max(Math.min(least, before[axis]), angle));
    });
  }
}
