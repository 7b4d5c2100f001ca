// What lists of numbers looked like in the text they were read from, so that what nobody edited is written so again. An
// edit makes a new list, which is not known here.

const texts = new WeakMap();

/** Remember how a list was written, and return the list. */
export function remember(list, written) {
  texts.set(list, written);
  return list;
}

/** Return how a list was written in the text that it was read from; undefined for one that was made since. */
export const asRead = (list) => texts.get(list);
