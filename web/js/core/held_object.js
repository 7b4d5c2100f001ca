// What a hand holds: said where it is in the hand, so that it goes wherever the hand goes; as in
// sesahand/scene/held_object.py.
import { mirroredMesh } from "./held_mesh.js";
import { fromAxisAngle, invert, mirrorRotation, multiply, rotate, straightened } from "./rotations.js";
import { FARTHEST_OBJECT, OBJECT_SIZES } from "./scene_format.js";
import { add, mirrorVector, norm, scale } from "./vectors.js";

// Of a size that was set here; one that was read keeps its own.
const DECIMALS = 4;

/**
 * @typedef {object} HeldObject
 * @property {string} kind a name of `OBJECTS`
 * @property {number[]} position its middle from the wrist joint, metres in the frame that `globalOrient` turns; a left
 *   hand's is its own
 * @property {number[]} orient rotation from the object's frame into that one
 * @property {number} size in times its usual size
 * @property {import("./held_mesh.js").HeldMesh} [mesh] a surface of the user's that is in its place
 */

/** Return an object in a hand of the other side. */
export const mirroredHeld = (held) => ({
  ...held,
  position: mirrorVector(held.position),
  orient: mirrorRotation(held.orient),
  ...(held.mesh ? { mesh: mirroredMesh(held.mesh) } : {}),
});

/** Return a hand whose object is moved by a way in the scene, metres, as far as objects go. */
export function withHeldMoved(hand, way) {
  const position = add(hand.held.position, rotate(invert(hand.globalOrient), way));
  // Rounded to single precision it must not be farther than it may.
  const within = Math.min(1, (FARTHEST_OBJECT * (1 - 1e-6)) / norm(position));
  return { ...hand, held: { ...hand.held, position: within < 1 ? scale(position, within) : position } };
}

/** Return a hand whose object is turned about its middle: axis times angle in radians, in the scene's frame. */
export function withHeldTurned(hand, turn) {
  const own = fromAxisAngle(rotate(invert(hand.globalOrient), turn));
  return { ...hand, held: { ...hand.held, orient: straightened(multiply(own, hand.held.orient)) } };
}

/** Return a hand whose object has another size, in times its usual one, as far as objects go. */
export function withHeldSize(hand, size) {
  const within = Math.min(OBJECT_SIZES[1], Math.max(OBJECT_SIZES[0], size));
  return { ...hand, held: { ...hand.held, size: Number(within.toFixed(DECIMALS)) } };
}

/** Return a hand that holds nothing. */
export function emptied(hand) {
  const empty = { ...hand };
  delete empty.held;
  return empty;
}
