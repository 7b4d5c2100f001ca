// What of a hand can be taken hold of: dots on its joints, its skin, and the ring that turns and sizes it.
import { rowsOf } from "../core/fingers.js";
import { nearestAt } from "../core/seeing.js";
import { FINGERS } from "../core/skeleton.js";

/** Pixels of a dot's radius, by what it is on. */
export const RADII = Object.freeze({ tip: 9, joint: 5.5, knuckle: 5.5, wrist: 6.5, object: 8 });
// Pixels around a dot within which a pointer takes it: fingers on glass need more than a mouse.
const AROUND = Object.freeze({ mouse: 6, touch: 14 });
// Pixels of a hand below which its dots are smaller too, down to a share of theirs.
const LARGE_HAND = 160;
const SMALLEST_DOT = 0.5;
const SQUARE = 7;
const RING_WIDTH = 7;
const RING_MARGIN = 26;
const SMALLEST_RING = 44;
const MIDDLE_KNUCKLE = 9;
const DIAGONAL = Math.SQRT1_2;

/** Return what a keypoint is: tip, joint, knuckle, or wrist. */
export function kindOf(keypoint) {
  if (keypoint === 0) return "wrist";
  return ["knuckle", "joint", "joint", "tip"][(keypoint - 1) % 4];
}

/**
 * Return how large the dots of a hand are, as a share of `RADII`: on a small hand they would cover each other.
 * @param {import("../core/seeing.js").SeenHand} hand
 */
export function dotScale({ keypoints }) {
  const [across, down] = [0, 1].map((axis) => {
    const along = keypoints.map((point) => point[axis]);
    return Math.max(...along) - Math.min(...along);
  });
  return Math.max(SMALLEST_DOT, Math.min(1, Math.max(across, down) / LARGE_HAND));
}

/** Return the finger of a keypoint, and which point of it that is: 0 to 2 its joints from the knuckle, 3 its tip. */
export const fingerPoint = (keypoint) => ({
  finger: FINGERS[Math.floor((keypoint - 1) / 4)],
  point: (keypoint - 1) % 4,
});

/** Return the joint, as the state counts them, that a keypoint is at; a tip is at its last. */
export function jointOfKeypoint(keypoint) {
  if (keypoint <= 0) return -1;
  const { finger, point } = fingerPoint(keypoint);
  return rowsOf(finger)[Math.min(point, 2)];
}

/** Tell whether a dot bends its finger: one beyond the knuckle, which moves the hand. */
export const bends = (keypoint) => keypoint > 0 && fingerPoint(keypoint).point > 0;

/** The point of a hand that it turns about and is sized from. */
export const pivotOf = (keypoints) => keypoints[MIDDLE_KNUCKLE];

/**
 * Return the ring around a hand.
 * @param {import("../core/seeing.js").SeenHand} hand
 * @param {{width: number, height: number}} stage pixels
 * @returns {{x: number, y: number, radius: number, square: number[]}} pixels; the square sizes the hand
 */
export function ringOf(hand, stage) {
  const [x, y] = pivotOf(hand.keypoints);
  const reach = Math.max(...hand.keypoints.map(([u, v]) => Math.hypot(u - x, v - y))) + RING_MARGIN;
  const most = Math.min(stage.width, stage.height) / 2 - SQUARE;
  const radius = Math.max(SMALLEST_RING, Math.min(reach, most));
  return { x, y, radius, square: [x + radius * DIAGONAL, y + radius * DIAGONAL] };
}

/** Tell whether a dot is on a finger. */
export const isOf = (keypoint, finger) => keypoint > 0 && fingerPoint(keypoint).finger === finger;

/**
 * Return the dot at a pixel, or null: one of the chosen finger that lies under it, or else one that is seen before one
 * that is hidden, and of those the nearest.
 * @param {Parameters<typeof handleAt>[0]} shown with a chosen hand
 * @param {number[]} pixel
 * @param {number} around pixels
 * @param {(keypoint: number) => boolean} counts which dots do
 * @returns {{keypoint: number, distance: number, isWanted: boolean} | null} pixels from its edge, negative inside
 */
function dotAt({ hands, hidden, chosen, finger }, [x, y], around, counts) {
  let best = null;
  const scale = dotScale(hands[chosen]);
  hands[chosen].keypoints.forEach(([u, v, depth], keypoint) => {
    const distance = Math.hypot(u - x, v - y) - scale * RADII[kindOf(keypoint)];
    if (depth <= 0 || distance > around || !counts(keypoint)) return;
    // Dots of other fingers may lie right on it; those that lie beside it can still be taken.
    const isWanted = distance <= 0 && isOf(keypoint, finger);
    const cost = distance + (hidden[chosen][keypoint] ? 1000 : 0) - (isWanted ? 2000 : 0);
    if (!best || cost < best.cost) best = { keypoint, cost, distance, isWanted };
  });
  return best;
}

/**
 * Return how far a pixel is from the edge of the sign in the middle of what the chosen hand holds, negative inside.
 * @param {Parameters<typeof handleAt>[0]} shown with a chosen hand
 * @param {number[]} pixel
 */
function distanceToSign({ hands, objects = [], chosen }, [x, y]) {
  const middle = objects[chosen]?.middle;
  if (!middle || middle[2] <= 0) return Infinity;
  return Math.hypot(middle[0] - x, middle[1] - y) - dotScale(hands[chosen]) * RADII.object;
}

/**
 * Return the dot or the object's sign at a pixel, or null. The sign of a chosen object lies on top; else it is the one
 * that the pixel is deeper in, because a finger that closes on an object has its dots close by.
 * @param {Parameters<typeof handleAt>[0]} shown with a chosen hand
 * @param {number[]} pixel
 * @param {number} around pixels
 * @param {(keypoint: number) => boolean} counts which dots do
 * @returns {{kind: "dot" | "object", hand: number, keypoint?: number} | null}
 */
function dotOrSignAt(shown, pixel, around, counts) {
  const { chosen: hand, isObjectChosen } = shown;
  const [dot, toSign] = [dotAt(shown, pixel, around, counts), distanceToSign(shown, pixel)];
  const isOnTop = !dot || (isObjectChosen && toSign <= 0) || (!dot.isWanted && toSign < dot.distance);
  if (toSign <= around && isOnTop) return { kind: "object", hand };
  return dot && { kind: "dot", hand, keypoint: dot.keypoint };
}

/**
 * Return which part of a ring is at a pixel.
 * @param {ReturnType<typeof ringOf>} ring
 * @param {number[]} pixel
 * @param {number} around pixels
 */
function ringPartAt({ x, y, radius, square }, [u, v], around) {
  if (Math.hypot(square[0] - u, square[1] - v) <= SQUARE + around) return "size";
  return Math.abs(Math.hypot(u - x, v - y) - radius) <= RING_WIDTH / 2 + around / 2 ? "roll" : null;
}

/**
 * Return what a pointer takes hold of at a pixel, or null.
 * @param {object} shown what is on the stage
 * @param {import("../core/seeing.js").SeenHand[]} shown.hands
 * @param {Array<import("../core/seeing.js").SeenObject | null>} [shown.objects] what each of them holds
 * @param {boolean[][]} shown.hidden which keypoints are
 * @param {number} shown.chosen the place of the chosen hand in the list, -1 if none is
 * @param {string} [shown.finger] the chosen one of its fingers
 * @param {boolean} [shown.isObjectChosen] whether what it holds is chosen rather than the hand
 * @param {{width: number, height: number}} shown.stage
 * @param {number[]} pixel
 * @param {"mouse" | "touch"} pointer
 * @returns {{kind: "dot" | "size" | "roll" | "skin" | "object", hand: number, keypoint?: number} | null}
 */
export function handleAt(shown, pixel, pointer = "mouse") {
  const { hands, chosen, stage } = shown;
  const around = AROUND[pointer];
  if (hands[chosen]) {
    const taken = dotOrSignAt(shown, pixel, around, () => true);
    if (taken) return taken;
    const part = ringPartAt(ringOf(hands[chosen], stage), pixel, around);
    if (part) return { kind: part, hand: chosen };
  }
  return surfaceAt(shown, pixel);
}

/**
 * Return the skin or the object that is seen at a pixel, or null.
 * @returns {{kind: "skin" | "object", hand: number} | null}
 */
function surfaceAt({ hands, objects = [] }, pixel) {
  const at = nearestAt([...hands, ...objects], pixel);
  if (at < 0) return null;
  return at < hands.length ? { kind: "skin", hand: at } : { kind: "object", hand: at - hands.length };
}

/**
 * Return what a pointer takes hold of at a pixel from around, or null: a dot that bends a finger, or the object.
 * @param {Parameters<typeof handleAt>[0]} shown
 * @param {number[]} pixel
 * @param {"mouse" | "touch"} pointer
 * @returns {ReturnType<typeof handleAt>}
 */
export function handleFromAround(shown, pixel, pointer = "mouse") {
  const taken = shown.hands[shown.chosen] && dotOrSignAt(shown, pixel, AROUND[pointer], bends);
  if (taken) return taken;
  const surface = surfaceAt(shown, pixel);
  return surface?.kind === "object" ? surface : null;
}
