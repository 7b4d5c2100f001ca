// Drawing the handles: what is hidden is paler, what is chosen has a ring, and fingers have numbers beside colours.
import { KEYPOINT_BONES } from "../core/skeleton.js";
import { bends, dotScale, fingerPoint, isOf, kindOf, RADII, ringOf } from "./handles.js";

const FINGER_COLOURS = Object.freeze(["#ff6b6b", "#ffb84d", "#4fd06a", "#4db3ff", "#c58cff"]);
const OBJECT_COLOUR = "#7fe3d0";
const WRIST_COLOUR = "#e8e8ee";
const DARK = "rgba(10, 12, 18, 0.85)";
const SHADE = "rgba(10, 12, 18, 0.3)";
const RING = "rgba(225, 232, 255, 0.55)";
const RING_HOT = "rgba(255, 255, 255, 0.95)";
const PALE = 0.28;
const FULL = 2 * Math.PI;
const SQUARE = 7;
// The share of its size from which on a dot has room for a number.
const NUMBERED = 0.75;

const colourOf = (keypoint) => (keypoint === 0 ? WRIST_COLOUR : FINGER_COLOURS[Math.floor((keypoint - 1) / 4)]);

/** Draw the ring, and the square that sizes. */
function drawRing(context, { x, y, radius, square }, hot) {
  const width = hot === "roll" ? 3 : 1.5;
  context.beginPath();
  context.arc(x, y, radius, 0, FULL);
  // On a dark edge, so that it is seen on any photograph.
  context.lineWidth = width + 2;
  context.strokeStyle = SHADE;
  context.stroke();
  context.lineWidth = width;
  context.strokeStyle = hot === "roll" ? RING_HOT : RING;
  context.stroke();
  context.fillStyle = hot === "size" ? "#ffffff" : "rgba(225, 232, 255, 0.75)";
  context.strokeStyle = DARK;
  context.lineWidth = 1.5;
  context.beginPath();
  context.rect(square[0] - SQUARE, square[1] - SQUARE, 2 * SQUARE, 2 * SQUARE);
  context.fill();
  context.stroke();
}

/** Draw the bones as thin lines. */
function drawBones(context, hand, hidden) {
  context.lineWidth = 1.5;
  for (const [a, b] of KEYPOINT_BONES) {
    context.globalAlpha = hidden[a] || hidden[b] ? 0.15 : 0.5;
    context.strokeStyle = colourOf(b);
    context.beginPath();
    context.moveTo(hand.keypoints[a][0], hand.keypoints[a][1]);
    context.lineTo(hand.keypoints[b][0], hand.keypoints[b][1]);
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** Draw the number of a finger on the dot of its tip, if it has room for one. */
function drawNumber(context, [x, y], keypoint, { scale, locked }) {
  if (scale < NUMBERED) return;
  context.fillStyle = locked ? colourOf(keypoint) : DARK;
  context.fillText(String(Math.floor((keypoint - 1) / 4) + 1), x, y + 0.5);
}

/** Draw one dot; a locked finger's are hollow. */
function drawDot(context, [x, y], keypoint, { scale, pale, hot, picked, locked }) {
  const kind = kindOf(keypoint);
  const radius = scale * RADII[kind] + (hot ? 1.5 : 0);
  context.globalAlpha = pale && !hot ? PALE : 1;
  context.fillStyle = locked ? DARK : colourOf(keypoint);
  context.strokeStyle = locked ? colourOf(keypoint) : DARK;
  context.lineWidth = locked ? 2 : 1.5;
  context.beginPath();
  if (kind === "knuckle" || kind === "wrist") {
    context.rect(x - radius + 1, y - radius + 1, 2 * radius - 2, 2 * radius - 2);
  } else context.arc(x, y, radius, 0, FULL);
  context.fill();
  context.stroke();
  if (kind === "tip") drawNumber(context, [x, y], keypoint, { scale, locked });
  if (picked) drawPicked(context, x, y, radius);
}

/** Draw the sign in the middle of what the hand holds: a diamond, as no dot of a finger is. */
function drawObject(context, { middle: [x, y, depth] }, { scale, hot, picked }) {
  if (depth <= 0) return;
  const radius = scale * RADII.object + (hot ? 1.5 : 0);
  context.fillStyle = OBJECT_COLOUR;
  context.strokeStyle = DARK;
  context.lineWidth = 1.5;
  context.beginPath();
  context.moveTo(x, y - radius);
  context.lineTo(x + radius, y);
  context.lineTo(x, y + radius);
  context.lineTo(x - radius, y);
  context.closePath();
  context.fill();
  context.stroke();
  if (picked) drawPicked(context, x, y, radius);
}

/** Draw the ring around what is chosen. */
function drawPicked(context, x, y, radius) {
  context.globalAlpha = 1;
  context.strokeStyle = "#ffffff";
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, radius + 4, 0, FULL);
  context.stroke();
}

/** Draw the dots of the chosen hand. */
function drawDots(context, { hands, hidden, chosen, finger }, { hot, joint, locked, isPlaced }) {
  const hand = hands[chosen];
  const scale = dotScale(hand);
  // Far ones first, so that near ones lie on top; above all the chosen finger's, which a pointer takes first.
  const order = [...hand.keypoints.keys()].sort(
    (a, b) => Number(isOf(a, finger)) - Number(isOf(b, finger)) || hand.keypoints[b][2] - hand.keypoints[a][2],
  );
  for (const keypoint of order) {
    if (hand.keypoints[keypoint][2] <= 0 || !(isPlaced || bends(keypoint))) continue;
    drawDot(context, hand.keypoints[keypoint], keypoint, {
      scale,
      pale: hidden[chosen][keypoint],
      hot: hot?.kind === "dot" && hot.keypoint === keypoint,
      picked: joint === keypoint,
      locked: keypoint > 0 && locked.has(fingerPoint(keypoint).finger),
    });
  }
}

/**
 * Draw the handles of the chosen hand.
 * @param {CanvasRenderingContext2D} context in pixels of the stage
 * @param {any} shown as `handleAt` takes it
 * @param {{hot: any, joint: number, locked: Set<string>, isPlaced: boolean}} state what the pointer is over, the
 *   chosen keypoint or -1, the locked fingers, and whether what moves, turns and sizes the hand is shown too
 */
export function drawHandles(context, shown, { hot, joint, locked, isPlaced }) {
  const { hands, objects, hidden, chosen, stage, isObjectChosen } = shown;
  const hand = hands[chosen];
  if (!hand) return;
  context.font = "bold 11px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  if (isPlaced) drawRing(context, ringOf(hand, stage), hot?.kind);
  drawBones(context, hand, hidden[chosen]);
  drawDots(context, shown, { hot, joint, locked, isPlaced });
  context.globalAlpha = 1;
  const isHot = hot?.kind === "object" && hot.hand === chosen;
  const look = { scale: dotScale(hand), hot: isHot, picked: isObjectChosen };
  if (objects[chosen]) drawObject(context, objects[chosen], look);
}
