// A posed hand as what a graphics card takes: smooth skin, and the flat cap over the wrist with corners of its own.
import { sinking } from "../core/sinking.js";

/** Buffers of one hand, filled again whenever the hand is another one. */
export class Surface {
  #hand = null;

  /**
   * Make room.
   * @param {import("../core/hand_model.js").HandModel} model
   */
  constructor(model) {
    const { faces, numVertices } = model;
    const skin = 3 * model.numFaces;
    this.model = model;
    // A cap's corners have normals of their own.
    this.capCorners = faces.subarray(skin);
    this.right = Uint16Array.from(faces, (vertex, k) => (k < skin ? vertex : numVertices + k - skin));
    this.left = Uint16Array.from(this.right, (_, k) => this.right[k % 3 === 0 ? k : k % 3 === 1 ? k + 1 : k - 1]);
    const size = numVertices + this.capCorners.length;
    this.vertices = new Float64Array(3 * numVertices);
    this.positions = new Float32Array(3 * size);
    this.normals = new Float32Array(3 * size);
    this.sunk = new Float32Array(size);
    this.span = [0, 1];
  }

  /** The hand's side. */
  get side() {
    return this.#hand?.side ?? "right";
  }

  /** Corners of the hand's faces, seen from outside the right way round. */
  get index() {
    return this.side === "left" ? this.left : this.right;
  }

  /** Show a hand; nothing is done if it is the one that is shown. */
  update(hand) {
    if (hand === this.#hand) return this;
    this.#hand = hand;
    this.model.vertices(hand, this.vertices);
    this.positions.set(this.vertices);
    this.capCorners.forEach((vertex, k) => {
      this.positions.set(this.vertices.subarray(3 * vertex, 3 * vertex + 3), 3 * (this.model.numVertices + k));
    });
    this.#findNormals();
    this.span = seenSpan(this.positions, this.normals);
    sinking(this.model).mark(this.vertices, this.normals, this.sunk);
    return this;
  }

  /** Each corner's normal is the sum of its faces', by their area. */
  #findNormals() {
    const { positions: p, normals: n, index } = this;
    n.fill(0);
    // Written out, because it runs for every face of every frame.
    for (let f = 0; f < index.length; f += 3) {
      const [a, b, c] = [3 * index[f], 3 * index[f + 1], 3 * index[f + 2]];
      const [ux, uy, uz] = [p[b] - p[a], p[b + 1] - p[a + 1], p[b + 2] - p[a + 2]];
      const [vx, vy, vz] = [p[c] - p[a], p[c + 1] - p[a + 1], p[c + 2] - p[a + 2]];
      const [x, y, z] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
      for (const k of [a, b, c]) {
        n[k] += x;
        n[k + 1] += y;
        n[k + 2] += z;
      }
    }
    for (let v = 0; v < n.length; v += 3) {
      const length = Math.hypot(n[v], n[v + 1], n[v + 2]) || 1;
      n[v] /= length;
      n[v + 1] /= length;
      n[v + 2] /= length;
    }
  }
}

/** Return the least and the most depth of what faces the camera. */
function seenSpan(p, n) {
  let [near, far] = [Infinity, -Infinity];
  for (let v = 0; v < n.length; v += 3) {
    if (n[v] * p[v] + n[v + 1] * p[v + 1] + n[v + 2] * p[v + 2] >= 0) continue;
    near = Math.min(near, p[v + 2]);
    far = Math.max(far, p[v + 2]);
  }
  return near < far ? [near, far] : [0, 1];
}
