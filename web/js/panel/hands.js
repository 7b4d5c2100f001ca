// What one hand gives to the others.
import { rightPose, withRightPose } from "../core/hand.js";
import { make } from "../editor/elements.js";
import { button, group } from "./elements.js";
import { part } from "./part.js";

/** Return the other hands that are in the picture with the chosen one, by their places in the scene. */
function othersOf({ state, hand }) {
  const places = [...(state.scene?.hands.keys() ?? [])];
  return places.filter((n) => n !== state.chosen && state.scene.hands[n].frame === hand?.frame);
}

/** Give the other hands of the picture the chosen one's pose, each as its own side makes it. */
function copyToOthers(editor) {
  const pose = rightPose(editor.hand);
  const copy = (draft) => {
    for (const n of othersOf(editor)) draft.hands[n] = withRightPose(draft.hands[n], pose);
  };
  editor.edit(copy, editor.t("panel.copied"));
}

/** Return the button that gives the other hands this one's pose; it is there if there are others. */
export function createHands(editor) {
  const copy = button(editor.t("panel.copy"), () => copyToOthers(editor));
  const element = group(editor.t("panel.title.hands"), "sesahand-hands", make("div", { class: "sesahand-line" }, copy));
  return part(editor, element, () => {
    element.hidden = !othersOf(editor).length;
    element.disabled = !editor.hand || !editor.editable;
  });
}
