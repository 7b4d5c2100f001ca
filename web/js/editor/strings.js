// What the editor says, in English. Other languages are in locales/<language>/main.json under sesahand.editor; a word
// that one of them lacks is said in English.
import { PANEL_ENGLISH } from "../panel/english.js";

export const ENGLISH = Object.freeze({
  ...PANEL_ENGLISH,
  // The states of the text.
  "state.empty": "Drag a dot to bend a finger, the skin to move the hand.",
  "state.following": "Shows the hands of the input. Any edit takes them over.",
  "state.unseen": "Run once to see the hands of the input.",
  "state.waiting": "The run stops here until a hand is edited.",
  "state.outdated": "The input has changed since these hands were taken over.",
  "state.viewOnly": "The text comes from another node: view only.",
  "state.unreadable": "This text is no scene of hands, and stays as it is. {problem}",
  "state.noHands": "No hand in this picture. Add one.",
});

/**
 * Return the function that says things in a language.
 * @param {Object<string, any>} [messages] nested as in locales/<language>/main.json; dots in keys go inwards
 * @returns {(key: string, values?: Object<string, any>) => string}
 */
export function translator(messages = {}) {
  const found = (key) => key.split(".").reduce((inner, name) => inner?.[name], messages);
  return (key, values = {}) => {
    const text = found(key) ?? ENGLISH[key] ?? key;
    return String(text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  };
}
