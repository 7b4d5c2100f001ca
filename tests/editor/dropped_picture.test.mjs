// The picture that was dropped on a node, out of a graph that a stranger may have made.
import assert from "node:assert/strict";
import { test } from "node:test";

import { addressOf } from "../../web/js/node/host.js";
import { droppedPicture, rememberDropped } from "../../web/js/node/input_picture.js";

const api = { apiURL: (path) => path };

test("a picture that was dropped is asked for where it was put, until it is forgotten", () => {
  const node = { properties: {} };
  rememberDropped(node, { filename: "a b.png", subfolder: "sesahand", type: "input" });
  assert.equal(addressOf(api, droppedPicture(node)), "/view?filename=a+b.png&subfolder=sesahand&type=input");
  rememberDropped(node, null);
  assert.equal(droppedPicture(node), null);
});

test("what is no file's name in a graph is no picture, and no error", () => {
  const file = { filename: "a.png", subfolder: "", type: "input" };
  const odd = [{ toString: null }, [], 1, null, true];
  const written = [
    ...odd,
    "a.png",
    ...Object.keys(file).flatMap((part) => odd.map((one) => ({ ...file, [part]: one }))),
  ];
  for (const sesahand_picture of written) assert.equal(droppedPicture({ properties: { sesahand_picture } }), null);
  assert.equal(droppedPicture({}), null);
});
