// Changing the chosen hand from a control, from the first touch of it to what is written.
import { rightPose, withRightPose } from "../core/hand.js";
import { Slider } from "./slider.js";

/** One change at a time, made from the hand as the first touch found it, so that going back and forth loses nothing. */
export class HandEdit {
  #from = null;
  #shown = null;

  /** @param {import("../editor/hand_editor.js").HandEditor} editor */
  constructor(editor) {
    this.editor = editor;
  }

  /** Show what the hand becomes, not yet written. */
  show(change) {
    const { editor } = this;
    // Undo, or another control, may have come between.
    if (this.#from === null || editor.hand !== this.#shown) this.#from = editor.hand;
    const from = this.#from;
    if (!from) return;
    editor.changeHand(() => change(from));
    this.#shown = editor.hand;
  }

  /** Write it, and say what was done. */
  end(words) {
    this.#from = null;
    this.editor.commit(words);
  }
}

/**
 * @typedef {object} Setting of the chosen hand
 * @property {string} label
 * @property {number} least
 * @property {number} most
 * @property {number} step
 * @property {number} [decimals]
 * @property {string} [unit]
 * @property {(hand: import("../core/hand.js").Hand) => number | null} read null where it has none
 * @property {(hand: import("../core/hand.js").Hand, value: number) => import("../core/hand.js").Hand} write
 * @property {() => boolean} [isLocked]
 */

/**
 * Return a slider of the chosen hand, and what shows it anew.
 * @param {import("../editor/hand_editor.js").HandEditor} editor
 * @param {Setting} setting
 * @returns {{slider: Slider, refresh: () => void}}
 */
export function handSlider(editor, setting) {
  const { read, write, isLocked = () => false } = setting;
  const edit = new HandEdit(editor);
  const slider = new Slider(setting, {
    slide: (value) => edit.show((hand) => write(hand, value)),
    settle: () => edit.end(`${setting.label}: ${slider.text}`),
  });
  const refresh = () => {
    const { hand } = editor;
    slider.show(hand && editor.editable && !isLocked() ? read(hand) : null);
  };
  return { slider, refresh };
}

/** Return a hand of either side in another pose; `change` is of a right hand's. */
export const reposed = (hand, change) => withRightPose(hand, change(rightPose(hand)));

/**
 * Return a setting of the pose: `read` and `write` are of a right hand's.
 * @returns {Setting}
 */
export const poseSetting = (/** @type {any} */ { read, write, ...rest }) => ({
  ...rest,
  read: (hand) => read(rightPose(hand)),
  write: (hand, value) => reposed(hand, (pose) => write(pose, value)),
});
