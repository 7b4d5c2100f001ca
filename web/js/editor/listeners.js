// Those who want to know.

/** Functions that are called whenever there is news. */
export class Listeners {
  #all = new Set();

  /** Add one; returns what takes it away again. */
  add(listener) {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  }

  /** Call all, with the news. */
  tell(...news) {
    for (const listener of [...this.#all]) listener(...news);
  }
}
