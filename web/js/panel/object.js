// What the chosen hand holds: which object, how large, where in the hand; and the fingers closed on it.
import { withHeldSize } from "../core/held_object.js";
import { OBJECT_SIZES, OBJECTS } from "../core/scene_format.js";
import { make } from "../editor/elements.js";
import { gripObject, holdObject, objectName, removeObject, touchWords } from "../editor/object_edits.js";
import { button, group, message, tell } from "./elements.js";
import { handSlider } from "./hand_edit.js";
import { part } from "./part.js";

const MILLIMETRES = 1000;
const OWN = "mesh";

/** Return the list of objects to choose from, and what shows it anew. */
function createChoice(editor) {
  const { t } = editor;
  const select = make(
    "select",
    { class: "sesahand-select sesahand-object-choice", "aria-label": t("panel.title.object") },
    make("option", { value: "" }, t("panel.object.none")),
    ...OBJECTS.map((kind) => make("option", { value: kind }, objectName(editor, { kind }))),
  );
  // A mesh of the user's came with its hand; it cannot be chosen, and is there as long as the hand holds it.
  const own = make("option", { value: OWN });
  select.addEventListener("change", () => select.value !== OWN && holdObject(editor, select.value));
  const refresh = () => {
    select.disabled = !editor.hand || !editor.editable;
    const { kind = "", mesh = null } = editor.hand?.held ?? {};
    if (mesh) select.append(own);
    else own.remove();
    own.textContent = mesh?.name ?? "";
    select.value = mesh ? OWN : kind;
  };
  return { select, refresh };
}

/** Return the button that closes the fingers, and what shows it anew. */
function createGrip(editor) {
  const grip = button(editor.t("panel.object.grip"), () => gripObject(editor), {
    title: editor.t("panel.object.close"),
  });
  return { grip, refresh: () => (grip.disabled = !editor.hand?.held || !editor.editable) };
}

/** Return a setting of where the object is in the hand, millimetres along an axis of a right hand's frame. */
function placeSetting(editor, name, axis, sign, [least, most]) {
  // A left hand's frame is its mirror image.
  const signOf = (hand) => (axis === 0 && hand.side === "left" ? -sign : sign);
  return {
    label: editor.t(`panel.object.${name}`),
    least,
    most,
    step: 1,
    decimals: 1,
    unit: " mm",
    read: (hand) => (hand.held ? signOf(hand) * MILLIMETRES * hand.held.position[axis] : null),
    write: (hand, value) => {
      const position = hand.held.position.with(axis, (signOf(hand) * value) / MILLIMETRES);
      return { ...hand, held: { ...hand.held, position } };
    },
  };
}

/** Return the settings of an object. */
const settingsOf = (editor) => [
  {
    label: editor.t("panel.size"),
    least: OBJECT_SIZES[0],
    most: OBJECT_SIZES[1],
    step: 0.05,
    read: (hand) => hand.held?.size ?? null,
    write: withHeldSize,
  },
  placeSetting(editor, "along", 0, -1, [0, 200]),
  placeSetting(editor, "across", 2, 1, [-100, 100]),
  placeSetting(editor, "off", 1, -1, [-100, 150]),
];

/** Return the list of objects with the button that closes the fingers: what there is room for in a node. */
export function createObjectChoice(editor) {
  const [choice, { grip, refresh }] = [createChoice(editor), createGrip(editor)];
  const element = make("div", { class: "sesahand-line sesahand-object-line" }, choice.select, grip);
  return part(editor, element, () => {
    choice.refresh();
    refresh();
  });
}

/** Return all that can be done to an object. */
export function createObject(editor) {
  const [choice, { grip, refresh }] = [createChoice(editor), createGrip(editor)];
  const sliders = settingsOf(editor).map((setting) => handSlider(editor, setting));
  const remove = button(editor.t("panel.object.remove"), () => removeObject(editor));
  const place = message();
  const element = group(
    editor.t("panel.title.object"),
    "sesahand-rows sesahand-object",
    make("div", { class: "sesahand-line" }, choice.select, grip, remove),
    ...sliders.map(({ slider }) => make("div", { class: "sesahand-row" }, ...slider.parts)),
    place,
  );
  let told = null;
  return part(editor, element, () => {
    choice.refresh();
    refresh();
    remove.disabled = grip.disabled;
    for (const each of sliders) each.refresh();
    if (editor.hand === told) return;
    told = editor.hand;
    tell(place, told?.held ? touchWords(editor) : "");
  });
}
