// Where an object lies in a hand that is about to close, as sesahand/hands/gripping.py places it: in the palm, or on
// the thumb where the other fingers reach it.
import { CLEARANCE, REFINED, TRIED } from "./closing.js";
import { rowsOf } from "./fingers.js";
import { fromAxisAngle, multiply } from "./rotations.js";
import { FINGERS } from "./skeleton.js";
import { add } from "./vectors.js";

// How far the thumb is opened under a thick object, until that is clear of the palm; and the steps of a descent.
const THUMBS = [0, 0.2, 0.4, 0.6, 0.8, 1];
const SETTLED = 120;
const PACE = 0.02;
const STEP = 1e-6;
// Metres: farther skin does not meet the object when it is settled.
const NEAR = 0.03;
const MILLIMETRES = 1000;
// Metres: how far away from the palm an object is searched a place.
const PALM_REACH = 0.12;
// Metres that count as much as a radian.
const PER_RADIAN = 0.01;

/** Return where a cost of six numbers is low near zero (Adam; Kingma and Ba, 2015). */
function descended(cost) {
  const [point, mean, square] = [0, 0, 0].map(() => Array(6).fill(0));
  for (let step = 1; step <= SETTLED; step++) {
    const gradient = point.map((value, k) => {
      const [ahead, behind] = [STEP, -STEP].map((by) => cost(point.with(k, value + by)));
      return (ahead - behind) / (2 * STEP);
    });
    gradient.forEach((slope, k) => {
      mean[k] = 0.9 * mean[k] + 0.1 * slope;
      square[k] = 0.999 * square[k] + 0.001 * slope * slope;
      point[k] -= (PACE * (mean[k] / (1 - 0.9 ** step))) / (Math.sqrt(square[k] / (1 - 0.999 ** step)) + 1e-8);
    });
  }
  return point;
}

/** What meets the object while it is settled: skin that it must not go into, and skin that shall touch it. */
class Settling {
  constructor(closing, open, gesture) {
    const { grasp, hand, skin } = closing;
    const thumbs = rowsOf("thumb");
    const bent = gesture.map((rotation, j) => (thumbs.includes(j) ? open[j] : rotation));
    const [opened, closed] = [closing.chainOf(open), closing.chainOf(bent)];
    const points = (part, chain) => Float64Array.from(skin.points(part, chain, hand.betas));
    const touching = (finger, chain) => points(grasp.byTips ? `${finger} tip` : finger, chain);
    this.closing = closing;
    this.thumb = touching("thumb", opened);
    this.others = grasp.fingers.slice(1).map((finger) => touching(finger, closed));
    // The skin between thumb and index finger also moves with the latter.
    const fixed = [points("thumb", opened), points("palm", opened), points("palm", closed)];
    this.fixed = this.#near(Float64Array.from(fixed.flatMap((each) => [...each])));
  }

  /** Return those of points that are not far from the object, and always the nearest. */
  #near(points) {
    const distances = this.#distances(points);
    const reach = Math.max(0, Math.min(...distances)) + NEAR;
    return points.filter((_, k) => distances[Math.floor(k / 3)] <= reach);
  }

  #distances(points) {
    const { closing } = this;
    return Array.from({ length: points.length / 3 }, (_, v) =>
      closing.distance(points[3 * v], points[3 * v + 1], points[3 * v + 2]),
    );
  }

  #least(points) {
    return Math.min(...this.#distances(points));
  }

  /** Return how badly the object lies. */
  #cost() {
    const free = 3 * CLEARANCE;
    const inside = this.#distances(this.fixed).map((distance) => Math.max(0, MILLIMETRES * (free - distance)) ** 2);
    const gap = (MILLIMETRES * (this.#least(this.thumb) - free)) ** 2;
    const reach = this.others.map((points) => Math.max(0, MILLIMETRES * this.#least(points)) ** 2);
    return [...inside, ...reach].reduce((sum, each) => sum + each, gap);
  }

  /** Move and turn the object, and return the least distance that is left to palm and thumb, negative inside. */
  settle() {
    const { closing } = this;
    const { place, orient } = closing;
    const move = (/** @type {number[]} */ change) => {
      const [x, y, z, ...turn] = change;
      closing.place = add(place, [PER_RADIAN * x, PER_RADIAN * y, PER_RADIAN * z]);
      closing.turnTo(multiply(orient, fromAxisAngle(turn)));
    };
    const cost = (change) => {
      move(change);
      return this.#cost() + change.reduce((sum, value) => sum + value * value, 0);
    };
    move(descended(cost));
    return this.#least(this.fixed);
  }
}

/**
 * Lay the object on the thumb, which is opened a little if the object is a thick one; it stays so.
 * @param {import("./closing.js").Closing} closing a hand in the gesture that the object's grasp begins in
 */
export function layOnThumb(closing) {
  const { pose: gesture, place, orient } = closing;
  const opened = FINGERS.reduce((made, finger) => closing.relaxed(made, finger), gesture);
  const [bent, wide] = [gesture, opened].map((pose) => closing.flexions(pose, "thumb"));
  for (const share of THUMBS) {
    closing.place = place;
    closing.turnTo(orient);
    const flexions = bent.map((angle, k) => angle + share * (wide[k] - angle));
    const open = closing.bent(opened, "thumb", flexions);
    closing.pose = closing.bent(gesture, "thumb", flexions);
    if (new Settling(closing, open, gesture).settle() >= 0) return;
  }
}

/**
 * Move the object along the palm's normal until it touches the hand, but for its thumb.
 * @param {import("./closing.js").Closing} closing
 * @param {number[][]} pose of the open hand, a right one's
 */
export function moveToPalm(closing, pose) {
  const parts = closing.skin.names.filter((part) => part !== "thumb");
  const isFree = (offset) => {
    closing.place = closing.place.with(1, -offset);
    return closing.nearest(pose, parts, CLEARANCE).distance >= CLEARANCE;
  };
  let [near, far] = [0, PALM_REACH];
  for (let round = 0; round < REFINED; round++) {
    const step = (far - near) / (TRIED - 1);
    let last = -1;
    while (last + 1 < TRIED && isFree(far - (last + 1) * step)) last += 1;
    [near, far] = [far - Math.min(last + 1, TRIED - 1) * step, far - Math.max(last, 0) * step];
  }
  closing.place = closing.place.with(1, -far);
}
