// Finding a gesture by its name, by what else people call it, or by what it looks like.

/**
 * @typedef {object} Item
 * @property {string} title
 * @property {string[]} [words] what else it is called
 * @property {string} [description] one line
 */

// Words that people look for, by those that the texts have.
const ALIKE = new Map([
  ["grab", "grasp"],
  ["grabbing", "grasp"],
]);

/** Return a text without case, accents and signs, its words apart. */
const plain = (text) =>
  text
    .normalize("NFKD")
    .replace(/\p{Mark}/gu, "")
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}]+/gu, " ")
    .trim();

/** Tell whether each word of a query begins one of a text; languages without spaces have words anywhere. */
function matches(text, query) {
  const said = ` ${plain(text)}`;
  const has = (word) => said.includes(/^[\x20-\x7e]+$/.test(word) ? ` ${word}` : word);
  return query.split(" ").every((word) => has(word) || (ALIKE.has(word) && has(ALIKE.get(word))));
}

/**
 * Return the items that a query finds: by their titles first, then by their words, then by their descriptions, each in
 * their order; all, if it is empty.
 * @template {Item} T
 * @param {T[]} items
 * @param {string} query
 * @returns {T[]}
 */
export function search(items, query) {
  const wanted = plain(query);
  // Of a query of nothing but signs, no words are left.
  if (!wanted) return query.trim() ? [] : items;
  const rank = ({ title, words = [], description = "" }) => {
    if (matches(title, wanted)) return 0;
    if (words.some((word) => matches(word, wanted))) return 1;
    return matches([title, ...words, description].join(" "), wanted) ? 2 : 3;
  };
  const ranked = items.map((item) => ({ item, rank: rank(item) })).filter((each) => each.rank < 3);
  return ranked.sort((a, b) => a.rank - b.rank).map(({ item }) => item);
}
