// What the editor asks of the page that it stands in, ComfyUI's or any other.

/**
 * @typedef {object} Host what only the page around the editor can do
 * @property {(text: string) => void} [write] keep the text, as one step of the page's own undo
 * @property {(way: "undo" | "redo") => void} [travel] go a step of the page's own undo
 * @property {(event: Event) => void} [forward] let the page have an event that the editor has no use for
 * @property {() => void} [focused] the editor got the keys
 * @property {object} [storage] list(), read(name), write(name, text), remove(name) of the user's own files
 * @property {(file: File) => Promise<object>} [upload] put a file where the page keeps those of the user
 * @property {(file: File) => Promise<void>} [dropPicture] take a picture file for the background
 * @property {() => void} [removePicture] forget it
 */

/** A page that does nothing for the editor. */
export const NO_HOST = Object.freeze({});
