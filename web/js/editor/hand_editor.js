// What is edited, how far it got, and what is chosen: everything of the editor but its looks. It knows no ComfyUI.
import { Anatomy } from "../core/anatomy.js";
import { rightPose, withRightPose } from "../core/hand.js";
import { History } from "../core/history.js";
import { objectShapes } from "../core/objects.js";
import { editedScene } from "../core/scene_edit.js";
import { writeScene } from "../core/scene_writing.js";
import { drawSnapshot } from "../view/snapshot.js";
import { choose, keepChoice, noChoice } from "./choice.js";
import { NO_HOST } from "./host.js";
import { Listeners } from "./listeners.js";
import { readableSize, shownScene, statusOf } from "./shown_scene.js";
import { translator } from "./strings.js";

/** The scene that is edited, its text, and what is chosen of it. Nothing of the latter is ever in the text. */
export class HandEditor {
  #changes = new Listeners();
  #words = new Listeners();
  // The scene as it was before what is not yet written; null if all is.
  #before = null;

  /**
   * Start with a text, which nothing was before.
   * @param {object} given
   * @param {import("../core/hand_model.js").HandModel} given.model
   * @param {any} given.facts what /sesahand/editor/facts answers
   * @param {import("./host.js").Host} [given.host]
   * @param {(key: string, values?: object) => string} [given.t]
   * @param {string} [given.text]
   */
  constructor({ model, facts, host = NO_HOST, t = translator(), text = "" }) {
    this.model = model;
    this.facts = facts;
    this.anatomy = new Anatomy(facts);
    this.objects = objectShapes(facts.objects);
    this.host = host;
    this.t = t;
    this.history = new History(text);
    /** What came in, from the last run that asked for it. */
    this.input = { linked: false, found: "", fingerprint: "", waits: false, size: null };
    /** A text that another node gives; then this one only shows. */
    this.wired = null;
    this.background = { image: null, opacity: 1, hands: 1, dropped: false };
    this.problem = "";
    this.state = noChoice();
    this.#take(text);
  }

  /** The chosen hand, or null. */
  get hand() {
    return this.state.scene?.hands[this.state.chosen] ?? null;
  }

  /** What the chosen hand holds, if that is chosen rather than the hand; or null. */
  get object() {
    return (this.state.object && this.hand?.held) || null;
  }

  /** Whether edits are taken. */
  get editable() {
    return this.state.scene !== null && this.wired === null && this.status !== "unseen";
  }

  /** How things stand; see `statusOf`. */
  get status() {
    return statusOf(this);
  }

  /** Call a listener after every change of the scene or of what is chosen; returns what ends that. */
  subscribe(listener) {
    return this.#changes.add(listener);
  }

  /** Say something politely to those who cannot see it; what nothing else shows is for all to see. */
  say(words, isSeen = false) {
    this.#words.tell(words, isSeen);
  }

  /** Take what says things aloud; returns what ends that. */
  speakThrough(speak) {
    return this.#words.add(speak);
  }

  /** Tell of a change, after which what is chosen may not be there any more. */
  #tell() {
    keepChoice(this.state);
    this.#changes.tell();
  }

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
      this.state.scene = shownScene(this);
    } catch (error) {
      if (error.name !== "InvalidFileError") throw error;
      this.problem = error.message;
      this.state.scene = null;
    }
    this.#tell();
  }

  /**
   * Take news of what comes in; a text that is empty shows it.
   * @param {Partial<{linked: boolean, found: string, fingerprint: string, waits: boolean, size: number[]}>} news
   */
  receive(news) {
    const before = JSON.stringify(this.input);
    this.input = { ...this.input, ...news };
    this.input.size = readableSize(this.input.size);
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

  /**
   * Edit a copy of the scene. What it becomes is shown at once, within the limits of joints, and written by `commit`.
   * @param {(draft: import("../core/scene_format.js").Scene) => void} edit
   */
  change(edit) {
    if (!this.editable) return;
    const { scene, chosen, locked } = this.state;
    this.#before ??= scene;
    this.state.scene = editedScene(this.anatomy, scene, edit, { hand: chosen, fingers: [...locked] });
    this.#tell();
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
    const text = writeScene(this.state.scene);
    // What came in is taken over even without a change.
    const isSame = this.text.trim() !== "" && text === writeScene(this.#before);
    this.#before = null;
    if (isSame) return;
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

  /** Write another text; one that is no scene is written too, and shown as what it is. */
  replaceText(text) {
    this.cancel();
    if (this.wired !== null || text === this.text) return;
    this.history.record(text);
    this.#write(text);
  }

  /** Choose a hand, or a joint of it, or what it holds; see `choose` of choice.js. */
  choose(choice) {
    if (choose(this.state, choice)) this.#tell();
  }

  /** Look in another way: look, shown, frame. */
  view(changes) {
    Object.assign(this.state, changes);
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
