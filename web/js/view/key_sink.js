// What takes the keys for the stage.

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
