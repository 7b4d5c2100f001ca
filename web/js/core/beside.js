// Where a new hand goes: beside the others and inside the picture, smaller if there is no room, and never on another.
import { sizedInPicture } from "./placing.js";
import { add } from "./vectors.js";

const MIDDLE = 9;
// Of the picture's shorter side: what stays free between hands, and at the edge.
const GAP = 0.015;
// Places that are tried along each side of the picture, and sizes.
const PLACES = 32;
const SIZES = Object.freeze([1, 0.85, 0.7, 0.6, 0.5, 0.42, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1]);
// A place above counts as farther away than one aside.
const UPWARDS = 2;
// How often a hand is moved to fit a box: nearer to the camera's axis it looks different.
const ROUNDS = 6;

/** @typedef {{left: number, top: number, right: number, bottom: number}} Box in pixels */

/**
 * Return what a hand covers of the picture.
 * @param {import("./hand_model.js").HandModel} model
 * @param {import("./camera.js").Camera} camera
 * @param {import("./hand.js").Hand} hand
 * @returns {Box | null} null if it is not before the camera
 */
export function boxOf(model, { focalLength, principalPoint: [cx, cy] }, hand) {
  const vertices = model.vertices(hand);
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (let v = 0; v < vertices.length; v += 3) {
    const z = vertices[v + 2];
    if (z <= 0) return null;
    const [x, y] = [(vertices[v] / z) * focalLength + cx, (vertices[v + 1] / z) * focalLength + cy];
    box.left = Math.min(box.left, x);
    box.top = Math.min(box.top, y);
    box.right = Math.max(box.right, x);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
}

/** @returns {[number, number]} */
const middleOf = ({ left, top, right, bottom }) => [(left + right) / 2, (top + bottom) / 2];
const boxAround = (/** @type {number[]} */ [x, y], width, height) => ({
  left: x - width / 2,
  top: y - height / 2,
  right: x + width / 2,
  bottom: y + height / 2,
});

/** Tell whether a box is in the picture as a whole. */
const isInside = ({ width, height }, { left, top, right, bottom }) =>
  left >= 0 && top >= 0 && right <= width && bottom <= height;

/** Return how many square pixels two boxes share, or would if they were nearer by a gap. */
function overlap(a, b, gap) {
  const across = Math.min(a.right, b.right) - Math.max(a.left, b.left) + gap;
  const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) + gap;
  return Math.max(0, across) * Math.max(0, down);
}

/** Return a hand sized and moved until it fills a box as far as its shape allows. */
function filling(model, camera, hand, box) {
  let fitted = hand;
  for (let round = 0; round < ROUNDS; round++) {
    const { left, top, right, bottom } = boxOf(model, camera, fitted);
    const factor = Math.min((box.right - box.left) / (right - left), (box.bottom - box.top) / (bottom - top));
    fitted = sizedInPicture(fitted, model.keypoints(fitted)[MIDDLE], factor);
    const [from, to] = [middleOf(boxOf(model, camera, fitted)), middleOf(box)];
    const pixel = model.keypoints(fitted)[MIDDLE][2] / camera.focalLength;
    const way = [(to[0] - from[0]) * pixel, (to[1] - from[1]) * pixel, 0];
    fitted = { ...fitted, translation: add(fitted.translation, way) };
  }
  return fitted;
}

/** Return the boxes of a size inside the picture, those nearest to a pixel first. */
function boxesInside(camera, width, height, [x, y], gap) {
  const [across, down] = [camera.width - width - 2 * gap, camera.height - height - 2 * gap];
  if (across < 0 || down < 0) return [];
  const steps = [...Array(PLACES).keys()].map((n) => n / (PLACES - 1));
  const middles = steps.flatMap((row) =>
    steps.map((column) => [gap + width / 2 + column * across, gap + height / 2 + row * down]),
  );
  const far = (/** @type {number[]} */ [u, v]) => Math.hypot(u - x, UPWARDS * (v - y));
  return middles.sort((a, b) => far(a) - far(b)).map((middle) => boxAround(middle, width, height));
}

/**
 * Return a hand where it covers no other and is inside the picture: as it is if it is so, else as near and as large as
 * there is room.
 * @param {import("./hand_model.js").HandModel} model
 * @param {import("./camera.js").Camera} camera
 * @param {import("./hand.js").Hand} hand
 * @param {import("./hand.js").Hand[]} others that are in the picture
 */
export function besideOthers(model, camera, hand, others) {
  const own = boxOf(model, camera, hand);
  if (!own) return hand;
  const gap = GAP * Math.min(camera.width, camera.height);
  const taken = others.map((other) => boxOf(model, camera, other)).filter((box) => box !== null);
  const shared = (box) => taken.reduce((sum, each) => sum + overlap(box, each, gap), 0);
  if (isInside(camera, own) && shared(own) === 0) return hand;
  let best = null;
  for (const size of SIZES) {
    const [width, height] = [size * (own.right - own.left), size * (own.bottom - own.top)];
    for (const box of boxesInside(camera, width, height, middleOf(own), gap)) {
      const cost = shared(box);
      if (!best || cost < best.cost) best = { box, cost };
      if (cost === 0) return filling(model, camera, hand, box);
    }
  }
  // So many hands that some must cover others.
  return best ? filling(model, camera, hand, best.box) : hand;
}

/**
 * Return two hands beside each other, each in its half of the picture, the first where it is nearer to; of two of one
 * size, neither looks larger, and none looks larger than it did.
 * @param {import("./hand_model.js").HandModel} model
 * @param {import("./camera.js").Camera} camera
 * @param {import("./hand.js").Hand[]} pair
 */
export function sideBySide(model, camera, pair) {
  const boxes = pair.map((hand) => boxOf(model, camera, hand));
  if (boxes.includes(null)) return pair;
  const gap = GAP * Math.min(camera.width, camera.height);
  const isFirstLeft = middleOf(boxes[0])[0] <= camera.width / 2;
  const [roomAcross, roomDown] = [camera.width / 2 - 2 * gap, camera.height - 2 * gap];
  const fits = boxes.map(({ left, top, right, bottom }) =>
    Math.min(roomAcross / (right - left), roomDown / (bottom - top)),
  );
  const size = Math.min(1, ...fits);
  return pair.map((hand, n) => {
    const { left, top, right, bottom } = boxes[n];
    const x = ((n === 0) === isFirstLeft ? 0.25 : 0.75) * camera.width;
    const [width, height] = [size * (right - left), size * (bottom - top)];
    const y = Math.max(gap + height / 2, Math.min(camera.height - gap - height / 2, (top + bottom) / 2));
    return filling(model, camera, hand, boxAround([x, y], width, height));
  });
}
