// The stage: where pointers, wheels and keys reach the hands. What it has no use for goes to the page around it.
import { orbited, zoomed } from "../core/sight.js";
import { dragOf, DRAGS, pinch, sizeBy } from "./drags.js";
import { handleAt, handleFromAround, jointOfKeypoint } from "./handles.js";
import { captureWheel, hasWheel, keySink } from "./key_sink.js";
import { SceneView } from "./scene_view.js";

const MIDDLE = 1;
const RIGHT = 2;
// Pixels that a pointer may tremble without dragging anything.
const TREMBLE = 3;
const ORBIT_PER_PIXEL = 0.01;
const ZOOM_PER_WHEEL = 0.001;
// Milliseconds without a turn of the wheel after which what it did is one step of undo.
const WHEEL_REST = 250;
const CURSORS = { dot: "grab", roll: "alias", size: "nwse-resize", skin: "move", object: "move" };

/** The element, and what happens in it. */
export class Stage {
  #drag = null;
  #touches = new Map();
  #pending = null;
  #frame = 0;
  #wheelTimer = 0;

  /**
   * Build it.
   * @param {import("../editor/hand_editor.js").HandEditor} editor
   * @param {Document} page
   */
  constructor(editor, page) {
    this.editor = editor;
    this.page = page;
    const make = (tag, name) => Object.assign(page.createElement(tag), { className: `sesahand-${name}` });
    this.element = make("div", "stage");
    const canvases = { picture: make("canvas", "picture"), handles: make("canvas", "handles") };
    this.view = new SceneView(editor, canvases);
    this.sink = keySink(page, editor);
    this.element.append(canvases.picture, canvases.handles, this.sink);
    this.abort = new AbortController();
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.element);
    this.#listen();
  }

  dispose() {
    this.abort.abort();
    this.observer.disconnect();
    clearTimeout(this.#wheelTimer);
    this.page.defaultView.cancelAnimationFrame(this.#frame);
    this.view.dispose();
  }

  /** Whether keys are the stage's. */
  get hasFocus() {
    return this.page.activeElement === this.sink;
  }

  /** Take the keys. */
  focus() {
    this.sink.focus({ preventScroll: true });
    this.editor.host.focused?.();
  }

  measure() {
    this.view.resize(this.element.clientWidth, this.element.clientHeight);
  }

  #listen() {
    const on = (name, act, options) =>
      this.element.addEventListener(name, act, { signal: this.abort.signal, ...options });
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#move(event));
    on("pointerup", (event) => this.#up(event));
    on("pointercancel", (event) => this.#cancel(event));
    on("pointerleave", () => this.view.setHot(null));
    for (const name of ["pointerenter", "pointerleave"]) on(name, captureWheel);
    // Not on pointerdown: there, it would take away mouseup, by which the frontend notices that the graph has changed.
    // Here it keeps the browser from moving the focus off the sink again.
    on("mousedown", (event) => {
      if (event.button === MIDDLE) return;
      event.preventDefault();
      event.stopPropagation();
      this.focus();
    });
    on("wheel", (event) => this.#wheel(event), { passive: false });
    this.#keepTouches();
    for (const name of ["contextmenu", "dblclick"]) {
      on(name, (event) => {
        event.preventDefault();
        event.stopPropagation();
      });
    }
  }

  /** Keep fingers on the stage from the graph, which pans and zooms by them before anything below it is asked. */
  #keepTouches() {
    for (const name of ["touchstart", "touchmove", "touchend", "touchcancel"]) {
      const keep = (event) => this.element.contains(event.target) && event.stopPropagation();
      this.page.defaultView.addEventListener(name, keep, { capture: true, signal: this.abort.signal });
    }
  }

  /** Return an event's pixel on the stage. The frontend scales widgets with the zoom of its canvas. */
  pixelOf({ clientX, clientY }) {
    const box = this.element.getBoundingClientRect();
    const { clientWidth, clientHeight } = this.element;
    return [((clientX - box.left) / box.width) * clientWidth, ((clientY - box.top) / box.height) * clientHeight];
  }

  get #isAround() {
    return this.editor.state.look === "around";
  }

  #handleAt(pixel, pointerType) {
    const pointer = pointerType === "touch" ? "touch" : "mouse";
    const shown = this.view.showsHandles ? this.view.shown : { ...this.view.shown, chosen: -1 };
    if (!this.#isAround) return handleAt(shown, pixel, pointer);
    // From the side, fingers and objects go to the camera and away from it; how the hand stands is not seen there.
    return this.editor.editable ? handleFromAround(shown, pixel, pointer) : null;
  }

  #down(event) {
    if (event.button === MIDDLE) return void this.editor.host.forward?.(event);
    event.stopPropagation();
    this.element.setPointerCapture(event.pointerId);
    const at = this.pixelOf(event);
    if (event.pointerType === "touch" && this.#touched(event, at)) return;
    this.view.look();
    this.#drag = this.#takeHold(event, at);
    if (event.pointerType !== "mouse") this.focus();
  }

  /** Note a finger on the glass; two make a pinch, and true is returned. */
  #touched(event, at) {
    this.#touches.set(event.pointerId, at);
    if (this.#touches.size !== 2) return this.#touches.size > 2;
    if (this.#drag?.act) this.editor.cancel();
    const from = [...this.#touches.values()];
    this.view.look();
    const canPinch = this.editor.editable && this.view.shown.chosen >= 0 && !this.#isAround;
    this.#drag = canPinch ? { name: "pinch", at, act: pinch(this.view, from) } : null;
    return true;
  }

  /** Return the drag that a pointer begins. */
  #takeHold(event, at) {
    const { editor, view } = this;
    const handle = event.button === RIGHT && this.#isAround ? null : this.#handleAt(at, event.pointerType);
    if (this.#isAround && !handle) return { name: "orbit", at, last: at };
    this.#choose(handle, event.button);
    if (!editor.editable || view.shown.chosen < 0) return null;
    if (event.button === RIGHT) return { name: handle?.kind === "object" ? "turnObject" : "turn", at };
    return handle && { ...dragOf(handle, { shift: event.shiftKey }), at, kind: handle.kind };
  }

  /** Choose what was pressed on: another hand, or a joint; beside both, none. */
  #choose(handle, button) {
    const { editor, view } = this;
    const isObject = handle?.kind === "object";
    if (isObject || (handle && handle.hand !== view.shown.chosen)) {
      editor.choose({ hand: view.shown.places[handle.hand], object: isObject });
      view.look();
    } else if (handle?.kind === "dot") editor.choose({ joint: jointOfKeypoint(handle.keypoint) });
    else if (button !== RIGHT) editor.choose({});
  }

  #move(event) {
    if (event.buttons & 4) return void this.editor.host.forward?.(event);
    event.stopPropagation();
    const at = this.pixelOf(event);
    if (this.#touches.has(event.pointerId)) this.#touches.set(event.pointerId, at);
    if (!this.#drag) return void this.#hover(event, at);
    this.#pending = at;
    this.#frame ||= this.page.defaultView.requestAnimationFrame(() => {
      this.#frame = 0;
      this.#advance();
    });
  }

  #hover(event, at) {
    const handle = this.#handleAt(at, event.pointerType);
    this.view.setHot(handle?.kind === "skin" ? null : handle);
    this.element.style.cursor = CURSORS[handle?.kind] ?? (this.#isAround ? "move" : "default");
  }

  /** Do what the pointer asked for since the last frame. */
  #advance() {
    const [drag, at] = [this.#drag, this.#pending];
    this.#pending = null;
    if (!drag || !at) return;
    if (drag.name === "orbit") return void this.#orbit(drag, at);
    if (!drag.act) {
      if (Math.hypot(at[0] - drag.at[0], at[1] - drag.at[1]) < TREMBLE) return;
      drag.act = DRAGS[drag.name](this.view, drag.at, drag);
    }
    drag.act.move(drag.name === "pinch" ? [...this.#touches.values()] : at);
  }

  #orbit(drag, at) {
    const [right, down] = [at[0] - drag.last[0], at[1] - drag.last[1]];
    drag.last = at;
    this.view.setOrbit(orbited(this.view.orbit, -right * ORBIT_PER_PIXEL, down * ORBIT_PER_PIXEL));
  }

  #up(event) {
    if (event.button === MIDDLE) return void this.editor.host.forward?.(event);
    event.stopPropagation();
    if (this.#drag) this.#advance();
    this.#touches.delete(event.pointerId);
    const drag = this.#drag;
    this.#drag = null;
    if (drag?.act) this.editor.commit(this.editor.t(`did.${drag.name}`));
  }

  #cancel(event) {
    this.#touches.delete(event.pointerId);
    this.cancelDrag();
  }

  /** Give up a drag as if it had not been; returns whether there was one. */
  cancelDrag() {
    const drag = this.#drag;
    this.#drag = this.#pending = null;
    if (drag?.act) this.editor.cancel();
    return Boolean(drag?.act);
  }

  #wheel(event) {
    // The canvas zooms with the wheel until the editor has been clicked into, and with Ctrl always.
    if (!hasWheel(this) || event.ctrlKey) return void this.editor.host.forward?.(event);
    event.preventDefault();
    event.stopPropagation();
    const factor = Math.exp(-event.deltaY * ZOOM_PER_WHEEL);
    if (this.#isAround) return void this.view.setOrbit(zoomed(this.view.orbit, factor));
    if (!this.editor.hand || this.#drag) return;
    this.view.look();
    sizeBy(this.view, factor);
    clearTimeout(this.#wheelTimer);
    const did = this.editor.t(this.editor.object ? "did.sizeObject" : "did.size");
    this.#wheelTimer = setTimeout(() => this.editor.commit(did), WHEEL_REST);
  }
}
