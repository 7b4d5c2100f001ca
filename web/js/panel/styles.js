// How the panel looks: the frontend's colours where there is one, its own where there is none.

const LOCKED = "M6 10V7a4 4 0 0 1 8 0v3h1v8H5v-8zm2 0h4V7a2 2 0 0 0-4 0z";
const UNLOCKED = "M6 10V6a4 4 0 0 1 7.6-1.7l-1.8.9A2 2 0 0 0 8 6v4h7v8H5v-8z";
const SVG = "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 20 20'%3E";
const icon = (path) => `url("data:image/svg+xml,${SVG}%3Cpath d='${path}'/%3E%3C/svg%3E")`;

/** The style sheet of the panel. */
export const PANEL_STYLES = `
.sesahand-panel {
  --sesahand-text: var(--input-text, #ddd);
  --sesahand-quiet: var(--descrip-text, #999);
  --sesahand-field: var(--comfy-input-bg, #222);
  --sesahand-edge: var(--border-color, #4e4e4e);
  --sesahand-accent: var(--p-primary-color, #3d8bfd);
  --sesahand-wrong: var(--error-text, #ff6b6b);
  container: sesahand-panel / inline-size;
  box-sizing: border-box;
  color: var(--sesahand-text);
  font: 12px/1.35 Inter, Arial, sans-serif;
}
.sesahand-panel *, .sesahand-panel *::before, .sesahand-panel *::after { box-sizing: border-box; }
.sesahand-panel [hidden] { display: none; }
.sesahand-panel-large { max-width: 340px; }
.sesahand-panel-inside { display: flex; flex-direction: column; gap: 4px; }
.sesahand-part { display: flex; flex-direction: column; gap: 6px; min-width: 0; margin: 0; padding: 0; border: 0; }
.sesahand-part:disabled { opacity: 0.5; }
.sesahand-section { padding: 0 8px 4px; border-bottom: 1px solid var(--sesahand-edge); }
.sesahand-section > summary { padding: 8px 0; font-weight: 600; cursor: pointer; user-select: none; }
.sesahand-section > .sesahand-part + .sesahand-part { margin-top: 8px; }
.sesahand-panel :focus-visible { outline: 2px solid var(--sesahand-accent); outline-offset: 1px; }
.sesahand-row { display: flex; align-items: center; gap: 6px; min-height: 24px; }
.sesahand-row > .sesahand-number { flex: 0 0 54px; }
.sesahand-slider-label { display: flex; flex: 1 1 0; align-items: center; gap: 6px; min-width: 0; }
.sesahand-slider-label > span { flex: 0 0 72px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.sesahand-slider-label small { color: var(--sesahand-quiet); font-size: inherit; }
.sesahand-range {
  --sesahand-track: linear-gradient(
    90deg, var(--sesahand-edge) var(--sesahand-from), var(--sesahand-accent) var(--sesahand-from) var(--sesahand-to),
    var(--sesahand-edge) var(--sesahand-to)
  );
  appearance: none; flex: 1 1 0; min-width: 60px; height: 24px; margin: 0; border-radius: 4px; background: transparent;
  cursor: pointer;
}
.sesahand-range:disabled { opacity: 0.4; cursor: default; }
.sesahand-range::-webkit-slider-runnable-track { height: 4px; border-radius: 2px; background: var(--sesahand-track); }
.sesahand-range::-moz-range-track { height: 4px; border-radius: 2px; background: var(--sesahand-track); }
.sesahand-range::-webkit-slider-thumb {
  appearance: none; width: 14px; height: 14px; margin-top: -5px; border: 0; border-radius: 50%;
  background: var(--sesahand-accent);
}
.sesahand-range::-moz-range-thumb {
  width: 14px; height: 14px; border: 0; border-radius: 50%; background: var(--sesahand-accent);
}
.sesahand-number, .sesahand-select, .sesahand-search, .sesahand-text-field, .sesahand-text {
  min-width: 0; min-height: 24px; padding: 2px 6px; border: 1px solid var(--sesahand-edge); border-radius: 4px;
  background: var(--sesahand-field); color: inherit; font: inherit;
}
.sesahand-number { text-align: right; appearance: textfield; }
.sesahand-number::-webkit-inner-spin-button { display: none; }
.sesahand-search { width: 100%; }
.sesahand-text { width: 100%; resize: vertical; font: 11px/1.4 ui-monospace, Consolas, monospace; white-space: pre; }
.sesahand-text[aria-invalid="true"] { border-color: var(--sesahand-wrong); }
.sesahand-line { display: flex; flex-wrap: wrap; align-items: center; gap: 6px; }
.sesahand-line > .sesahand-select, .sesahand-line > .sesahand-text-field { flex: 1 1 100px; }
.sesahand-side { display: flex; flex: 1 1 90px; align-items: center; gap: 6px; }
.sesahand-side > .sesahand-number { flex: 1 1 50px; }
.sesahand-button {
  min-height: 24px; padding: 2px 10px; border: 1px solid var(--sesahand-edge); border-radius: 4px;
  background: var(--sesahand-field); color: inherit; font: inherit; cursor: pointer;
}
.sesahand-button:hover:enabled { border-color: var(--sesahand-accent); }
.sesahand-button:disabled { opacity: 0.5; cursor: default; }
.sesahand-message { margin: 0; color: var(--sesahand-quiet); overflow-wrap: anywhere; }
.sesahand-message:empty { display: none; }
.sesahand-message.sesahand-error { color: var(--sesahand-wrong); }
.sesahand-lock {
  appearance: none; flex: 0 0 24px; height: 24px; margin: 0; border-radius: 4px; color: inherit; cursor: pointer;
}
.sesahand-lock::before {
  content: ""; display: block; width: 16px; height: 16px; margin: 4px; background: currentColor; opacity: 0.4;
  mask: ${icon(UNLOCKED)} center / contain no-repeat; -webkit-mask: ${icon(UNLOCKED)} center / contain no-repeat;
}
.sesahand-lock:checked::before {
  opacity: 1; background: var(--sesahand-accent);
  mask-image: ${icon(LOCKED)}; -webkit-mask-image: ${icon(LOCKED)};
}
.sesahand-curls > .sesahand-row:last-child { padding-left: 30px; }
.sesahand-pad {
  display: grid; grid-template-columns: 1fr auto 1fr; justify-items: center; align-items: center; gap: 2px 6px;
  color: var(--sesahand-quiet);
}
.sesahand-pad-open { grid-area: 1 / 2; }
.sesahand-pad-narrow { grid-area: 2 / 1; justify-self: end; }
.sesahand-pad-field { grid-area: 2 / 2; }
.sesahand-pad-wide { grid-area: 2 / 3; justify-self: start; }
.sesahand-pad-closed { grid-area: 3 / 2; }
.sesahand-pad-field {
  position: relative; width: 132px; height: 132px; border: 1px solid var(--sesahand-edge); border-radius: 6px;
  background:
    linear-gradient(var(--sesahand-edge), var(--sesahand-edge)) center / 1px 100% no-repeat,
    var(--sesahand-field);
  cursor: crosshair; touch-action: none;
}
.sesahand-pad-field:focus-within { outline: 2px solid var(--sesahand-accent); outline-offset: 1px; }
.sesahand-pad-dot {
  position: absolute; width: 16px; height: 16px; margin: -8px; border: 2px solid var(--sesahand-field);
  border-radius: 50%; background: var(--sesahand-accent); pointer-events: none;
}
.sesahand-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.sesahand-tiles {
  display: grid; position: relative; grid-template-columns: repeat(auto-fill, minmax(80px, 1fr)); gap: 4px;
  max-height: 300px; overflow: hidden auto;
}
.sesahand-tile {
  display: flex; flex-direction: column; align-items: center; padding: 3px; border: 1px solid transparent;
  border-radius: 4px; background: var(--sesahand-field); cursor: pointer; min-width: 0;
}
.sesahand-tile:hover, .sesahand-tile.sesahand-active { border-color: var(--sesahand-accent); }
.sesahand-tile.sesahand-active { outline: 1px solid var(--sesahand-accent); }
.sesahand-tile[aria-selected="true"] {
  background: color-mix(in srgb, var(--sesahand-accent) 25%, var(--sesahand-field));
}
.sesahand-tile > canvas { width: 64px; height: 64px; }
.sesahand-tile-name {
  max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 11px;
}
.sesahand-own > .sesahand-tile-name { font-style: italic; }
.sesahand-over { outline: 2px dashed var(--sesahand-accent); outline-offset: 2px; }
.sesahand-gesture-list {
  position: fixed; width: 340px; max-width: 96vw; margin: 0; padding: 8px; border: 1px solid var(--sesahand-edge);
  border-radius: 6px; background: var(--comfy-menu-bg, var(--bg-color, #2a2a2a)); color: inherit; font: inherit;
  box-shadow: 0 6px 20px #0008;
}
.sesahand-gesture-list > .sesahand-part + .sesahand-part { margin-top: 8px; }
.sesahand-object-line { flex: 1 1 160px; flex-wrap: nowrap; }
.sesahand-panel-compact .sesahand-curls {
  display: grid; flex: 1 1 0; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 0 10px;
}
.sesahand-panel-compact .sesahand-slider-label > span { flex-basis: 52px; }
.sesahand-panel-compact .sesahand-curls .sesahand-number, .sesahand-panel-compact .sesahand-pad { display: none; }
@container sesahand-panel (min-width: 540px) {
  .sesahand-panel-compact .sesahand-panel-inside { flex-flow: row wrap; align-items: center; gap: 4px 12px; }
  .sesahand-first-line { flex-basis: 100%; }
  .sesahand-panel-compact .sesahand-curls .sesahand-number { display: block; }
  .sesahand-panel-compact .sesahand-pad { display: grid; }
  .sesahand-panel-compact .sesahand-pad-field { width: 84px; height: 84px; }
}
`;
