// What is said in the user's language. English is here; other languages are in locales/<language>/main.json under
// sesahand.editor, and a word that one of them lacks is said in English.
import { EDITOR_ENGLISH } from "./english.js";
import { PANEL_ENGLISH } from "./panel_english.js";

export const ENGLISH = Object.freeze({ ...EDITOR_ENGLISH, ...PANEL_ENGLISH });

/**
 * Return the function that says things in a language.
 * @param {Object<string, any>} [messages] nested as in locales/<language>/main.json; dots in keys go inwards
 * @returns {(key: string, values?: Object<string, any>) => string}
 */
export function translator(messages = {}) {
  const found = (key) => key.split(".").reduce((inner, name) => inner?.[name], messages);
  return (key, values = {}) => {
    const text = found(key);
    const said = typeof text === "string" ? text : (ENGLISH[key] ?? key);
    return said.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
  };
}
