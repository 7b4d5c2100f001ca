// What the editor says: every language has all of it, with the same values in it.
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";

import { search } from "../../web/js/core/searching.js";
import { ENGLISH, translator } from "../../web/js/editor/strings.js";
import { Library } from "../../web/js/panel/library.js";
import { golden } from "./goldens.mjs";

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
  test(`${language} says all that the editor says, and nothing else`, () => {
    const said = Object.fromEntries(flat({ ...messagesOf(language), gesture: {} }));
    assert.deepEqual(Object.keys(said).sort(), Object.keys(ENGLISH).sort());
    const t = translator(messagesOf(language));
    for (const [key, english] of Object.entries(ENGLISH)) {
      assert.equal(t(key), said[key]);
      assert.deepEqual(values(said[key]), values(english), key);
    }
  });
}

for (const language of ["zh", "ja", "ko"]) {
  test(`${language} has a name for every gesture, and each its own`, () => {
    const { gesture } = messagesOf(language);
    const { gestures } = golden("editor_facts");
    assert.deepEqual(Object.keys(gesture).sort(), gestures.map(({ name }) => name).sort());
    assert.equal(new Set(Object.values(gesture)).size, gestures.length);
    const library = new Library({ facts: { gestures }, t: translator(messagesOf(language)) });
    assert.deepEqual(
      library.poses.map(({ title }) => title),
      gestures.map(({ name }) => gesture[name]),
    );
    assert.equal(search(library.poses, "fist")[0].title, gesture.fist);
  });
}

test("English is the same in the module and in the file that translators start from", () => {
  assert.deepEqual(Object.fromEntries(flat(messagesOf("en"))), { ...ENGLISH });
});

/** Return the texts of the modules in folders below web/js, but for the words themselves. */
const modules = (...folders) =>
  folders.flatMap((folder) => {
    const at = new URL(`web/js/${folder}/`, ROOT);
    const names = fs.readdirSync(at).filter((name) => !name.endsWith("english.js"));
    return names.map((name) => fs.readFileSync(new URL(name, at), "utf8"));
  });

test("no words are asked for that there are not, and there are none that nobody asks for", () => {
  const texts = modules("core", "editor", "node", "panel", "view");
  const asked = texts.flatMap((text) => [...text.matchAll(/\bt\(\s*"([\w.]+)"/g)].map(([, key]) => key));
  assert.ok(asked.length > 80);
  assert.deepEqual(
    asked.filter((key) => !(key in ENGLISH)),
    [],
  );
  // Others are put together: their beginning stands before a value, their last part in a list of names.
  const all = texts.join();
  const isMade = (key) => {
    const parts = key.split(".");
    const made = parts.slice(0, -1).join(".");
    return all.includes(`\`${made}.\${`) && new RegExp(`["\\s]${parts.at(-1)}\\b`).test(all);
  };
  assert.deepEqual(
    Object.keys(ENGLISH).filter((key) => !all.includes(`"${key}"`) && !isMade(key)),
    [],
  );
});
