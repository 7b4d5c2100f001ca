// Skinning, keypoints and faces against the library's.
import assert from "node:assert/strict";
import { test } from "node:test";

import { project } from "../../web/js/core/camera.js";
import { mirrorHand } from "../../web/js/core/hand.js";
import { HandModel } from "../../web/js/core/hand_model.js";
import { readScene } from "../../web/js/core/scene_reading.js";
import * as skeleton from "../../web/js/core/skeleton.js";
import { distance, golden, handBytes, handOf, model } from "./goldens.mjs";

const hands = golden("hands");

test("names and orders of joints and keypoints are Python's", () => {
  const python = golden("skeleton");
  for (const name of ["MANO_PARENTS", "FINGERS", "FINGER_JOINTS", "OPENPOSE_FROM_MANO", "KEYPOINT_BONES"]) {
    assert.deepEqual(skeleton[name], python[name], name);
  }
  assert.equal(skeleton.NUM_JOINTS, python.MANO_JOINTS.length);
  const tips = skeleton.FINGERS.map((finger) => python.KEYPOINTS[skeleton.keypointOf(finger, 3)]);
  assert.deepEqual(tips, ["thumb4", "index4", "middle4", "ring4", "pinky4"]);
});

test("the faces and the fan over the wrist are Python's", () => {
  assert.deepEqual([...model.faces], golden("faces"));
});

test("vertices of right and left hands of any shape are within a micrometre of Python's", () => {
  for (const { scene, vertices } of hands) assert.ok(distance(model.vertices(handOf(scene)), vertices) < 1e-6);
});

test("keypoints are seen within a hundredth of a pixel of where Python sees them", () => {
  for (const { scene, keypoints, pixels } of hands) {
    const {
      camera,
      hands: [hand],
    } = readScene(scene, model.name);
    const found = model.keypoints(hand);
    assert.ok(distance(found, keypoints) < 1e-6);
    assert.ok(
      distance(
        found.map((point) => project(camera, point)),
        pixels,
      ) < 0.01,
    );
  }
});

test("vertices go into a buffer that is given", () => {
  const buffer = new Float32Array(3 * model.numVertices);
  assert.equal(model.vertices(handOf(hands[0].scene), buffer), buffer);
  assert.ok(distance(buffer, hands[0].vertices) < 1e-6);
});

test("the hand in the mirror has the mirrored vertices, and is the first again in a second mirror", () => {
  for (const { scene } of hands.slice(0, 4)) {
    const hand = handOf(scene);
    const mirrored = [...model.vertices(mirrorHand(hand))].map((value, k) => (k % 3 === 0 ? -value : value));
    assert.ok(distance(mirrored, model.vertices(hand)) < 1e-12);
    assert.deepEqual(mirrorHand(mirrorHand(hand)), hand);
  }
});

/** Return the file with its header changed, and its bytes as they are. */
function withHeader(change) {
  const bytes = handBytes();
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const header = change(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
  const text = new TextEncoder().encode(header);
  const changed = new Uint8Array(8 + text.length + bytes.byteLength - 8 - length);
  new DataView(changed.buffer).setBigUint64(0, BigInt(text.length), true);
  changed.set(text, 8);
  changed.set(new Uint8Array(bytes, 8 + length), 8 + text.length);
  return changed.buffer;
}

const replaced = (from, to) => () => withHeader((text) => text.replace(from, to));

const NO_HANDS = {
  "no bytes": () => new ArrayBuffer(0),
  "a text": () => "safetensors",
  "too many bytes": () => new ArrayBuffer(16 * 2 ** 20 + 1),
  "half the file": () => handBytes().slice(0, 100_000),
  "a header longer than the file": () => {
    const bytes = handBytes();
    new DataView(bytes).setBigUint64(0, 2n ** 63n, true);
    return bytes;
  },
  "a header that is no JSON": () => withHeader((text) => text.slice(1)),
  "a header that is no table": () => withHeader(() => "[]"),
  "an empty table": () => withHeader(() => "{}"),
  "a header that is nothing": () => withHeader(() => "null"),
  "no metadata": replaced("__metadata__", "__metadate__"),
  "another kind of number": replaced('"F32"', '"F64"'),
  "a kind from the prototype": replaced('"F32"', '"constructor"'),
  "a tensor that is missing": replaced('"template"', '"templates"'),
  "another shape of the same size": replaced("[1730,16]", "[16,1730]"),
  "more joints than a hand has": replaced("[16,3]", "[48,1]"),
  "a shape of fractions": replaced("[16,3]", "[9.6,5]"),
  "offsets the wrong way round": replaced(/"data_offsets":\[(\d+),(\d+)\]/, '"data_offsets":[$2,$1]'),
  "a place of another size than its shape": replaced('"data_offsets":[0,', '"data_offsets":[2,'),
  "a header longer than any hand's": () => withHeader((text) => text + " ".repeat(2 ** 16)),
  "nothing for a tensor": () => withHeader((text) => JSON.stringify({ ...JSON.parse(text), tips: null })),
  "offsets beyond the file": replaced(/"data_offsets":\[\d+,\d+\]/, '"data_offsets":[999999999,999999999]'),
  "more vertices than there are": replaced('"num_hand_vertices":"1609"', '"num_hand_vertices":"1731"'),
  "fewer vertices than its faces have": replaced('"num_hand_vertices":"1609"', '"num_hand_vertices":"1600"'),
  "no number of faces": replaced('"num_hand_faces":"3196"', '"num_hand_faces":"x"'),
};

for (const [name, make] of Object.entries(NO_HANDS)) {
  test(`a hand is refused that has ${name}`, () => {
    assert.throws(() => new HandModel(make()), { name: "InvalidFileError", message: /Load it again/ });
  });
}

/** Return the file with the first bytes of a tensor changed. */
function withBytes(name, change) {
  const bytes = handBytes();
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
  change(new DataView(bytes, 8 + length + header[name].data_offsets[0]));
  return bytes;
}

const NO_NUMBERS = {
  template: (view) => view.setFloat32(0, NaN, true),
  weights: (view) => Array.from({ length: 16 }, (_, joint) => view.setUint16(2 * joint, 0, true)),
  tips: (view) => view.setInt16(0, 1700, true),
  faces: (view) => view.setInt16(0, -1, true),
  part_ids: (view) => view.setUint8(0, 16),
};

for (const [name, change] of Object.entries(NO_NUMBERS)) {
  test(`a hand is refused whose ${name} cannot be`, () => {
    assert.throws(() => new HandModel(withBytes(name, change)), { name: "InvalidFileError" });
  });
}
