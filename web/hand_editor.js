// The hand editor in the node Edit Hands. All else is in js/ and only loaded once a graph has such a node.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { closeForgotten, hookNode } from "./js/node/node_type.js";

app.registerExtension({
  name: "SesaHand.EditHands",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (nodeData.name === "SesaHandEditHands") hookNode(nodeType, { app, api });
  },
  // 1.27 and 1.49 drop subgraphs with their nodes and tell none of them.
  afterConfigureGraph: () => closeForgotten(app),
});
