// The scene's text: what is read and refused, and what comes back of it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { curlFinger } from "../../web/js/core/fingers.js";
import { rightPose, withRightPose } from "../../web/js/core/hand.js";
import { readableText } from "../../web/js/core/readable_text.js";
import { readScene, MAX_HANDS } from "../../web/js/core/scene_reading.js";
import { writeScene } from "../../web/js/core/scene_writing.js";
import { anatomy, distance, golden, model } from "./goldens.mjs";

const texts = golden("hands").map(({ scene }) => scene);
const read = (text) => readScene(text, model.name);

test("every text that Python reads is read, and every one that it refuses is refused with a sentence", () => {
  for (const { text, accepted } of golden("texts")) {
    if (accepted) assert.doesNotThrow(() => read(text), text.slice(0, 2000));
    else assert.throws(() => read(text), { name: "InvalidFileError" }, text.slice(0, 2000));
  }
});

test("what a text lacks is said in the library's words", () => {
  // Those that were written by hand come first; of others, more than one thing may be wrong.
  const first = golden("texts").slice(0, 30);
  const lacking = first.filter(({ said }) => / lacks .*; a hand scene has /.test(said ?? ""));
  assert.ok(lacking.length > 1);
  for (const { text, said } of lacking) assert.throws(() => read(text), { message: said });
});

/** Return what a text holds, with what it leaves out, and zeros without signs. */
function contents(text) {
  const data = JSON.parse(text, (_, value) => (value === 0 ? 0 : value));
  const usual = { frame: 0, score: 1, betas: Array(10).fill(0) };
  return { ...data, hands: data.hands.map((hand) => ({ ...usual, ...hand })) };
}

test("what Python wrote and nobody edited is written with every digit it had", () => {
  for (const text of texts) assert.deepEqual(contents(writeScene(read(text))), contents(text));
});

test("which hands a scene began as stays with it through edits", () => {
  const text = JSON.stringify({ ...JSON.parse(texts[0]), taken_from: "0123abcd" });
  assert.equal(JSON.parse(writeScene(bent(read(text)))).taken_from, "0123abcd");
  assert.ok(!("taken_from" in JSON.parse(writeScene({ ...read(text), takenFrom: "" }))));
});

test("a text that was written is written so again", () => {
  for (const { text } of golden("texts").filter((each) => each.accepted)) {
    const once = writeScene(read(text));
    assert.equal(writeScene(read(once)), once);
  }
});

/** Return a scene with one finger of each hand bent, which makes new rotations for it alone. */
function bent(scene) {
  const hands = scene.hands.map((hand) => withRightPose(hand, curlFinger(anatomy, rightPose(hand), "index", 0.4)));
  return { ...scene, hands };
}

test("an edited finger is written anew, and nothing else of the scene", () => {
  for (const text of texts) {
    const [before, after] = [contents(text), contents(writeScene(bent(read(text))))];
    const [{ hand_pose: old, ...was }, { hand_pose: pose, ...is }] = [before.hands[0], after.hands[0]];
    assert.deepEqual(is, was);
    assert.deepEqual(pose.slice(3), old.slice(3));
    assert.ok(distance(pose.slice(0, 3), old.slice(0, 3)) > 1e-3);
  }
});

test("what an edit made comes back within what Python's single precision keeps, in either form of rotations", () => {
  for (const text of texts) {
    const scene = bent(read(text));
    const compact = { ...scene, hands: scene.hands.map((hand) => structuredClone(hand)) };
    for (const each of [scene, compact]) {
      const again = read(writeScene(each));
      assert.ok(distance(model.vertices(again.hands[0]), model.vertices(each.hands[0])) < 5e-8);
    }
    assert.ok(writeScene(compact).length < 1500);
  }
});

test("usual values are left out of the text and are there again when it is read", () => {
  const [hand] = read(texts[0]).hands;
  const plain = { ...hand, frame: 0, score: 1, betas: Array(10).fill(0) };
  const text = writeScene({ ...read(texts[0]), hands: [plain] });
  assert.deepEqual(Object.keys(JSON.parse(text).hands[0]), ["side", "translation", "global_orient", "hand_pose"]);
  assert.deepEqual(read(text).hands[0], plain);
});

test("more hands than an editor shows, too long a text and another model's hands are refused", () => {
  const data = JSON.parse(texts[0]);
  const many = (count) => JSON.stringify({ ...data, hands: Array(count).fill(data.hands[0]) });
  assert.equal(read(many(MAX_HANDS)).hands.length, MAX_HANDS);
  assert.throws(() => read(many(MAX_HANDS + 1)), { name: "InvalidFileError", message: /Load Hands/ });
  assert.throws(() => read(texts[0] + " ".repeat(2 ** 21)), { name: "InvalidFileError", message: /characters/ });
  assert.throws(() => readScene(texts[0], "mano"), { name: "InvalidFileError", message: /hand_model/ });
});

test("a value that nests without end is refused with a sentence, wherever it stands", () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  const { camera, ...rest } = JSON.parse(texts[0]);
  const given = { ...rest, camera, dtype: "float32", taken_from: "" };
  const places = [
    ...Object.keys(given).map((name) => ({ ...given, [name]: "DEEP" })),
    ...Object.keys(camera).map((name) => ({ ...given, camera: { ...camera, [name]: "DEEP" } })),
    ...Object.keys(given.hands[0]).map((name) => ({ ...given, hands: [{ ...given.hands[0], [name]: "DEEP" }] })),
  ];
  for (const text of ['"DEEP"', ...places.map((each) => JSON.stringify(each))]) {
    assert.throws(() => read(text.replace('"DEEP"', deep)), { name: "InvalidFileError" }, text.slice(0, 80));
  }
});

test("a text for people says the same in more lines, and one that is no scene stays as it is", () => {
  for (const text of texts) {
    const laid = readableText(text);
    assert.deepEqual(contents(laid), contents(text));
    // A line for each rotation, and for each thing that is said of the camera and the hand.
    assert.ok(laid.split("\n").length > 25 && Math.max(...laid.split("\n").map((line) => line.length)) < 250);
  }
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  for (const text of ["", "{", deep, "[".repeat(100_000)]) assert.equal(readableText(text), text);
});

test("a text that is too deep or too long to be laid out stays as it is, and grows with its own length only", () => {
  const wide = (rows, depth) => `${`{"a":[${"{},".repeat(rows)}`.repeat(depth)}1${"]}".repeat(depth)}`;
  const long = `{"a":"${"x".repeat(2 ** 21)}"}`;
  for (const text of [wide(100, 200), wide(1, 10), long]) assert.equal(readableText(text), text);
  const laid = readableText(wide(1500, 4));
  assert.ok(laid !== wide(1500, 4) && laid.length < 12 * wide(1500, 4).length);
});
