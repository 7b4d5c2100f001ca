// Where the surface of what a hand holds is.
import { placed, rowOf } from "./hand_model.js";
import { multiply, rotate } from "./rotations.js";
import { add } from "./vectors.js";

/** Return where a hand's wrist joint is, metres in the scene's frame. */
export const wristOf = (model, hand) => placed(rowOf(model.rest(hand.betas).joints, 0), hand);

/** Return where the middle of what a hand holds is, metres in the scene's frame. */
export const middleOfHeld = (model, hand) => add(wristOf(model, hand), rotate(hand.globalOrient, hand.held.position));

/**
 * Return the surface of what a hand holds.
 * @param {import("./hand_model.js").HandModel} model
 * @param {import("./objects.js").ObjectShape} shape
 * @param {import("./hand.js").Hand} hand
 * @returns {{vertices: Float64Array, normals: Float64Array}} three numbers a vertex, metres in the scene's frame
 */
export function heldSurface(model, shape, hand) {
  const turn = multiply(hand.globalOrient, hand.held.orient);
  return {
    vertices: turnedAll(turn, shape.vertices, hand.held.size, middleOfHeld(model, hand)),
    normals: turnedAll(turn, shape.normals, 1, [0, 0, 0]),
  };
}

/** Return all of a flat list of points turned, sized and moved. */
function turnedAll(m, points, size, way) {
  const [dx, dy, dz] = way;
  const out = new Float64Array(points.length);
  for (let v = 0; v < points.length; v += 3) {
    const [x, y, z] = [size * points[v], size * points[v + 1], size * points[v + 2]];
    out[v] = m[0] * x + m[1] * y + m[2] * z + dx;
    out[v + 1] = m[3] * x + m[4] * y + m[5] * z + dy;
    out[v + 2] = m[6] * x + m[7] * y + m[8] * z + dz;
  }
  return out;
}
