// What hands hold: where its surface is, what is seen of it, how fingers close on it, and how it goes with its hand.
import assert from "node:assert/strict";
import { test } from "node:test";

import { CONTACT } from "../../web/js/core/closing.js";
import { rightPose } from "../../web/js/core/hand.js";
import { gripped, holding, touchOf } from "../../web/js/core/gripping.js";
import { withHeldMoved, withHeldSize, withHeldTurned } from "../../web/js/core/held_object.js";
import { heldSurface, middleOfHeld } from "../../web/js/core/held_surface.js";
import { objectShapes } from "../../web/js/core/objects.js";
import { sizedInPicture, swappedSide, turnedHand } from "../../web/js/core/placing.js";
import { fromAxisAngle, isRotation } from "../../web/js/core/rotations.js";
import { OBJECT_SIZES, OBJECTS } from "../../web/js/core/scene_format.js";
import { readScene } from "../../web/js/core/scene_reading.js";
import { writeScene } from "../../web/js/core/scene_writing.js";
import { hiddenKeypoints, SeenHand, SeenObject } from "../../web/js/core/seeing.js";
import { Sight } from "../../web/js/core/sight.js";
import { subtract } from "../../web/js/core/vectors.js";
import { COMMANDS } from "../../web/js/editor/commands.js";
import { HandEditor } from "../../web/js/editor/hand_editor.js";
import { gripObject, holdObject } from "../../web/js/editor/object_edits.js";
import { dragOf, DRAGS, sizeBy } from "../../web/js/view/drags.js";
import { handleAt } from "../../web/js/view/handles.js";
import { anatomy, distance, golden, model } from "./goldens.mjs";

const facts = golden("editor_facts");
const objects = objectShapes(facts.objects);
const known = { model, anatomy, objects };
const grips = golden("grips");
const read = (text) => readScene(text, model.name);
const holders = grips.map(({ scene }) => read(scene).hands[0]);
const poseOf = (kind) =>
  facts.gestures.find(({ name }) => name === objects.get(kind).grasp.gesture).hand_pose.map(fromAxisAngle);

/** Return a hand and its object as they are seen. */
function seen(hand, sight) {
  const shape = objects.get(hand.held.kind);
  const { vertices } = heldSurface(model, shape, hand);
  const skin = new SeenHand(model, sight, model.vertices(hand), model.keypoints(hand));
  return { skin, object: new SeenObject(shape, sight, vertices, middleOfHeld(model, hand)) };
}

test("the text knows the objects and sizes that the library has", () => {
  assert.deepEqual(
    OBJECTS,
    facts.objects.map(({ name }) => name),
  );
  assert.deepEqual(golden("object_sizes"), [...OBJECT_SIZES]);
});

test("an object's surface is where the library has it, within a micrometre, and so is each point's distance", () => {
  for (const [n, { vertices }] of grips.entries()) {
    const { held } = holders[n];
    const found = heldSurface(model, objects.get(held.kind), holders[n]);
    assert.ok(distance(found.vertices, vertices) < 1e-6, held.kind);
  }
  for (const { kind, points, distances } of golden("distances")) {
    const own = points.map(([x, y, z]) => objects.get(kind).distance(x, y, z));
    assert.ok(distance(own, distances) < 1e-7, kind);
  }
});

test("hand and object cover what the library draws of them", () => {
  for (const [n, { scene, covered }] of grips.entries()) {
    const { camera } = read(scene);
    const { skin, object } = seen(holders[n], new Sight(camera));
    const isCovered = covered.map((_, k) => {
      const pixel = [(k % camera.width) + 0.5, Math.floor(k / camera.width) + 0.5];
      return Math.min(skin.depthAt(pixel), object.depthAt(pixel)) < Infinity;
    });
    const both = covered.filter((is, k) => is && isCovered[k]).length;
    const either = covered.filter((is, k) => is || isCovered[k]).length;
    assert.ok(both > 300 && both / either > 0.99, `${n}: ${both} of ${either}`);
  }
});

test("a hand that is given an object holds it as the library does", () => {
  for (const [n, hand] of holders.entries()) {
    const { kind, size, position } = hand.held;
    const given = holding(known, { ...hand, held: undefined }, kind, poseOf(kind), { size });
    assert.ok(distance(given.held.position, position) < 2e-3, `${kind}: ${subtract(given.held.position, position)}`);
    const tips = [8, 12, 16, 20].map((tip) => distance(model.keypoints(given)[tip], model.keypoints(hand)[tip]));
    assert.ok(Math.max(...tips) < 6e-3, `${kind}, ${n}: ${tips}`);
    assert.equal(given.translation, hand.translation);
  }
});

/** Return the fingers that are to touch an object and do not. */
const missing = (hand) => {
  const { gaps } = touchOf(known, hand);
  return objects.get(hand.held.kind).grasp.fingers.filter((finger) => gaps[finger] > CONTACT);
};

test("fingers close on an object wherever it is in the hand, within their limits, and none goes into it", () => {
  for (const hand of holders) {
    const down = hand.side === "right" ? 0.006 : -0.006;
    const moved = withHeldSize(withHeldMoved(hand, [0.002, down, 0.003]), hand.held.size * 0.92);
    const closed = gripped(known, moved);
    assert.deepEqual([missing(closed), touchOf(known, closed).depth < 1e-3], [[], true], hand.held.kind);
    for (const [j, rotation] of rightPose(closed).entries()) {
      anatomy.angles(rotation, j).forEach((angle, axis) => {
        const [least, most] = anatomy.ranges[j][axis];
        assert.ok(angle > least - 1e-6 && angle < most + 1e-6);
      });
    }
  }
});

test("a finger that cannot reach the object stays as it was, and one that is locked does not move", () => {
  const [ball] = holders;
  const away = { ...ball, held: { ...ball.held, position: [0.3, 0.3, 0.3] } };
  const closed = gripped(known, away);
  assert.deepEqual(missing(closed), objects.get("sphere").grasp.fingers);
  assert.ok(distance(rightPose(closed), rightPose(ball)) < 1e-6);
  const other = gripped(known, withHeldSize(ball, 0.9), ["index"]);
  assert.deepEqual(other.handPose.slice(0, 3), ball.handPose.slice(0, 3));
  assert.ok(distance(other.handPose.slice(3, 6), ball.handPose.slice(3, 6)) > 0.01);
});

test("an object goes with its hand: moved, turned, brought nearer, mirrored, and back again", () => {
  const [hand] = holders;
  const middle = (each) => subtract(middleOfHeld(model, each), model.keypoints(each)[9]);
  const [pivot] = [model.keypoints(hand)[9]];
  assert.ok(distance(middle(sizedInPicture(hand, pivot, 1.5)), middle(hand)) < 1e-12);
  const turn = [0.4, -1, 0.3];
  const turned = turnedHand(model, hand, pivot, turn);
  const [x, y, z] = middle(hand);
  const m = fromAxisAngle(turn);
  const expected = [0, 3, 6].map((row) => m[row] * x + m[row + 1] * y + m[row + 2] * z);
  assert.ok(distance(middle(turned), expected) < 1e-9);
  const swapped = swappedSide(model, hand);
  const [a, b] = [middle(swapped), middle(hand)];
  assert.ok(distance(a, [-b[0], b[1], b[2]]) < 1e-9 && swapped.side === "left");
  assert.deepEqual(swappedSide(model, swapped).held, hand.held);
});

/** Return an editor of a hand that holds an object, with what a stage shows of it. */
function staged(text = grips[0].scene) {
  const written = [];
  const editor = new HandEditor({ model, facts, text, host: { write: (each) => written.push(each) } });
  const sight = new Sight(editor.state.scene.camera);
  const { skin, object } = seen(editor.hand, sight);
  const hands = [skin];
  const shown = { hands, objects: [object], hidden: hiddenKeypoints(hands, [object]), chosen: 0, stage: skin.box };
  const keypoints = [model.keypoints(editor.hand)];
  const held = [{ middle: middleOfHeld(model, editor.hand) }];
  return { editor, written, sight, held, shown: { ...shown, keypoints } };
}

test("a pointer takes an object by its sign or where it is seen; a drag moves it in the hand, under the pointer", () => {
  const view = staged();
  const { editor, shown, sight } = view;
  const [x, y] = shown.objects[0].middle;
  const bare = { ...shown, hands: [{ ...shown.hands[0], keypoints: [] }], chosen: -1 };
  assert.deepEqual(handleAt({ ...bare, hands: [] }, [x + 8, y - 8]), { kind: "object", hand: 0 });
  assert.equal(dragOf({ kind: "object" }).name, "object");
  const wrist = model.keypoints(editor.hand)[0];
  DRAGS.object(view, [x, y]).move([x + 7, y - 4]);
  const [u, v] = sight.project(middleOfHeld(model, editor.hand));
  assert.ok(Math.hypot(u - x - 7, v - y + 4) < 1e-4);
  assert.deepEqual(model.keypoints(editor.hand)[0], wrist);
  DRAGS.turnObject(view, [x, y]).move([x + 40, y]);
  const { orient } = editor.hand.held;
  assert.ok(isRotation(orient, 1e-9) && distance(orient, holders[0].held.orient) > 0.3);
  editor.choose({ object: true });
  sizeBy(view, 10);
  assert.equal(editor.hand.held.size, OBJECT_SIZES[1]);
  editor.commit();
  assert.deepEqual([view.written.length, read(view.written[0]).hands[0].held.size], [1, 2]);
});

test("dots behind an object are hidden by it", () => {
  const { shown } = staged(grips[2].scene);
  const behind = shown.hidden[0].filter((is) => is).length;
  assert.ok(behind > hiddenKeypoints(shown.hands)[0].filter((is) => is).length);
});

test("an edit of fingers leaves the object's very numbers, and one of the object those of the fingers", () => {
  const text = grips[1].scene;
  const { editor } = staged(text);
  const before = JSON.parse(text);
  editor.changeHand((hand) => ({ ...hand, translation: [0, 0, 0.5] }));
  editor.commit();
  assert.deepEqual(JSON.parse(editor.text).objects, before.objects);
  editor.changeHand((hand) => withHeldTurned(hand, [0, 0, 0.2]));
  editor.commit();
  const after = JSON.parse(editor.text);
  assert.deepEqual(after.hands[0].hand_pose, before.hands[0].hand_pose);
  assert.notDeepEqual(after.objects, before.objects);
  assert.deepEqual([after.objects[0].hand, after.objects[0].position], [0, before.objects[0].position]);
  assert.ok(!("objects" in JSON.parse(writeScene(read(golden("hands")[0].scene)))));
});

test("an object is chosen in the list, gripped, given to a copy, removed and brought back, each in one step", () => {
  const written = [];
  const editor = new HandEditor({ model, facts, host: { write: (text) => written.push(text) } });
  const view = { editor };
  const said = [];
  editor.speakThrough((words, isSeen) => said.push([words, isSeen]));
  COMMANDS.grip(view);
  COMMANDS.object(view);
  assert.deepEqual(said, Array(2).fill([editor.t("said.noObject"), true]));
  holdObject(editor, "cylinder");
  assert.deepEqual([editor.object.kind, written.length], ["cylinder", 1]);
  editor.changeHand((hand) => withHeldSize(hand, 0.8));
  editor.commit();
  gripObject(editor);
  assert.deepEqual([written.length, missing(editor.hand)], [3, []]);
  assert.match(said.at(-1)[0], /^Touching: Thumb, Index, Middle, Ring, Little\. The hand is 0\.0 mm deep/);
  COMMANDS.arrow(view, [1, 0], false);
  assert.ok(distance(editor.hand.held.position, read(written[2]).hands[0].held.position) > 5e-4);
  COMMANDS.add(view);
  assert.deepEqual(
    JSON.parse(editor.text).objects.map(({ hand }) => hand),
    [0, 1],
  );
  editor.choose({ hand: 0, object: true });
  COMMANDS.remove(view);
  assert.deepEqual(
    JSON.parse(editor.text).objects.map(({ hand }) => hand),
    [1],
  );
  assert.deepEqual([editor.state.scene.hands.length, editor.object], [2, null]);
  editor.undo();
  assert.equal(editor.state.scene.hands[0].held.kind, "cylinder");
});

test("an answer without objects, or with solids that nobody knows, is refused with a sentence", () => {
  const odd = { ...facts.objects[0], solids: [{ type: "Torus" }] };
  for (const given of [undefined, [], facts.objects.slice(1), [odd, ...facts.objects.slice(1)]]) {
    assert.throws(() => objectShapes(given), { name: "InvalidFileError", message: /Reload the page/ });
  }
});
