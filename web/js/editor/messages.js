// The line under the stage: what state the hands are in, and the ways out of it.
import { cameraFor, hasProportions } from "../core/placing.js";
import { button, make } from "./elements.js";
import { openHand } from "./commands.js";
import { sizeBehind } from "./shown_scene.js";
import * as waysOut from "./ways_out.js";

const WARN = "warn";
const ERROR = "error";

/** Return the chosen frame's hands that cannot be seen in the picture, by their places. */
function outside({ state: { scene, frame }, model }) {
  if (!scene) return [];
  const {
    focalLength,
    principalPoint: [cx, cy],
    width,
    height,
  } = scene.camera;
  return [...scene.hands.keys()].filter((n) => {
    const hand = scene.hands[n];
    const isSeen = ([x, y, z]) => {
      const [u, v] = [(x / z) * focalLength + cx, (y / z) * focalLength + cy];
      return z > 0 && u >= 0 && v >= 0 && u < width && v < height;
    };
    return hand.frame === frame && !model.keypoints(hand).some(isSeen);
  });
}

/** Bring hands back to where a new one starts. */
function bringBack(editor, places) {
  const { translation } = openHand(editor);
  editor.edit((draft) => {
    for (const n of places) draft.hands[n] = { ...draft.hands[n], translation };
  }, editor.t("did.bringBack"));
}

/** Return the size of the picture behind the hands that the camera does not fit, or null. */
function otherSize(editor) {
  const { scene } = editor.state;
  const size = sizeBehind(editor);
  return size && scene && !hasProportions(scene.camera, ...size) ? size : null;
}

/** Return what is wrong or special about the scene, the most urgent first: words, a tone, and actions. */
function messageOf(view) {
  const { editor } = view;
  const { t, status, state } = editor;
  const action = (name, act) => ({ name, label: t(`action.${name}`), act });
  const anew = action("startAnew", () => waysOut.startAnew(editor));
  const takeOver = action("takeOver", () => waysOut.takeOver(editor));
  const follow = action("follow", () => waysOut.follow(editor));
  const keepMine = action("keepMine", () => waysOut.keepMine(editor));
  const STATES = {
    unreadable: [ERROR, anew],
    unshown: [WARN, anew],
    viewOnly: [""],
    waiting: [WARN, ...(state.scene?.hands.length ? [takeOver] : [anew])],
    unseen: ["", anew],
    following: ["", takeOver],
    outdated: [WARN, follow, keepMine],
  };
  const known = STATES[status];
  if (known) {
    return { words: t(`state.${status}`, { problem: editor.problem }), tone: known[0], actions: known.slice(1) };
  }
  return warningOf(view, action) ?? quietOf(editor, follow);
}

/** Return what is wrong with hands that are the node's own, if anything is. */
function warningOf({ editor, stage }, action) {
  const { t } = editor;
  const size = otherSize(editor);
  if (size && editor.text) {
    const fit = () =>
      editor.edit((draft) => Object.assign(draft, { camera: cameraFor(draft.camera, ...size) }), t("did.fit"));
    const { width, height } = editor.state.scene.camera;
    const words = t("state.otherSize", { view: `${width} × ${height}`, picture: `${size[0]} × ${size[1]}` });
    return { words, tone: WARN, actions: [action("fit", fit)] };
  }
  const away = outside(editor);
  if (away.length) {
    return { words: t("state.outside"), tone: WARN, actions: [action("bringBack", () => bringBack(editor, away))] };
  }
  if (!stage.view.isDrawn) return { words: t("state.notDrawn"), tone: WARN, actions: [] };
  return null;
}

/** Return the words for hands with which all is well. */
function quietOf(editor, follow) {
  const { t, state, input } = editor;
  if (!state.scene.hands.length) return { words: t("state.noHands"), tone: "", actions: [] };
  if (editor.text && input.linked) return { words: t("state.edited"), tone: "", actions: [follow] };
  return { words: t("state.empty"), tone: "", actions: [] };
}

/**
 * Return the line under the stage, and the live region that says what was done.
 * @param {import("./editor_view.js").EditorView} view
 */
export function createMessages(view) {
  const { editor } = view;
  const words = make("p");
  const actions = make("div", { class: "sesahand-group" });
  const spoken = make("div", { class: "sesahand-spoken", role: "status", "aria-live": "polite" });
  const line = make("div", { class: "sesahand-status" }, words, actions, spoken);
  // A button mostly goes with its message, and would take the keys along.
  actions.addEventListener("click", () => view.stage.focus());
  let shown = "";
  // What was said for all to see; it stands until something changes.
  let notice = "";
  const show = () => {
    const message = notice ? { words: notice, tone: WARN, actions: [] } : messageOf(view);
    line.dataset.tone = message.tone;
    line.dataset.status = editor.status;
    const names = message.actions.map(({ name }) => name).join();
    if (shown === `${message.words}|${names}`) return;
    shown = `${message.words}|${names}`;
    words.textContent = message.words;
    words.title = message.words;
    actions.replaceChildren(...message.actions.map((each) => button(each)));
  };
  const endings = [
    editor.subscribe(() => {
      notice = "";
      show();
    }),
    editor.speakThrough((said, isSeen) => {
      spoken.textContent = said;
      notice = isSeen ? said : "";
      show();
    }),
    view.stage.view.painter?.subscribe(show),
  ];
  show();
  return { element: line, dispose: () => endings.forEach((end) => end?.()) };
}
