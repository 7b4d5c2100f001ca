// What ComfyUI's node type Edit Hands does beside being a node: it has an editor as long as it is in a graph.
import { NodeEditor } from "./node_editor.js";

// Pixels: in a node any narrower, tools and sliders leave no stage.
const NARROWEST = 360;

/** The editors of all nodes that are in a graph. */
export const openEditors = new Set();

/** Call another function after a method of a prototype, and return what the method returns. */
function chain(prototype, name, after) {
  const before = prototype[name];
  prototype[name] = function (...given) {
    const result = before?.apply(this, given);
    after.apply(this, given);
    return result;
  };
}

/**
 * Give nodes of a type their editors.
 * @param {{prototype: any}} nodeType
 * @param {{app: any, api: any}} comfy the frontend
 */
export function hookNode(nodeType, comfy) {
  const { prototype } = nodeType;
  // The frontend also makes nodes that it never adds to a graph, and would never remove: those get no more than a
  // place.
  chain(prototype, "onNodeCreated", function () {
    this.handEditor = new NodeEditor(this, comfy);
  });
  chain(prototype, "onAdded", function () {
    openEditors.add(this.handEditor);
    this.handEditor.open();
  });
  chain(prototype, "onRemoved", function () {
    openEditors.delete(this.handEditor);
    this.handEditor.close();
  });
  chain(prototype, "onResize", function (size) {
    size[0] = Math.max(size[0], NARROWEST);
  });
  chain(prototype, "onConfigure", function () {
    this.handEditor.sync();
  });
  chain(prototype, "onConnectionsChange", function () {
    this.handEditor.sync();
  });
  chain(prototype, "onExecuted", function (output) {
    this.handEditor.executed(output);
  });
  chain(prototype, "getExtraMenuOptions", function (canvas, options) {
    options.push({ content: this.handEditor.t("menu.edit"), callback: () => this.handEditor.openLarge() });
  });
}

/** Close the editors of nodes that no graph has any more. */
export function closeForgotten(app) {
  const root = app.rootGraph ?? app.graph;
  const graphs = new Set([root, ...(root?.subgraphs?.values?.() ?? [])]);
  for (const { node } of [...openEditors]) {
    if (!graphs.has(node.graph) || node.graph.getNodeById(node.id) !== node) node.onRemoved();
  }
}
