// Load Hands takes files from anywhere: a button under its list, or dropping one on the node, uploads into the input folder.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const NODE = "SesaHandLoadHands";
const LIST = "file";
const ENDINGS = [".json", ".npz"];
const LABELS = {
  en: "choose file to upload",
  zh: "选择文件上传",
  ja: "アップロードするファイルを選択",
  ko: "업로드할 파일 선택",
};

function label() {
  const locale = String(app.extensionManager?.setting?.get("Comfy.Locale") ?? "en");
  return LABELS[locale.slice(0, 2)] ?? LABELS.en;
}

function say(detail) {
  app.extensionManager?.toast?.add({ severity: "error", summary: "Load Hands", detail, life: 10000 });
}

const isHands = (file) => ENDINGS.some((ending) => file.name.toLowerCase().endsWith(ending));

// Core has one address for all uploads; under a name that is taken, other contents get a number.
async function upload(node, file) {
  const body = new FormData();
  body.append("image", file);
  let answer;
  try {
    answer = await api.fetchApi("/upload/image", { method: "POST", body });
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  } catch (error) {
    say(`${file.name}: ${error.message}`);
    return;
  }
  const { name } = await answer.json();
  const list = node.widgets.find((widget) => widget.name === LIST);
  const names = list.options.values;
  if (Array.isArray(names) && !names.includes(name)) list.options.values = [...names, name];
  list.value = name;
  list.callback?.(name);
  node.graph?.setDirtyCanvas(true, true);
}

function choose(node) {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = ENDINGS.join(",");
  input.onchange = () => input.files.length && upload(node, input.files[0]);
  input.click();
}

app.registerExtension({
  name: "SesaHand.UploadHands",
  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    // Last, and in no file: workflows hold the values of widgets by their place.
    const button = node.addWidget("button", "upload", "", () => choose(node), { serialize: false });
    button.label = label();
    button.serialize = false;
    node.onDragOver = (event) => [...(event.dataTransfer?.items ?? [])].some((item) => item.kind === "file");
    node.onDragDrop = (event) => {
      const file = [...(event.dataTransfer?.files ?? [])].find(isHands);
      if (file) upload(node, file);
      return Boolean(file);
    };
  },
});
