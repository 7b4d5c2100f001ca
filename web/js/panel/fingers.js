// Sliders for each finger: how far it is bent, how far it is spread, how the thumb stands, and a lock.
import { withCurl } from "../core/curling.js";
import { curlOf } from "../core/fingers.js";
import { FINGERS } from "../core/skeleton.js";
import {
  FAN,
  fanOf,
  oppositionRange,
  spreadOf,
  spreadRange,
  thumbOf,
  twistRange,
  withFan,
  withOpposition,
  withSpread,
  withTwist,
} from "../core/spreading.js";
import { make } from "../editor/elements.js";
import { group } from "./elements.js";
import { handSlider, poseSetting } from "./hand_edit.js";
import { part } from "./part.js";

const STEP = 0.01;

/** Return the box that locks a finger, and what shows it anew. */
function lockOf(editor, finger) {
  const name = editor.t("panel.lock", { finger: editor.t(`finger.${finger}`) });
  const box = make("input", { type: "checkbox", class: "sesahand-lock", "aria-label": name, title: name });
  box.addEventListener("change", () => editor.lock(finger, box.checked));
  const refresh = () => {
    box.checked = editor.state.locked.has(finger);
    box.disabled = !editor.hand;
  };
  return { box, refresh };
}

/** Return rows of sliders as a part; each may have something in front of it. */
function rowsOf(editor, name, rows) {
  const sliders = rows.map(({ setting }) => handSlider(editor, setting));
  const lines = rows.map(({ front }, n) =>
    make("div", { class: "sesahand-row" }, front?.box ?? "", ...sliders[n].slider.parts),
  );
  const element = group(editor.t(`panel.title.${name}`), `sesahand-rows sesahand-${name}`, ...lines);
  const all = [...sliders, ...rows.map(({ front }) => front)];
  return part(editor, element, () => all.forEach((each) => each?.refresh()));
}

/** Return a setting of one finger, which its lock holds. */
const ofFinger = (editor, finger, setting) =>
  poseSetting({
    label: editor.t(`finger.${finger}`),
    step: STEP,
    isLocked: () => editor.state.locked.has(finger),
    ...setting,
  });

/** Return the setting that bends a finger. */
const curl = (editor, finger) =>
  ofFinger(editor, finger, {
    least: 0,
    most: 1,
    read: (pose) => curlOf(editor.anatomy, pose, finger),
    write: (pose, value) => withCurl(editor.anatomy, pose, finger, value),
  });

/** Return the setting that moves a finger sideways. */
function spread(editor, finger) {
  const [least, most] = spreadRange(editor.anatomy, finger);
  return ofFinger(editor, finger, {
    least,
    most,
    read: (pose) => spreadOf(editor.anatomy, pose, finger),
    write: (pose, value) => withSpread(editor.anatomy, pose, finger, value),
  });
}

/** Return the setting that fans out the fingers that are not locked. */
function fan(editor) {
  const free = () => FAN.filter((finger) => !editor.state.locked.has(finger));
  return poseSetting({
    label: editor.t("panel.fan"),
    least: -1,
    most: 1,
    step: STEP,
    isLocked: () => !free().length,
    read: (pose) => fanOf(editor.anatomy, pose, free()),
    write: (pose, value) => withFan(editor.anatomy, pose, value, free()),
  });
}

/** Return a setting of how the thumb stands. */
function thumb(editor, name, range, set) {
  const [least, most] = range;
  return ofFinger(editor, "thumb", {
    label: editor.t(`panel.${name}`),
    least,
    most,
    read: (pose) => thumbOf(editor.anatomy, pose)[name],
    write: (pose, value) => set(editor.anatomy, pose, value),
  });
}

/** Return the sliders that bend each finger, with its lock, and the one that fans them out. */
export const createCurls = (editor) =>
  rowsOf(editor, "curls", [
    ...FINGERS.map((finger) => ({ setting: curl(editor, finger), front: lockOf(editor, finger) })),
    { setting: fan(editor) },
  ]);

/** Return the sliders that move each finger sideways. */
export const createSpreads = (editor) =>
  rowsOf(
    editor,
    "spreads",
    FINGERS.map((finger) => ({ setting: spread(editor, finger) })),
  );

/** Return the sliders of the thumb's opposition and twist. */
export const createThumb = (editor) =>
  rowsOf(editor, "thumb", [
    { setting: thumb(editor, "opposition", oppositionRange(editor.anatomy), withOpposition) },
    { setting: thumb(editor, "twist", twistRange(editor.anatomy), withTwist) },
  ]);
