// The editor as it stands in a page: toolbar, stage, line of messages, panel; in its node or over the whole page.
import { commandBeside, commandOf, isOurs } from "../view/keys.js";
import { Stage } from "../view/stage.js";
import { COMMANDS, copiedText, pasteText } from "./commands.js";
import { make } from "./elements.js";
import { takeDropped } from "./files.js";
import { createMessages } from "./messages.js";
import { addStyles } from "./styles.js";
import { createToolbar } from "./toolbar.js";

/** All elements of an editor. */
export class EditorView {
  #parts;

  /**
   * Build them.
   * @param {import("./hand_editor.js").HandEditor} editor
   * @param {HTMLElement} home where it stands while it is not large; it may be outside the page
   * @param {(editor: import("./hand_editor.js").HandEditor, room: {large: boolean}) => {element: HTMLElement, dispose:
   *   () => void}} [createPanel]
   */
  constructor(editor, home, createPanel) {
    this.editor = editor;
    this.home = home;
    this.page = home.ownerDocument;
    addStyles(this.page);
    this.arrows = null;
    this.large = null;
    this.stage = new Stage(editor, this.page);
    this.createPanel = createPanel ?? null;
    this.panel = null;
    this.panelPlace = make("div", { class: "sesahand-panel-place" });
    const toolbar = createToolbar(this);
    const messages = createMessages(this);
    this.#parts = [toolbar, messages, this.stage];
    this.element = make("div", { class: "sesahand-editor" });
    this.element.append(toolbar.element, this.stage.element, messages.element, this.panelPlace);
    this.#showPanel();
    this.#listen();
    home.replaceChildren(this.element);
    this.stage.measure();
  }

  dispose() {
    this.#closeLarge();
    for (const part of [...this.#parts, this.panel]) part?.dispose();
    this.element.remove();
  }

  /** Show the panel that there is room for. */
  #showPanel() {
    this.panel?.dispose();
    this.panel = this.createPanel?.(this.editor, { large: this.isLarge }) ?? null;
    this.panelPlace.replaceChildren(...(this.panel ? [this.panel.element] : []));
  }

  /** Whether it is over the whole page. */
  get isLarge() {
    return this.large !== null;
  }

  /**
   * Carry out a command.
   * @param {{name: string, value?: any, large?: boolean}} command
   */
  run({ name, value, large = false }) {
    COMMANDS[name]?.(this, value, large);
  }

  #listen() {
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("dblclick", (event) => event.stopPropagation());
    for (const name of ["copy", "cut", "paste"]) {
      this.stage.sink.addEventListener(name, (event) => this.#clipboard(event));
    }
    this.#takeFiles();
  }

  /** Keys on the stage are commands, and some beside it; no key that is typed anywhere in the editor is the graph's. */
  #key(event) {
    const command = event.target === this.stage.sink ? commandOf(event) : commandBeside(event);
    if (command) {
      event.preventDefault();
      this.run(command);
    }
    if (command || isOurs(event)) event.stopPropagation();
  }

  #clipboard(event) {
    // Browsers also send here what is copied after the keys have left without another element to go to.
    if (!this.stage.hasFocus) return;
    event.stopPropagation();
    event.preventDefault();
    if (event.type === "paste") return void pasteText(this.editor, event.clipboardData.getData("text/plain"));
    const text = copiedText(this.editor);
    if (!text) return;
    event.clipboardData.setData("text/plain", text);
    if (event.type === "cut") this.run({ name: "remove" });
    else this.editor.say(this.editor.t("did.copy"));
  }

  /** Let a picture or a scene be dropped onto the stage. */
  #takeFiles() {
    const stage = this.stage.element;
    for (const name of ["dragenter", "dragover", "drop"]) {
      stage.addEventListener(name, (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        event.stopPropagation();
        const [file] = event.dataTransfer.files;
        if (name === "drop" && file) takeDropped(this.editor, file);
      });
    }
  }

  // --- Over the whole page

  /** Go over the whole page, or back into the node. */
  toggleLarge() {
    if (this.large) this.#closeLarge();
    else this.#openLarge();
    this.#showPanel();
    this.stage.measure();
    this.stage.focus();
  }

  #openLarge() {
    this.large = make("div", {
      class: "sesahand-large",
      role: "dialog",
      "aria-modal": "true",
      "aria-label": this.editor.t("large.label"),
    });
    this.large.append(this.element);
    this.page.body.append(this.large);
    // Whatever would take the focus away behind it gives it back.
    this.keepFocus = (event) => {
      if (!this.large?.contains(event.target)) this.stage.sink.focus({ preventScroll: true });
    };
    this.page.addEventListener("focusin", this.keepFocus);
  }

  #closeLarge() {
    if (!this.large) return;
    this.page.removeEventListener("focusin", this.keepFocus);
    this.home.replaceChildren(this.element);
    this.large.remove();
    this.large = null;
  }
}
