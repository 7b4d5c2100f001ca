// Moving, turning and sizing whole hands as they are seen in the picture, and making new ones.
import { mirrorHand } from "./hand.js";
import { fromAxisAngle, multiply, rotate, straightened } from "./rotations.js";
import { add, scale, subtract } from "./vectors.js";

// Metres: nearer to the camera, or farther, no hand is brought by sizing it.
const NEAREST = 0.08;
const FARTHEST = 20;
// The keypoint in the middle of a hand.
const MIDDLE = 9;

/** Return a hand brought nearer along the ray to its pivot, so that it looks larger by a factor: shape is its own. */
export function sizedInPicture(hand, pivot, factor) {
  const [least, most] = [NEAREST / pivot[2], FARTHEST / pivot[2]];
  const away = Math.min(Math.max(most, 1), Math.max(Math.min(least, 1), 1 / factor));
  return { ...hand, translation: add(hand.translation, scale(pivot, away - 1)) };
}

/**
 * Return a hand turned about one of its points.
 * @param {import("./hand_model.js").HandModel} model
 * @param {import("./hand.js").Hand} hand
 * @param {number[]} pivot the point that stays, metres in the camera's frame
 * @param {number[]} turn axis times angle in radians, in the camera's frame
 */
export function turnedHand(model, hand, pivot, turn) {
  const rotation = fromAxisAngle(turn);
  const [wrist] = model.keypoints(hand);
  const moved = add(pivot, rotate(rotation, subtract(wrist, pivot)));
  return {
    ...hand,
    // Many small turns one after the other must not add up to something that is no rotation.
    globalOrient: straightened(multiply(rotation, hand.globalOrient)),
    translation: add(hand.translation, subtract(moved, wrist)),
  };
}

/**
 * Return the turn that a trackball makes of a way in the picture, axis times angle in radians: its front follows.
 * @param {number[]} pixels right and down
 * @param {number} radiansPerPixel
 */
export const trackballTurn = ([right, down], radiansPerPixel) => [down * radiansPerPixel, -right * radiansPerPixel, 0];

/** Return the distance right of the camera's axis, per metre of depth, at which the picture's middle is. */
const middleOf = (camera) => (camera.width / 2 - camera.principalPoint[0]) / camera.focalLength;

/**
 * Return the hand of the other side as a mirror in the picture's middle shows it; exactly so at the depth of its
 *   middle, if
 * the camera's axis is another.
 */
export function mirroredInPicture(model, camera, hand) {
  const mirrored = mirrorHand(hand);
  const aside = 2 * middleOf(camera) * model.keypoints(hand)[MIDDLE][2];
  return { ...mirrored, translation: add(mirrored.translation, [aside, 0, 0]) };
}

/**
 * Return a hand of the other side at the same place in the same pose: its wrist stays, its picture is mirrored there.
 */
export function swappedSide(model, hand) {
  const swapped = mirrorHand(hand);
  const pivot = model.keypoints(hand)[MIDDLE];
  return { ...swapped, translation: add(swapped.translation, subtract(pivot, model.keypoints(swapped)[MIDDLE])) };
}

/**
 * Return how a camera sees the same view in a picture of another size and perhaps of other proportions, about its
 * centre.
 */
export function cameraFor(camera, width, height) {
  const factor = Math.min(width / camera.width, height / camera.height);
  const [x, y] = camera.principalPoint;
  return {
    focalLength: camera.focalLength * factor,
    principalPoint: [width / 2 + (x - camera.width / 2) * factor, height / 2 + (y - camera.height / 2) * factor],
    width,
    height,
  };
}

/** Tell whether a picture of a size has a camera's proportions, as `Camera.resized` in Python asks. */
export const hasProportions = (camera, width, height) => Math.abs((camera.width / camera.height) * height - width) <= 1;
