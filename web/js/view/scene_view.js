// A scene on a stage: the picture with its hands, and above it the handles. Drawn once a frame, and only after a
// change.
import { clipMatrix } from "../core/camera.js";
import { hiddenKeypoints, SeenHand, SeenObject } from "../core/seeing.js";
import { cameraOnStage, fitted, FRONT, Sight } from "../core/sight.js";
import { FINGER_JOINTS, FINGERS, keypointOf } from "../core/skeleton.js";
import { add, scale } from "../core/vectors.js";
import { drawHandles } from "./handle_drawing.js";
import { pivotOf } from "./handles.js";
import { ObjectSurface } from "./object_surface.js";
import { painterOf } from "./painter.js";
import { Surface } from "./surface.js";

/** Colours of hands by their side, as shares of red, green and blue. */
export const TINTS = Object.freeze({ right: [0.95, 0.72, 0.58], left: [0.6, 0.74, 0.95] });
const OBJECT_TINT = [0.62, 0.66, 0.64];
const STAGE = "#17181c";
const PAPER = "#26282e";
const EDGE = "rgba(255, 255, 255, 0.22)";
const MARGIN = 14;
// Metres that nothing is nearer than.
const NEAREST = 0.01;
const MOST_PIXELS_PER_PIXEL = 2;

/** Return the keypoint that a joint of a pose is at; -1 for none. */
function keypointOfJoint(joint) {
  const finger = fingerOfJoint(joint);
  return finger ? keypointOf(finger, FINGER_JOINTS[finger].indexOf(joint + 1)) : -1;
}

/** Return the finger that a joint of a pose is on, if any. */
const fingerOfJoint = (joint) => FINGERS.find((name) => FINGER_JOINTS[name].includes(joint + 1));

/** Return near and far planes around meshes. */
function depths(meshes) {
  let [near, far] = [Infinity, 0];
  for (const { positions } of meshes) {
    for (let v = 2; v < positions.length; v += 3) {
      near = Math.min(near, positions[v]);
      far = Math.max(far, positions[v]);
    }
  }
  return [Math.max(NEAREST, 0.95 * near), Math.max(2 * NEAREST, 1.05 * far)];
}

/** What is on the stage. */
export class SceneView {
  #surfaces = [];
  #objects = [];
  #frame = 0;
  #stale = { picture: true, handles: true };

  /**
   * Watch an editor.
   * @param {import("../editor/hand_editor.js").HandEditor} editor
   * @param {{picture: HTMLCanvasElement, handles: HTMLCanvasElement}} canvases one above the other
   */
  constructor(editor, canvases) {
    this.editor = editor;
    this.canvases = canvases;
    this.page = canvases.picture.ownerDocument;
    this.painter = painterOf(this.page);
    this.size = { width: 0, height: 0 };
    this.orbit = FRONT;
    this.hot = null;
    this.showsHandles = true;
    this.shown = { hands: [], objects: [], hidden: [], chosen: -1, stage: this.size, places: [], keypoints: [] };
    this.pictures = 0;
    this.endings = [editor.subscribe(() => this.redraw()), this.painter?.subscribe(() => this.redraw())];
  }

  dispose() {
    for (const end of this.endings) end?.();
    this.page.defaultView.cancelAnimationFrame(this.#frame);
    this.#frame = -1;
  }

  /** Whether hands can be drawn; handles can anyway. */
  get isDrawn() {
    return this.painter !== null && !this.painter.lost;
  }

  /** Draw anew with the next frame: all, or the handles alone. */
  redraw(picture = true) {
    this.#stale.picture ||= picture;
    this.#stale.handles = true;
    if (this.#frame) return;
    this.#frame = this.page.defaultView.requestAnimationFrame(() => {
      this.#frame = 0;
      this.draw();
    });
  }

  /** Take the stage's size, pixels of the page before any zoom. */
  resize(width, height) {
    if (width === this.size.width && height === this.size.height) return;
    this.size = { width, height };
    this.redraw();
  }

  /** Look from around by some way in pixels. */
  setOrbit(orbit) {
    this.orbit = orbit;
    this.redraw();
  }

  /** Show what the pointer is over. */
  setHot(hot) {
    if (hot?.kind === this.hot?.kind && hot?.keypoint === this.hot?.keypoint && hot?.hand === this.hot?.hand) return;
    this.hot = hot;
    this.redraw(false);
  }

  /** Draw now, if there is anything to draw on. */
  draw() {
    const { width, height } = this.size;
    if (!width || !height) return;
    if (this.#stale.picture) {
      this.look();
      this.#drawPicture();
      this.pictures += 1;
    }
    if (this.#stale.handles) this.#drawHandles();
    this.#stale = { picture: false, handles: false };
  }

  /** Find out what is seen where; `draw` does it too. */
  look() {
    const { scene, chosen, joint, frame, look } = this.editor.state;
    const { model } = this.editor;
    const all = scene?.hands ?? [];
    const places = [...all.keys()].filter((n) => all[n].frame === frame);
    while (this.#surfaces.length < places.length) {
      this.#surfaces.push(new Surface(model));
      this.#objects.push(new ObjectSurface(model, this.editor.objects));
    }
    this.surfaces = places.map((place, n) => this.#surfaces[n].update(all[place]));
    this.held = places.map((place, n) => (all[place].held ? this.#objects[n].update(all[place]) : null));
    const keypoints = places.map((place) => model.keypoints(all[place]));
    const camera = scene?.camera ?? { focalLength: 1, principalPoint: [0, 0], width: 1, height: 1 };
    this.fit = fitted(camera, this.size, MARGIN);
    const pivots = keypoints.map(pivotOf);
    const middle = pivots.length ? scale(pivots.reduce(add, [0, 0, 0]), 1 / pivots.length) : [0, 0, 0.5];
    const { width, height } = this.size;
    const through = cameraOnStage(camera, this.fit, this.size);
    this.sight =
      look === "around"
        ? new Sight({ ...through, principalPoint: [width / 2, height / 2] }, { pivot: middle, orbit: this.orbit })
        : new Sight(through);
    const hands = this.surfaces.map((surface, n) => new SeenHand(model, this.sight, surface.vertices, keypoints[n]));
    const objects = this.held.map((held) => held && this.#seenObject(held));
    const hidden = hiddenKeypoints(hands, objects);
    const finger = fingerOfJoint(joint);
    this.shown = {
      hands,
      objects,
      hidden,
      chosen: places.indexOf(chosen),
      finger,
      isObjectChosen: this.editor.object !== null,
      stage: this.size,
      places,
      keypoints,
    };
    return this.shown;
  }

  #seenObject({ shape, vertices, middle }) {
    return new SeenObject(shape, this.sight, vertices, middle);
  }

  /** Return a canvas' context in the stage's pixels, empty. */
  #context(canvas) {
    const ratio = Math.min(MOST_PIXELS_PER_PIXEL, this.page.defaultView.devicePixelRatio || 1);
    const [width, height] = [Math.round(this.size.width * ratio), Math.round(this.size.height * ratio)];
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.size.width, this.size.height);
    return { context, width, height };
  }

  #drawPicture() {
    const { context, width, height } = this.#context(this.canvases.picture);
    const { shown, look } = this.editor.state;
    context.fillStyle = STAGE;
    context.fillRect(0, 0, this.size.width, this.size.height);
    if (look === "picture") this.#drawPaper(context, shown);
    context.setTransform(1, 0, 0, 1, 0, 0);
    const meshes = this.surfaces.map((surface) => this.#mesh(surface, TINTS[surface.side]));
    this.held.forEach((held, holder) => held && meshes.push({ ...this.#mesh(held, OBJECT_TINT), holder }));
    if (!meshes.length || !this.painter) return;
    const [near, far] = depths(meshes);
    const clip = clipMatrix(this.sight.camera, near, far);
    // Maps are not to be seen through, nor is anything behind the hands where one looks from around.
    const alpha = shown === "hand" && look === "picture" ? this.editor.background.hands : 1;
    this.painter.paint(context, { clip, shown, meshes, width, height, alpha });
  }

  /** Draw the picture's frame and what is behind the hands. */
  #drawPaper(context, shown) {
    const { left, top, width, height } = this.fit;
    const { image, opacity } = this.editor.background;
    context.fillStyle = shown === "hand" ? PAPER : "#000";
    context.fillRect(left, top, width, height);
    if (image && shown === "hand") {
      context.globalAlpha = opacity;
      context.drawImage(image, left, top, width, height);
      context.globalAlpha = 1;
    }
    context.strokeStyle = EDGE;
    context.lineWidth = 1;
    context.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1);
  }

  /** Return what the painter draws of a hand or an object, as it is looked at. */
  #mesh(surface, tint) {
    const { sight } = this;
    const { index, sunk, span } = surface;
    if (!sight.around) return { positions: surface.positions, normals: surface.normals, index, sunk, span, tint };
    const positions = sight.seenAll(surface.positions, new Float32Array(surface.positions.length));
    const normals = sight.turnAll(surface.normals, new Float32Array(surface.normals.length));
    return { positions, normals, index, sunk, span, tint };
  }

  #drawHandles() {
    const { context } = this.#context(this.canvases.handles);
    const { state } = this.editor;
    if (!this.showsHandles || !this.editor.editable) return;
    drawHandles(context, this.shown, {
      hot: this.hot,
      joint: keypointOfJoint(state.joint),
      locked: state.locked,
      isPlaced: state.look === "picture",
    });
  }
}
