// The gallery in a node, where there is no room for it: a button that opens it over the page.
import { make } from "../editor/elements.js";
import { button } from "./elements.js";
import { createGallery } from "./gallery.js";
import { Library } from "./library.js";
import { createMix } from "./mix.js";

const GAP = 4;

/** Return where a box goes that belongs to a button: under it, or above where the page ends; within the page. */
function placeBy(anchor, { width, height }, page) {
  const below = anchor.bottom + GAP;
  const top = below + height <= page.height ? below : Math.max(GAP, anchor.top - GAP - height);
  return { left: Math.max(GAP, Math.min(anchor.left, page.width - width - GAP)), top };
}

/** What the button opens; made when it is first opened, because most nodes never do. */
class GestureList {
  #parts = [];

  constructor(editor) {
    this.editor = editor;
    this.element = make("div", { class: "sesahand-gesture-list", popover: "auto" });
    // It closes what is open here, and does nothing else.
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && event.stopPropagation());
  }

  /** Make the gallery, and read the user's presets. */
  #fill() {
    const library = new Library(this.editor);
    this.#parts = [createGallery(this.editor, library), createMix(this.editor, library)];
    this.element.append(...this.#parts.map(({ element }) => element));
    library.refresh().catch((error) => this.editor.say(error.message));
  }

  open(opener) {
    if (!this.#parts.length) this.#fill();
    this.element.showPopover();
    const anchor = opener.getBoundingClientRect();
    const page = { width: window.innerWidth, height: window.innerHeight };
    const { left, top } = placeBy(anchor, this.element.getBoundingClientRect(), page);
    Object.assign(this.element.style, { left: `${left}px`, top: `${top}px` });
    this.element.querySelector("input").focus({ preventScroll: true });
  }

  dispose() {
    for (const { dispose } of this.#parts) dispose();
  }
}

/**
 * Return the button with what it opens.
 * @returns {import("./part.js").Part}
 */
export function createGestureList(editor) {
  const list = new GestureList(editor);
  const opener = button(editor.t("panel.open"), () => list.open(opener), { "aria-haspopup": "dialog" });
  const element = make("div", { class: "sesahand-opener" }, opener, list.element);
  const refresh = () => (opener.disabled = !editor.hand || !editor.editable);
  refresh();
  const end = editor.subscribe(refresh);
  return {
    element,
    dispose() {
      end();
      list.dispose();
    },
  };
}
