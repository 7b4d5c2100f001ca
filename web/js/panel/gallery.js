// The gallery: small pictures of all gestures and presets, found by words, taken with a click or by keys.
import { mirrorHand, rightPose } from "../core/hand.js";
import { search } from "../core/searching.js";
import { make } from "../editor/elements.js";
import { group } from "./elements.js";
import { handOf } from "./library.js";
import { part } from "./part.js";

const PIXELS = 72;
const SAME = 1e-6;

/** Tell whether two poses are the same, but for how exactly they were written. */
const isSame = (a, b) => a.every((rotation, j) => rotation.every((value, k) => Math.abs(value - b[j][k]) < SAME));

let galleries = 0;

/** The list of pictures; keys stay in the field above it, from where they choose. */
class Gallery {
  #active = -1;
  #tiles = [];
  #side = "right";

  constructor(editor, library) {
    this.editor = editor;
    this.library = library;
    this.id = `sesahand-gallery-${++galleries}`;
    const { t } = editor;
    this.list = make("div", {
      id: this.id,
      class: "sesahand-tiles",
      role: "listbox",
      "aria-label": t("panel.title.gallery"),
    });
    this.none = make("p", { class: "sesahand-message", role: "status" });
    this.query = make("input", {
      type: "search",
      class: "sesahand-search",
      role: "combobox",
      placeholder: t("panel.search"),
      "aria-label": t("panel.search"),
      "aria-expanded": "true",
      "aria-autocomplete": "list",
      "aria-controls": this.id,
      autocomplete: "off",
      spellcheck: "false",
    });
    this.query.addEventListener("input", () => this.find());
    this.query.addEventListener("keydown", (event) => this.#key(event));
    // A press on a picture leaves the keys where they are.
    this.list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      this.query.focus({ preventScroll: true });
    });
    this.seen = new IntersectionObserver((entries) => this.#draw(entries), { root: null, rootMargin: "100px" });
    this.element = group(t("panel.title.gallery"), "sesahand-gallery", this.query, this.list, this.none);
  }

  /** Show what the words in the field find. */
  find() {
    this.seen.disconnect();
    this.#tiles = search(this.library.poses, this.query.value).map((pose, n) => this.#tileOf(pose, n));
    this.list.replaceChildren(...this.#tiles.map(({ element }) => element));
    this.none.textContent = this.#tiles.length ? "" : this.editor.t("panel.nothing");
    this.#activate(this.query.value.trim() && this.#tiles.length ? 0 : -1);
    for (const { element } of this.#tiles) this.seen.observe(element);
    this.refresh();
  }

  #tileOf(pose, n) {
    const canvas = make("canvas", { width: PIXELS, height: PIXELS, "aria-hidden": "true" });
    const name = make("span", { class: "sesahand-tile-name" }, pose.title);
    const element = make("div", { id: `${this.id}-${n}`, class: "sesahand-tile", role: "option" }, canvas, name);
    element.title = [pose.title, pose.description].filter(Boolean).join(": ");
    if (pose.own) element.classList.add("sesahand-own");
    element.addEventListener("click", () => this.#take(pose));
    return { pose, canvas, element };
  }

  /** Draw the pictures that have come into view. */
  #draw(entries) {
    for (const { target, isIntersecting } of entries) {
      const tile = isIntersecting && this.#tiles.find(({ element }) => element === target);
      if (!tile) continue;
      this.seen.unobserve(target);
      const hand = handOf(tile.pose);
      this.editor.snapshot(this.#side === "right" ? hand : mirrorHand(hand), tile.canvas);
    }
  }

  #take(pose) {
    if (this.element.disabled) return;
    this.editor.changePose(() => pose.pose);
    this.editor.commit(this.editor.t("panel.taken", { name: pose.title }));
  }

  #activate(n) {
    this.#tiles[this.#active]?.element.classList.remove("sesahand-active");
    this.#active = n;
    const tile = this.#tiles[n];
    if (!tile) return this.query.removeAttribute("aria-activedescendant");
    tile.element.classList.add("sesahand-active");
    this.query.setAttribute("aria-activedescendant", tile.element.id);
    tile.element.scrollIntoView({ block: "nearest" });
  }

  /** How many pictures stand in a row. */
  get #columns() {
    const [first] = this.#tiles;
    const next = this.#tiles.findIndex(({ element }) => element.offsetTop !== first.element.offsetTop);
    return next < 0 ? this.#tiles.length : next;
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.#tiles.length) return;
    const steps = { ArrowDown: this.#columns, ArrowUp: -this.#columns };
    // Sideways keys belong to the words until a picture is chosen.
    if (this.#active >= 0) Object.assign(steps, { ArrowRight: 1, ArrowLeft: -1 });
    if (event.key === "Enter" && this.#active >= 0) this.#take(this.#tiles[this.#active].pose);
    else if (event.key === "Escape" && (this.query.value || this.#active >= 0)) this.#clear();
    else if (!(event.key in steps)) return;
    else this.#move(steps[event.key]);
    event.preventDefault();
    event.stopPropagation();
  }

  #move(step) {
    if (this.#active < 0) return this.#activate(0);
    const wanted = this.#active + step;
    if (wanted >= 0 && wanted < this.#tiles.length) this.#activate(wanted);
  }

  #clear() {
    this.query.value = "";
    this.find();
  }

  /** Mark what the hand is in, and draw for its side. */
  refresh() {
    const { hand, editable } = this.editor;
    this.element.disabled = !hand || !editable;
    const side = hand?.side ?? this.#side;
    if (side !== this.#side) {
      this.#side = side;
      for (const { element } of this.#tiles) this.seen.observe(element);
    }
    const pose = hand && rightPose(hand);
    for (const tile of this.#tiles) {
      tile.element.setAttribute("aria-selected", String(pose !== null && isSame(pose, tile.pose.pose)));
    }
  }
}

/** Return the gallery of a library's poses. */
export function createGallery(editor, library) {
  const gallery = new Gallery(editor, library);
  gallery.find();
  const endings = [library.subscribe(() => gallery.find()), () => gallery.seen.disconnect()];
  return part(editor, gallery.element, () => gallery.refresh(), endings);
}
