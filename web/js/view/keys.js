// What keys do while the stage has them: a table of names, which editor/commands.js carries out.

const PLAIN = Object.freeze({
  1: ["finger", "thumb"],
  2: ["finger", "index"],
  3: ["finger", "middle"],
  4: ["finger", "ring"],
  5: ["finger", "pinky"],
  "[": ["joint", -1],
  "]": ["joint", 1],
  arrowup: ["arrow", [0, -1]],
  arrowdown: ["arrow", [0, 1]],
  arrowleft: ["arrow", [-1, 0]],
  arrowright: ["arrow", [1, 0]],
  ",": ["twist", -1],
  ".": ["twist", 1],
  m: ["mirror"],
  a: ["add"],
  delete: ["remove"],
  backspace: ["remove"],
  o: ["object"],
  c: ["grip"],
  r: ["resetFinger"],
  g: ["arrows", "move"],
  s: ["arrows", "size"],
  t: ["arrows", "turn"],
  h: ["handles"],
  d: ["shown"],
  v: ["look"],
  f: ["large"],
  escape: ["escape"],
});
const SHIFTED = Object.freeze({ r: ["resetHand"] });
const CONTROL = Object.freeze({ z: ["undo"], y: ["redo"] });
const CONTROL_SHIFTED = Object.freeze({ z: ["redo"] });
const NUMPAD = Object.freeze({ Numpad1: ["from", "front"], Numpad3: ["from", "side"], Numpad7: ["from", "above"] });
const EVERYWHERE = ["escape"];
const TRAVELS = ["undo", "redo"];

/**
 * Return what a key asks for: the name of a command, what it is given, and whether in large steps; null for a key that
 * is not the editor's.
 * @param {{key: string, code?: string, ctrlKey?: boolean, metaKey?: boolean, shiftKey?: boolean, altKey?: boolean}}
 *   event
 */
export function commandOf({ key, code, ctrlKey, metaKey, shiftKey, altKey }) {
  const name = key.toLowerCase();
  const control = ctrlKey || metaKey;
  if (altKey) return null;
  const table = control ? (shiftKey ? CONTROL_SHIFTED : CONTROL) : { ...PLAIN, ...(shiftKey ? SHIFTED : {}) };
  const found = (!control && NUMPAD[code]) || (Object.hasOwn(table, name) ? table[name] : null);
  return found && { name: found[0], value: found[1], large: Boolean(shiftKey) };
}

/**
 * Return what a key asks for while an element beside the stage has it: a way out, or a step of undo, unless what is
 * typed there has an undo of its own.
 * @param {any} event
 */
export function commandBeside(event) {
  const command = commandOf(event);
  const { localName, type } = event.target;
  const isTyped = localName === "textarea" || (localName === "input" && ["text", "number"].includes(type));
  return EVERYWHERE.includes(command?.name) || (TRAVELS.includes(command?.name) && !isTyped) ? command : null;
}

/** Tell whether a key is for the editor alone although it does nothing there, so that no graph is surprised by it. */
export const isOurs = ({ key, ctrlKey, metaKey }) => !ctrlKey && !metaKey && key !== "Tab";
