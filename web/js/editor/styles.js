// How the editor looks, in the frontend's own colours where it has some. One <style> for each document.

const CSS = `
.sesahand-editor {
  --sesahand-text: var(--input-text, #ddd);
  --sesahand-faint: var(--descrip-text, #999);
  --sesahand-field: var(--comfy-input-bg, #222);
  --sesahand-edge: var(--border-color, #4e4e4e);
  --sesahand-main: var(--p-primary-color, #3b82f6);
  display: grid; grid-template: auto minmax(0, 1fr) auto auto / minmax(0, 1fr);
  gap: 6px; width: 100%; height: 100%; min-height: 0; box-sizing: border-box; overflow: hidden;
  color: var(--sesahand-text); font: 12px/1.35 system-ui, sans-serif; text-align: left; user-select: none;
}
.sesahand-editor :is(button, select, input, textarea) { font: inherit; color: inherit; box-sizing: border-box; }
.sesahand-editor :is(button, select) {
  min-height: 26px; min-width: 26px; padding: 2px 6px; cursor: pointer;
  background: var(--sesahand-field); border: 1px solid var(--sesahand-edge); border-radius: 5px;
}
.sesahand-editor button svg {
  display: block; width: 14px; height: 14px; margin: auto;
  fill: none; stroke: currentColor; stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round;
}
.sesahand-editor button:hover:not(:disabled) { border-color: var(--sesahand-faint); }
.sesahand-editor button[aria-pressed="true"] {
  background: var(--sesahand-main); border-color: var(--sesahand-main); color: #fff;
}
.sesahand-editor button:disabled { opacity: 0.4; cursor: default; }
.sesahand-editor :is(button, select, input, textarea):focus-visible {
  outline: 2px solid var(--sesahand-main); outline-offset: 1px;
}
.sesahand-toolbar { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; }
.sesahand-group { display: flex; gap: 3px; align-items: center; }
.sesahand-joined { gap: 0; }
.sesahand-joined button { border-radius: 0; margin-left: -1px; }
.sesahand-joined button:first-child { border-radius: 5px 0 0 5px; margin-left: 0; }
.sesahand-joined button:last-child { border-radius: 0 5px 5px 0; }
.sesahand-editor [data-act="close"], .sesahand-large [data-act="large"] { display: none; }
.sesahand-large [data-act="close"] { display: block; }
.sesahand-space { flex: 1; }
.sesahand-editor [hidden] { display: none; }
.sesahand-frame input { width: 72px; }
.sesahand-stage {
  position: relative; min-height: 240px; overflow: hidden; border-radius: 6px; background: #17181c; touch-action: none;
}
.sesahand-stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
.sesahand-keys {
  position: absolute; left: 0; top: 0; width: 1px; height: 1px; padding: 0; border: 0; opacity: 0; pointer-events: none;
}
.sesahand-stage:focus-within::after {
  content: ""; position: absolute; inset: 0; border-radius: 6px; pointer-events: none;
  box-shadow: inset 0 0 0 2px var(--sesahand-main);
}
/* Three lines, whatever is said: the stage above must not move. More of them scroll. */
.sesahand-status { position: relative; display: flex; gap: 6px; align-items: center; height: 4.2em; }
.sesahand-status p {
  flex: 1; min-width: 0; max-height: 100%; overflow: auto; margin: 0;
  color: var(--sesahand-faint); overflow-wrap: anywhere;
}
.sesahand-status .sesahand-group { flex: none; }
.sesahand-status[data-tone="warn"] p { color: #f5b942; }
.sesahand-status[data-tone="error"] p { color: #ff7b72; }
.sesahand-spoken { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.sesahand-panel-place { min-height: 0; max-height: 184px; overflow: auto; }
.sesahand-panel-place:empty { display: none; }
.sesahand-waits { display: grid; place-content: center; gap: 8px; height: 100%; text-align: center; padding: 12px; }
.sesahand-large {
  position: fixed; inset: 0; z-index: 3000; padding: 12px; box-sizing: border-box; background: var(--bg-color, #202020);
}
.sesahand-large .sesahand-editor {
  grid-template: auto minmax(0, 1fr) auto / minmax(0, 1fr) 340px; gap: 8px 12px; font-size: 13px;
}
.sesahand-large .sesahand-toolbar { grid-column: 1 / 3; }
.sesahand-large .sesahand-panel-place { grid-area: 2 / 2 / 4 / 3; max-height: none; }
@media (max-width: 760px) {
  .sesahand-large .sesahand-editor { grid-template: auto minmax(0, 1fr) auto auto / minmax(0, 1fr); }
  .sesahand-large .sesahand-toolbar { grid-column: 1; }
  .sesahand-large .sesahand-panel-place { grid-area: auto; max-height: 40vh; }
}
`;

/** Give a page the editor's looks, once. */
export function addStyles(page, id = "sesahand-editor-styles", css = CSS) {
  if (page.getElementById(id)) return;
  const style = page.createElement("style");
  style.id = id;
  style.textContent = css;
  page.head.append(style);
}
