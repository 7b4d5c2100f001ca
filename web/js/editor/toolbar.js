// The row of buttons above the stage.
import { button, make } from "./elements.js";

const LOOKS = ["picture", "around"];
const SHOWN = ["hand", "depth", "normal"];

/** What makes the parts of a toolbar. */
class Parts {
  /** @param {import("./editor_view.js").EditorView} view */
  constructor(view) {
    this.view = view;
    this.t = view.editor.t;
  }

  /** Return a button that carries out a command. */
  command(name, sign = name) {
    return button({ name, label: this.t(`tool.${name}`), sign, act: () => this.view.run({ name }) });
  }

  group(...children) {
    return make("div", { class: "sesahand-group" }, ...children);
  }

  /** Return buttons of which one is pressed: ways to look. */
  choice(name, values) {
    const buttons = values.map((value) =>
      button({
        name: value,
        label: this.t(`tip.${value}`),
        words: this.t(`tool.${value}`),
        act: () => this.view.editor.view({ [name]: value }),
      }),
    );
    const label = { role: "group", "aria-label": this.t(`tool.${name}`) };
    return make("div", { class: "sesahand-group sesahand-joined", ...label }, ...buttons);
  }

  /** Return the list of hands, and what brings it up to date. */
  hands() {
    const { editor } = this.view;
    const select = make("select", { title: this.t("tool.hands"), "aria-label": this.t("tool.hands") });
    select.addEventListener("change", () => editor.choose({ hand: Number(select.value) }));
    return { select, show: () => listHands(select, editor) };
  }

  /** Return the slider over the pictures of a batch, and what brings it up to date; one picture needs none. */
  frames() {
    const { editor } = this.view;
    const slider = make("input", { type: "range", min: "0", "aria-label": this.t("tool.frame") });
    slider.addEventListener("input", () => editor.view({ frame: Number(slider.value) }));
    const words = make("span");
    const label = make("label", { class: "sesahand-group sesahand-frame" }, slider, words);
    const show = () => {
      const frames = editor.state.scene?.numFrames ?? 1;
      label.hidden = frames === 1;
      slider.max = String(frames - 1);
      slider.value = String(editor.state.frame);
      words.textContent = this.t("tool.frameOf", { frame: editor.state.frame + 1, frames });
    };
    return { label, show };
  }
}

/** Bring the buttons of a toolbar up to date. */
function showButtons(bar, { state, history, hand, editable }) {
  const find = (name) => bar.querySelector(`[data-act="${name}"]`);
  for (const name of [...LOOKS, ...SHOWN]) {
    find(name).setAttribute("aria-pressed", String(state.look === name || state.shown === name));
  }
  find("undo").disabled = !history.canUndo;
  find("redo").disabled = !history.canRedo;
  find("add").disabled = !editable;
  for (const name of ["remove", "mirror", "swap", "resetHand"]) find(name).disabled = !editable || !hand;
}

/**
 * Return the toolbar of an editor.
 * @param {import("./editor_view.js").EditorView} view
 */
export function createToolbar(view) {
  const { editor } = view;
  const parts = new Parts(view);
  const [hands, frames] = [parts.hands(), parts.frames()];
  const bar = make("div", { class: "sesahand-toolbar", role: "toolbar", "aria-label": editor.t("tool.bar") });
  bar.append(
    hands.select,
    parts.group(
      ...["add", "remove", "mirror", "swap"].map((name) => parts.command(name)),
      parts.command("resetHand", "reset"),
    ),
    parts.group(parts.command("undo"), parts.command("redo")),
    parts.choice("look", LOOKS),
    parts.choice("shown", SHOWN),
    frames.label,
    make("span", { class: "sesahand-space" }),
    parts.command("large"),
    parts.command("close"),
  );
  // What is clicked on leaves the keys with the stage; whoever comes by Tab keeps them on the button.
  bar.addEventListener("mousedown", (event) => {
    if (!(/** @type {Element} */ (event.target).closest("button"))) return;
    event.preventDefault();
    view.stage.focus();
  });
  const show = () => {
    hands.show();
    frames.show();
    showButtons(bar, editor);
  };
  show();
  return { element: bar, dispose: editor.subscribe(show) };
}

/** List the hands of the frame that is shown. */
function listHands(select, { state, t }) {
  const hands = state.scene?.hands ?? [];
  const options = hands.flatMap((hand, n) =>
    hand.frame === state.frame
      ? [
          make(
            "option",
            { value: n, selected: n === state.chosen },
            t("tool.handNamed", { number: n + 1, side: t(`side.${hand.side}`) }),
          ),
        ]
      : [],
  );
  const none = make("option", { value: "-1", selected: true }, t("tool.noHand"));
  select.replaceChildren(...(options.length ? options : [none]));
  select.disabled = options.length === 0;
}
