// The picture behind the hands: how strongly it and they are seen, another one, none.
import { make } from "../editor/elements.js";
import { button, fileButton, group, message, tell } from "./elements.js";
import { part } from "./part.js";
import { Slider } from "./slider.js";

/** Return the first picture among what was dropped, or null. */
const pictureOf = (transfer) => [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/")) ?? null;

/** Let picture files be dropped on an element. */
function takeDrops(element, take) {
  element.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    // Or the page would take the file for itself.
    event.preventDefault();
    event.stopPropagation();
    element.classList.add("sesahand-over");
  });
  element.addEventListener("dragleave", () => element.classList.remove("sesahand-over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    element.classList.remove("sesahand-over");
    const picture = pictureOf(event.dataTransfer);
    if (picture) take(picture);
  });
}

/** Return the controls of the picture behind the hands. */
export function createBackground(editor) {
  const { host } = editor;
  const opacity = new Slider(
    { label: editor.t("panel.opacity"), least: 0, most: 1, step: 0.05 },
    { slide: (value) => editor.setBackground({ opacity: value }), settle: () => {} },
  );
  const hands = new Slider(
    { label: editor.t("panel.handOpacity"), least: 0, most: 1, step: 0.05 },
    { slide: (value) => editor.setBackground({ hands: value }), settle: () => {} },
  );
  const place = message();
  const take = async (file) => {
    tell(place, "");
    try {
      await host.dropPicture(file);
    } catch (error) {
      tell(place, editor.t("panel.background.failed", { problem: error.message }), true);
    }
  };
  const choose = fileButton(editor.t("panel.background.choose"), "image/*", take);
  const remove = button(editor.t("panel.background.remove"), () => host.removePicture?.());
  const element = group(
    editor.t("panel.title.background"),
    "sesahand-rows sesahand-background",
    make("div", { class: "sesahand-row" }, ...opacity.parts),
    make("div", { class: "sesahand-row" }, ...hands.parts),
    make("div", { class: "sesahand-line" }, ...(host.dropPicture ? [choose] : []), remove),
    place,
  );
  if (host.dropPicture) takeDrops(element, take);
  return part(editor, element, () => {
    const { image, opacity: now, hands: shown, dropped } = editor.background;
    opacity.show(image ? now : null);
    hands.show(image ? shown : null);
    remove.disabled = !dropped;
  });
}
