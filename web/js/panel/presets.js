// The user's own poses: kept under a name, deleted, handed out and taken in as files.
import { presetName, readPreset, writePreset } from "../core/presets.js";
import { readScene } from "../core/scene_reading.js";
import { textOf } from "../editor/files.js";
import { make } from "../editor/elements.js";
import { button, fileButton, group, message, sureButton, tell } from "./elements.js";
import { handOf } from "./library.js";
import { part } from "./part.js";
import { saveText } from "./saving.js";

/** What is done with presets; each way ends in a sentence. */
class Presets {
  constructor(editor, library, place) {
    this.editor = editor;
    this.library = library;
    this.place = place;
  }

  /** Do something that may fail, and say how it went. */
  async #attempt(act) {
    try {
      tell(this.place, await act());
    } catch (error) {
      tell(this.place, error.message, true);
    }
  }

  /** Return the text of a hand's pose. */
  #textOf(hand) {
    const { facts, model } = this.editor;
    return writePreset(hand, readScene(facts.default_scene, model.name));
  }

  /** Return a name that can be a file's, or throw with what to do. */
  #nameOf(typed) {
    const name = presetName(typed);
    if (name) return name;
    throw new Error(this.editor.t("panel.presets.unnamed"));
  }

  /** Return a name that no preset has, with a number behind it if need be. */
  #freeName(name) {
    const isFree = (wanted) => !this.library.presets.some(({ title }) => title === wanted);
    let [free, number] = [name, 2];
    for (; !isFree(free); number++) free = `${name} ${number}`;
    return free;
  }

  save = (typed) =>
    this.#attempt(async () => {
      const name = this.#nameOf(typed);
      await this.library.write(name, this.#textOf(this.editor.hand));
      return this.editor.t("panel.presets.saved", { name });
    });

  remove = ({ title }) =>
    this.#attempt(async () => {
      await this.library.remove(title);
      return this.editor.t("panel.presets.removed", { name: title });
    });

  give = (preset) => saveText(`${presetName(preset.title)}.json`, this.#textOf(handOf(preset)));

  take = (file) =>
    this.#attempt(async () => {
      const pose = readPreset(await textOf(file), this.editor.model.name);
      const name = this.#freeName(this.#nameOf(file.name.replace(/\.json$/i, "")));
      await this.library.write(name, this.#textOf(handOf({ pose })));
      return this.editor.t("panel.presets.saved", { name });
    });
}

/** Return the line with a name to save the pose under. */
function createSaving(editor, library, presets) {
  const { t } = editor;
  const name = make("input", {
    type: "text",
    class: "sesahand-text-field",
    maxlength: 60,
    placeholder: t("panel.presets.name"),
    "aria-label": t("panel.presets.name"),
  });
  const isTaken = () => library.presets.some(({ title }) => title === presetName(name.value));
  const save = () => presets.save(name.value);
  const saver = sureButton(t("panel.presets.save"), t("panel.presets.replace"), save, isTaken);
  name.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) saver.click();
  });
  const refresh = () => (saver.disabled = !editor.hand);
  return { element: make("div", { class: "sesahand-line" }, name, saver), refresh };
}

/** Return the line with a preset to delete or hand out. */
function createKeeping(editor, library, presets) {
  const { t } = editor;
  const select = make("select", { class: "sesahand-select", "aria-label": t("panel.title.presets") });
  const chosen = () => library.presets[select.selectedIndex];
  const remove = sureButton(t("panel.presets.remove"), t("panel.presets.sure"), () => presets.remove(chosen()));
  const give = button(t("panel.presets.export"), () => presets.give(chosen()));
  const fill = () => {
    const before = select.value;
    select.replaceChildren(...library.presets.map(({ title }) => make("option", { value: title }, title)));
    if (library.presets.some(({ title }) => title === before)) select.value = before;
    select.disabled = remove.disabled = give.disabled = !library.presets.length;
  };
  fill();
  return { element: make("div", { class: "sesahand-line" }, select, remove, give), fill };
}

/** Return what keeps poses; null where there is nowhere to keep them. */
export function createPresets(editor, library) {
  if (!editor.host.storage) return null;
  const place = message();
  const presets = new Presets(editor, library, place);
  const saving = createSaving(editor, library, presets);
  const keeping = createKeeping(editor, library, presets);
  const taking = fileButton(editor.t("panel.presets.import"), ".json,application/json", presets.take);
  const element = group(
    editor.t("panel.title.presets"),
    "sesahand-rows sesahand-presets",
    saving.element,
    keeping.element,
    make("div", { class: "sesahand-line" }, taking),
    place,
  );
  library.refresh().catch((error) => tell(place, error.message, true));
  return part(editor, element, saving.refresh, [library.subscribe(keeping.fill)]);
}
