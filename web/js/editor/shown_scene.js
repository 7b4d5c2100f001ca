// Which hands are shown: those of the text, or, as long as it is empty, those that came in or that all begins with.
import { firstScene } from "../core/first_scene.js";
import { readScene } from "../core/scene_reading.js";

/** Return the scene that is there before anything is, in the size of the picture that came in. */
export function freshScene({ model, facts, input }) {
  const scene = readScene(facts.default_scene, model.name);
  return input.size ? firstScene(model, scene, input.size[0], input.size[1]) : scene;
}

/**
 * Return the scene that an editor shows.
 * @param {import("./hand_editor.js").HandEditor} editor
 * @throws {InvalidFileError} if the text, or what came in, is no scene that can be shown
 */
export function shownScene(editor) {
  const { model, input } = editor;
  const text = editor.wired ?? editor.text;
  if (text.trim()) return readScene(text, model.name);
  if (input.found) return { ...readScene(input.found, model.name), takenFrom: input.fingerprint };
  const scene = freshScene(editor);
  return input.linked ? { ...scene, hands: [] } : scene;
}

/** Return the state of a text that is empty. */
function stateOfInput({ linked, found, waits }) {
  if (waits) return "waiting";
  if (!linked) return "empty";
  return found ? "following" : "unseen";
}

/**
 * Return how things stand.
 * @param {import("./hand_editor.js").HandEditor} editor
 * @returns {"unreadable" | "unshown" | "viewOnly" | "waiting" | "unseen" | "following" | "empty" | "outdated" |
 *   "edited"}
 *   unreadable is the text, unshown what came in, and outdated are hands whose input has changed since they were taken
 *   over
 */
export function statusOf({ problem, text, wired, input, state }) {
  if (problem) return text.trim() || wired !== null ? "unreadable" : "unshown";
  if (wired !== null) return "viewOnly";
  if (!text.trim()) return stateOfInput(input);
  const from = state.scene.takenFrom;
  return from && input.fingerprint && from !== input.fingerprint ? "outdated" : "edited";
}
