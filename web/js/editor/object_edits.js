// What buttons and keys do to what the chosen hand holds.
import { CONTACT } from "../core/closing.js";
import { rowsOf } from "../core/fingers.js";
import { gripped, holding, touchOf } from "../core/gripping.js";
import { emptied, withHeldMoved, withHeldSize, withHeldTurned } from "../core/held_object.js";
import { rightPose } from "../core/hand.js";
import { fromAxisAngle, invert, multiply, toAxisAngle } from "../core/rotations.js";
import { FINGERS } from "../core/skeleton.js";
import { norm, scale, subtract } from "../core/vectors.js";

const DEGREE = Math.PI / 180;
// Metres that an arrow moves an object by, and the share that it sizes it by, for each degree that it would turn it.
const METRES_PER_STEP = 5e-4;
const SIZE_PER_STEP = 0.01;
// Metres and radians within which an object is laid anew by a grip that else would not reach it.
const LAID_BY = 0.025;
const TURNED_BY = 0.9;

/** Return how an object is called: as its kind, or as the mesh in its place. */
export const objectName = ({ t }, { kind, mesh = null }) => mesh?.name ?? t(`object.${kind}`);

/** Return the names of fingers, as one says them. */
const named = ({ t }, fingers) => fingers.map((finger) => t(`finger.${finger}`)).join(", ");

/** Return the words for which fingers touch what the chosen hand holds, and how deep the hand is in it. */
export function touchWords(editor) {
  const { gaps, depth } = touchOf(editor, editor.hand);
  const touching = FINGERS.filter((finger) => gaps[finger] <= CONTACT);
  const fingers = named(editor, touching) || editor.t("object.untouched");
  return editor.t("object.touch", { fingers, depth: (1000 * depth).toFixed(1) });
}

/** Return the fingers of an object's grasp that do not reach it. */
function missingOf(editor, hand) {
  const { gaps } = touchOf(editor, hand);
  return editor.objects.get(hand.held.kind).grasp.fingers.filter((finger) => gaps[finger] > CONTACT);
}

/** Say how the chosen hand holds its object; for all to see if a finger of its grasp does not reach it. */
function sayTouch(editor) {
  const missing = missingOf(editor, editor.hand);
  if (!missing.length) return editor.say(touchWords(editor));
  editor.say(editor.t("object.missing", { fingers: named(editor, missing) }), true);
}

/** Return the pose of a right hand that the grasp of an object begins in. */
function beginningOf({ facts, objects }, kind) {
  const { gesture } = objects.get(kind).grasp;
  return facts.gestures.find(({ name }) => name === gesture).hand_pose.map(fromAxisAngle);
}

/** Tell whether two places of an object are about the same: what was sized lies so, what was put elsewhere does not. */
const isCloseBy = (one, other) =>
  norm(subtract(one.position, other.position)) < LAID_BY &&
  norm(toAxisAngle(multiply(invert(one.orient), other.orient))) < TURNED_BY;

/**
 * Return a hand closed on its object where that is; or where people hold one of its size, if this is close by and more
 * fingers reach it there. Those of no use to the grasp begin as they are.
 */
function closedWell(editor, hand, staying) {
  const closed = gripped(editor, hand, staying);
  const missing = missingOf(editor, closed).length;
  const { kind, size, mesh } = hand.held;
  if (!missing || mesh) return closed;
  const beginning = beginningOf(editor, kind);
  const rows = editor.objects.get(kind).grasp.fingers.flatMap(rowsOf);
  const pose = rightPose(hand).map((rotation, j) => (rows.includes(j) ? beginning[j] : rotation));
  const anew = holding(editor, hand, kind, pose, { size, staying });
  return isCloseBy(hand.held, anew.held) && missingOf(editor, anew).length < missing ? anew : closed;
}

/** Close the fingers on what the hand holds; those that are locked stay. */
export function gripObject(editor) {
  if (!editor.hand?.held) return editor.say(editor.t("said.noObject"), true);
  editor.changeHand((hand) => closedWell(editor, hand, [...editor.state.locked]));
  editor.commit();
  sayTouch(editor);
}

/** Let the chosen hand hold an object, as people do, instead of what it holds; none for an empty kind. */
export function holdObject(editor, kind) {
  const before = editor.hand?.held;
  if (!editor.hand || ((before?.kind ?? "") === kind && !before?.mesh)) return;
  if (!kind) return removeObject(editor);
  const pose = beginningOf(editor, kind);
  const given = { size: before?.size, staying: [...editor.state.locked] };
  editor.changeHand((hand) => holding(editor, hand, kind, pose, given));
  editor.choose({ object: true });
  editor.commit(editor.t("did.hold", { object: objectName(editor, { kind }) }));
}

/** Take what the chosen hand holds out of it; the fingers stay. */
export function removeObject(editor) {
  editor.changeHand(emptied);
  editor.commit(editor.t("did.removeObject"));
}

/** Choose what the chosen hand holds, or say that there is nothing. */
export function chooseObject(editor) {
  const held = editor.hand?.held;
  if (!held) return editor.say(editor.t("said.noObject"), true);
  editor.choose({ object: true });
  editor.say(editor.t("said.object", { object: objectName(editor, held) }));
}

/** Change what the chosen hand holds, and write it. */
function change(editor, edit, words) {
  editor.changeHand(edit);
  editor.commit(editor.t(words));
}

/** What arrows do to an object, by what they are set to. */
export const OBJECT_ARROWS = Object.freeze({
  move: ({ editor }, [right, down], degrees) =>
    change(editor, (hand) => withHeldMoved(hand, scale([right, down, 0], degrees * METRES_PER_STEP)), "did.object"),
  size: ({ editor }, [right, down], degrees) =>
    change(
      editor,
      (hand) => withHeldSize(hand, hand.held.size * (1 + (right - down) * degrees * SIZE_PER_STEP)),
      "did.sizeObject",
    ),
  turn: ({ editor }, [right, down], degrees) =>
    change(editor, (hand) => withHeldTurned(hand, scale([down, -right, 0], degrees * DEGREE)), "did.turnObject"),
});
