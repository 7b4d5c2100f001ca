// Where a hand is in the picture and how large; its middle knuckle is the point that stays or goes.
import { project, unproject } from "./camera.js";
import { rowOf } from "./hand_model.js";
import { FINGERS, keypointOf } from "./skeleton.js";
import { add, norm, subtract } from "./vectors.js";

/**
 * @typedef {object} Place
 * @property {number[]} pixel where the middle knuckle is seen, x and y
 * @property {number} size length of the flat hand, wrist to middle fingertip, at the knuckle's depth; 1 is the
 *   picture's height
 */

const KNUCKLE = keypointOf("middle", 0);

/** Return where a hand's middle knuckle is, metres in the camera's frame. */
export const knuckleOf = (model, hand) => model.keypoints(hand)[KNUCKLE];

/** Return the length of a hand, wrist to middle fingertip, when it is flat, metres. */
function flatLength(model, hand) {
  const { vertices, joints } = model.rest(hand.betas);
  return norm(subtract(rowOf(vertices, model.tips[FINGERS.indexOf("middle")]), rowOf(joints, 0)));
}

/** Return a hand moved so that its middle knuckle comes to a point. */
const movedTo = (model, hand, point) => ({
  ...hand,
  translation: add(hand.translation, subtract(point, knuckleOf(model, hand))),
});

/**
 * Return where a hand is in the picture; null if it is not in front of the camera.
 * @returns {Place | null}
 */
export function placeOf(model, hand, camera) {
  const knuckle = knuckleOf(model, hand);
  if (!(knuckle[2] > 0)) return null;
  const size = (flatLength(model, hand) * camera.focalLength) / (knuckle[2] * camera.height);
  return { pixel: project(camera, knuckle), size };
}

/** Return a hand put to a place of the picture, turned and posed as before. */
export function placedAt(model, hand, camera, { pixel, size }) {
  const depth = (flatLength(model, hand) * camera.focalLength) / (size * camera.height);
  return movedTo(model, hand, unproject(camera, pixel, depth));
}

/** Return a hand turned to another `globalOrient` about its middle knuckle. */
export const turnedTo = (model, hand, globalOrient) =>
  movedTo(model, { ...hand, globalOrient }, knuckleOf(model, hand));
