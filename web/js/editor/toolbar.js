// The row of buttons above the stage.
import { button, element } from "./elements.js";

const LOOKS = ["picture", "around"];
const SHOWN = ["hand", "depth", "normal"];

/**
 * Return the toolbar of an editor.
 * @param {import("./editor_view.js").EditorView} view
 */
export function createToolbar(view) {
  const { editor, page } = view;
  const { t } = editor;
  const act = (name) => view.run({ name });
  const command = (name, sign = name) => button(page, { name, label: t(`tool.${name}`), sign, act: () => act(name) });
  const choice = (group, value) =>
    button(page, {
      name: value,
      label: t(`tool.${value}.long`),
      words: t(`tool.${value}`),
      act: () => editor.view({ [group]: value }),
    });
  const group = (...children) => element(page, "div", { className: "sesahand-group" }, ...children);
  const joined = (name, values) => {
    const made = element(page, "div", { className: "sesahand-group sesahand-joined", role: "group" });
    made.setAttribute("aria-label", t(`tool.${name}`));
    made.append(...values.map((value) => choice(name, value)));
    return made;
  };

  const hands = element(page, "select", { title: t("tool.hands"), "aria-label": t("tool.hands") });
  hands.addEventListener("change", () => editor.choose({ hand: Number(hands.value) }));
  const frame = element(page, "input", { type: "range", min: "0", value: "0", "aria-label": t("tool.frame") });
  const frameWords = element(page, "span");
  frame.addEventListener("input", () => editor.view({ frame: Number(frame.value), chosen: -1 }));
  const frames = element(page, "label", { className: "sesahand-group sesahand-frame" }, frame, frameWords);

  const bar = element(page, "div", { className: "sesahand-toolbar", role: "toolbar", "aria-label": t("tool.bar") });
  bar.append(
    hands,
    group(command("add"), command("remove"), command("mirror"), command("swap"), command("resetHand", "reset")),
    group(command("undo"), command("redo")),
    joined("look", LOOKS),
    joined("shown", SHOWN),
    frames,
    element(page, "span", { className: "sesahand-space" }),
    command("large"),
  );
  // What is clicked on leaves the keys with the stage; whoever comes by Tab keeps them on the button.
  bar.addEventListener("mousedown", (event) => {
    if (!(/** @type {Element} */ (event.target).closest("button"))) return;
    event.preventDefault();
    view.stage.focus();
  });

  const find = (name) => /** @type {HTMLButtonElement} */ (bar.querySelector(`[data-act="${name}"]`));
  const show = () => {
    const { state, history, hand, editable } = editor;
    listHands(page, hands, editor);
    for (const name of [...LOOKS, ...SHOWN]) {
      find(name).setAttribute("aria-pressed", String(state.look === name || state.shown === name));
    }
    find("undo").disabled = !history.canUndo;
    find("redo").disabled = !history.canRedo;
    find("add").disabled = !editable;
    for (const name of ["remove", "mirror", "swap", "resetHand"]) find(name).disabled = !editable || !hand;
    const { numFrames = 1 } = state.scene ?? {};
    frames.hidden = numFrames === 1;
    frames.style.display = numFrames === 1 ? "none" : "";
    frame.max = String(numFrames - 1);
    frame.value = String(state.frame);
    frameWords.textContent = t("tool.frameOf", { frame: state.frame + 1, frames: numFrames });
  };
  const end = editor.subscribe(show);
  show();
  return { element: bar, dispose: end };
}

/** List the hands of the frame that is shown. */
function listHands(page, select, { state, t }) {
  const hands = state.scene?.hands ?? [];
  const options = hands.flatMap((hand, n) =>
    hand.frame === state.frame
      ? [
          element(page, "option", {
            value: String(n),
            textContent: t("tool.handNamed", { number: n + 1, side: t(`side.${hand.side}`) }),
            selected: n === state.chosen,
          }),
        ]
      : [],
  );
  const none = element(page, "option", { value: "-1", textContent: t("tool.noHand"), selected: true });
  select.replaceChildren(...(options.length ? options : [none]));
  select.disabled = options.length === 0;
}
