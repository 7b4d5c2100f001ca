// Handing a text to the user as a file.
import { make } from "../editor/elements.js";

// Milliseconds that a file is kept for the browser to take.
const KEPT = 10_000;

/** Let the browser save a text as a file. */
export function saveText(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  make("a", { href: url, download: name }).click();
  // Some browsers come for it later.
  setTimeout(() => URL.revokeObjectURL(url), KEPT);
}
