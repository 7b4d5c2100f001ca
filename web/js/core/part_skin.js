// The skin of the palm and of each finger of a hand that is posed many times: a tenth of the work of all of it.
import { rotate } from "./rotations.js";
import { FINGER_JOINTS, NUM_JOINTS } from "./skeleton.js";
import { rowOf } from "./hand_model.js";
import { subtract } from "./vectors.js";

const PALM = "palm";

/** Vertices of a model's parts, and of the fingers' last bones; those on a border belong to both sides of it. */
class PartSkin {
  constructor(model) {
    const partOf = Array(NUM_JOINTS).fill(PALM);
    for (const [finger, joints] of Object.entries(FINGER_JOINTS)) for (const j of joints) partOf[j] = finger;
    const parts = new Map([PALM, ...Object.keys(FINGER_JOINTS)].map((name) => [name, new Set()]));
    this.names = [...parts.keys()];
    const tips = new Map(Object.entries(FINGER_JOINTS).map(([finger, joints]) => [joints[2], `${finger} tip`]));
    for (const name of tips.values()) parts.set(name, new Set());
    model.partIds.forEach((joint, face) => {
      const names = [partOf[joint], ...(tips.has(joint) ? [tips.get(joint)] : [])];
      for (const name of names) for (let k = 0; k < 3; k++) parts.get(name).add(model.faces[3 * face + k]);
    });
    this.model = model;
    this.vertices = new Map([...parts].map(([name, ids]) => [name, [...ids]]));
    this.out = new Map([...parts].map(([name, ids]) => [name, new Float64Array(3 * ids.size)]));
  }

  /**
   * Return where the vertices of a part are, three numbers each, until it is asked again.
   * @param {string} part
   * @param {{rotations: number[][], positions: number[][]}} chain of a right hand's joints
   * @param {number[]} betas
   */
  points(part, { rotations, positions }, betas) {
    const { vertices, joints } = this.model.rest(betas);
    const shifts = rotations.map((turn, joint) => subtract(positions[joint], rotate(turn, rowOf(joints, joint))));
    const out = this.out.get(part);
    // Written out, because it runs for every pose that is tried.
    this.vertices.get(part).forEach((v, at) => {
      const [x, y, z] = [vertices[3 * v], vertices[3 * v + 1], vertices[3 * v + 2]];
      let [a, b, c] = [0, 0, 0];
      for (const { joint, share } of this.model.influences[v]) {
        const [turn, shift] = [rotations[joint], shifts[joint]];
        a += share * (turn[0] * x + turn[1] * y + turn[2] * z + shift[0]);
        b += share * (turn[3] * x + turn[4] * y + turn[5] * z + shift[1]);
        c += share * (turn[6] * x + turn[7] * y + turn[8] * z + shift[2]);
      }
      out[3 * at] = a;
      out[3 * at + 1] = b;
      out[3 * at + 2] = c;
    });
    return out;
  }
}

const known = new WeakMap();

/** Return the skin of a model's parts. */
export function partSkin(model) {
  if (!known.has(model)) known.set(model, new PartSkin(model));
  return known.get(model);
}
