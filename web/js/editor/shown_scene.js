// Which hands are shown: those of the text, or, as long as it is empty, those that came in or that all begins with.
import { firstScene } from "../core/first_scene.js";
import { MAX_SIZE, readScene } from "../core/scene_reading.js";

/**
 * Return a picture's size as a text can say it: in its proportions, but no larger; null of one that shows nothing.
 * @param {[number, number] | null} size
 * @returns {[number, number] | null}
 */
export function readableSize(size) {
  if (!size?.every((side) => side >= 1)) return null;
  const smaller = Math.min(1, MAX_SIZE / Math.max(...size));
  return size.map((side) => Math.max(1, Math.round(side * smaller)));
}

/**
 * Return the size of the picture behind the hands, or null; one that was dropped stands before the one that came in.
 * @returns {[number, number] | null}
 */
export function sizeBehind({ input, background: { image, dropped } }) {
  if (input.size && !dropped) return input.size;
  return image ? readableSize([image.naturalWidth ?? image.width, image.naturalHeight ?? image.height]) : null;
}

/** Return the scene that is there before anything is, in a picture's size: as in Python, of the one that came in. */
export function freshScene({ model, facts, input }, size = input.size) {
  const scene = readScene(facts.default_scene, model.name);
  return size ? firstScene(model, scene, size[0], size[1]) : scene;
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
