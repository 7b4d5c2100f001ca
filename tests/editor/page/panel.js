// A page with nothing but the editor's panel, for tests and for looking at: ?width=400 in a node, ?large beside the stage,
// ?light in light colours, ?language=zh in another language.
import { mirrorHand } from "/web/js/core/hand.js";
import { HandModel } from "/web/js/core/hand_model.js";
import { HandEditor } from "/web/js/editor/hand_editor.js";
import { translator } from "/web/js/editor/strings.js";
import { createPanel } from "/web/js/panel/panel.js";

/** Return presets that last as long as the page. */
function memory() {
  const texts = new Map();
  return {
    list: async () => [...texts.keys()],
    read: async (name) => texts.get(name),
    write: async (name, text) => void texts.set(name, text),
    remove: async (name) => void texts.delete(name),
  };
}

/** Return a host that keeps what it is given in the page. */
const hostOf = (page) => ({
  storage: memory(),
  write: (text) => page.written.push(text),
  forward: (event) => page.forwarded.push(event.type),
  dropPicture: async (file) => page.editor.setBackground({ image: await createImageBitmap(file), dropped: true }),
  removePicture: () => page.editor.setBackground({ image: null, dropped: false }),
});

/** Return the function that says things in a language. */
async function translation(language) {
  const messages = await (await fetch(`/locales/${language}/main.json`)).json();
  return translator(messages.sesahand.editor);
}

const [hand, facts] = await Promise.all([
  fetch("/sesahand/assets/hand.safetensors").then((answer) => answer.arrayBuffer()),
  fetch("/facts.json").then((answer) => answer.json()),
]);
const model = new HandModel(hand);

/** The panel that is shown, its editor, and what that wrote and said. */
const page = (window.page = {
  mirrorHand,
  async show({ width = null, language = "en" }) {
    page.panel?.dispose();
    Object.assign(page, { written: [], said: [], forwarded: [] });
    page.editor = new HandEditor({ model, facts, host: hostOf(page), t: await translation(language) });
    page.editor.speakThrough((words) => page.said.push(words));
    page.panel = createPanel(page.editor, { large: width === null });
    if (width !== null) page.panel.element.style.width = `${width}px`;
    document.body.replaceChildren(page.panel.element);
  },
});

const given = new URLSearchParams(location.search);
document.body.classList.toggle("light", given.has("light"));
await page.show({ width: given.get("width"), language: given.get("language") ?? "en" });
page.ready = true;
