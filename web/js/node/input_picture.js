// The picture of a node, as far as it is known before anything runs: one that was dropped on it, or the file of a Load
// Image that leads to it.

// A picture that was dropped stays with the node: its name is a property, which the graph saves.
const DROPPED = "sesahand_picture";

// Names of files end so where they are in another of the server's folders.
const ANNOTATED = /^(.*?)(?: \[(input|output|temp)\])?$/s;

/** Return the place of an input; -1 if the node has none of that name. */
const slotOf = (node, name) => node.inputs?.findIndex((input) => input.name === name) ?? -1;

/** Tell whether something leads to an input. */
export function isLinked(node, name) {
  const slot = slotOf(node, name);
  if (slot < 0) return false;
  return node.isInputConnected?.(slot) ?? (node.inputs[slot].link ?? null) !== null;
}

/** Return the file that was dropped on a node, or null; who made the graph may have written anything there. */
export function droppedPicture(node) {
  const file = node.properties?.[DROPPED];
  if (file === null || typeof file !== "object") return null;
  const { filename, subfolder = "", type } = file;
  return [filename, subfolder, type].every((part) => typeof part === "string") ? { filename, subfolder, type } : null;
}

/** Keep a file that was dropped with the node; null forgets it. */
export function rememberDropped(node, file) {
  if (file) node.properties[DROPPED] = file;
  else delete node.properties[DROPPED];
}

/** Return the widget that holds the file of the Load Image that leads to an input, or null. */
function fileWidget(node, name) {
  const source = isLinked(node, name) ? node.getInputNode?.(slotOf(node, name)) : null;
  if (source?.comfyClass !== "LoadImage" && source?.type !== "LoadImage") return null;
  return source.widgets?.find((widget) => widget.name === "image") ?? null;
}

/**
 * Call a function whenever another file is chosen in the Load Image that leads to an input now.
 * @param {any} node a node of the graph
 * @param {string} name
 * @param {{has: (widget: any) => boolean, add: (widget: any) => any}} watched the widgets that do so already
 * @param {() => void} act
 */
export function watchPicture(node, name, watched, act) {
  const widget = fileWidget(node, name);
  if (!widget || watched.has(widget)) return;
  watched.add(widget);
  const before = widget.callback;
  widget.callback = function (...given) {
    const result = before?.apply(this, given);
    act();
    return result;
  };
}

/**
 * Return the file of the Load Image that leads to an input, or null.
 * @param {any} node a node of the graph
 * @param {string} name
 */
export function pictureBefore(node, name) {
  const value = fileWidget(node, name)?.value;
  if (typeof value !== "string" || !value) return null;
  const [, path, type = "input"] = ANNOTATED.exec(value);
  const at = path.lastIndexOf("/");
  return { filename: path.slice(at + 1), subfolder: path.slice(0, Math.max(0, at)), type };
}
