// Making parts of a page. Texts go in as text, never as markup: some of them come from files of strangers.
import { icon } from "./icons.js";

/**
 * Return an element.
 * @param {string} tag
 * @param {Object<string, any>} attributes those that are false, null or undefined are left out
 * @param {...(Node | string)} children
 * @returns {any} an element of that kind
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/**
 * Return a button with what marks it out.
 * @param {{name: string, label: string, sign?: string, words?: string, act: () => void}} button its name in tests and
 *   styles, what it is called, and what it shows: a sign, words, or its label
 */
export function button({ name, label, sign, words, act }) {
  const attributes = { type: "button", title: label, "aria-label": label, "data-act": name };
  const made = make("button", attributes, sign ? icon(sign) : (words ?? label));
  made.addEventListener("click", act);
  return made;
}
