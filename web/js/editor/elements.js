// Making elements of a page: never out of text that could be markup.
import { icon } from "./icons.js";

/** Return an element with properties, attributes (names with a dash, and role) and children. */
export function element(page, tag, options = {}, ...children) {
  const made = page.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/**
 * Return a button.
 * @param {Document} page
 * @param {{name: string, label: string, sign?: string, words?: string, act: () => void}} button its name in tests and
 *   styles, what it is called, and what it shows: a sign, words, or its label
 */
export function button(page, { name, label, sign, words, act }) {
  const shown = sign ? icon(page, sign) : (words ?? label);
  const made = element(page, "button", { type: "button", title: label, "aria-label": label }, shown);
  made.dataset.act = name;
  made.addEventListener("click", act);
  return made;
}
