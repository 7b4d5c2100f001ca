// Where the chosen hand is in the picture, how large, and how it is turned.
import { placedAt, placeOf, turnedTo } from "../core/place.js";
import { viewAngles, viewRotation } from "../core/turning.js";
import { make } from "../editor/elements.js";
import { group } from "./elements.js";
import { handSlider } from "./hand_edit.js";
import { part } from "./part.js";

// Shares of the picture's height.
const SMALLEST = 0.05;
const LARGEST = 2;
// Radians: what computing angles and back costs is no turn by somebody else.
const SAME = 1e-9;

/** The angles that somebody set, as long as the hand is turned by them: edge on, others would give the same turn. */
class Turn {
  #angles = null;

  read({ side, globalOrient }) {
    const expected = this.#angles && viewRotation(side, this.#angles);
    if (!expected?.every((value, k) => Math.abs(value - globalOrient[k]) < SAME)) {
      this.#angles = viewAngles(side, globalOrient);
    }
    return this.#angles;
  }

  /** Return the rotation with one angle changed, degrees. */
  with(hand, name, degrees) {
    this.#angles = { ...this.read(hand), [name]: degrees };
    return viewRotation(hand.side, this.#angles);
  }
}

/** Return the settings of how a hand is turned. */
function turnSettings(editor) {
  const turn = new Turn();
  const setting = (name, most) => ({
    label: editor.t(`panel.${name}`),
    least: -most,
    most,
    step: 1,
    decimals: 1,
    unit: "°",
    read: (hand) => turn.read(hand)[name],
    write: (hand, degrees) => turnedTo(editor.model, hand, turn.with(hand, name, degrees)),
  });
  return [setting("roll", 180), setting("pitch", 90), setting("yaw", 180)];
}

/** Return a setting of a hand's place; a hand that is behind the camera is brought before it. */
function placeSetting(editor, name, given) {
  const { read, write, ...bounds } = given;
  const camera = () => editor.state.scene.camera;
  const place = (hand) => placeOf(editor.model, hand, camera());
  const usual = () => ({ pixel: [camera().width / 2, camera().height / 2], size: 0.75 });
  return {
    label: editor.t(`panel.${name}`),
    ...bounds,
    read: (hand) => read(place(hand) ?? usual()),
    write: (hand, value) => placedAt(editor.model, hand, camera(), write(place(hand) ?? usual(), value)),
  };
}

/** Return the settings of where a hand is, and how large. */
function placeSettings(editor) {
  const coordinate = (name, axis) =>
    placeSetting(editor, name, {
      least: 0,
      most: 1,
      step: 1,
      decimals: 1,
      unit: " px",
      read: ({ pixel }) => pixel[axis],
      write: (place, value) => ({ ...place, pixel: place.pixel.with(axis, value) }),
    });
  const size = placeSetting(editor, "size", {
    least: 100 * SMALLEST,
    most: 100 * LARGEST,
    step: 1,
    decimals: 1,
    unit: " %",
    read: (place) => 100 * place.size,
    write: (place, value) => ({ ...place, size: value / 100 }),
  });
  return [size, coordinate("x", 0), coordinate("y", 1)];
}

/** Return the fields of size, place and turn. */
export function createPlace(editor) {
  const sliders = [...placeSettings(editor), ...turnSettings(editor)].map((setting) => handSlider(editor, setting));
  const rows = sliders.map(({ slider }) => make("div", { class: "sesahand-row" }, ...slider.parts));
  const element = group(editor.t("panel.title.place"), "sesahand-rows sesahand-place", ...rows);
  const [, x, y] = sliders;
  return part(editor, element, () => {
    const camera = editor.state.scene?.camera;
    if (camera) {
      x.slider.bound(0, camera.width);
      y.slider.bound(0, camera.height);
    }
    for (const { refresh } of sliders) refresh();
  });
}
