// Numbers out of a text that nobody vouches for, as sesahand/scene/scene_files.py checks them.
import { InvalidFileError } from "./errors.js";

// A hand's lists nest three deep; endless nesting would exhaust the stack.
const MAX_DEPTH = 3;

/** Return a value as it may stand in a sentence. */
export function quoted(value) {
  try {
    return String(JSON.stringify(value)).slice(0, 40);
  } catch {
    // It nests so deeply that writing it exhausts the stack.
    return "a value of very many levels";
  }
}

/** Return the fields of an object that has all that are required and none that is unknown, or throw. */
export function fields(value, required, optional, label) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new InvalidFileError(`${label} is ${quoted(value)}, expected the fields ${required.join(", ")}.`);
  }
  const missing = required.filter((name) => !Object.hasOwn(value, name));
  const unknown = Object.keys(value).filter((name) => !required.includes(name) && !optional.includes(name));
  if (missing.length || unknown.length) {
    const problem = missing.length ? `lacks ${missing.join(", ")}` : `has the unknown field ${quoted(unknown[0])}`;
    throw new InvalidFileError(`${label} ${problem}; a hand scene has ${[...required, ...optional].join(", ")}.`);
  }
  return value;
}

/** Return a whole number between two bounds, or throw. */
export function wholeNumber(value, low, high, label) {
  if (Number.isSafeInteger(value) && low <= value && value <= high) return value;
  throw new InvalidFileError(`${label} is ${quoted(value)}, expected a whole number from ${low} to ${high}.`);
}

/** Return the common shape of nested lists of finite numbers, or throw. */
function shapeOf(value, label, depth = 0) {
  if (!Array.isArray(value)) {
    if (Number.isFinite(value)) return [];
    throw new InvalidFileError(`${label} holds ${quoted(value)}, expected a finite number.`);
  }
  if (depth > MAX_DEPTH) {
    throw new InvalidFileError(`${label} nests too deeply; it is no list of numbers of a hand.`);
  }
  const inner = value.map((item) => shapeOf(item, label, depth + 1));
  if (inner.some((shape) => shape.join() !== inner[0].join())) {
    throw new InvalidFileError(`${label} holds lists of different lengths; give each row as many numbers.`);
  }
  return [value.length, ...(inner[0] ?? [])];
}

/** Return the shape of nested lists of numbers if it is one of `shapes`, or throw. */
export function checkedShape(value, shapes, label) {
  const shape = shapeOf(value, label);
  if (shapes.some((wanted) => wanted.join() === shape.join())) return shape;
  const wanted = shapes.map((each) => `[${each}]`).join(" or ");
  throw new InvalidFileError(`${label} has the shape [${shape}], expected ${wanted}.`);
}
