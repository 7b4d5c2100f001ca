// The outer two bones of each finger as capsules: how deep fingers are in each other, told in no time. Skin tells it
// more exactly (`sinking.js`), but not for hundreds of poses at once.
import { rowOf } from "./hand_model.js";
import { FINGER_JOINTS, FINGERS } from "./skeleton.js";
import { add, dot, norm, scale, subtract } from "./vectors.js";

/** Return how far the middles of two line segments can be apart at the nearest (Ericson, 2005, section 5.1.9). */
function segmentDistance(a, b, c, d) {
  const [first, second, between] = [subtract(b, a), subtract(d, c), subtract(a, c)];
  const [aa, bb, ab] = [dot(first, first), dot(second, second), dot(first, second)];
  const [toFirst, toSecond] = [dot(first, between), dot(second, between)];
  const within = (share) => Math.min(1, Math.max(0, share));
  const area = aa * bb - ab * ab;
  let s = area > 1e-18 ? within((ab * toSecond - toFirst * bb) / area) : 0;
  const t = within((ab * s + toSecond) / bb);
  s = within((ab * t - toFirst) / aa);
  return norm(subtract(add(a, scale(first, s)), add(c, scale(second, t))));
}

/** The bones of a model's fingers, with how thick the skin around them is. */
class FingerBones {
  constructor(model) {
    this.model = model;
    const skin = new Map();
    model.influences.forEach((parts, vertex) => {
      const { joint } = parts.reduce((most, part) => (part.share > most.share ? part : most));
      skin.set(joint, [...(skin.get(joint) ?? []), vertex]);
    });
    const at = (joint) => rowOf(model.jointTemplate, joint);
    this.radii = new Map(
      FINGERS.flatMap((finger, n) => {
        const [, middle, last] = FINGER_JOINTS[finger];
        const tip = rowOf(model.template, model.tips[n]);
        return [
          [middle, this.#thickness(skin.get(middle), at(middle), at(last))],
          [last, this.#thickness(skin.get(last), at(last), tip)],
        ];
      }),
    );
  }

  /** Return how far vertices are from a bone on average, metres. */
  #thickness(vertices, start, end) {
    const all = vertices.map((vertex) => {
      const point = rowOf(this.model.template, vertex);
      return segmentDistance(
        point,
        point.map((value) => value + 1e-9),
        start,
        end,
      );
    });
    return all.reduce((sum, distance) => sum + distance, 0) / all.length;
  }

  /** Return the outer bones of a posed finger, with their thickness, metres. */
  #bones(finger, chain, betas) {
    const [, middle, last] = FINGER_JOINTS[finger];
    const tip = this.model.skin(this.model.tips[FINGERS.indexOf(finger)], betas, chain);
    const [start, between] = [chain.positions[middle], chain.positions[last]];
    // A tip is skin already: its bone ends before it.
    const end = add(tip, scale(subtract(between, tip), this.radii.get(last) / (norm(subtract(between, tip)) || 1)));
    return [
      { start, end: between, radius: this.radii.get(middle) },
      { start: between, end, radius: this.radii.get(last) },
    ];
  }

  /**
   * Return how deep a finger is in others at most, metres; 0 if it is in none.
   * @param {string} finger
   * @param {string[]} others
   * @param {{rotations: number[][], positions: number[][]}} chain of a right hand's joints
   * @param {number[]} betas
   */
  overlap(finger, others, chain, betas) {
    const own = this.#bones(finger, chain, betas);
    const theirs = others.flatMap((other) => this.#bones(other, chain, betas));
    const depths = own.flatMap((bone) =>
      theirs.map((other) => bone.radius + other.radius - segmentDistance(bone.start, bone.end, other.start, other.end)),
    );
    return Math.max(0, ...depths);
  }
}

const known = new WeakMap();

/** Return the bones of a model's fingers. */
export function fingerBones(model) {
  if (!known.has(model)) known.set(model, new FingerBones(model));
  return known.get(model);
}
