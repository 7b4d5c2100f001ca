// What the keys go to while the stage has them.

/** Return what keys go to: an input, because every version of the frontend leaves keys alone whose target is one. */
export function keySink(page, editor) {
  const sink = page.createElement("input");
  sink.className = "sesahand-keys";
  sink.readOnly = true;
  // No keyboard comes up on touch screens.
  sink.inputMode = "none";
  sink.setAttribute("aria-label", editor.t("keys.label"));
  sink.title = "";
  return sink;
}
