// The scene as what it is, a text: to be read, changed and checked, saved as a file and taken from one.
import { readableText } from "../core/readable_text.js";
import { readScene } from "../core/scene_reading.js";
import { writeScene } from "../core/scene_writing.js";
import { takeScene } from "../editor/files.js";
import { make } from "../editor/elements.js";
import { button, fileButton, group, message, tell } from "./elements.js";
import { part } from "./part.js";
import { saveText } from "./saving.js";

const FILE = "hands.json";

/** The text in its field, which follows the editor until somebody writes in it. */
class SceneText {
  // The text that the field shows, so that it is not laid out anew for each movement of something else.
  #followed = null;

  constructor(editor) {
    this.editor = editor;
    /** Whether what is in the field is somebody's writing, and what is wrong with it. */
    this.isOwn = false;
    this.problem = "";
    this.place = message();
    this.place.id = `sesahand-text-${SceneText.count++}`;
    this.field = make("textarea", {
      class: "sesahand-text",
      rows: 8,
      spellcheck: "false",
      "aria-label": editor.t("panel.title.text"),
      "aria-describedby": this.place.id,
    });
    this.field.addEventListener("input", () => this.#check());
    this.apply = button(editor.t("panel.text.apply"), () => this.#take(this.field.value));
    this.revert = button(editor.t("panel.text.revert"), () => this.#followAgain());
  }

  static count = 0;

  /** Return the scene of a text as it is to be written, an empty one as it is. */
  #checked(text) {
    if (!text.trim()) return "";
    return writeScene(readScene(text, this.editor.model.name));
  }

  /** Say what is wrong with what is written in the field. */
  #check() {
    this.isOwn = true;
    this.problem = "";
    try {
      this.#checked(this.field.value);
    } catch (error) {
      this.problem = error.message;
    }
    tell(this.place, this.problem, true);
    this.field.setAttribute("aria-invalid", String(this.problem !== ""));
    this.refresh();
  }

  /** Take a text for the scene, if it is one. */
  #take(text) {
    try {
      this.editor.replaceText(this.#checked(text));
    } catch (error) {
      return tell(this.place, error.message, true);
    }
    this.#followAgain();
  }

  #followAgain() {
    this.isOwn = false;
    tell(this.place, "");
    this.field.removeAttribute("aria-invalid");
    this.refresh();
  }

  take = async (file) => {
    try {
      await takeScene(this.editor, file);
      this.#followAgain();
    } catch (error) {
      tell(this.place, error.message, true);
    }
  };

  save = () => saveText(FILE, this.#shown);

  get #shown() {
    const { text, state } = this.editor;
    return text || (state.scene ? writeScene(state.scene) : "");
  }

  /** Show the scene's text, unless somebody is writing another one. */
  refresh() {
    const { editor } = this;
    this.field.readOnly = editor.wired !== null;
    this.apply.disabled = !this.isOwn || this.problem !== "";
    this.revert.disabled = !this.isOwn;
    if (this.isOwn) {
      this.#followed = null;
      return;
    }
    const text = editor.wired ?? this.#shown;
    if (text !== this.#followed) this.field.value = readableText(text);
    this.#followed = text;
    tell(this.place, editor.problem, editor.problem !== "");
  }
}

/** Return the scene's text, and the buttons that save it and take another. */
export function createSceneText(editor) {
  const text = new SceneText(editor);
  const { t } = editor;
  const taking = fileButton(t("panel.text.import"), ".json,application/json", text.take);
  const saving = button(t("panel.text.export"), text.save);
  const element = group(
    t("panel.title.text"),
    "sesahand-rows sesahand-scene",
    text.field,
    text.place,
    make("div", { class: "sesahand-line" }, text.apply, text.revert, taking, saving),
  );
  return part(editor, element, () => text.refresh());
}
