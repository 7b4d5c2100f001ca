// A field to close and spread the whole hand at once: down closes it, sideways spreads it; locked fingers stay.
import { meanCurl, withMeanCurl } from "../core/curling.js";
import { rightPose } from "../core/hand.js";
import { FINGERS } from "../core/skeleton.js";
import { FAN, fanOf, withFan } from "../core/spreading.js";
import { make } from "../editor/elements.js";
import { group } from "./elements.js";
import { HandEdit, reposed } from "./hand_edit.js";
import { part } from "./part.js";
import { Slider } from "./slider.js";

const clamped = (value, least, most) => Math.min(most, Math.max(least, value));

/** What the pad does to the fingers that are not locked. */
class PadPose {
  constructor(editor) {
    this.editor = editor;
  }

  /** Fingers that close, and of these the ones that spread. */
  get #free() {
    const free = FINGERS.filter((finger) => !this.editor.state.locked.has(finger));
    return { free, fan: FAN.filter((finger) => free.includes(finger)) };
  }

  /** Return how closed (0 to 1) and how spread (-1 to 1) a right hand's pose is; null if all fingers are locked. */
  read(pose) {
    const { free, fan } = this.#free;
    if (!free.length) return null;
    const { anatomy } = this.editor;
    return { closed: meanCurl(anatomy, pose, free), spread: fan.length ? fanOf(anatomy, pose, fan) : 0 };
  }

  /** Return a pose as closed and as spread as is wanted; what is not said stays. */
  write(pose, { closed, spread }) {
    const { free, fan } = this.#free;
    const { anatomy } = this.editor;
    const bent = closed === undefined ? pose : withMeanCurl(anatomy, pose, free, closed);
    return spread === undefined ? bent : withFan(anatomy, bent, spread, fan);
  }
}

/** Return the place of a pointer in an element as shares of its width and height, whatever the page is scaled by. */
function placeIn(element, event) {
  const box = element.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((x) => clamped(x, 0, 1));
}

/** Let a pointer drag in an element: `drag` gets its place there, `drop` is called at the end. */
function onDrag(element, { drag, drop }) {
  let pointer = null;
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || element.closest("fieldset").disabled) return;
    pointer = event.pointerId;
    element.setPointerCapture(pointer);
    drag(placeIn(element, event));
  });
  element.addEventListener("pointermove", (event) => {
    if (event.pointerId === pointer) drag(placeIn(element, event));
  });
  const end = (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    drop();
  };
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) element.addEventListener(name, end);
}

/** Let an arrow key do in the pad what it looks like, whichever of its sliders has the keys. */
function steer(event, found) {
  if (!found || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  const [slider, way] = found;
  slider.nudge(event.shiftKey ? 10 * way : way);
}

/** Return the pad; keys move its two sliders, which are there for those who use no pointer. */
export function createPad(editor) {
  const edit = new HandEdit(editor);
  const pose = new PadPose(editor);
  const label = editor.t("panel.title.pad");
  const set = (wanted) => edit.show((hand) => reposed(hand, (before) => pose.write(before, wanted)));
  const taker = (name) => ({ slide: (value) => set({ [name]: value }), settle: () => edit.end(label) });
  const closed = new Slider({ label: editor.t("panel.close"), least: 0, most: 1, step: 0.02 }, taker("closed"));
  const spread = new Slider({ label: editor.t("panel.fan"), least: -1, most: 1, step: 0.04 }, taker("spread"));
  const dot = make("div", { class: "sesahand-pad-dot" });
  const field = make("div", { class: "sesahand-pad-field" }, dot);
  field.append(make("div", { class: "sesahand-hidden" }, closed.label, spread.label));
  const keys = { ArrowLeft: [spread, -1], ArrowRight: [spread, 1], ArrowUp: [closed, -1], ArrowDown: [closed, 1] };
  field.addEventListener("keydown", (event) => steer(event, keys[event.key]), { capture: true });
  onDrag(field, {
    drag: ([x, y]) => set({ closed: y, spread: 2 * x - 1 }),
    drop: () => edit.end(label),
  });
  // The keys go on where the pointer was; a press must not take them to the page.
  field.addEventListener("mousedown", (event) => {
    event.preventDefault();
    closed.range.focus({ preventScroll: true });
  });
  const signs = ["open", "closed", "narrow", "wide"].map((sign) =>
    make("span", { class: `sesahand-pad-${sign}`, "aria-hidden": "true" }, editor.t(`panel.pad.${sign}`)),
  );
  const element = group(label, "sesahand-pad", field, ...signs);
  return part(editor, element, () => {
    const found = editor.hand && editor.editable ? pose.read(rightPose(editor.hand)) : null;
    element.disabled = found === null;
    closed.show(found && found.closed);
    spread.show(found && found.spread);
    const [x, y] = found ? [(clamped(found.spread, -1, 1) + 1) / 2, clamped(found.closed, 0, 1)] : [0.5, 0];
    dot.style.left = `${100 * x}%`;
    dot.style.top = `${100 * y}%`;
  });
}
