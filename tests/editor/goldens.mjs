// What every test of the editor's modules starts from: the pack's hand, and what Python says of it.
import fs from "node:fs";
import path from "node:path";
import process from "node:process";

import { Anatomy } from "../../web/js/core/anatomy.js";
import { HandModel } from "../../web/js/core/hand_model.js";
import { readScene } from "../../web/js/core/scene_reading.js";

/** Return one of the files that tests/support/editor_goldens.py writes. */
export const golden = (name) =>
  JSON.parse(fs.readFileSync(path.join(process.env.SESAHAND_GOLDENS, `${name}.json`), "utf8"));

/** Return the bytes of the pack's hand, a copy of one's own. */
export const handBytes = () =>
  new Uint8Array(fs.readFileSync(new URL("../../sesahand/assets/hand.safetensors", import.meta.url))).buffer;

export const model = new HandModel(handBytes());
export const anatomy = new Anatomy(golden("facts"));

/** Return the only hand of a text. */
export const handOf = (text) => readScene(text, model.name).hands[0];

/** Return the largest difference between two lists of numbers, nested alike. */
export function distance(first, second) {
  const [a, b] = [flat(first), flat(second)];
  return a.length === b.length ? a.reduce((most, value, k) => Math.max(most, Math.abs(value - b[k])), 0) : Infinity;
}

const flat = (list) => (ArrayBuffer.isView(list) ? list : list.flat(Infinity));

/** Return a source of numbers of 0 to 1 that is the same each time (mulberry32). */
export function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Return a right hand's pose anywhere within the limits. */
export const randomPose = (random) =>
  anatomy.ranges.map((ranges, j) =>
    anatomy.rotation(
      ranges.map(([least, most]) => least + (most - least) * random()),
      j,
    ),
  );
