// Which skin of a hand has sunk into another finger or the palm, found cheaply enough for every pointer move.
import { FINGER_JOINTS, FINGERS, NUM_JOINTS } from "./skeleton.js";

// Metres: less is how skin touches skin, and how far it bulges between two vertices.
const TOUCHING = 1.5e-3;
// Metres of depth that is drawn as sunk altogether.
const DEEP = 4e-3;
// Metres: farther from the nearest skin, nothing is inside of it.
const REACH = 12e-3;
const PALM = 0;

/** Return the number of a joint's finger, -1 for the palm. */
const fingerOf = (joint) => FINGERS.findIndex((finger) => FINGER_JOINTS[finger].includes(joint));

// Joints whose skin grows out of the palm's: the knuckles, and the thumb's second joint.
const AT_PALM = new Set([...FINGERS.map((finger) => FINGER_JOINTS[finger][0]), FINGER_JOINTS.thumb[1]]);

/** Tell whether the skin of two joints can sink into each other. */
function canSink(joint, other) {
  if (fingerOf(joint) === fingerOf(other)) return false;
  return !((joint === PALM && AT_PALM.has(other)) || (other === PALM && AT_PALM.has(joint)));
}

/** What of a model's skin is where, as far as it does not depend on the pose. */
class Sinking {
  constructor(model) {
    this.numVertices = model.numVertices;
    this.skin = Array.from({ length: NUM_JOINTS }, () => []);
    model.influences.forEach((parts, vertex) => {
      const { joint } = parts.reduce((most, part) => (part.share > most.share ? part : most));
      this.skin[joint].push(vertex);
    });
    this.others = this.skin.map((_, joint) => [...this.skin.keys()].filter((other) => canSink(joint, other)));
    this.boxes = new Float64Array(6 * NUM_JOINTS);
  }

  /** Return the box around each joint's skin. */
  #findBoxes(vertices) {
    this.skin.forEach((skin, joint) => {
      const box = this.boxes.subarray(6 * joint, 6 * joint + 6);
      box.fill(Infinity, 0, 3).fill(-Infinity, 3);
      for (const vertex of skin) {
        for (let k = 0; k < 3; k++) {
          box[k] = Math.min(box[k], vertices[3 * vertex + k]);
          box[3 + k] = Math.max(box[3 + k], vertices[3 * vertex + k]);
        }
      }
    });
  }

  /** Tell whether a point is in the box around a joint's skin. */
  #isNear(x, y, z, joint) {
    const [box, at] = [this.boxes, 6 * joint];
    return x > box[at] && y > box[at + 1] && z > box[at + 2] && x < box[at + 3] && y < box[at + 4] && z < box[at + 5];
  }

  /**
   * Return how deep a vertex is behind the nearest skin of other joints, metres; less than nothing if it is outside.
   */
  #depth(vertex, joints, vertices, normals) {
    const [x, y, z] = [vertices[3 * vertex], vertices[3 * vertex + 1], vertices[3 * vertex + 2]];
    let [least, nearest] = [REACH * REACH, -1];
    for (const joint of joints) {
      if (!this.#isNear(x, y, z, joint)) continue;
      for (const other of this.skin[joint]) {
        const k = 3 * other;
        const distance = (vertices[k] - x) ** 2 + (vertices[k + 1] - y) ** 2 + (vertices[k + 2] - z) ** 2;
        if (distance < least) [least, nearest] = [distance, k];
      }
    }
    if (nearest < 0) return -1;
    return (
      (vertices[nearest] - x) * normals[nearest] +
      (vertices[nearest + 1] - y) * normals[nearest + 1] +
      (vertices[nearest + 2] - z) * normals[nearest + 2]
    );
  }

  /**
   * Find the skin that has sunk in.
   * @param {ArrayLike<number>} vertices of a posed hand, three numbers each, metres
   * @param {ArrayLike<number>} normals outwards, three numbers a vertex
   * @param {Float32Array} out one number a vertex: 0 what is outside or touches, 1 what is deep inside; filled and
   *   returned
   */
  mark(vertices, normals, out) {
    out.fill(0);
    this.#findBoxes(vertices);
    this.skin.forEach((skin, joint) => {
      for (const vertex of skin) {
        const depth = this.#depth(vertex, this.others[joint], vertices, normals);
        out[vertex] = Math.min(1, Math.max(0, (depth - TOUCHING) / (DEEP - TOUCHING)));
      }
    });
    return out;
  }
}

const known = new WeakMap();

/** Return what finds sunk skin of a model's hands. */
export function sinking(model) {
  if (!known.has(model)) known.set(model, new Sinking(model));
  return known.get(model);
}
