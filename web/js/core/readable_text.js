// A scene's text for people: a line for each thing it says, and for each joint.

const MOST_ITEMS = 2000;

/** Return a list as its text, one item a line if its items are lists or tables themselves. */
function lines(items, indent) {
  const isFlat = items.length > MOST_ITEMS || !items.some((item) => item !== null && typeof item === "object");
  if (isFlat) return JSON.stringify(items);
  return `[\n${items.map((item) => `${indent}  ${value(item, `${indent}  `)}`).join(",\n")}\n${indent}]`;
}

/** Return any value as its text; matrices and vectors stay in one line. */
function value(item, indent) {
  if (item === null || typeof item !== "object") return JSON.stringify(item);
  if (!Array.isArray(item)) return table(item, indent);
  const isMatrix = item.length === 3 && item.every(Array.isArray);
  return isMatrix ? JSON.stringify(item) : lines(item, indent);
}

/** Return a table as its text, one field a line. */
function table(fields, indent) {
  const each = Object.entries(fields).map(([name, item]) => {
    return `${indent}  ${JSON.stringify(name)}: ${value(item, `${indent}  `)}`;
  });
  return each.length ? `{\n${each.join(",\n")}\n${indent}}` : "{}";
}

/** Return a text with its JSON laid out for people, which says the same; one that is no JSON as it is. */
export function readableText(text) {
  try {
    return value(JSON.parse(text), "");
  } catch {
    return text;
  }
}
