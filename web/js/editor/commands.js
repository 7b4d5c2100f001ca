// What buttons and keys do to the hands, by name.
import { ABDUCTION, FLEXION, TWIST } from "../core/anatomy.js";
import { besideOthers, sideBySide } from "../core/beside.js";
import { rowsOf, withAngles, withFingersOf } from "../core/fingers.js";
import { rightPose, withRightPose } from "../core/hand.js";
import { mirroredInPicture, sizedInPicture, swappedSide, turnedHand } from "../core/placing.js";
import { readScene } from "../core/scene_reading.js";
import { writeScene } from "../core/scene_writing.js";
import { FRONT } from "../core/sight.js";
import { FINGER_JOINTS, FINGERS } from "../core/skeleton.js";
import { add, scale } from "../core/vectors.js";
import { pivotOf } from "../view/handles.js";
import { chooseObject, gripObject, OBJECT_ARROWS, removeObject } from "./object_edits.js";

const DEGREE = Math.PI / 180;
const STEP = 2;
const LARGE_STEP = 10;
// Metres that an arrow moves a hand by for each degree that it would bend a joint.
const METRES_PER_STEP = 1e-3;
const SIZE_PER_STEP = 0.01;
// How much farther away a new hand may be put than the one that it is a copy of.
const MUCH_SMALLER = 1.5;
const SHOWN = ["hand", "depth", "normal"];
const VIEWS = { front: [0, 0], side: [-90, 0], above: [0, 90] };

/** Return the hand that every new one starts as. */
export const openHand = ({ facts, model }) => readScene(facts.default_scene, model.name).hands[0];

/** Return the words for a joint: which finger, and which joint of it. */
function jointWords(editor, j) {
  const finger = FINGERS.find((name) => rowsOf(name).includes(j));
  if (!finger) return "";
  const place = ["first", "middle", "last"][rowsOf(finger).indexOf(j)];
  return editor.t("joint.named", { finger: editor.t(`finger.${finger}`), place: editor.t(`joint.${place}`) });
}

/** Say how far a joint is bent. */
function sayJoint(editor, j) {
  const angles = editor.anatomy.angles(rightPose(editor.hand)[j], j);
  const degrees = (radians) => Math.round(radians / DEGREE);
  editor.say(
    editor.t("said.joint", {
      joint: jointWords(editor, j),
      bend: degrees(angles[FLEXION]),
      most: degrees(editor.anatomy.ranges[j][FLEXION][1]),
    }),
  );
}

/** Add radians to an angle of the chosen joint. */
function bendJoint(editor, axis, radians) {
  const j = editor.state.joint;
  if (j < 0 || !editor.hand) return;
  const pose = rightPose(editor.hand);
  const angles = editor.anatomy.angles(pose[j], j);
  editor.changeHand((hand) =>
    withRightPose(hand, withAngles(editor.anatomy, pose, j, angles.with(axis, angles[axis] + radians))),
  );
  editor.commit();
  sayJoint(editor, j);
}

/** Change the chosen hand about its middle, and write it. */
function placeHand(editor, change, words) {
  if (!editor.hand) return;
  const pivot = pivotOf(editor.model.keypoints(editor.hand));
  editor.changeHand((hand) => change(hand, pivot));
  editor.commit(words);
}

/** What arrows do, by what they are set to. */
const ARROWS = {
  bend: ({ editor }, [right, down], degrees) =>
    bendJoint(editor, right ? ABDUCTION : FLEXION, (right + down) * degrees * DEGREE),
  move: ({ editor }, [right, down], degrees) =>
    placeHand(
      editor,
      (hand) => ({ ...hand, translation: add(hand.translation, scale([right, down, 0], degrees * METRES_PER_STEP)) }),
      editor.t("did.move"),
    ),
  size: ({ editor }, [right, down], degrees) =>
    placeHand(
      editor,
      (hand, pivot) => sizedInPicture(hand, pivot, 1 + (right - down) * degrees * SIZE_PER_STEP),
      editor.t("did.size"),
    ),
  turn: ({ editor }, [right, down], degrees) =>
    placeHand(
      editor,
      (hand, pivot) => turnedHand(editor.model, hand, pivot, scale([down, -right, 0], degrees * DEGREE)),
      editor.t("did.turn"),
    ),
};

/** Go from the chosen joint to another of its finger, or to the next finger's. */
function nextJoint({ editor }, by) {
  const order = FINGERS.flatMap(rowsOf);
  const at = order.indexOf(editor.state.joint);
  const joint = order[at < 0 ? 0 : (at + by + order.length) % order.length];
  editor.choose({ joint });
  sayJoint(editor, joint);
}

/** Give fingers of the chosen hand the pose of an open hand. */
function reset(editor, fingers, words) {
  const open = openHand(editor);
  editor.changeHand((hand) => withFingersOf(hand, open, fingers));
  editor.commit(words);
}

/** Return the finger of the chosen joint, or all. */
function fingersChosen({ state: { joint } }) {
  const finger = FINGERS.find((name) => FINGER_JOINTS[name].includes(joint + 1));
  return finger ? [finger] : FINGERS;
}

/** Add a hand to a draft, beside those of its picture and not on them. */
function placeNew({ model, input, background }, draft, hand) {
  const places = [...draft.hands.keys()].filter((n) => draft.hands[n].frame === hand.frame);
  const others = places.map((n) => draft.hands[n]);
  const placed = besideOthers(model, draft.camera, hand, others);
  const grown = placed.translation[2] / hand.translation[2];
  // A hand that stands in no picture may give way to one that would be small beside it.
  const isFree = places.length === 1 && !input.linked && !background.image;
  if (!isFree || grown < MUCH_SMALLER) return void draft.hands.push(placed);
  const [first, second] = sideBySide(model, draft.camera, [...others, hand]);
  draft.hands[places[0]] = first;
  draft.hands.push(second);
}

/** Add a hand, and choose it. */
function addHand(editor, hand, words = editor.t("did.add")) {
  if (!editor.editable) return;
  editor.change((draft) => placeNew(editor, draft, { ...hand, frame: editor.state.frame }));
  editor.choose({ hand: editor.state.scene.hands.length - 1 });
  editor.commit(words);
}

/** Return the chosen hand as a scene of its own, for the clipboard; nothing if none is. */
export function copiedText({ state, hand }) {
  return hand ? writeScene({ ...state.scene, takenFrom: undefined, numFrames: 1, hands: [{ ...hand, frame: 0 }] }) : "";
}

/** Add the first hand of a text that was copied; says so if it has none. */
export function pasteText(editor, text) {
  try {
    const [hand] = readScene(text, editor.model.name).hands;
    if (hand) addHand(editor, hand, editor.t("did.paste"));
  } catch {
    editor.say(editor.t("said.notPasted"));
  }
}

/**
 * Go a step back or forward. An editor that has no steps yet, as after the page's own undo, which makes it anew, leaves
 * that to the page. One that has gone through all of its steps does not: the page's last steps were those.
 */
function travel(editor, way) {
  const { canUndo, canRedo } = editor.history;
  if (canUndo || canRedo || !editor.host.travel) editor[way]();
  else {
    editor.cancel();
    editor.host.travel(way);
  }
}

/** Commands by name; each takes the editor's view, what the key or button says, and whether steps are large. */
export const COMMANDS = Object.freeze({
  undo: ({ editor }) => travel(editor, "undo"),
  redo: ({ editor }) => travel(editor, "redo"),
  finger: ({ editor }, finger) => {
    editor.choose({ joint: rowsOf(finger)[0] });
    if (editor.hand) sayJoint(editor, rowsOf(finger)[0]);
  },
  joint: nextJoint,
  arrow: (view, way, large) => {
    const table = view.editor.object ? OBJECT_ARROWS : ARROWS;
    const mode = view.arrows ?? (view.editor.state.joint < 0 ? "move" : "bend");
    table[mode](view, way, large ? LARGE_STEP : STEP);
  },
  arrows: (view, mode) => {
    view.arrows = mode;
    view.editor.say(view.editor.t(`arrows.${mode}`));
  },
  twist: ({ editor }, sign, large) => bendJoint(editor, TWIST, sign * (large ? LARGE_STEP : STEP) * DEGREE),
  mirror: ({ editor }) => {
    editor.changeHand((hand) => mirroredInPicture(editor.model, editor.state.scene.camera, hand));
    editor.commit(editor.t("did.mirror"));
  },
  swap: ({ editor }) => {
    editor.changeHand((hand) => swappedSide(editor.model, hand));
    editor.commit(editor.t("did.swap"));
  },
  add: ({ editor }) => {
    if (!editor.editable) return;
    addHand(editor, editor.hand ? swappedSide(editor.model, editor.hand) : openHand(editor));
  },
  remove: ({ editor }) => {
    const { chosen } = editor.state;
    if (!editor.hand) return;
    if (editor.object) return void removeObject(editor);
    editor.edit((draft) => draft.hands.splice(chosen, 1), editor.t("did.remove"));
  },
  object: ({ editor }) => chooseObject(editor),
  grip: ({ editor }) => gripObject(editor),
  resetFinger: ({ editor }) => reset(editor, fingersChosen(editor), editor.t("did.resetFinger")),
  resetHand: ({ editor }) => reset(editor, FINGERS, editor.t("did.resetHand")),
  handles: ({ stage }) => {
    stage.view.showsHandles = !stage.view.showsHandles;
    stage.view.redraw(false);
  },
  shown: ({ editor }) => editor.view({ shown: SHOWN[(SHOWN.indexOf(editor.state.shown) + 1) % SHOWN.length] }),
  look: ({ editor }) => editor.view({ look: editor.state.look === "picture" ? "around" : "picture" }),
  from: ({ editor, stage }, name) => {
    const [yaw, pitch] = VIEWS[name].map((degrees) => degrees * DEGREE);
    stage.view.setOrbit({ ...FRONT, yaw, pitch });
    editor.view({ look: "around" });
  },
  large: (view) => view.toggleLarge(),
  close: (view) => view.isLarge && view.toggleLarge(),
  escape: (view) => {
    if (view.stage.cancelDrag()) return;
    if (view.arrows) view.arrows = null;
    else if (view.isLarge) view.toggleLarge();
    else view.stage.sink.blur();
  },
});
