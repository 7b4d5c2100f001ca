// Inverse kinematics of a finger: the angles within their ranges that bring one of its points to a goal.
import { ABDUCTION, FLEXION, TWIST } from "./anatomy.js";
import { FingerChain } from "./finger_chain.js";
import { rightPose, withRightPose } from "./hand.js";
import { add, cross, dot, norm, scale, subtract } from "./vectors.js";

/**
 * @typedef {object} Goal where a point shall be, metres in the camera's frame
 * @property {number[]} origin the point itself, or, with a direction, any point of a ray
 * @property {number[]} [direction] of length one: anywhere along the ray will do
 */

const STEPS = 40;
const PROBE = 1e-6;
// No joint turns farther in one step, radians: beyond, the finger is no longer where the step was reckoned for.
const LARGEST_STEP = 0.4;
// This near, metres, a goal is reached: a hundredth of a pixel of a hand that fills the picture.
const REACHED = 1e-5;
// A step that closes less of the gap than this share of it is the last one: the goal is out of reach.
const STALLED = 3e-3;
// A finger that points at the camera, or straight up the picture, comes no nearer to a goal by a little bending, and a
// solver would never bend it from where it is. So it also starts with its joints bent by these, radians, and if that is
// not enough, with them at these shares of their ranges.
const BENDS = [0.35, 0.9, -0.35, 1.5];
const SHARES = [0.1, 0.5, 0.9];
// Radians that the knuckle and the middle joint are bent by in the poses that a finger comes to with ease.
const EASY_KNUCKLES = [0, 0.5, 1];
const EASY_MIDDLES = [0.1, 0.8, 1.5];
// Radians of unease at which a finger tries these; one that was ill at ease may stay so as long as it hardly moves.
const UNEASE = 0.2;
// What a radian of unease is worth in radians of change.
const EASE = 2;
// Metres of error that a radian of change is worth, of two ways that both do not reach the goal: fingers do not leap.
const STAY = 1.5e-3;
// Keeps the equations solvable where no angle closes the gap.
const TINY = 1e-12;
// How far a finger's last joint goes along with its middle one: they have a tendon in common. Rijpkema and Girard,
// "Computer Animation of Knowledge-Based Human Grasping" (1991).
const GOES_ALONG = 2 / 3;
const MIDDLE_BEND = 3 + FLEXION;
const LAST_BEND = 6 + FLEXION;

/** Return which of a finger's nine angles may move a point of it. */
export function freedom(finger, point, wholeFinger) {
  const bends = [0, 1, 2].map((place) => 3 * place + FLEXION);
  const sideways = finger === "thumb" ? [ABDUCTION, TWIST] : [ABDUCTION];
  const last = point - 1;
  if (wholeFinger) return [...bends.slice(0, point), ...(point > 0 ? sideways : [])];
  return point > 0 ? [bends[last], ...(last === 0 ? sideways : [])] : [];
}

/**
 * Return the ways that angles move in, each a list of places of angles and their shares in it.
 * @param {string} finger
 * @param {number[]} free the places of those that may move
 * @returns {{apart: number[][][], together: number[][][] | null}} each for itself; and as a finger bends that nobody
 *   holds, if that is another way
 */
function waysOf(finger, free) {
  const apart = free.map((k) => [[k, 1]]);
  if (finger === "thumb" || !free.includes(LAST_BEND) || !free.includes(MIDDLE_BEND)) return { apart, together: null };
  const together = apart
    .filter(([[k]]) => k !== LAST_BEND)
    .map((way) => (way[0][0] === MIDDLE_BEND ? [...way, [LAST_BEND, GOES_ALONG]] : way));
  return { apart, together };
}

/** Return what is missing from a point to a goal, metres. */
function missing(goal, point) {
  const gap = subtract(goal.origin, point);
  return goal.direction ? subtract(gap, scale(goal.direction, dot(goal.direction, gap))) : gap;
}

/** Solve (A + shift I) x = b for a symmetric 3 x 3 matrix given by its rows. */
function solveShifted(rows, shift, b) {
  const [p, q, r] = rows.map((row, k) => row.with(k, row[k] + shift));
  const determinant = dot(p, cross(q, r));
  return [dot(b, cross(q, r)) / determinant, dot(b, cross(r, p)) / determinant, dot(b, cross(p, q)) / determinant];
}

/** A finger, what of it may move, and where it shall come to. */
class Reach {
  /**
   * Set out.
   * @param {FingerChain} chain
   * @param {number} point
   * @param {Goal} goal
   * @param {number[]} free which of the finger's nine angles may change
   * @param {ReturnType<typeof waysOf>} ways in which they do
   */
  constructor(chain, point, goal, free, ways) {
    this.chain = chain;
    this.point = point;
    this.goal = goal;
    this.free = free;
    this.ways = ways;
    this.before = chain.angles;
    // As far as Anatomy.clamp lets them.
    const ranges = chain.rows.flatMap((j) => chain.anatomy.ranges[j]);
    this.low = ranges.map(([least], k) => Math.min(least, this.before[k]));
    this.high = ranges.map(([, most], k) => Math.max(most, this.before[k]));
  }

  /** Return the angles brought into their ranges. */
  clamp(angles) {
    return angles.map((angle, k) => Math.min(this.high[k], Math.max(this.low[k], angle)));
  }

  /** Return what is missing to the goal, metres. */
  gap(angles) {
    return missing(this.goal, this.chain.point(angles, this.point));
  }

  /** Return how the gap closes for an angle, metres a radian; nothing if the goal pushes it out of its range. */
  #slope(angles, gap, k) {
    const slope = scale(subtract(gap, this.gap(angles.with(k, angles[k] + PROBE))), 1 / PROBE);
    const outwards = dot(slope, gap) > 0 ? angles[k] >= this.high[k] : angles[k] <= this.low[k];
    return outwards ? [0, 0, 0] : slope;
  }

  /** Return how the gap closes for each way, metres a radian. */
  slopes(angles, gap, ways) {
    return ways.map((way) =>
      way.reduce((sum, [k, share]) => add(sum, scale(this.#slope(angles, gap, k), share)), [0, 0, 0]),
    );
  }

  /** Return the angles one damped step on: J^T (J J^T + damping)^-1 gap, three equations however many ways. */
  step(angles, gap, ways, damping) {
    const slopes = this.slopes(angles, gap, ways);
    const rows = [0, 1, 2].map((a) =>
      [0, 1, 2].map((b) => slopes.reduce((sum, slope) => sum + slope[a] * slope[b], 0)),
    );
    const size = rows[0][0] + rows[1][1] + rows[2][2];
    const pull = solveShifted(rows, damping * size + TINY, gap);
    const moved = [...angles];
    ways.forEach((way, n) => {
      const turn = Math.max(-LARGEST_STEP, Math.min(LARGEST_STEP, dot(slopes[n], pull)));
      for (const [k, share] of way) moved[k] += share * turn;
    });
    return this.clamp(moved);
  }

  /** Return the angles that steps from a start lead to, and how far the point is then from its goal, metres. */
  solve(start, ways) {
    let [angles, damping] = [this.clamp(start), 1e-3];
    let gap = this.gap(angles);
    for (let step = 0; step < STEPS && norm(gap) > REACHED && damping < 1e6; step++) {
      const moved = this.step(angles, gap, ways, damping);
      const next = this.gap(moved);
      const gain = norm(gap) - norm(next);
      damping *= gain > 0 ? 0.2 : 10;
      if (gain > 0) [angles, gap] = [moved, next];
      if (gain > 0 && gain < STALLED * norm(gap)) break;
    }
    return { angles, error: norm(gap) };
  }

  /** Return the finger's angles with those that bend it changed. */
  bent(change) {
    return this.before.map((angle, k) => (this.free.includes(k) && k % 3 === FLEXION ? change(angle, k) : angle));
  }

  /** Return the angles to start from where the present ones lead nowhere: evenly spread over the ranges. */
  spreadStarts() {
    const between = (k, share) => this.low[k] + share * (this.high[k] - this.low[k]);
    return SHARES.flatMap((first) =>
      SHARES.map((others) => this.bent((_, k) => between(k, k === FLEXION ? first : others))),
    );
  }

  /** Return poses of the finger that nothing holds. */
  easyStarts() {
    const bends = EASY_KNUCKLES.flatMap((knuckle) =>
      EASY_MIDDLES.map((middle) => ({ [FLEXION]: knuckle, [MIDDLE_BEND]: middle, [LAST_BEND]: GOES_ALONG * middle })),
    );
    return bends.map((bend) => this.bent((_, k) => bend[k]));
  }

  /** Return how far a finger is from what it does by itself, radians: its knuckle bent back, its last joint apart. */
  unease(angles) {
    if (!this.ways.together) return 0;
    const apart = Math.max(0, angles[LAST_BEND]) - GOES_ALONG * Math.max(0, angles[MIDDLE_BEND]);
    return Math.abs(apart) + Math.max(0, -angles[FLEXION]);
  }

  /** Return how far angles are from those until now, radians. */
  change(angles) {
    return Math.hypot(...this.free.map((k) => angles[k] - this.before[k]));
  }

  /** Tell whether a finger that came to somewhere had better look for another pose there. */
  isUneasy(angles) {
    return this.unease(angles) > UNEASE + Math.max(0, this.unease(this.before) - this.change(angles));
  }

  /** Return the best of what several starts lead to, by its error, its change and its ease. */
  bestOf(starts, ways = this.ways.apart) {
    const found = starts.map((start) => {
      const { angles, error } = this.solve(start, ways);
      return { angles, error, cost: error + STAY * (this.change(angles) + EASE * this.unease(angles)) };
    });
    const reached = found.filter(({ error }) => error <= REACHED);
    return (reached.length ? reached : found).reduce((best, each) => (each.cost < best.cost ? each : best));
  }

  /** Return the angles that bring the point to its goal, or as near as they do. */
  best() {
    const { together } = this.ways;
    const bends = () => BENDS.map((bend) => this.bent((angle) => angle + bend));
    let best = this.bestOf([this.before], together ?? undefined);
    if (together && (best.error > REACHED || this.isUneasy(best.angles))) {
      best = this.bestOf([best.angles, ...bends(), ...this.easyStarts()], together);
    }
    for (const starts of [() => [this.before], bends, () => this.spreadStarts()]) {
      if (best.error > REACHED) best = this.bestOf([best.angles, ...starts()]);
    }
    return best.angles;
  }
}

/**
 * Bend a finger so that one of its points comes as near to a goal as its joints allow.
 * @param {import("./hand_model.js").HandModel} model
 * @param {import("./anatomy.js").Anatomy} anatomy
 * @param {import("./hand.js").Hand} hand of either side
 * @param {string} finger
 * @param {number} point 1 or 2 its second or third joint, 3 its tip
 * @param {Goal} goal
 * @param {boolean} wholeFinger whether all joints before the point take part, or only the last of them
 * @returns {import("./hand.js").Hand} the hand, whose other fingers stay; this one's joints are within their ranges
 */
export function reachWithFinger(model, anatomy, hand, finger, point, goal, wholeFinger = true) {
  const free = freedom(finger, point, wholeFinger);
  if (!free.length) return hand;
  const chain = new FingerChain(model, anatomy, hand, finger);
  const reach = new Reach(chain, point, goal, free, waysOf(finger, free));
  const rotations = chain.rotations(reach.best());
  const pose = [...rightPose(hand)];
  for (let place = wholeFinger ? 0 : point - 1; place < point; place++) pose[chain.rows[place]] = rotations[place];
  return withRightPose(hand, pose);
}
