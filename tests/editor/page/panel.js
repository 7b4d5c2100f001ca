// A page with nothing but the editor's panel, for tests and for looking at: ?width=400 in a node, ?large beside the stage,
// ?light in light colours, ?language=zh in another language.
import { HandModel } from "/web/js/core/hand_model.js";
import { HandEditor } from "/web/js/editor/hand_editor.js";
import { translator } from "/web/js/editor/strings.js";
import { createPanel } from "/web/js/panel/panel.js";

const given = new URLSearchParams(location.search);

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
function hostOf(page) {
  return {
    storage: memory(),
    write: (text) => page.written.push(text),
    dropPicture: async (file) => page.editor.setBackground({ image: await createImageBitmap(file), dropped: true }),
    removePicture: () => page.editor.setBackground({ image: null, dropped: false }),
  };
}

/** Return the function that says things in the language that is asked for. */
async function translation() {
  const language = given.get("language") ?? "en";
  const messages = await (await fetch(`/locales/${language}/main.json`)).json();
  return translator(messages.sesahand.editor);
}

const [hand, facts, t] = await Promise.all([
  fetch("/sesahand/assets/hand.safetensors").then((answer) => answer.arrayBuffer()),
  fetch("/facts.json").then((answer) => answer.json()),
  translation(),
]);
const page = (window.page = { written: [], said: [] });
page.editor = new HandEditor({ model: new HandModel(hand), facts, host: hostOf(page), t });
page.editor.speakThrough((words) => page.said.push(words));

document.body.classList.toggle("light", given.has("light"));
page.panel = createPanel(page.editor, { large: given.has("large") });
if (!given.has("large")) page.panel.element.style.width = `${given.get("width") ?? 400}px`;
document.body.append(page.panel.element);
page.ready = true;
