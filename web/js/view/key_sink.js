// What takes the keys for the stage, and when the wheel is the stage's too.

/** Return what keys go to: an input, because every version of the frontend leaves keys alone whose target is one. */
export function keySink(page, editor) {
  const sink = page.createElement("input");
  sink.className = "sesahand-keys";
  sink.readOnly = true;
  // No keyboard comes up on touch screens.
  sink.inputMode = "none";
  sink.setAttribute("aria-label", editor.t("keys.label"));
  sink.addEventListener("blur", () => leaveSelection(page, sink));
  return sink;
}

/** Take the caret out of the sink: where it stays, there goes what is copied, although the focus has gone. */
function leaveSelection(page, sink) {
  const selection = page.getSelection();
  if (sink.parentElement?.contains(selection?.anchorNode ?? null)) selection.removeAllRanges();
}

/** Tell whether the wheel is a stage's: the focus is there, or on what stands around it in the same editor. */
export const hasWheel = ({ element, page }) => element.parentElement?.contains(page.activeElement) ?? false;

/**
 * Ask Vue nodes for the wheel as a pointer comes to a stage. They keep it from the graph over the nearest element that
 * asks, if the focus is in that: the whole editor, but not over its panel, where the wheel stays the graph's.
 */
export function captureWheel({ type, currentTarget: { parentElement } }) {
  if (parentElement) parentElement.dataset.captureWheel = String(type === "pointerenter");
}
