// What the panel says: every language has all of it, with the same values in it.
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";

import { translator } from "../../web/js/editor/strings.js";
import { PANEL_ENGLISH } from "../../web/js/panel/english.js";

const ROOT = new URL("../../", import.meta.url);

/** Return what a language says in the editor, nested. */
const messagesOf = (language) =>
  JSON.parse(fs.readFileSync(new URL(`locales/${language}/main.json`, ROOT), "utf8")).sesahand.editor;

/** Return nested messages by keys with dots. */
const flat = (messages, before = "") =>
  Object.entries(messages).flatMap(([name, text]) =>
    typeof text === "string" ? [[before + name, text]] : flat(text, `${before}${name}.`),
  );

const values = (text) => (text.match(/\{\w+\}/g) ?? []).sort();

for (const language of ["en", "zh", "ja", "ko"]) {
  test(`${language} says all that the panel says, and nothing else`, () => {
    const said = Object.fromEntries(flat(messagesOf(language).panel, "panel."));
    assert.deepEqual(Object.keys(said).sort(), Object.keys(PANEL_ENGLISH).sort());
    const t = translator(messagesOf(language));
    for (const [key, english] of Object.entries(PANEL_ENGLISH)) {
      assert.equal(t(key), said[key]);
      assert.deepEqual(values(said[key]), values(english), key);
    }
  });
}

test("English is the same in the module and in the file that translators start from", () => {
  assert.deepEqual(Object.fromEntries(flat(messagesOf("en").panel, "panel.")), { ...PANEL_ENGLISH });
});

test("the panel asks for no words that there are not, and has none that it does not ask for", () => {
  const folder = new URL("web/js/panel/", ROOT);
  const texts = fs
    .readdirSync(folder)
    .filter((name) => name !== "english.js")
    .map((name) => fs.readFileSync(new URL(name, folder), "utf8"));
  const asked = texts.flatMap((text) => [...text.matchAll(/["`](panel\.[\w.]+)["`]/g)].map(([, key]) => key));
  assert.ok(asked.length > 40);
  assert.deepEqual(
    asked.filter((key) => !(key in PANEL_ENGLISH)),
    [],
  );
  const parts = texts.join();
  const unused = Object.keys(PANEL_ENGLISH).filter(
    (key) => !asked.includes(key) && !parts.includes(`"${key.split(".").at(-1)}"`),
  );
  assert.deepEqual(unused, []);
});
