// The things that a hand can hold: their surfaces, how far a point is from them, and how they are grasped. All numbers
// come from Python (`object_facts` of sesahand/hands/facts.py); the distances are those of sesahand/hands/objects.py.
import { InvalidFileError } from "./errors.js";
import { meshShape } from "./held_mesh.js";
import { OBJECTS } from "./scene_format.js";

/**
 * @typedef {object} ObjectShape
 * @property {string} name
 * @property {Float64Array} vertices three numbers each, metres in the object's frame at its usual size
 * @property {Float64Array} normals of the vertices, outwards, of length one
 * @property {Uint16Array} faces three vertex ids each, counter-clockwise seen from outside
 * @property {(x: number, y: number, z: number) => number} distance signed distance of a point in the object's frame to
 *   it at its usual size, negative inside, metres
 * @property {Grasp} [grasp] of a kind of objects
 */

/**
 * @typedef {object} Grasp how a right hand holds it
 * @property {string} gesture that it begins in
 * @property {string[]} fingers that are to touch
 * @property {number[]} place where its middle lies, metres in the frame of the hand at rest
 * @property {number[]} orient rotation from the object's frame into that one
 * @property {number} heldAt where along its length it is held, so that this place stays as it grows, metres
 * @property {boolean} byTips whether the fingers' last bones touch it, rather than any
 * @property {boolean} inPalm whether it is moved against the open hand; else it lies on the thumb
 */

/** Return normals of vertices, each the sum of its faces', by their area. */
function normalsOf(p, faces) {
  const normals = new Float64Array(p.length);
  for (let f = 0; f < faces.length; f += 3) {
    const corners = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
    const [a, b, c] = corners;
    const [ux, uy, uz] = [p[b] - p[a], p[b + 1] - p[a + 1], p[b + 2] - p[a + 2]];
    const [vx, vy, vz] = [p[c] - p[a], p[c + 1] - p[a + 1], p[c + 2] - p[a + 2]];
    const across = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const corner of corners) for (let k = 0; k < 3; k++) normals[corner + k] += across[k];
  }
  for (let v = 0; v < normals.length; v += 3) {
    const length = Math.hypot(normals[v], normals[v + 1], normals[v + 2]) || 1;
    for (let k = 0; k < 3; k++) normals[v + k] /= length;
  }
  return normals;
}

const clamped = (value, least, most) => Math.min(most, Math.max(least, value));

/** Signed distances, negative inside, of a point from solids around the origin, metres, by the solids' types. */
const DISTANCES = {
  Ball: ({ radius }, x, y, z) => Math.hypot(x, y, z) - radius,
  Cuboid: ({ half_sides: [a, b, c] }, x, y, z) => {
    const [u, v, w] = [Math.abs(x) - a, Math.abs(y) - b, Math.abs(z) - c];
    return Math.hypot(Math.max(u, 0), Math.max(v, 0), Math.max(w, 0)) + Math.min(Math.max(u, v, w), 0);
  },
  Frustum: ({ below, above, half_length: half }, x, y, z) => {
    const radius = Math.hypot(x, y);
    const toCap = Math.hypot(Math.max(radius - (z < 0 ? below : above), 0), Math.abs(z) - half);
    // The nearest point of the slanted side, in the half-plane through the axis.
    const slant = above - below;
    const along = (radius - below) * slant + (z + half) * 2 * half;
    const share = clamped(along / (slant * slant + 4 * half * half), 0, 1);
    const toSide = Math.hypot(radius - below - share * slant, z + half - share * 2 * half);
    const isInside = Math.abs(z) < half && radius < below + ((z + half) / (2 * half)) * slant;
    return (isInside ? -1 : 1) * Math.min(toCap, toSide);
  },
};

/** Return the signed distance of a point to the union of solids, metres. */
function distanceTo(solids, x, y, z) {
  let least = Infinity;
  for (const solid of solids) {
    const [a, b, c] = solid.centre;
    least = Math.min(least, DISTANCES[solid.type](solid, x - a, y - b, z - c));
  }
  return least;
}

/** Return an object as the page works with it. */
function shapeOf({ name, vertices, faces, solids, gesture, fingers, place, orient, ...rest }) {
  const [points, corners] = [Float64Array.from(vertices), Uint16Array.from(faces)];
  if (!solids.every(({ type }) => Object.hasOwn(DISTANCES, type))) throw new TypeError("of an unknown solid");
  const grasp = { gesture, fingers, place, orient, inPalm: rest.in_palm, heldAt: rest.held_at, byTips: rest.by_tips };
  const distance = (x, y, z) => distanceTo(solids, x, y, z);
  return { name, vertices: points, normals: normalsOf(points, corners), faces: corners, distance, grasp };
}

/**
 * Return the things that a hand can hold, by name.
 * @param {any} facts what Python says of them, a list
 * @returns {Map<string, ObjectShape>}
 * @throws {InvalidFileError} if it says nothing, or something else
 */
export function objectShapes(facts) {
  try {
    const shapes = new Map(facts.map((each) => [each.name, shapeOf(each)]));
    if (OBJECTS.every((name) => shapes.has(name))) return shapes;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  throw new InvalidFileError("What hands can hold is not what it has to be. Reload the page, or update SesaHand.");
}

/** Return the shape of what a hand holds: that of its kind, or of the mesh in its place. */
export const shapeOfHeld = (objects, { kind, mesh }) => (mesh ? meshShape(mesh) : objects.get(kind));
