// The editor's own undo: a walk over the texts that its scene has had.

const MOST_TEXTS = 100;

/** A list of texts and a place in it. */
export class History {
  #texts;
  #at = 0;
  #most;

  /**
   * Start with a text.
   * @param {string} text
   * @param {number} most how many texts are kept
   */
  constructor(text, most = MOST_TEXTS) {
    this.#texts = [text];
    this.#most = most;
  }

  /** The text as it is now. */
  get text() {
    return this.#texts[this.#at];
  }

  get canUndo() {
    return this.#at > 0;
  }

  get canRedo() {
    return this.#at < this.#texts.length - 1;
  }

  /** Take another text as the one of now; what was undone before is given up, and no change is no step. */
  record(text) {
    if (text === this.text) return;
    this.#texts = [...this.#texts.slice(0, this.#at + 1), text].slice(-this.#most);
    this.#at = this.#texts.length - 1;
  }

  /** Go a step back if there is one, and return the text. */
  undo() {
    if (this.canUndo) this.#at -= 1;
    return this.text;
  }

  /** Go a step forward again if there is one, and return the text. */
  redo() {
    if (this.canRedo) this.#at += 1;
    return this.text;
  }
}
