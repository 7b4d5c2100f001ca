// Finding gestures by words, and keeping poses as presets.
import assert from "node:assert/strict";
import { test } from "node:test";

import { rightPose } from "../../web/js/core/hand.js";
import { presetName, readPreset, writePreset } from "../../web/js/core/presets.js";
import { readScene } from "../../web/js/core/scene_reading.js";
import { search } from "../../web/js/core/searching.js";
import { distance, golden, model } from "./goldens.mjs";

const items = [
  { title: "Open palm", words: ["high five", "wave"], description: "open hand, fingers straight" },
  { title: "Victory", words: ["peace", "v sign", "two"], description: "index and middle finger spread to a V" },
  { title: "Point", words: ["index finger"], description: "index finger pointing, the others folded" },
  { title: "Ça va bien" },
  { title: "我的手势" },
];
const found = (query) => search(items, query).map(({ title }) => title);

test("gestures are found by titles, then by what else they are called, then by what they look like", () => {
  assert.deepEqual(found("index"), ["Point", "Victory"]);
  assert.deepEqual(found("PEACE"), ["Victory"]);
  assert.deepEqual(found("finger op"), ["Open palm"]);
  assert.deepEqual(found("v-sign"), ["Victory"]);
});

test("an empty query finds all, a strange one nothing, and none is taken for a pattern", () => {
  assert.equal(found("  ").length, items.length);
  for (const query of ["zebra", "inger", ".*", "(", "\\", "🙂", "✌"]) assert.deepEqual(found(query), [], query);
});

test("grasps are found by what people do with them", () => {
  assert.deepEqual(
    search(golden("editor_facts").gestures, "grab").map(({ title }) => title),
    ["Grasp cylinder", "Grasp sphere"],
  );
});

test("accents and languages without spaces do not hinder", () => {
  assert.deepEqual(found("ca va"), ["Ça va bien"]);
  assert.deepEqual(found("手势"), ["我的手势"]);
});

test("names of presets are names of files in no other folder", () => {
  assert.equal(presetName("  My  grip "), "My grip");
  assert.equal(presetName("../../etc/passwd"), "etc passwd");
  assert.equal(presetName("C:\\x\0y.json."), "C x y.json");
  assert.equal(presetName("握拳 ✊"), "握拳 ✊");
  assert.equal(presetName(" .. / "), "");
  assert.ok(presetName("😀".repeat(99)).length <= 60 && !/\p{Surrogate}/u.test(presetName(`x${"😀".repeat(99)}`)));
});

test("a preset keeps the pose of either hand as a right one's, and reads it back", () => {
  const texts = golden("hands").map(({ scene }) => scene);
  const around = readScene(texts[0], model.name);
  for (const text of texts) {
    const { hands } = readScene(text, model.name);
    const preset = writePreset(hands[0], around);
    assert.ok(distance(readPreset(preset, model.name), rightPose(hands[0])) < 1e-6);
    const [kept] = readScene(preset, model.name).hands;
    assert.deepEqual([kept.side, kept.frame, kept.translation], ["right", 0, around.hands[0].translation]);
  }
});

test("a file without a hand, or that is none, is no preset", () => {
  const data = JSON.parse(golden("hands")[0].scene);
  for (const text of [JSON.stringify({ ...data, hands: [] }), "{}", "<script>"]) {
    assert.throws(() => readPreset(text, model.name), { name: "InvalidFileError" });
  }
});
