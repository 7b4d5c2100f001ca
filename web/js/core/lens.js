// The lens that hands are seen through, as its field of view.
import { placedAt, placeOf } from "./place.js";

/** Return the field of view across the picture's longer side, degrees. */
export const fieldOfView = ({ focalLength, width, height }) =>
  (2 * Math.atan2(Math.max(width, height) / 2, focalLength) * 180) / Math.PI;

/** Return the focal length, pixels, of a camera whose picture's longer side spans an angle, degrees. */
export const focalLengthOf = (degrees, { width, height }) =>
  Math.max(width, height) / 2 / Math.tan((degrees * Math.PI) / 360);

/**
 * Return a scene seen with another field of view, its hands nearer or farther so that they stay as large and where they
 * are in the picture; those that are not in front of the camera stay.
 * @param {import("./hand_model.js").HandModel} model
 * @param {import("./scene_format.js").Scene} scene
 * @param {number} degrees across the picture's longer side
 */
export function sceneWithLens(model, scene, degrees) {
  const camera = { ...scene.camera, focalLength: focalLengthOf(degrees, scene.camera) };
  const hands = scene.hands.map((hand) => {
    const place = placeOf(model, hand, scene.camera);
    return place ? placedAt(model, hand, camera, place) : hand;
  });
  return { ...scene, camera, hands };
}
