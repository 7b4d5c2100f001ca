// A hand about to close on what it holds: each finger bends in stages until its skin touches.
import { FLEXION } from "./anatomy.js";
import { fingerBones } from "./finger_bones.js";
import { rowsOf, withAngles } from "./fingers.js";
import { restHand, rightPose, withRightPose } from "./hand.js";
import { rowOf } from "./hand_model.js";
import { mirroredHeld } from "./held_object.js";
import { shapeOfHeld } from "./objects.js";
import { partSkin } from "./part_skin.js";
import { invert } from "./rotations.js";
import { FINGERS } from "./skeleton.js";
import { add, norm, scale, subtract } from "./vectors.js";

/** Metres: a finger touches from this distance on. */
export const CONTACT = 1e-3;
/** Metres that are left between skin and object. */
export const CLEARANCE = 1e-4;
/** Poses that are tried one after the other on a stage, and how often the interval between two is searched anew. */
export const TRIED = 24;
export const REFINED = 3;
// Radians that a finger which misses, or meets another, may be spread by at its first joint.
const SPREADS = [0, ...[1, 2, 3, 4, 5, 6].flatMap((step) => [0.1 * step, -0.1 * step])];
// How often the object is pushed out of palm and thumb, and how often the hand then closes anew.
const PUSHES = 24;
const TRIES = 5;
// To be inside the object is so many times worse than to be as far outside.
const INSIDE = 10;
// How deep a finger may go into another, metres: skin gives way so far.
const APART = 5e-4;
const STEP = 1e-6;
// Radians that the thumb is opened by before it closes; other fingers keep a share of their bend.
const THUMB_OPENED = [0.5, 0.4, 0.4];
const KEPT = 0.2;

/**
 * @typedef {object} Known
 * @property {import("./hand_model.js").HandModel} model
 * @property {import("./anatomy.js").Anatomy} anatomy
 * @property {Map<string, import("./objects.js").ObjectShape>} objects what hands can hold, by name
 */

/** A right hand about to close on one object: both where they are so far. */
export class Closing {
  /**
   * Take a hand of either side that holds something.
   * @param {Known} known
   * @param {import("./hand.js").Hand} hand
   */
  constructor({ model, anatomy, objects }, hand) {
    this.anatomy = anatomy;
    this.hand = hand;
    this.skin = partSkin(model);
    this.bones = fingerBones(model);
    /** Return the posed joints of a right hand at the origin. */
    this.chainOf = (/** @type {number[][]} */ pose) =>
      model.chain(/** @type {any} */ ({ ...restHand(), betas: hand.betas, handPose: pose }));
    this.wrist = rowOf(model.rest(hand.betas).joints, 0);
    this.held = hand.side === "right" ? hand.held : mirroredHeld(hand.held);
    this.shape = shapeOfHeld(objects, this.held);
    this.grasp = objects.get(this.held.kind).grasp;
    this.turnTo(this.held.orient);
    this.place = add(this.wrist, this.held.position);
    this.pose = rightPose(hand);
  }

  /** The hand as it is now. */
  get closed() {
    const held = { ...this.held, position: subtract(this.place, this.wrist), orient: this.orient };
    const own = this.hand.side === "right" ? held : mirroredHeld(held);
    return withRightPose({ ...this.hand, held: own }, this.pose);
  }

  /** Turn the object to another rotation from its frame into the hand's. */
  turnTo(orient) {
    this.orient = orient;
    this.back = invert(orient);
  }

  /** Return the signed distance of a point to the object, metres. */
  distance(x, y, z) {
    const { size } = this.held;
    const m = this.back;
    // Written out, because it runs for every vertex of every pose that is tried.
    const [u, v, w] = [(x - this.place[0]) / size, (y - this.place[1]) / size, (z - this.place[2]) / size];
    const a = m[0] * u + m[1] * v + m[2] * w;
    const b = m[3] * u + m[4] * v + m[5] * w;
    const c = m[6] * u + m[7] * v + m[8] * w;
    return size * this.shape.distance(a, b, c);
  }

  /**
   * Return the least signed distance of skin to the object, and where it is.
   * @param {number[][]} pose a right hand's
   * @param {string[]} parts
   * @param {number} enough metres below which it is not searched further
   */
  nearest(pose, parts, enough = -Infinity) {
    const chain = this.chainOf(pose);
    let found = { distance: Infinity, point: [0, 0, 0] };
    for (const part of parts) {
      const points = this.skin.points(part, chain, this.hand.betas);
      for (let v = 0; v < points.length; v += 3) {
        const distance = this.distance(points[v], points[v + 1], points[v + 2]);
        if (distance < found.distance) found = { distance, point: [points[v], points[v + 1], points[v + 2]] };
        if (distance < enough) return found;
      }
    }
    return found;
  }

  isFree(pose, part) {
    return this.nearest(pose, [part], CLEARANCE).distance >= CLEARANCE;
  }

  /** Return the flexions of a finger's joints, radians. */
  flexions(pose, finger) {
    return rowsOf(finger).map((j) => this.anatomy.angles(pose[j], j)[FLEXION]);
  }

  /** Return a pose with other flexions of a finger, as far as its joints go, and its first joint turned aside. */
  bent(pose, finger, flexions, aside = 0) {
    return rowsOf(finger).reduce((made, j, k) => {
      const [, abduction, twist] = this.anatomy.angles(pose[j], j);
      const angles = [flexions[k], abduction + (k === 0 ? aside : 0), twist];
      return withAngles(this.anatomy, made, j, angles);
    }, pose);
  }

  /** Return a pose with a finger opened, wherever the object is. */
  relaxed(pose, finger) {
    const now = this.flexions(pose, finger);
    return this.bent(pose, finger, finger === "thumb" ? subtract(now, THUMB_OPENED) : scale(now, KEPT));
  }

  /** Return a pose with a finger opened, so that it can close. */
  opened(pose, finger) {
    const opened = this.relaxed(pose, finger);
    if (this.isFree(opened, finger)) return opened;
    return this.bent(
      pose,
      finger,
      rowsOf(finger).map((j) => this.anatomy.ranges[j][FLEXION][0]),
    );
  }

  /** Return the first pose from an open one to a bent one at which a finger's skin touches. */
  firstContact(pose, finger, end) {
    const start = this.flexions(pose, finger);
    const at = (share) =>
      this.bent(
        pose,
        finger,
        start.map((angle, k) => angle + share * (end[k] - angle)),
      );
    let [low, high] = [0, 1];
    for (let round = 0; round < REFINED; round++) {
      const step = (high - low) / (TRIED - 1);
      let last = -1;
      while (last + 1 < TRIED && this.isFree(at(low + (last + 1) * step), finger)) last += 1;
      if (last === TRIED - 1) return at(high);
      [low, high] = [low + Math.max(last, 0) * step, low + (last + 1) * step];
    }
    return at(low);
  }

  /** Return a pose with a finger closed towards flexions, in a stage from each of its first joints on. */
  closedTowards(pose, finger, end, stages) {
    let closed = pose;
    for (let first = 0; first < stages; first++) {
      const now = this.flexions(closed, finger);
      closed = this.firstContact(
        closed,
        finger,
        now.map((angle, k) => (k < first ? angle : Math.max(angle, end[k]))),
      );
    }
    return closed;
  }

  /** Close one finger; one that does not reach the object goes no further than it was. */
  close(finger, closed) {
    const was = this.flexions(this.pose, finger);
    const end = rowsOf(finger).map((j) => this.anatomy.ranges[j][FLEXION][1] - 0.01);
    const touching = this.grasp.fingers.includes(finger) ? this.spreadWell(finger, end, 3, closed) : null;
    this.pose = touching ?? this.spreadWell(finger, was, 1, closed, true);
  }

  /**
   * Return the pose with a finger closed from where it is spread best: as little as it can be to touch the object and
   * stay out of fingers that are closed; if nothing does both, where it touches and is least deep in them. Null if it
   * touches from nowhere, unless it may.
   */
  spreadWell(finger, end, stages, closed, mayMiss = false) {
    const open = this.opened(this.pose, finger);
    let [best, least] = [null, Infinity];
    for (const aside of SPREADS) {
      const begun = this.bent(open, finger, this.flexions(open, finger), aside);
      const tried = this.closedTowards(begun, finger, end, stages);
      const gap = this.nearest(tried, [finger]).distance;
      if (!mayMiss && (gap > CONTACT || gap < -CONTACT / INSIDE)) continue;
      const overlap = this.bones.overlap(finger, closed, this.chainOf(tried), this.hand.betas);
      const cost = overlap + INSIDE * Math.max(0, -gap);
      if (cost < least) [best, least] = [tried, cost];
      if (cost <= APART) break;
    }
    return best;
  }

  /** Move the object away from where palm and thumb are deepest in it, and tell whether it was. */
  moveOut() {
    for (let push = 0; push < PUSHES; push++) {
      const { distance, point } = this.nearest(this.pose, ["palm", "thumb"]);
      if (distance >= 0) return push > 0;
      const at = (axis, by) => {
        const [x, y, z] = point.with(axis, point[axis] + by);
        return this.distance(x, y, z);
      };
      const slope = [0, 1, 2].map((k) => (at(k, STEP) - at(k, -STEP)) / (2 * STEP));
      this.place = subtract(this.place, scale(slope, (CLEARANCE - distance) / (norm(slope) || 1)));
    }
    return true;
  }

  /** Close all fingers but those that are to stay, until no push moves the object any more. */
  grip(staying) {
    const closing = FINGERS.filter((finger) => !staying.includes(finger));
    for (let round = 0; round < TRIES; round++) {
      closing.forEach((finger, n) => {
        if (!this.liesOn(finger)) this.close(finger, [...staying, ...closing.slice(0, n)]);
      });
      if (!this.moveOut()) return;
    }
  }

  /** Tell whether the object lies on a finger, which then stays: others come to what lies on the thumb. */
  liesOn(finger) {
    if (finger !== "thumb" || this.grasp.inPalm) return false;
    return Math.abs(this.nearest(this.pose, [finger]).distance) <= CONTACT;
  }
}
