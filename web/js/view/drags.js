// What a drag does to the chosen hand, by what it took hold of. Each is { move(pixel) }; pixels are those of the stage.
import { withHeldMoved, withHeldSize, withHeldTurned } from "../core/held_object.js";
import { sizedInPicture, trackballTurn, turnedHand } from "../core/placing.js";
import { reachWithFinger } from "../core/reaching.js";
import { add, norm, scale, subtract } from "../core/vectors.js";
import { bends, fingerPoint, pivotOf, ringOf } from "./handles.js";

const RADIANS_PER_PIXEL = 0.01;

/** @type {(from: number[], to: number[]) => number[]} */
const between = ([a, b], [c, d]) => [c - a, d - b];
/** @type {(way: number[]) => number} */
const angleOf = ([x, y]) => Math.atan2(y, x);

/** Return the chosen hand, its pivot in the scene, and the ring around it, as they are when a drag begins. */
function start(view) {
  const { hands, chosen, keypoints, stage } = view.shown;
  return { hand: view.editor.hand, pivot: pivotOf(keypoints[chosen]), ring: ringOf(hands[chosen], stage) };
}

/** Bend a finger: the whole of it follows its dot, or only the bone before the dot. A locked one says that it is. */
function bend(view, at, { keypoint, whole }) {
  const { model, anatomy, hand, state, t } = view.editor;
  const { finger, point } = fingerPoint(keypoint);
  if (state.locked.has(finger)) {
    view.editor.say(t("said.locked", { finger: t(`finger.${finger}`) }), true);
    return { move: () => {} };
  }
  const offset = between(at, view.shown.hands[view.shown.chosen].keypoints[keypoint]);
  return {
    move: ([x, y]) => {
      const goal = view.sight.ray([x + offset[0], y + offset[1]]);
      // From how the finger was, so that where it ends does not depend on the way that the pointer took.
      view.editor.changeHand(() => reachWithFinger(model, anatomy, hand, finger, point, goal, whole));
    },
  };
}

/** Move the hand along the picture. */
function move(view, at) {
  const { hand, pivot } = start(view);
  return {
    move: (to) => {
      const way = view.sight.way(between(at, to), pivot);
      view.editor.changeHand(() => ({ ...hand, translation: add(hand.translation, way) }));
    },
  };
}

/** Turn the hand about the line of sight through its middle. */
function roll(view, at) {
  const { hand, pivot, ring } = start(view);
  const from = angleOf(between([ring.x, ring.y], at));
  const axis = scale(pivot, 1 / norm(pivot));
  return {
    move: (to) => {
      const about = scale(axis, angleOf(between([ring.x, ring.y], to)) - from);
      view.editor.changeHand(() => turnedHand(view.editor.model, hand, pivot, about));
    },
  };
}

/** Turn the hand like a ball. */
function turn(view, at) {
  const { hand, pivot } = start(view);
  return {
    /** @param {number[]} to */
    move: (to) => {
      const way = trackballTurn(between(at, to), RADIANS_PER_PIXEL);
      view.editor.changeHand(() => turnedHand(view.editor.model, hand, pivot, way));
    },
  };
}

/** Bring the hand nearer or farther. */
function size(view, at) {
  const { hand, pivot, ring } = start(view);
  /** @type {(pixel: number[]) => number} */
  const distance = ([x, y]) => Math.max(1, Math.hypot(x - ring.x, y - ring.y));
  return {
    move: (to) => view.editor.changeHand(() => sizedInPicture(hand, pivot, distance(to) / distance(at))),
  };
}

/**
 * Return a way in pixels from a pixel, as far as it stays on the stage: what has left it could not be taken again.
 * @param {number[]} way
 * @param {number[]} from
 * @param {{width: number, height: number}} stage
 */
function wayOnStage([right, down], [x, y], { width, height }) {
  /** @type {(way: number, from: number, most: number) => number} */
  const within = (way, from, most) => Math.min(Math.max(0, most - from), Math.max(Math.min(0, -from), way));
  return [within(right, x, width), within(down, y, height)];
}

/** Move what the hand holds along what is looked at, in the hand; its middle stays on the stage. */
function object(view, at) {
  const { hand } = start(view);
  const { shown, sight } = view;
  const { middle } = view.held[shown.chosen];
  // The first look's, because each move shows another.
  const [from, stage] = [shown.objects[shown.chosen].middle, shown.stage];
  return {
    move: (to) => {
      const way = wayOnStage(between(at, to), from, stage);
      view.editor.changeHand(() => withHeldMoved(hand, sight.way(way, middle)));
    },
  };
}

/** Turn what the hand holds like a ball, in the hand. */
function turnObject(view, at) {
  const { hand } = start(view);
  return {
    move: (to) => view.editor.changeHand(() => withHeldTurned(hand, trackballTurn(between(at, to), RADIANS_PER_PIXEL))),
  };
}

/** The drags by name, and the word for what they did. */
export const DRAGS = Object.freeze({ bend, move, roll, turn, size, object, turnObject });

/** Return which drag it is that takes hold of a handle, by the main button. */
export function dragOf(handle, { shift = false } = {}) {
  if (handle.kind !== "dot") return { name: handle.kind === "skin" ? "move" : handle.kind };
  if (!bends(handle.keypoint)) return { name: "move" };
  const isTip = fingerPoint(handle.keypoint).point === 3;
  return { name: "bend", whole: isTip !== shift, keypoint: handle.keypoint };
}

/** Size the chosen hand, or what it holds if that is chosen. */
export function sizeBy({ editor, shown: { chosen, keypoints } }, factor) {
  if (editor.object) editor.changeHand((hand) => withHeldSize(hand, hand.held.size * factor));
  else if (chosen >= 0) editor.changeHand((hand) => sizedInPicture(hand, pivotOf(keypoints[chosen]), factor));
}

/**
 * Two fingers on glass: they move, size and roll the hand between them.
 * @param {import("./scene_view.js").SceneView} view
 * @param {number[][]} from two pixels
 */
export function pinch(view, from) {
  const { hand, pivot } = start(view);
  const { model } = view.editor;
  /** @type {(two: number[][]) => number[]} */
  const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  /** @type {(two: number[][]) => number[]} */
  const span = ([a, b]) => between(a, b);
  const length = (two) => Math.max(1, Math.hypot(...span(two)));
  return {
    move: (to) => {
      const angle = angleOf(span(to)) - angleOf(span(from));
      const turned = turnedHand(model, hand, pivot, scale(pivot, angle / norm(pivot)));
      const sized = sizedInPicture(turned, pivot, length(to) / length(from));
      const at = add(pivot, subtract(sized.translation, turned.translation));
      const way = view.sight.way(between(middle(from), middle(to)), at);
      view.editor.changeHand(() => ({ ...sized, translation: add(sized.translation, way) }));
    },
  };
}
