// All poses there are to choose from: the pack's gestures, and the user's own presets.
import { restHand, withRightPose } from "../core/hand.js";
import { readPreset } from "../core/presets.js";
import { fromAxisAngle } from "../core/rotations.js";
import { CANONICAL } from "../core/turning.js";

// More than anybody looks through; each is a file to be read.
const MOST_PRESETS = 200;

/**
 * @typedef {object} Pose to choose
 * @property {string} title
 * @property {string[]} words what else it is called
 * @property {string} description
 * @property {boolean} own whether it is the user's
 * @property {number[][]} pose a right hand's
 * @property {number[]} view in which people know it: a right hand's `globalOrient`
 */

/**
 * @typedef {object} Storage of texts by names
 * @property {() => Promise<string[]>} list
 * @property {(name: string) => Promise<string>} read
 * @property {(name: string, text: string) => Promise<void>} write
 * @property {(name: string) => Promise<void>} remove
 */

/** Return a gesture of the facts as a pose to choose, under its name in the user's language, if that has one. */
function gesture({ name, title, words, description, hand_pose: pose, global_orient: view }, t) {
  const key = `gesture.${name}`;
  const said = t(key);
  return {
    title: said === key ? title : said,
    words: [title, ...words],
    description,
    own: false,
    pose: pose.map(fromAxisAngle),
    view: fromAxisAngle(view),
  };
}

/** The poses to choose from; presets are there once `refresh` has read them. */
export class Library {
  #listeners = new Set();

  /** @param {import("../editor/hand_editor.js").HandEditor} editor */
  constructor(editor) {
    this.editor = editor;
    this.gestures = editor.facts.gestures.map((each) => gesture(each, editor.t));
    /** The user's own, by name. */
    this.presets = [];
  }

  /** @returns {Storage | undefined} */
  get #storage() {
    return /** @type {any} */ (this.editor.host.storage);
  }

  /** The user's first, since they are looked for more often. */
  get poses() {
    return [...this.presets, ...this.gestures];
  }

  /** Call a listener when the presets have changed; returns what ends that. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Read the user's presets; those that are none are left out. */
  async refresh() {
    if (!this.#storage) return;
    const names = [...(await this.#storage.list())].sort((a, b) => a.localeCompare(b)).slice(0, MOST_PRESETS);
    const read = await Promise.all(names.map((name) => this.#read(name)));
    this.presets = read.filter((preset) => preset !== null);
    for (const listener of this.#listeners) listener();
  }

  /** Return a preset, or null for a file that holds none. */
  async #read(name) {
    try {
      const pose = readPreset(await this.#storage.read(name), this.editor.model.name);
      return { title: name, words: [], description: "", own: true, pose, view: CANONICAL.right };
    } catch {
      // Somebody's other file, or one that was deleted meanwhile: not ours to complain about.
      return null;
    }
  }

  /** Write a preset and read all again. */
  async write(name, text) {
    await this.#storage.write(name, text);
    await this.refresh();
  }

  /** Delete a preset and read all again. */
  async remove(name) {
    await this.#storage.remove(name);
    await this.refresh();
  }
}

/** Return a right hand that shows a pose in the view in which people know it, or with its palm. */
export const handOf = ({ pose, view = CANONICAL.right }) =>
  withRightPose(/** @type {any} */ ({ ...restHand(), globalOrient: view }), pose);
