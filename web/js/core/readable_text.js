// A scene's text for people: a line for each thing it says, and for each joint.

const MOST_ITEMS = 2000;
// A scene that can be edited is no longer, and nests half as deep. Each level is indented, and copied once for each one
// above it: texts of many levels would take time by the cube of their length.
const MAX_TEXT = 2 ** 21;
const MAX_DEPTH = 8;
const INDENT = "  ";

/** Return a list as its text, one item a line if its items are lists or tables themselves. */
function lines(items, indent) {
  const isFlat = items.length > MOST_ITEMS || !items.some((item) => item !== null && typeof item === "object");
  if (isFlat) return JSON.stringify(items);
  return `[\n${items.map((item) => `${indent}${INDENT}${value(item, `${indent}${INDENT}`)}`).join(",\n")}\n${indent}]`;
}

/** Return any value as its text; matrices and vectors stay in one line. */
function value(item, indent) {
  if (item === null || typeof item !== "object") return JSON.stringify(item);
  if (indent.length > MAX_DEPTH * INDENT.length) throw new RangeError("It nests too deeply to be laid out.");
  if (!Array.isArray(item)) return table(item, indent);
  const isMatrix = item.length === 3 && item.every(Array.isArray);
  return isMatrix ? JSON.stringify(item) : lines(item, indent);
}

/** Return a table as its text, one field a line. */
function table(fields, indent) {
  const each = Object.entries(fields).map(([name, item]) => {
    return `${indent}${INDENT}${JSON.stringify(name)}: ${value(item, `${indent}${INDENT}`)}`;
  });
  return each.length ? `{\n${each.join(",\n")}\n${indent}}` : "{}";
}

/** Return JSON laid out for people, which says the same; a text that is none, or too long or too deep, as it is. */
export function readableText(text) {
  if (text.length > MAX_TEXT) return text;
  try {
    return value(JSON.parse(text), "");
  } catch {
    return text;
  }
}
