// A part of the panel: what stands in the page, and what follows the editor until the part is given up.

/**
 * @typedef {object} Part
 * @property {HTMLElement} element
 * @property {() => void} dispose
 */

/**
 * Return a part that is shown anew after every change.
 * @param {import("../editor/hand_editor.js").HandEditor} editor
 * @param {HTMLElement} element
 * @param {() => void} refresh
 * @param {Array<() => void>} endings what else has to end with it
 * @returns {Part}
 */
export function part(editor, element, refresh, endings = []) {
  const end = editor.subscribe(refresh);
  refresh();
  return { element, dispose: () => [end, ...endings].forEach((each) => each()) };
}
