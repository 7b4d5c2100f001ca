// Making the parts of a panel.
import { make } from "../editor/elements.js";

/** Return a button with a text, which does something. */
export function button(text, act, attributes = {}) {
  const element = make("button", { type: "button", class: "sesahand-button", ...attributes }, text);
  element.addEventListener("click", () => act(element));
  return element;
}

/**
 * Return a button that asks before it does what cannot be taken back: a second press is the answer.
 * @param {string} text
 * @param {string} question what it shows in between
 * @param {() => void} act
 * @param {() => boolean} isGrave whether it has to ask
 */
export function sureButton(text, question, act, isGrave = () => true) {
  let asked = false;
  const ask = (sure) => {
    asked = sure;
    element.textContent = sure ? question : text;
  };
  const press = () => {
    const isSure = asked || !isGrave();
    ask(!isSure);
    if (isSure) act();
  };
  const element = button(text, press);
  element.addEventListener("blur", () => ask(false));
  return element;
}

/** Return a button that lets people choose a file, which is then taken; hidden inputs cannot be reached by keys. */
export function fileButton(text, accept, take) {
  const input = make("input", { type: "file", accept, hidden: true });
  input.addEventListener("change", () => {
    const [file] = input.files;
    // The same file chosen again is a choice too.
    input.value = "";
    if (file) take(file);
  });
  return make(
    "span",
    { class: "sesahand-file" },
    button(text, () => input.click()),
    input,
  );
}

/** Return what can be disabled as a whole, under a name for those who hear it. */
export const group = (label, className, ...children) =>
  make("fieldset", { class: `sesahand-part ${className}`, "aria-label": label }, ...children);

/** Return a place for a sentence that is read aloud when it comes. */
export const message = () => make("p", { class: "sesahand-message", role: "status" });

/** Say something at a place for sentences, or nothing; an error looks like one. */
export function tell(place, text, isError = false) {
  place.textContent = text;
  place.classList.toggle("sesahand-error", isError);
}
