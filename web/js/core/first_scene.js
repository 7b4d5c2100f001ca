// What is there before anything is: an open hand in the middle of a picture, as sesahand/scene/editing.py has it.
import { add } from "./vectors.js";

// Of the picture's side that stays free, and the lens: as in sesahand/scene/placement.py.
const MARGIN = 0.1;
const DEGREES = 40;
const STEPS = 60;

/** Return the camera of a picture that nothing is known about. */
function cameraOf(width, height) {
  const focalLength = Math.max(width, height) / 2 / Math.tan((DEGREES * Math.PI) / 360);
  return { focalLength, principalPoint: [width / 2, height / 2], width, height };
}

/** Return the middle and the half size of what vertices look like, over the focal length. */
function outline(vertices, translation) {
  const [tx, ty, tz] = translation;
  const [low, high] = [
    [Infinity, Infinity],
    [-Infinity, -Infinity],
  ];
  for (let v = 0; v < vertices.length; v += 3) {
    const z = vertices[v + 2] + tz;
    const at = [(vertices[v] + tx) / z, (vertices[v + 1] + ty) / z];
    for (const k of [0, 1]) {
      low[k] = Math.min(low[k], at[k]);
      high[k] = Math.max(high[k], at[k]);
    }
  }
  return { middle: [0, 1].map((k) => (low[k] + high[k]) / 2), half: [0, 1].map((k) => (high[k] - low[k]) / 2) };
}

/**
 * Return the first scene for a picture of a size: its hand fills the middle as far as its shape allows.
 * @param {import("./hand_model.js").HandModel} model
 * @param {import("./scene_format.js").Scene} scene the one for a picture of 512 x 512, as the facts have it
 * @param {number} width pixels
 * @param {number} height pixels
 */
export function firstScene(model, scene, width, height) {
  if (width === scene.camera.width && height === scene.camera.height) return scene;
  const camera = cameraOf(width, height);
  const [hand] = scene.hands;
  const vertices = model.vertices({ ...hand, translation: [0, 0, 0] });
  const room = [width, height].map((side) => (Math.round(side * (1 - MARGIN)) - Math.round(side * MARGIN)) / 2);
  const aim = [width, height].map(
    (side) => ((Math.round(side * (1 - MARGIN)) + Math.round(side * MARGIN)) / 2 - side / 2) / camera.focalLength,
  );
  let translation = hand.translation;
  for (let step = 0; step < STEPS; step++) {
    const { middle, half } = outline(vertices, translation);
    const ratio = Math.max(...half.map((size, k) => (size * camera.focalLength) / room[k]));
    const z = translation[2] * ratio;
    translation = add([translation[0], translation[1], z], [(aim[0] - middle[0]) * z, (aim[1] - middle[1]) * z, 0]);
  }
  return { ...scene, camera, hands: [{ ...hand, translation }] };
}
