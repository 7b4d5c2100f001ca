// Mixing another gesture into the hand's pose, by a share of 0 to 1.
import { blendPoses } from "../core/fingers.js";
import { make } from "../editor/elements.js";
import { group } from "./elements.js";
import { reposed } from "./hand_edit.js";
import { part } from "./part.js";
import { Slider } from "./slider.js";

/** A mixture that can be made weaker or stronger again, as long as nothing else has changed the hand. */
class Mixture {
  #from = null;
  #mixed = null;
  #isMixing = false;

  constructor(editor) {
    this.editor = editor;
    this.share = 0;
  }

  /** Start anew if something else has changed the hand. */
  follow() {
    if (!this.#isMixing && this.editor.hand !== this.#mixed) this.forget();
  }

  /** Take the hand as it is for what other gestures are mixed into. */
  forget() {
    this.#from = this.#mixed = null;
    this.share = 0;
  }

  /** Show the hand with a share of a pose in it, a right hand's. */
  show(pose, share) {
    this.follow();
    const from = this.#from ?? this.editor.hand;
    if (!from) return;
    this.share = share;
    this.#isMixing = true;
    this.editor.changeHand(() => reposed(from, (before) => blendPoses(before, pose, share)));
    this.#isMixing = false;
    [this.#from, this.#mixed] = [from, this.editor.hand];
  }
}

/** Return the list of gestures to mix in, and the slider of how much. */
export function createMix(editor, library) {
  const mixture = new Mixture(editor);
  const label = editor.t("panel.title.mix");
  const select = make("select", { class: "sesahand-select", "aria-label": editor.t("panel.mix.gesture") });
  const chosen = () => library.poses[select.selectedIndex - 1];
  const fill = () => {
    const before = chosen()?.title;
    const names = [editor.t("panel.mix.none"), ...library.poses.map(({ title }) => title)];
    select.replaceChildren(...names.map((name, n) => make("option", { value: n }, name)));
    select.selectedIndex = Math.max(0, names.indexOf(before, 1));
  };
  const slider = new Slider(
    { label, least: 0, most: 1, step: 0.01 },
    {
      slide: (share) => mixture.show(chosen().pose, share),
      settle: () => editor.commit(`${label}: ${chosen().title}, ${slider.text}`),
    },
  );
  fill();
  const element = group(
    label,
    "sesahand-rows sesahand-mix",
    select,
    make("div", { class: "sesahand-row" }, ...slider.parts),
  );
  const refresh = () => {
    mixture.follow();
    element.disabled = !editor.hand || !editor.editable;
    slider.show(chosen() ? mixture.share : null);
  };
  select.addEventListener("change", () => {
    mixture.forget();
    refresh();
  });
  return part(editor, element, refresh, [library.subscribe(fill)]);
}
