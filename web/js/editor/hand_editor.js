// What is edited, how far it got, and what is chosen: everything of the editor but its looks. It knows no ComfyUI.
import { Anatomy } from "../core/anatomy.js";
import { withFingersOf } from "../core/fingers.js";
import { firstScene } from "../core/first_scene.js";
import { rightPose, withRightPose } from "../core/hand.js";
import { History } from "../core/history.js";
import { limitedHands } from "../core/limited_hand.js";
import { readScene } from "../core/scene_reading.js";
import { writeScene } from "../core/scene_writing.js";
import { drawSnapshot } from "../view/snapshot.js";
import { translator } from "./strings.js";

/**
 * @typedef {object} Host what only the page around the editor can do
 * @property {(text: string) => void} [write] keep the text, as one step of the page's own undo
 * @property {(event: Event) => void} [forward] let the page have an event that the editor has no use for
 * @property {() => void} [focused] the editor got the keys
 * @property {object} [storage] list(), read(name), write(name, text), remove(name) of the user's own files
 * @property {(file: File) => Promise<void>} [dropPicture] take a picture file for the background
 * @property {() => void} [removePicture] forget it
 */

/** The scene that is edited, its text, and what is chosen of it. Nothing of the latter is ever in the text. */
export class HandEditor {
  #listeners = new Set();
  #spoken = new Set();
  // The scene as it was before what is not yet written; null if all is.
  #before = null;

  /**
   * Start with no text.
   * @param {object} given
   * @param {import("../core/hand_model.js").HandModel} given.model
   * @param {object} given.facts what /sesahand/editor/facts answers
   * @param {Host} [given.host]
   * @param {(key: string, values?: object) => string} [given.t]
   */
  constructor({ model, facts, host = {}, t = translator() }) {
    this.model = model;
    this.facts = facts;
    this.anatomy = new Anatomy(facts);
    this.host = host;
    this.t = t;
    this.text = "";
    this.history = new History("");
    /** What came in, from the last run that asked for it. */
    this.input = { linked: false, found: "", fingerprint: "", waits: false, size: null };
    /** A text that another node gives; then this one only shows. */
    this.wired = null;
    this.background = { image: null, opacity: 1, dropped: false };
    this.problem = "";
    this.state = { scene: null, chosen: -1, joint: -1, look: "picture", shown: "hand", frame: 0, locked: new Set() };
    this.show("");
  }

  // --- What it is

  /** The chosen hand, or null. */
  get hand() {
    return this.state.scene?.hands[this.state.chosen] ?? null;
  }

  /** Whether edits are taken. */
  get editable() {
    return this.state.scene !== null && this.wired === null && this.status !== "unseen";
  }

  /** One of unreadable (the text), unshown (what came in), viewOnly, waiting, unseen, following, empty, outdated, edited. */
  get status() {
    if (this.problem) return this.text.trim() || this.wired !== null ? "unreadable" : "unshown";
    if (this.wired !== null) return "viewOnly";
    const { linked, found, waits, fingerprint } = this.input;
    if (!this.text) return waits ? "waiting" : linked ? (found ? "following" : "unseen") : "empty";
    const from = this.state.scene?.takenFrom;
    return from && fingerprint && from !== fingerprint ? "outdated" : "edited";
  }

  /** Call a listener after every change of the scene or of what is chosen; returns what ends that. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Say something to those who cannot see it, politely. */
  say(words) {
    for (const speak of this.#spoken) speak(words);
  }

  /** Take what says things aloud; returns what ends that. */
  speakThrough(speak) {
    this.#spoken.add(speak);
    return () => this.#spoken.delete(speak);
  }

  #tell() {
    for (const listener of [...this.#listeners]) listener();
  }

  // --- Text in

  /** Show a text that was written elsewhere; it becomes a step of the editor's history. */
  show(text) {
    this.history.record(text);
    this.#take(text);
  }

  /** Show what a text, or for lack of one the input, holds. */
  #take(text) {
    this.text = text;
    this.#before = null;
    this.problem = "";
    try {
      this.state.scene = this.#sceneOf(this.wired ?? text);
    } catch (error) {
      if (error.name !== "InvalidFileError") throw error;
      this.problem = error.message;
      this.state.scene = null;
    }
    this.#keepChoice();
    this.#tell();
  }

  /** Return the scene that a text stands for. */
  #sceneOf(text) {
    if (text.trim()) return readScene(text, this.model.name);
    if (this.input.found) return { ...readScene(this.input.found, this.model.name), takenFrom: this.input.fingerprint };
    const scene = this.#firstScene();
    return this.input.linked ? { ...scene, hands: [] } : scene;
  }

  /** Return what is there before anything is, in the size of the picture that came in. */
  #firstScene() {
    const scene = readScene(this.facts.default_scene, this.model.name);
    return this.input.size ? firstScene(this.model, scene, ...this.input.size) : scene;
  }

  /** Bring the choice back to what there is. */
  #keepChoice() {
    const { state } = this;
    const hands = state.scene?.hands ?? [];
    state.frame = Math.min(state.frame, (state.scene?.numFrames ?? 1) - 1);
    const isShown = (hand) => hand?.frame === state.frame;
    if (!isShown(hands[state.chosen])) state.chosen = hands.findIndex(isShown);
    if (state.chosen < 0) state.joint = -1;
  }

  /**
   * Take news of what comes in; a text that is empty shows it.
   * @param {Partial<{linked: boolean, found: string, fingerprint: string, waits: boolean, size: number[]}>} news
   */
  receive(news) {
    const before = JSON.stringify(this.input);
    this.input = { ...this.input, ...news };
    if (!this.input.linked) Object.assign(this.input, { found: "", fingerprint: "" });
    if (JSON.stringify(this.input) === before) return;
    if (this.text || this.wired !== null) this.#tell();
    else this.#take(this.text);
  }

  /** Show a text that another node gives, without a way to edit it; null for this node's own. */
  showWired(text) {
    if (this.wired === text) return;
    this.wired = text;
    this.#take(this.text);
  }

  // --- Edits

  /**
   * Edit a copy of the scene. What it becomes is shown at once, within the limits of joints, and written by `commit`.
   * @param {(draft: import("../core/scene_format.js").Scene) => void} edit
   */
  change(edit) {
    if (!this.editable) return;
    const { scene } = this.state;
    this.#before ??= scene;
    const draft = { ...scene, camera: { ...scene.camera }, hands: [...scene.hands] };
    edit(draft);
    draft.hands = limitedHands(this.anatomy, draft.hands, scene.hands);
    this.#keepLocked(draft, scene);
    this.state.scene = draft;
    this.#keepChoice();
    this.#tell();
  }

  /** Give the chosen hand's locked fingers back what they were. */
  #keepLocked(draft, before) {
    const { chosen, locked } = this.state;
    const [hand, was] = [draft.hands[chosen], before.hands[chosen]];
    if (locked.size && hand && was && !before.hands.includes(hand)) {
      draft.hands[chosen] = withFingersOf(hand, was, [...locked]);
    }
  }

  /** Change the chosen hand: `edit` returns another one. */
  changeHand(edit) {
    const { chosen } = this.state;
    if (!this.hand) return;
    this.change((draft) => {
      draft.hands[chosen] = edit(draft.hands[chosen]);
    });
  }

  /** Change the chosen hand's pose, a right hand's; fingers that are locked stay as they are. */
  changePose(edit) {
    this.changeHand((hand) => withRightPose(hand, edit(rightPose(hand))));
  }

  /**
   * Write what was changed, as one step of undo.
   * @param {string} [words] what was done, for those who cannot see it
   */
  commit(words) {
    if (this.#before === null) return;
    this.#before = null;
    const text = writeScene(this.state.scene);
    if (text === this.text) return;
    this.text = text;
    this.history.record(text);
    this.host.write?.(text);
    if (words) this.say(words);
    this.#tell();
  }

  /** Forget what was changed and not yet written. */
  cancel() {
    if (this.#before === null) return;
    this.state.scene = this.#before;
    this.#before = null;
    this.#keepChoice();
    this.#tell();
  }

  /** Change and write in one: a click. */
  edit(change, words) {
    this.change(change);
    this.commit(words);
  }

  /** Go a step back, or say that there is none. */
  undo() {
    this.#travel(this.history.canUndo, () => this.history.undo(), "undone");
  }

  /** Go a step forward again. */
  redo() {
    this.#travel(this.history.canRedo, () => this.history.redo(), "redone");
  }

  #travel(can, step, word) {
    this.cancel();
    if (!can || this.wired !== null) return;
    this.#write(step());
    this.say(this.t(`said.${word}`));
  }

  /** Take a text as the node's own. */
  #write(text) {
    this.host.write?.(text);
    this.#take(text);
  }

  // --- The input and the text

  /** Make the input's hands the node's own without a change. */
  takeOver() {
    this.edit(() => {}, this.t("said.takenOver"));
  }

  /** Give up the node's own hands for those of the input. */
  follow() {
    this.replaceText("");
  }

  /** Go on with hands that were taken over from an input that has changed. */
  keepMine() {
    const { fingerprint } = this.input;
    this.edit((draft) => Object.assign(draft, { takenFrom: fingerprint }));
  }

  /** Start with an open hand, whatever there was. */
  startAnew() {
    this.replaceText(writeScene(this.#firstScene()));
  }

  /** Write another text; one that is no scene is written too, and shown as what it is. */
  replaceText(text) {
    this.cancel();
    if (this.wired !== null || text === this.text) return;
    this.history.record(text);
    this.#write(text);
  }

  // --- What is chosen and how it is looked at

  /**
   * Choose a hand, or a joint of it, or neither (-1).
   * @param {{hand?: number, joint?: number}} choice
   */
  choose({ hand = this.state.chosen, joint = -1 }) {
    const { state } = this;
    if (hand === state.chosen && joint === state.joint) return;
    Object.assign(state, { chosen: hand, joint });
    const chosen = state.scene?.hands[hand];
    if (chosen) state.frame = chosen.frame;
    this.#keepChoice();
    this.#tell();
  }

  /** Look in another way: look, shown, frame. */
  view(changes) {
    Object.assign(this.state, changes);
    this.#keepChoice();
    this.#tell();
  }

  /** Keep a finger as it is whatever is done to the hand, or no longer. */
  lock(finger, on) {
    if (on) this.state.locked.add(finger);
    else this.state.locked.delete(finger);
    this.#tell();
  }

  /** Draw one hand small into a canvas. */
  snapshot(hand, canvas) {
    return drawSnapshot(this.model, hand, canvas);
  }

  /** Show another picture behind the hands, or the same in another way; memory only. */
  setBackground(changes) {
    Object.assign(this.background, changes);
    this.#tell();
  }
}
