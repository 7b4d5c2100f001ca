// How far points are from a surface of triangles, looked up in a grid that is filled once, as
// sesahand/hands/distance_grid.py does: exact near the surface, elsewhere to the nearest of its points that neighbours
// know, and inside where the surface winds around the lines through a node along at least two of the three axes.
import { add, cross, dot, norm, scale, subtract } from "./vectors.js";

// Along the longest side of the surface's box, and free around it.
const NODES = 48;
const MARGIN = 3;
// Nodes so far from a triangle's box, in steps of the grid, are compared with the triangle itself.
const BAND = 1;
// Pairs of node and triangle that are compared in all, and how much longer each step is that is tried instead.
const MOST_PAIRS = 1 << 23;
const COARSER = 1.25;
const FAR = 1e6;
// Twice the area of a triangle that has none, square metres.
const NO_AREA = 1e-14;
// No line runs through a vertex or along an edge: they are a little beside the nodes, by no round number.
const ASIDE = Object.freeze([0.0137, 0.0071]);

/** Return the point of a triangle that is nearest to a point. */
function closest(triangle, normal, p) {
  let [best, least, isOver] = [triangle[0], Infinity, norm(normal) > 0];
  for (let k = 0; k < 3; k++) {
    const [start, end] = [triangle[k], triangle[(k + 1) % 3]];
    const [edge, offset] = [subtract(end, start), subtract(p, start)];
    isOver &&= dot(cross(edge, normal), offset) <= 0;
    const share = Math.min(1, Math.max(0, dot(offset, edge) / (dot(edge, edge) || 1)));
    const found = add(start, scale(edge, share));
    const distance = norm(subtract(p, found));
    if (distance < least) [best, least] = [found, distance];
  }
  return isOver ? subtract(p, scale(normal, dot(subtract(p, triangle[0]), normal))) : best;
}

/** Return the direction that a triangle faces, of length one, or zero if it has no area. */
function normalOf([a, b, c]) {
  const across = cross(subtract(b, a), subtract(c, a));
  return norm(across) > NO_AREA ? scale(across, 1 / norm(across)) : [0, 0, 0];
}

/** Signed distances at the nodes of a grid. */
export class DistanceGrid {
  #low;
  #step;
  #size;
  #values;

  /**
   * Fill it.
   * @param {{vertices: Float32Array, faces: Uint16Array}} mesh three numbers a vertex, metres; three vertices a face
   */
  constructor({ vertices, faces }) {
    const at = (vertex) => [vertices[3 * vertex], vertices[3 * vertex + 1], vertices[3 * vertex + 2]];
    const triangles = Array.from({ length: faces.length / 3 }, (_, face) =>
      [0, 1, 2].map((corner) => at(faces[3 * face + corner])),
    );
    const bound = (axis, pick) =>
      triangles.reduce(
        (found, triangle) => pick(found, pick(...triangle.map((corner) => corner[axis]))),
        triangles[0][0][axis],
      );
    const low = [0, 1, 2].map((axis) => bound(axis, Math.min));
    const high = [0, 1, 2].map((axis) => bound(axis, Math.max));
    this.#lay(low, high, Math.max(...subtract(high, low)) / NODES);
    // Large triangles in their thousands meet all nodes each; a coarser grid then does.
    while (this.#pairsOf(triangles) > MOST_PAIRS) this.#lay(low, high, COARSER * this.#step);
    this.#values = this.#filled(triangles);
  }

  /** Lay nodes around a box, a step apart. */
  #lay(low, high, step) {
    this.#step = step;
    this.#low = low.map((value) => value - MARGIN * step);
    this.#size = high.map((value, k) => Math.ceil((value - this.#low[k]) / step + MARGIN + 1));
  }

  /** Return how many pairs of a node and a triangle near it there are. */
  #pairsOf(triangles) {
    let pairs = 0;
    for (const triangle of triangles) {
      const [x, y, z] = [0, 1, 2]
        .map((axis) => this.#span(triangle, axis, BAND))
        .map(([first, last]) => last - first + 1);
      pairs += x * y * z;
    }
    return pairs;
  }

  /** Return where a node is, metres. */
  #node(x, y, z) {
    return [this.#low[0] + this.#step * x, this.#low[1] + this.#step * y, this.#low[2] + this.#step * z];
  }

  #filled(triangles) {
    const count = this.#size[0] * this.#size[1] * this.#size[2];
    const nearest = new Float64Array(3 * count).fill(FAR);
    const least = new Float64Array(count).fill(Infinity);
    this.#near(triangles, nearest, least);
    this.#flood(nearest, least);
    const votes = new Uint8Array(count);
    for (let axis = 0; axis < 3; axis++) this.#wind(triangles, axis, votes);
    return least.map((squared, node) => (votes[node] >= 2 ? -1 : 1) * Math.sqrt(squared));
  }

  /** Return the least and the most node of a triangle along an axis, with some around it. */
  #span(triangle, axis, around) {
    const places = triangle.map((corner) => (corner[axis] - this.#low[axis]) / this.#step);
    const [first, last] = [Math.floor(Math.min(...places)) - around, Math.ceil(Math.max(...places)) + around];
    return [Math.max(0, first), Math.min(this.#size[axis] - 1, last)];
  }

  /** Find the nearest points of nodes that are near a triangle. */
  #near(triangles, nearest, least) {
    for (const triangle of triangles) {
      const normal = normalOf(triangle);
      const [[x0, x1], [y0, y1], [z0, z1]] = [0, 1, 2].map((axis) => this.#span(triangle, axis, BAND));
      for (let x = x0; x <= x1; x++) {
        for (let y = y0; y <= y1; y++) {
          for (let z = z0; z <= z1; z++) {
            const node = this.#node(x, y, z);
            const at = (x * this.#size[1] + y) * this.#size[2] + z;
            this.#offer(at, node, closest(triangle, normal, node), nearest, least);
          }
        }
      }
    }
  }

  /** Let a node know a point, if none is nearer. */
  #offer(at, node, point, nearest, least) {
    const squared = (point[0] - node[0]) ** 2 + (point[1] - node[1]) ** 2 + (point[2] - node[2]) ** 2;
    if (squared >= least[at]) return;
    least[at] = squared;
    for (let k = 0; k < 3; k++) nearest[3 * at + k] = point[k];
  }

  /** Let nodes learn the nearest points from their neighbours, in sweeps to and fro along each axis. */
  #flood(nearest, least) {
    const [nx, ny, nz] = this.#size;
    const steps = [ny * nz, nz, 1];
    for (const sign of [1, -1, 1, -1]) {
      const order = (count) => Array.from({ length: count }, (_, k) => (sign > 0 ? k : count - 1 - k));
      for (const x of order(nx)) {
        for (const y of order(ny)) {
          for (const z of order(nz)) {
            const [at, place] = [(x * ny + y) * nz + z, [x, y, z]];
            for (let axis = 0; axis < 3; axis++) {
              const before = place[axis] - sign;
              if (before < 0 || before >= this.#size[axis]) continue;
              const from = 3 * (at - sign * steps[axis]);
              this.#offer(
                at,
                this.#node(x, y, z),
                [nearest[from], nearest[from + 1], nearest[from + 2]],
                nearest,
                least,
              );
            }
          }
        }
      }
    }
  }

  /** Give a vote to each node that the surface winds around, as the lines along an axis say. */
  #wind(triangles, axis, votes) {
    const [u, v] = [0, 1, 2].filter((k) => k !== axis);
    const [nu, nv, along] = [this.#size[u], this.#size[v], this.#size[axis]];
    const counts = new Int32Array(nu * nv * (along + 1));
    const scaled = (corner, k, aside) => (corner[k] - this.#low[k]) / this.#step - aside;
    for (const triangle of triangles) {
      const flat = triangle.map((corner) => [
        scaled(corner, u, ASIDE[0]),
        scaled(corner, v, ASIDE[1]),
        scaled(corner, axis, 0),
      ]);
      const [[u0, u1], [v0, v1]] = [u, v].map((k) => this.#span(triangle, k, 0));
      for (let a = u0; a <= u1; a++) {
        for (let b = v0; b <= v1; b++) {
          const hit = crossing(flat, a, b);
          if (!hit) continue;
          counts[(a * nv + b) * (along + 1) + Math.max(0, Math.min(along, Math.ceil(hit.height)))] += hit.sign;
        }
      }
    }
    const stride = [this.#size[1] * this.#size[2], this.#size[2], 1];
    for (let a = 0; a < nu; a++) {
      for (let b = 0; b < nv; b++) {
        let winding = 0;
        for (let k = 0; k < along; k++) {
          winding += counts[(a * nv + b) * (along + 1) + k];
          if (winding !== 0) votes[a * stride[u] + b * stride[v] + k * stride[axis]] += 1;
        }
      }
    }
  }

  /** Return the signed distance of a point, metres; outside the grid by its edge. */
  distance(x, y, z) {
    const [nx, ny, nz] = this.#size;
    const values = this.#values;
    const place = [x, y, z].map((value, k) => (value - this.#low[k]) / this.#step);
    const [px, py, pz] = place.map((value, k) => Math.min(this.#size[k] - 1, Math.max(0, value)));
    const beyond = this.#step * Math.hypot(place[0] - px, place[1] - py, place[2] - pz);
    const [ix, iy, iz] = [
      Math.min(nx - 2, Math.floor(px)),
      Math.min(ny - 2, Math.floor(py)),
      Math.min(nz - 2, Math.floor(pz)),
    ];
    const [fx, fy, fz] = [px - ix, py - iy, pz - iz];
    const at = (ix * ny + iy) * nz + iz;
    const along = (from) => values[from] * (1 - fz) + values[from + 1] * fz;
    const across = (from) => along(from) * (1 - fy) + along(from + nz) * fy;
    return across(at) * (1 - fx) + across(at + ny * nz) * fx + beyond;
  }
}

/** Return where a line at (u, v) crosses a triangle, and which way round that is seen; null if it does not. */
function crossing([a, b, c], u, v) {
  const turn = (p, q) => (q[0] - p[0]) * (v - p[1]) - (q[1] - p[1]) * (u - p[0]);
  const [wa, wb, wc] = [turn(b, c), turn(c, a), turn(a, b)];
  const area = wa + wb + wc;
  const sign = Math.sign(area);
  if (!sign || wa * sign <= 0 || wb * sign <= 0 || wc * sign <= 0) return null;
  return { sign, height: (wa * a[2] + wb * b[2] + wc * c[2]) / area };
}
