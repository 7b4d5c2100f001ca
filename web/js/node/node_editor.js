// The editor of one node: opened when the node comes into a graph, closed when it goes, and in step with its widgets.
import { button, make } from "../editor/elements.js";
import { translator } from "../editor/strings.js";
import { addStyles } from "../editor/styles.js";
import { loadAssets } from "./assets.js";
import { addressOf, createHost } from "./host.js";
import { droppedPicture, isLinked, pictureBefore, rememberDropped, watchPicture } from "./input_picture.js";
import { makePlace, showsElements, textOf } from "./scene_widget.js";

/** Return the first of what a run told under a name. */
const told = (output, name) => output?.[name]?.[0];

/** An editor, or the place where one will be. */
export class NodeEditor {
  #opening = null;
  // What the last run told.
  #after = {};
  #shownPicture = "";
  // The widgets of other nodes that tell when their picture changes.
  #watched = new WeakSet();

  /**
   * Make a place in a node.
   * @param {any} node a node of the graph
   * @param {{app: any, api: any}} comfy
   */
  constructor(node, comfy) {
    this.node = node;
    this.comfy = comfy;
    // English until the user's language has been loaded.
    this.t = translator();
    const edit = { words: this.t("menu.edit"), act: () => this.openLarge() };
    this.home = makePlace(node, showsElements(comfy.app) ? null : edit);
    this.text = textOf(node);
    this.editor = null;
    this.view = null;
  }

  /** The text in the node's widget. */
  get #written() {
    return String(this.text.value ?? "");
  }

  /** Load what is needed and show the editor; the node may be gone by then. */
  open() {
    if (this.view || this.#opening) return this.#opening;
    const opening = this.#load().then(
      (loaded) => {
        if (this.#opening === opening) this.#show(loaded);
      },
      (error) => {
        if (this.#opening === opening) this.#sayFailed(error);
      },
    );
    this.#opening = opening;
    return opening;
  }

  async #load() {
    const [assets, { HandEditor }, { EditorView }, { createPanel }] = await Promise.all([
      loadAssets(this.comfy),
      import("../editor/hand_editor.js"),
      import("../editor/editor_view.js"),
      import("../panel/panel.js"),
    ]);
    return { assets, HandEditor, EditorView, createPanel };
  }

  #show({ assets, HandEditor, EditorView, createPanel }) {
    this.editor = new HandEditor({ ...assets, host: createHost(this, this.comfy), text: this.#written });
    this.t = assets.t;
    this.view = new EditorView(this.editor, this.home, createPanel);
    // What leads here may have changed without a word; a pointer comes before anything is done.
    this.view.element.addEventListener("pointerenter", () => this.sync());
    this.#takeNews();
  }

  /** Say what could not be loaded, with a button to try it again. */
  #sayFailed(error) {
    this.#opening = null;
    const words = make("p", {}, String(error?.message ?? error));
    const label = this.t("action.tryAgain");
    const again = button({ name: "tryAgain", label, act: () => this.open() });
    addStyles(document);
    const box = make("div", { class: "sesahand-editor sesahand-waits", role: "alert" }, words, again);
    this.home.replaceChildren(box);
  }

  close() {
    this.#opening = null;
    this.view?.dispose();
    this.view = this.editor = null;
    this.#shownPicture = "";
  }

  /** Show the editor over the whole page. */
  async openLarge() {
    await this.open();
    if (this.view && !this.view.isLarge) this.view.toggleLarge();
  }

  /** Show what the node's widgets and links say now. */
  sync() {
    const { editor, node } = this;
    if (!editor) return;
    if (this.#written !== editor.text) editor.show(this.#written);
    editor.showWired(isLinked(node, "scene") ? (this.#after.scene ?? "") : null);
    editor.receive({ linked: isLinked(node, "hands"), ...(isLinked(node, "image") ? {} : { size: null }) });
    this.#showPicture();
  }

  /** Take what a run told; it may have ended before the editor was there. */
  executed(output) {
    const fingerprint = told(output, "sesahand_input") ?? "";
    // A run with a scene does not ask for the input's hands: what the last one that did showed holds for that input.
    const kept = fingerprint === this.#after.fingerprint ? this.#after.found : "";
    this.#after = {
      found: told(output, "sesahand_found") ?? kept,
      scene: told(output, "sesahand_scene"),
      picture: told(output, "sesahand_background") ?? null,
      waits: told(output, "sesahand_waits") ?? false,
      fingerprint,
    };
    if (this.editor) this.#takeNews();
  }

  /** Tell the editor what the last run told. */
  #takeNews() {
    const { found, picture, waits, fingerprint } = this.#after;
    if (waits !== undefined) {
      this.editor.receive({
        linked: isLinked(this.node, "hands"),
        waits,
        fingerprint,
        found,
        ...(picture ? { size: [picture.width, picture.height] } : {}),
      });
    }
    this.sync();
  }

  // --- The picture behind the hands

  /** Keep a picture that was dropped with the node; null forgets it. */
  rememberPicture(file) {
    rememberDropped(this.node, file);
    this.#showPicture();
  }

  #showPicture() {
    const { node, editor } = this;
    const dropped = droppedPicture(node);
    const before = pictureBefore(node, "image");
    watchPicture(node, "image", this.#watched, () => this.sync());
    const file = dropped ?? before ?? (isLinked(node, "image") ? this.#after.picture : null);
    const address = file ? addressOf(this.comfy.api, file) : "";
    if (address === this.#shownPicture) return;
    this.#shownPicture = address;
    if (!file) return void editor.setBackground({ image: null, dropped: false });
    const image = new Image();
    image.onload = () => {
      if (this.editor !== editor || this.#shownPicture !== address) return;
      editor.setBackground({ image, dropped: Boolean(dropped) });
      // What a run sends may have been made smaller, and says how large it was.
      if (!dropped && before) editor.receive({ size: [image.naturalWidth, image.naturalHeight] });
    };
    image.onerror = () => this.editor === editor && editor.say(this.t("said.notShown", { name: file.filename }), true);
    image.src = address;
  }
}
