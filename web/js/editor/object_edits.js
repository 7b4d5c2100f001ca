// What buttons and keys do to what the chosen hand holds.
import { CONTACT } from "../core/closing.js";
import { gripped, holding, touchOf } from "../core/gripping.js";
import { emptied, withHeldMoved, withHeldSize, withHeldTurned } from "../core/held_object.js";
import { fromAxisAngle } from "../core/rotations.js";
import { FINGERS } from "../core/skeleton.js";
import { scale } from "../core/vectors.js";

const DEGREE = Math.PI / 180;
// Metres that an arrow moves an object by, and the share that it sizes it by, for each degree that it would turn it.
const METRES_PER_STEP = 5e-4;
const SIZE_PER_STEP = 0.01;

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

/** Say how the chosen hand holds its object; for all to see if a finger of its grasp does not reach it. */
function sayTouch(editor) {
  const { gaps } = touchOf(editor, editor.hand);
  const { fingers } = editor.objects.get(editor.hand.held.kind).grasp;
  const missing = fingers.filter((finger) => gaps[finger] > CONTACT);
  if (!missing.length) return editor.say(touchWords(editor));
  editor.say(editor.t("object.missing", { fingers: named(editor, missing) }), true);
}

/** Close the fingers on what the hand holds; those that are locked stay. */
export function gripObject(editor) {
  if (!editor.hand?.held) return editor.say(editor.t("said.noObject"), true);
  editor.changeHand((hand) => gripped(editor, hand, [...editor.state.locked]));
  editor.commit();
  sayTouch(editor);
}

/** Let the chosen hand hold an object, as people do, instead of what it holds; none for an empty kind. */
export function holdObject(editor, kind) {
  const before = editor.hand?.held;
  if (!editor.hand || ((before?.kind ?? "") === kind && !before?.mesh)) return;
  if (!kind) return removeObject(editor);
  const { gesture } = editor.objects.get(kind).grasp;
  const pose = editor.facts.gestures.find(({ name }) => name === gesture).hand_pose.map(fromAxisAngle);
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
