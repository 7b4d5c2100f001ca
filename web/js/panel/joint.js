// The angles of one joint in degrees, within what it can do.
import { rowsOf, withAngles } from "../core/fingers.js";
import { FINGERS } from "../core/skeleton.js";
import { make } from "../editor/elements.js";
import { group } from "./elements.js";
import { handSlider, poseSetting } from "./hand_edit.js";
import { part } from "./part.js";

const DEGREE = Math.PI / 180;
const ANGLES = ["bend", "sideways", "turn"];
const JOINTS = ["first", "middle", "last"];

/** Return the finger that a joint is of; joints are counted as poses have them. */
const fingerOf = (joint) => FINGERS.find((name) => rowsOf(name).includes(joint));

/** Return the list to choose a joint from. */
function createChoice(editor) {
  const nameOf = (place) => editor.t(`joint.${JOINTS[place]}`);
  const groups = FINGERS.map((finger) => {
    const label = editor.t(`finger.${finger}`);
    const joints = rowsOf(finger).map((j, place) => make("option", { value: j }, `${label}: ${nameOf(place)}`));
    return make("optgroup", { label }, ...joints);
  });
  const none = make("option", { value: -1 }, editor.t("panel.joint.none"));
  const select = make(
    "select",
    { class: "sesahand-select", "aria-label": editor.t("panel.title.joint") },
    none,
    ...groups,
  );
  select.addEventListener("change", () => editor.choose({ hand: editor.state.chosen, joint: Number(select.value) }));
  return select;
}

/** Return the slider of one of the chosen joint's angles, whose range is the joint's. */
function createAngle(editor, axis) {
  const { anatomy, state } = editor;
  const setting = poseSetting({
    label: editor.t(`panel.joint.${ANGLES[axis]}`),
    least: -180,
    most: 180,
    step: 1,
    decimals: 1,
    unit: "°",
    isLocked: () => state.joint < 0 || state.locked.has(fingerOf(state.joint)),
    read: (pose) => anatomy.angles(pose[state.joint], state.joint)[axis] / DEGREE,
    write: (pose, degrees) => {
      const angles = anatomy.angles(pose[state.joint], state.joint);
      return withAngles(anatomy, pose, state.joint, angles.with(axis, degrees * DEGREE));
    },
  });
  const { slider, refresh } = handSlider(editor, setting);
  return {
    slider,
    refresh() {
      const [least, most] = anatomy.ranges[state.joint]?.[axis] ?? [-Math.PI, Math.PI];
      slider.bound(Math.round(least / DEGREE), Math.round(most / DEGREE));
      refresh();
    },
  };
}

/** Return the fields of the chosen joint, and the list to choose it from. */
export function createJoint(editor) {
  const choice = createChoice(editor);
  const angles = ANGLES.map((_, axis) => createAngle(editor, axis));
  const rows = angles.map(({ slider }) => make("div", { class: "sesahand-row" }, ...slider.parts));
  const element = group(editor.t("panel.title.joint"), "sesahand-rows sesahand-joint", choice, ...rows);
  return part(editor, element, () => {
    choice.disabled = editor.hand === null;
    choice.value = String(editor.state.joint);
    for (const { refresh } of angles) refresh();
  });
}
