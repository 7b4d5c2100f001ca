// What every editor of a page shares: the hand, what Python says of it, and the words of the user's language.
import { HandModel } from "../core/hand_model.js";
import { translator } from "../editor/strings.js";

const loads = new WeakMap();

/** Return the answer of one of the pack's routes, or throw what the server says. */
async function fetched(api, name) {
  const response = await api.fetchApi(`/sesahand/editor/${name}`);
  if (response.ok) return response;
  const said = await response.json().catch(() => null);
  throw new Error(said?.error ?? `/sesahand/editor/${name}: ${response.status} ${response.statusText}`);
}

/** Return the pack's messages in a language, nested as in its files; none for English, which the editor has itself. */
async function messages(api, language) {
  if (!language || language === "en") return {};
  try {
    const all = await (await api.fetchApi("/i18n")).json();
    return (all[language] ?? all[language.split("-")[0]])?.sesahand?.editor ?? {};
  } catch {
    return {};
  }
}

async function load({ app, api }) {
  const language = app.extensionManager?.setting?.get("Comfy.Locale");
  const [bytes, facts, words] = await Promise.all([
    fetched(api, "hand").then((response) => response.arrayBuffer()),
    fetched(api, "facts").then((response) => response.json()),
    messages(api, language),
  ]);
  return { model: new HandModel(bytes), facts, t: translator(words) };
}

/** Load it, once for a page; what failed is tried again with the next call. */
export function loadAssets(comfy) {
  if (!loads.has(comfy.api)) {
    const loading = load(comfy);
    loads.set(comfy.api, loading);
    loading.catch(() => loads.delete(comfy.api));
  }
  return loads.get(comfy.api);
}
