// The signs on the buttons, as paths of 16 by 16: characters for them are missing in many fonts.

const PATHS = Object.freeze({
  add: "M8 2v12M2 8h12",
  remove: "M2 8h12",
  mirror: "M8 1.5v13M5.5 4.5 1.5 12h4zM10.5 4.5l4 7.5h-4z",
  swap: "M2 5.5h11m-3-3 3 3-3 3M14 10.5H3m3-3-3 3 3 3",
  undo: "M6 3 2.5 6.5 6 10M3 6.5h6.5a3.5 3.5 0 0 1 0 7H6",
  redo: "m10 3 3.5 3.5L10 10m3-3.5H6.500a3.5 3.5 0 0 0 0 7H10",
  reset: "M3.2 4.500A6 6 0 1 1 2 8M3 1.500v3.200h3.2",
  close: "M3 3l10 10M13 3 3 13",
  large: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  around: "M8 5.200c3.8 0 6.5 1.2 6.5 2.800S11.8 10.8 8 10.8 1.5 9.6 1.5 8 4.2 5.2 8 5.200zM8 1.500v13",
});

/** Return a sign. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
