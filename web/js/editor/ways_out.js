// The ways from one state of the hands to another: what came in, the node's own, and an open hand.
import { writeScene } from "../core/scene_writing.js";
import { freshScene, readableSize, sizeBehind } from "./shown_scene.js";

/** Make the hands that came in the node's own, without a change. */
export const takeOver = (editor) => editor.edit(() => {}, editor.t("said.takenOver"));

/** Give up the node's own hands for those that come in. */
export const follow = (editor) => editor.replaceText("");

/** Go on with hands that were taken over from an input that has changed since. */
export function keepMine(editor) {
  const { fingerprint } = editor.input;
  editor.edit((draft) => Object.assign(draft, { takenFrom: fingerprint }));
}

/** Start with an open hand, whatever there was, in the size of the picture behind it. */
export const startAnew = (editor) => editor.replaceText(writeScene(freshScene(editor, sizeBehind(editor))));

/** Start in a picture of a size that came for behind the hands, unless there are hands already. */
export function startIn(editor, size) {
  const readable = readableSize(size);
  if (editor.status === "empty" && readable) editor.replaceText(writeScene(freshScene(editor, readable)));
}
