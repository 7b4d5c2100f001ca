// The signs on the buttons, as paths of 16 by 16: characters for them are missing in many fonts.

const PATHS = Object.freeze({
  add: "M8 2v12M2 8h12",
  remove: "M2 8h12",
  mirror: "M8 1.5v13M5.5 4.5 1.5 12h4zM10.5 4.5l4 7.5h-4z",
  swap: "M2 5.5h11m-3-3 3 3-3 3M14 10.5H3m3-3-3 3 3 3",
  undo: "M6 3 2.5 6.5 6 10M3 6.5h6.5a3.5 3.5 0 0 1 0 7H6",
  redo: "m10 3 3.5 3.5L10 10m3-3.5H6.500a3.5 3.5 0 0 0 0 7H10",
  reset: "M3.2 4.500A6 6 0 1 1 2 8M3 1.500v3.200h3.200",
  large: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  small: "M6 2v4H2M14 6h-4V2M10 14v-4h4M2 10h4v4",
  around:
    "M8 5.200c3.800 0 6.500 1.200 6.500 2.800S11.800 10.800 8 10.800 1.500 9.600 1.500 8 4.200 5.200 8 5.200zM8 1.500v13",
  handles: "M3 3h.01M8 3h.01M13 3h.01M3 8h.01M8 8h.01M13 8h.01M3 13h.01M8 13h.01M13 13h.01",
});

/** Return a sign. */
export function icon(page, name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = page.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = page.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
