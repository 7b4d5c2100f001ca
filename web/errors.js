// Says what went wrong where the frontend does not: since 1.4x its own message is only that a node threw an error, and
// the sentence, which names the input and the way out, is behind "View details".
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const OURS = new Set(["SesaHandError", "InvalidFileError", "UnsafeFileError", "CannotAnswerError"]);
// Where errors have a panel of their own, they are no longer shown in a dialog.
const HAS_PANEL = "Comfy.RightSidePanel.ShowErrorsTab";
const SECONDS = 30;

function say({ detail }) {
  if (!OURS.has(detail?.exception_type) || !app.extensionManager?.setting?.get(HAS_PANEL)) return;
  const node = app.graph?.getNodeById?.(detail.node_id);
  app.extensionManager.toast.add({
    severity: "error",
    summary: node?.title ?? detail.node_type,
    detail: detail.exception_message.trim(),
    life: SECONDS * 1000,
  });
}

app.registerExtension({
  name: "SesaHand.Errors",
  setup() {
    api.addEventListener("execution_error", say);
  },
});
