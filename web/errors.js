// Says what went wrong where the frontend does not: since 1.4x its own message is only that a node threw an error or
// rejected a value, and the sentence, which names the input and the way out, is behind "View details" or nowhere.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const OURS = new Set(["SesaHandError", "InvalidFileError", "UnsafeFileError", "CannotAnswerError"]);
// Where errors have a panel of their own, they are no longer shown in a dialog.
const HAS_PANEL = "Comfy.RightSidePanel.ShowErrorsTab";
const SECONDS = 30;
const MAX_LISTED = 40;

// The node of an id such as 4:2, which is node 2 inside the subgraph that node 4 of the workflow shows.
function findNode(id) {
  let graph = app.graph;
  let node;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById?.(part);
    graph = node?.subgraph;
  }
  return node;
}

function say(id, type, sentence) {
  if (!app.extensionManager?.setting?.get(HAS_PANEL)) return;
  app.extensionManager.toast.add({
    severity: "error",
    summary: findNode(id)?.title ?? type,
    detail: sentence.trim(),
    life: SECONDS * 1000,
  });
}

function sayFailed({ detail }) {
  if (OURS.has(detail?.exception_type)) say(detail.node_id, detail.node_type, detail.exception_message);
}

// What the server refuses before a graph runs; of numbers out of their range, the frontend itself says enough.
function sentenceOf({ type, details, extra_info: info }, node) {
  // What a check raises the frontend shows itself, with its sentence.
  if (OURS.has(info?.exception_type)) return null;
  const input = info?.input_name;
  if (type === "custom_validation_failed") return details.replace(`${input} - `, "");
  if (type !== "value_not_in_list") return null;
  const options = node?.widgets?.find((widget) => widget.name === input)?.options?.values;
  const listed = Array.isArray(options) ? `expected one of: ${options.slice(0, MAX_LISTED).join(", ")}` : "expected another";
  return `${input} is '${info.received_value}', ${listed}${options?.length > MAX_LISTED ? ", ..." : "."}`;
}

function sayRefused(refused) {
  for (const [id, { class_type: type, errors }] of Object.entries(refused ?? {})) {
    if (!type?.startsWith("SesaHand")) continue;
    for (const sentence of errors.map((error) => sentenceOf(error, findNode(id)))) {
      if (sentence) say(id, type, sentence);
    }
  }
}

app.registerExtension({
  name: "SesaHand.Errors",
  setup() {
    api.addEventListener("execution_error", sayFailed);
    // No event tells of a refused graph.
    const queuePrompt = api.queuePrompt;
    api.queuePrompt = async function (...given) {
      try {
        return await queuePrompt.apply(this, given);
      } catch (error) {
        sayRefused(error?.response?.node_errors);
        throw error;
      }
    };
  },
});
