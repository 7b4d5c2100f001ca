// A hand drawn small into a canvas, for pictures of gestures and presets.
import { clipMatrix } from "../core/camera.js";
import { painterOf } from "./painter.js";
import { TINTS } from "./scene_view.js";
import { Surface } from "./surface.js";

const AWAY = 1;
const FILLS = 0.88;

/** Return the camera that sees a mesh in the middle of a canvas, and the mesh's depths. */
function cameraAround(positions, { width, height }) {
  const [low, high] = [
    [Infinity, Infinity, Infinity],
    [-Infinity, -Infinity, -Infinity],
  ];
  positions.forEach((value, k) => {
    low[k % 3] = Math.min(low[k % 3], value);
    high[k % 3] = Math.max(high[k % 3], value);
  });
  const focalLength = FILLS * low[2] * Math.min(width / (high[0] - low[0]), height / (high[1] - low[1]));
  const middle = [0, 1].map((k) => (((low[k] + high[k]) / 2) * focalLength) / low[2]);
  const principalPoint = [width / 2 - middle[0], height / 2 - middle[1]];
  return { camera: { focalLength, principalPoint, width, height }, near: 0.9 * low[2], far: 1.1 * high[2] };
}

/**
 * Draw one hand as large as a canvas takes it, turned as it is.
 * @param {import("../core/hand_model.js").HandModel} model
 * @param {import("../core/hand.js").Hand} hand
 * @param {HTMLCanvasElement} canvas
 * @returns {boolean} whether it could be drawn
 */
export function drawSnapshot(model, hand, canvas) {
  const painter = painterOf(canvas.ownerDocument);
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!painter) return false;
  const surface = new Surface(model).update({ ...hand, translation: [0, 0, AWAY] });
  const { camera, near, far } = cameraAround(surface.positions, canvas);
  const { positions, normals, index, sunk, span } = surface;
  const mesh = { positions, normals, index, sunk, span, tint: TINTS[hand.side] };
  const { width, height } = canvas;
  return painter.paint(context, { clip: clipMatrix(camera, near, far), shown: "hand", meshes: [mesh], width, height });
}
