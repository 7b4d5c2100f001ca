// What takes the keys for the stage.

/** Return what keys go to: an input, because every version of the frontend leaves keys alone whose target is one. */
export function keySink(page, editor) {
  const sink = page.createElement("input");
  sink.className = "sesahand-keys";
  sink.readOnly = true;
  // No keyboard comes up on touch screens.
  sink.inputMode = "none";
  sink.setAttribute("aria-label", editor.t("keys.label"));
  return sink;
}
