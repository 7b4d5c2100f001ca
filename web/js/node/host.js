// What the editor may ask of ComfyUI: keep its text, take events, hold files of the user.

import { startIn } from "../editor/ways_out.js";

const PRESETS = "sesahand/hand_presets";
const UPLOADS = "sesahand";
const TRAVELS = Object.freeze({ undo: "Comfy.Undo", redo: "Comfy.Redo" });

/** Make one step of the graph's undo. The frontend looks for changes on mouseup, which touch and keys do not bring. */
function checkpoint(app) {
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  if (tracker?.captureCanvasState) tracker.captureCanvasState();
  else tracker?.checkState?.();
}

/** Let the graph have an event that the editor has no use for, as the frontend's own text boxes do. */
function forward(app, event) {
  const { canvas } = app;
  if (event.type === "wheel") {
    event.preventDefault();
    event.stopPropagation();
    canvas.processMouseWheel(event);
  } else if (event.type === "pointerdown") canvas.processMouseDown(event);
  else if (event.type === "pointermove") canvas.processMouseMove(event);
  else canvas.processMouseUp(event);
}

/** Return the address of a picture that the server holds. */
export const addressOf = (api, { filename, subfolder = "", type }) =>
  api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);

/** Return a file's name for a preset's: nothing that leads into another folder. */
const fileOf = (name) => `${PRESETS}/${name.replace(/[\\/:*?"<>|]/g, "_")}.json`;

/** The user's own poses, in the user's folder on the server. */
function presets(api) {
  const checked = async (answer) => {
    const response = await answer;
    if (response && response.ok === false) throw new Error(`${response.status} ${response.statusText}`);
    return response;
  };
  return {
    async list() {
      const files = await api.listUserDataFullInfo(PRESETS);
      return files
        .map(({ path }) => path.split("/").at(-1))
        .filter((name) => name.endsWith(".json"))
        .map((name) => name.slice(0, -".json".length))
        .sort();
    },
    read: async (name) => (await checked(api.getUserData(fileOf(name)))).text(),
    write: (name, text) => checked(api.storeUserData(fileOf(name), text, { overwrite: true, stringify: false })),
    remove: (name) => checked(api.deleteUserData(fileOf(name))),
  };
}

/**
 * Return the picture of a file, decoded.
 * @throws {Error} if it is none; words for it are the caller's
 */
async function pictureIn(file, words) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await image.decode();
    return image;
  } catch {
    throw new Error(words);
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

/** Put a file into the server's input folder, and return how it is asked for. */
async function upload(api, file) {
  const body = new FormData();
  body.append("image", file);
  body.append("subfolder", UPLOADS);
  const response = await api.fetchApi("/upload/image", { method: "POST", body });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  const { name, subfolder, type } = await response.json();
  return { filename: name, subfolder, type };
}

/**
 * Return what an editor in a node may ask for.
 * @param {import("./node_editor.js").NodeEditor} place
 * @param {{app: any, api: any}} comfy
 * @returns {import("../editor/host.js").Host}
 */
export const createHost = (place, { app, api }) => ({
  write(text) {
    place.text.value = text;
    place.text.callback?.(text);
    place.node.graph?.setDirtyCanvas?.(true, true);
    checkpoint(app);
  },
  travel: (way) => app.extensionManager?.command?.execute(TRAVELS[way]),
  forward: (event) => forward(app, event),
  focused: () => app.canvas.selectNode?.(place.node),
  storage: presets(api),
  upload: (file) => upload(api, file),
  async dropPicture(file) {
    // What cannot be shown is not kept either.
    const { naturalWidth, naturalHeight } = await pictureIn(file, place.t("said.notPicture"));
    place.rememberPicture(await upload(api, file));
    if (place.editor) startIn(place.editor, [naturalWidth, naturalHeight]);
    checkpoint(app);
  },
  removePicture() {
    place.rememberPicture(null);
    checkpoint(app);
  },
});
