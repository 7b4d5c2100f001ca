// Handing a text to the user as a file, and taking one.
import { InvalidFileError } from "../core/errors.js";
import { make } from "./elements.js";

// A scene of as many hands as an editor shows is far smaller.
const MOST_BYTES = 2 ** 21;
// Milliseconds that a file is kept for the browser to take.
const KEPT = 10_000;

/** Let the browser save a text as a file. */
export function saveText(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  make("a", { href: url, download: name }).click();
  // Some browsers come for it later.
  setTimeout(() => URL.revokeObjectURL(url), KEPT);
}

/**
 * Return the text of a file.
 * @throws {InvalidFileError} if it is too large for a scene
 */
export async function textOf(file) {
  if (file.size <= MOST_BYTES) return file.text();
  throw new InvalidFileError(`The file has ${file.size} bytes, expected a scene of hands of at most ${MOST_BYTES}.`);
}
