// What stands under the stage in a node, and beside it in the large view.
import { addStyles } from "../editor/styles.js";
import { make } from "../editor/elements.js";
import { createBackground } from "./background.js";
import { createCurls, createSpreads, createThumb } from "./fingers.js";
import { createGallery } from "./gallery.js";
import { createGestureList } from "./gesture_list.js";
import { createHands } from "./hands.js";
import { createJoint } from "./joint.js";
import { Library } from "./library.js";
import { createMix } from "./mix.js";
import { createObject, createObjectChoice } from "./object.js";
import { createPad } from "./pad.js";
import { createPicture } from "./picture.js";
import { createPlace } from "./place.js";
import { createPresets } from "./presets.js";
import { createSceneText } from "./scene_text.js";
import { PANEL_STYLES } from "./styles.js";

/** @typedef {import("./part.js").Part} Part */

/** Return parts under a title, which opens and closes them. */
function section(title, parts, open) {
  const summary = make("summary", {}, title);
  return make("details", { class: "sesahand-section", open }, summary, ...parts.map(({ element }) => element));
}

/** Return the parts of the large view, by the titles that they stand under; those that come first are open. */
function allParts(editor, library) {
  const { t } = editor;
  const presets = createPresets(editor, library);
  return [
    [
      t("panel.title.gestures"),
      [createGallery(editor, library), createMix(editor, library), createHands(editor)],
      true,
    ],
    [t("panel.title.object"), [createObject(editor)], true],
    [t("panel.title.fingers"), [createPad(editor), createCurls(editor)], true],
    [t("panel.title.sideways"), [createSpreads(editor), createThumb(editor)], true],
    [t("panel.title.joint"), [createJoint(editor)], true],
    [t("panel.title.place"), [createPlace(editor)], true],
    ...(presets ? [[t("panel.title.presets"), [presets], false]] : []),
    [t("panel.title.picture"), [createPicture(editor), createBackground(editor)], false],
    [t("panel.title.text"), [createSceneText(editor)], false],
  ];
}

/** Tell whether a wheel over an element scrolls it, or something that it is in, up to an outermost one. */
function isScrolled(element, outermost) {
  const { overflowY } = getComputedStyle(element);
  if (element.scrollHeight > element.clientHeight && ["auto", "scroll"].includes(overflowY)) return true;
  return element !== outermost && element.parentElement !== null && isScrolled(element.parentElement, outermost);
}

/** Let presses in the panel not be the graph's, but for those that move or zoom it. */
function sortEvents(element, { forward }) {
  for (const name of ["pointerdown", "pointermove", "pointerup"]) {
    element.addEventListener(name, (event) => {
      const isMiddle = event.button === 1 || (event.buttons & 4) !== 0;
      if (isMiddle) forward?.(event);
      else event.stopPropagation();
    });
  }
  element.addEventListener("wheel", (event) => {
    if (event.ctrlKey || !isScrolled(event.target, element.parentElement)) forward?.(event);
    else event.stopPropagation();
  });
}

/**
 * Return the panel of an editor.
 * @param {import("../editor/hand_editor.js").HandEditor} editor
 * @param {{large: boolean}} how large: a column of 320 px with everything in it; otherwise what fits under the stage of
 *   a node of 400 px: the sliders that bend and spread, a button for the gestures, the object in the hand, and the pad
 *   where there is room
 * @returns {Part}
 */
export function createPanel(editor, { large }) {
  addStyles(document, "sesahand-panel-styles", PANEL_STYLES);
  return large ? createLarge(editor) : createCompact(editor);
}

function createCompact(editor) {
  const parts = [createGestureList(editor), createObjectChoice(editor), createCurls(editor), createPad(editor)];
  const [gestures, object, ...others] = parts.map(({ element }) => element);
  const elements = [make("div", { class: "sesahand-line sesahand-first-line" }, gestures, object), ...others];
  const panel = assembled("sesahand-panel sesahand-panel-compact", parts, elements);
  sortEvents(panel.element, editor.host);
  return panel;
}

function createLarge(editor) {
  const sections = allParts(editor, new Library(editor));
  const parts = sections.flatMap(([, inside]) => inside);
  const elements = sections.map(([title, inside, open]) => section(title, inside, open));
  return assembled("sesahand-panel sesahand-panel-large", parts, elements);
}

/** Return parts as one. */
function assembled(kind, parts, elements) {
  const element = make("div", { class: kind }, make("div", { class: "sesahand-panel-inside" }, ...elements));
  return { element, dispose: () => parts.forEach(({ dispose }) => dispose()) };
}
