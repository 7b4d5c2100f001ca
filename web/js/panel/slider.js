// A slider with its number beside it: what is slid is shown at once, what is let go of or typed counts.
import { make } from "../editor/elements.js";

/** @typedef {{slide: (value: number) => void, settle: () => void}} Taker of values as they change, and at the end */

/** One number between two bounds. */
export class Slider {
  #held = false;
  #typing = false;

  /**
   * Make a slider that shows nothing yet.
   * @param {{label: string, least: number, most: number, step: number, decimals?: number, unit?: string}} given the
   *   unit is for those who hear the value, such as "°"
   * @param {Taker} taker
   */
  constructor({ label, least, most, step, decimals = 2, unit = "" }, taker) {
    this.least = NaN;
    this.most = NaN;
    this.decimals = decimals;
    this.unit = unit;
    this.range = make("input", { type: "range", step: "any", class: "sesahand-range", value: least });
    this.number = make("input", { type: "number", step, class: "sesahand-number", "aria-label": label });
    const name = make(
      "span",
      {},
      label,
      ...(unit ? [make("small", { "aria-hidden": "true" }, ` ${unit.trim()}`)] : []),
    );
    this.label = make("label", { class: "sesahand-slider-label" }, name, this.range);
    this.step = step;
    this.bound(least, most);
    this.#listen(taker);
  }

  /** What it is made of, for a row. */
  get parts() {
    return [this.label, this.number];
  }

  #listen({ slide, settle }) {
    this.range.addEventListener("input", () => {
      this.#held = true;
      this.#fill();
      this.#say(this.range.valueAsNumber);
      slide(this.range.valueAsNumber);
    });
    this.range.addEventListener("change", () => {
      this.#held = false;
      settle();
    });
    this.range.addEventListener("keydown", (event) => this.#arrow(event));
    this.number.addEventListener("input", () => (this.#typing = true));
    this.number.addEventListener("change", () => {
      this.#typing = false;
      const typed = this.number.valueAsNumber;
      if (Number.isFinite(typed)) slide(Math.min(this.most, Math.max(this.least, typed)));
      settle();
    });
    this.number.addEventListener("blur", () => (this.#typing = false));
  }

  /** Take arrow keys, which do not move a slider of any step; Shift makes ten steps of one. */
  #arrow(event) {
    const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.nudge(event.shiftKey ? 10 * way : way);
  }

  /** Slide some steps up or down, and settle. */
  nudge(steps) {
    this.range.value = String(this.range.valueAsNumber + steps * this.step);
    this.range.dispatchEvent(new Event("input"));
    this.range.dispatchEvent(new Event("change"));
  }

  /** Let the value go from one number to another. */
  bound(least, most) {
    if (this.least === least && this.most === most) return;
    Object.assign(this, { least, most });
    for (const input of [this.range, this.number]) {
      input.min = least;
      input.max = most;
    }
  }

  /** Show a value, or for null none; what somebody is about to enter is not disturbed. */
  show(value) {
    const none = value === null;
    this.range.disabled = this.number.disabled = none;
    if (!this.#held) this.range.value = none ? this.least : value;
    this.#fill();
    if (!this.#typing) this.#say(none ? NaN : value);
  }

  /** Let the track show how far the value is from zero, to either side. */
  #fill() {
    const share = (value) => (100 * (Math.min(this.most, Math.max(this.least, value)) - this.least)) / this.#span;
    const [from, to] = [share(0), share(this.range.valueAsNumber)].sort((a, b) => a - b);
    this.range.style.setProperty("--sesahand-from", `${from}%`);
    this.range.style.setProperty("--sesahand-to", `${to}%`);
  }

  get #span() {
    return this.most - this.least || 1;
  }

  /** Give the value as a number, and to those who hear it. */
  #say(value) {
    const text = Number.isFinite(value) ? String(Number(value.toFixed(this.decimals))) : "";
    this.number.value = text;
    this.range.setAttribute("aria-valuetext", text + this.unit);
  }

  /** The value as it is said. */
  get text() {
    return this.number.value + this.unit;
  }
}
