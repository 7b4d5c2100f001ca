// Files that come from outside: a picture for behind the hands, or a scene. What is neither, or broken, is refused in
// words, and what there was stays.
import { InvalidFileError } from "../core/errors.js";
import { readScene } from "../core/scene_reading.js";
import { writeScene } from "../core/scene_writing.js";

// A scene of as many hands as an editor shows is far smaller.
const MOST_BYTES = 2 ** 21;

/**
 * Return the text of a file.
 * @throws {InvalidFileError} if it is too large for a scene
 */
export async function textOf(file) {
  if (file.size <= MOST_BYTES) return file.text();
  throw new InvalidFileError(`The file has ${file.size} bytes, expected a scene of hands of at most ${MOST_BYTES}.`);
}

/**
 * Take the scene of a file; whose input it once was taken from means nothing here.
 * @param {import("./hand_editor.js").HandEditor} editor
 * @param {File} file
 * @throws {InvalidFileError} if it is no scene that can be shown
 */
export async function takeScene(editor, file) {
  const scene = readScene(await textOf(file), editor.model.name);
  editor.replaceText(writeScene({ ...scene, takenFrom: undefined }));
  editor.say(editor.t("panel.text.imported"));
}

/** Take whatever was dropped, or say why not. */
export async function takeDropped(editor, file) {
  const { t, host } = editor;
  const isPicture = file.type.startsWith("image/");
  const isScene = file.type === "application/json" || file.name.toLowerCase().endsWith(".json");
  try {
    if (isPicture && host.dropPicture) await host.dropPicture(file);
    else if (isScene && editor.wired === null) await takeScene(editor, file);
    else editor.say(t(isScene ? "state.viewOnly" : "said.notTaken"), true);
  } catch (error) {
    editor.say(isPicture ? t("panel.background.failed", { problem: error.message }) : error.message, true);
  }
}
