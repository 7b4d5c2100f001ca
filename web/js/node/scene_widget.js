// The node's widgets: the text that holds the scene, hidden, and the place that the editor stands in.

const LEAST_HEIGHT = 480;
const LEAST_WIDTH = 420;
const MARGIN = 8;
// The minor version of the frontend from which on Vue nodes show widgets that are elements.
const FIRST_WITH_ELEMENTS = 29;
const NO_SIZE = Object.freeze({ minHeight: 0, maxHeight: 0, minWidth: 0 });

let places = 0;

/** Return the widget that holds the scene's text. */
export const textOf = (node) => node.widgets.find(({ name }) => name === "scene");

/** Tell whether nodes show widgets that are elements: not the first Vue nodes. */
export function showsElements(app) {
  const [major, minor] = String(window["__COMFYUI_FRONTEND_VERSION__"] ?? "")
    .split(".")
    .map(Number);
  const isOld = major === 1 && minor < FIRST_WITH_ELEMENTS;
  return !(isOld && app.extensionManager?.setting?.get("Comfy.VueNodes.Enabled"));
}

/** Hide the text; it is saved and sent as before. Without JavaScript it stays, and the node can be used. */
function hide(widget) {
  widget.hidden = true;
  // Vue nodes of 1.49 ask for this one, and 1.27 leaves a gap unless the layout has no height.
  widget.options.hidden = true;
  widget.computeLayoutSize = () => NO_SIZE;
}

/** Add a button, which is no value of the node. */
function addButton(node, { words, act }) {
  // Vue nodes of 1.27 write the name above the button, and the label on it.
  const widget = node.addWidget("button", "", null, act, { label: words, serialize: false });
  widget.label = words;
  widget.serialize = false;
}

/**
 * Give the editor a place in a node, instead of the text.
 * @param {any} node a node of the graph
 * @param {{words: string, act: () => void} | null} button what opens the editor where the place is not shown; the text
 *   then stays as well
 * @returns {HTMLElement} the place, empty
 */
export function makePlace(node, button) {
  const home = document.createElement("div");
  home.className = "sesahand-home";
  // Vue nodes do not ask for the widget's height.
  home.style.minHeight = `${LEAST_HEIGHT}px`;
  if (!button) hide(textOf(node));
  places += 1;
  // Vue nodes of 1.58 keep a widget's element for a node that undo made anew, unless the type is another one. Without a
  // value of its own, the widget must be the last: 1.27 writes values by position.
  const widget = node.addDOMWidget("editor", `sesahand_editor_${places}`, home, {
    serialize: false,
    hideOnZoom: false,
    hideInPanel: true,
    getMinHeight: () => LEAST_HEIGHT + 2 * MARGIN,
    margin: MARGIN,
  });
  widget.serialize = false;
  if (button) addButton(node, button);
  if (node.size[0] < LEAST_WIDTH) node.setSize([LEAST_WIDTH, node.size[1]]);
  return home;
}
