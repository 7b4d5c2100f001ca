// The picture that the hands are in: its size in pixels, the lens, and fitting both to the picture behind.
import { fieldOfView, sceneWithLens } from "../core/lens.js";
import { cameraFor } from "../core/placing.js";
import { MAX_SIZE } from "../core/scene_reading.js";
import { sizeBehind } from "../editor/shown_scene.js";
import { make } from "../editor/elements.js";
import { button, group } from "./elements.js";
import { part } from "./part.js";
import { Slider } from "./slider.js";

// Degrees across the longer side.
const NARROWEST = 5;
const WIDEST = 120;

/** Changes of the picture's size, one side after the other: both start from the picture that the first found. */
class Resizing {
  #from = null;
  #made = null;

  constructor(editor) {
    this.editor = editor;
  }

  /** Give the picture a size; what was in it stays in it. */
  to(width, height) {
    const { editor } = this;
    const { camera } = editor.state.scene;
    if (JSON.stringify(camera) !== JSON.stringify(this.#made)) this.#from = camera;
    this.#made = cameraFor(this.#from, width, height);
    const edit = (draft) => Object.assign(draft, { camera: this.#made });
    editor.edit(edit, editor.t("panel.resized", { width, height }));
  }
}

/** Return the field of the picture's width or height, and what shows it anew. */
function createSide(editor, name, resizing) {
  const label = editor.t(`panel.${name}`);
  const input = make("input", { type: "number", class: "sesahand-number", min: 1, max: MAX_SIZE, step: 8 });
  const show = () => (input.value = editor.state.scene?.camera[name] ?? "");
  input.addEventListener("change", () => {
    const typed = Math.round(input.valueAsNumber);
    const { width, height } = editor.state.scene.camera;
    if (typed >= 1 && typed <= MAX_SIZE) resizing.to(...(name === "width" ? [typed, height] : [width, typed]));
    show();
  });
  return { element: make("label", { class: "sesahand-side" }, make("span", {}, label), input), refresh: show };
}

/** Return the slider of the lens, which leaves hands as large as they are, and what shows it anew. */
function createLens(editor) {
  let from = null;
  let shown = null;
  const slider = new Slider(
    { label: editor.t("panel.lens"), least: NARROWEST, most: WIDEST, step: 1, decimals: 1, unit: "°" },
    {
      slide: (degrees) => {
        const { scene } = editor.state;
        if (from === null || scene !== shown) from = scene;
        const start = from;
        editor.change((draft) => Object.assign(draft, sceneWithLens(editor.model, start, degrees)));
        shown = editor.state.scene;
      },
      settle: () => {
        from = null;
        editor.commit(`${editor.t("panel.lens")}: ${slider.text}`);
      },
    },
  );
  const refresh = () => slider.show(editor.editable ? fieldOfView(editor.state.scene.camera) : null);
  return { slider, refresh };
}

/** Return the fields of the picture's size and lens, and the button that fits it to the picture behind. */
export function createPicture(editor) {
  const resizing = new Resizing(editor);
  const sides = ["width", "height"].map((name) => createSide(editor, name, resizing));
  const lens = createLens(editor);
  const fit = button(editor.t("panel.fit"), () => resizing.to(...sizeBehind(editor)));
  const element = group(
    editor.t("panel.title.picture"),
    "sesahand-rows sesahand-picture",
    make("div", { class: "sesahand-line" }, ...sides.map((side) => side.element), fit),
    make("div", { class: "sesahand-row" }, ...lens.slider.parts),
  );
  return part(editor, element, () => {
    element.disabled = !editor.editable;
    const behind = sizeBehind(editor);
    const { width, height } = editor.state.scene?.camera ?? {};
    fit.disabled = !behind || (behind[0] === width && behind[1] === height);
    for (const each of [...sides, lens]) each.refresh();
  });
}
