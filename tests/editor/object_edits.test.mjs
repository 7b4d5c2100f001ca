// What hands hold, in the editor: taken hold of, moved, turned, sized, gripped, chosen and removed, each in one step.
import assert from "node:assert/strict";
import { test } from "node:test";

import { withHeldMoved, withHeldSize, withHeldTurned } from "../../web/js/core/held_object.js";
import { middleOfHeld } from "../../web/js/core/held_surface.js";
import { isRotation } from "../../web/js/core/rotations.js";
import { FARTHEST_OBJECT, OBJECT_SIZES } from "../../web/js/core/scene_format.js";
import { writeScene } from "../../web/js/core/scene_writing.js";
import { hiddenKeypoints } from "../../web/js/core/seeing.js";
import { Sight } from "../../web/js/core/sight.js";
import { norm } from "../../web/js/core/vectors.js";
import { COMMANDS } from "../../web/js/editor/commands.js";
import { HandEditor } from "../../web/js/editor/hand_editor.js";
import { gripObject, holdObject } from "../../web/js/editor/object_edits.js";
import { dragOf, DRAGS, sizeBy } from "../../web/js/view/drags.js";
import { handleAt, handleFromAround } from "../../web/js/view/handles.js";
import { distance, golden, model } from "./goldens.mjs";
import { facts, grips, holders, missing, read, seen } from "./held.mjs";

/** Return an editor of a hand that holds an object, with what a stage shows of it. */
function staged(text = grips[0].scene) {
  const written = [];
  const editor = new HandEditor({ model, facts, text, host: { write: (each) => written.push(each) } });
  const { camera } = editor.state.scene;
  const sight = new Sight(camera);
  const { skin, object } = seen(editor.hand, sight);
  const hands = [skin];
  const shown = { hands, objects: [object], hidden: hiddenKeypoints(hands, [object]), chosen: 0, stage: camera };
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

test("an object that is dragged beyond where it may be stays at the edge, and what is written is read again", () => {
  const { editor } = staged();
  const far = withHeldMoved(editor.hand, [12, -40, 3e38]);
  assert.ok(Math.abs(norm(far.held.position) - FARTHEST_OBJECT) < 1e-4);
  const [hand] = read(writeScene({ ...editor.state.scene, hands: [far] })).hands;
  assert.ok(distance(hand.held.position, far.held.position) < 1e-6);
});

test("an object is taken by its sign although a dot is close, and the dot by itself; a chosen one's lies on top", () => {
  const { shown } = staged();
  const [x, y] = shown.objects[0].middle;
  const [tip, joint] = [
    [x + 10, y],
    [x, y - 12.6],
  ];
  [shown.hands[0].keypoints[12], shown.hands[0].keypoints[7]] = [
    [...tip, 0.1],
    [...joint, 0.1],
  ];
  const object = { kind: "object", hand: 0 };
  for (const at of [handleAt, handleFromAround]) {
    for (const isObjectChosen of [false, true]) {
      assert.deepEqual(at({ ...shown, isObjectChosen }, [x, y]), object);
      assert.deepEqual(at({ ...shown, isObjectChosen }, tip), { kind: "dot", hand: 0, keypoint: 12 });
      assert.deepEqual(at({ ...shown, isObjectChosen }, joint), { kind: "dot", hand: 0, keypoint: 7 });
    }
    // Right on each other, and both seen.
    shown.hidden[0][16] = false;
    shown.hands[0].keypoints[16] = [x, y, 0.1];
    assert.equal(at(shown, [x, y]).keypoint, 16);
    assert.equal(at({ ...shown, isObjectChosen: true }, [x, y]).kind, "object");
    shown.hands[0].keypoints[16] = [0, 0, 0.1];
  }
});

test("a drag leaves an object's middle on the stage, where it can be taken again", () => {
  const view = staged();
  const { width, height } = view.shown.stage;
  const middle = () => view.sight.project(middleOfHeld(model, view.editor.hand));
  const { move } = DRAGS.object(view, [50, 50]);
  for (const [far, edge] of [
    [
      [5000, 9000],
      [width, height],
    ],
    [
      [-5000, -9000],
      [0, 0],
    ],
  ]) {
    move(far);
    assert.ok(distance(middle().slice(0, 2), edge) < 1e-2);
  }
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

test("a grip reaches what was sized as it lies in the hand then, and leaves alone what was put elsewhere", () => {
  const editor = new HandEditor({ model, facts });
  for (const [kind, size] of [
    ["pen", 0.7],
    ["pen", 1.4],
    ["cup", 0.7],
    ["cylinder", 0.7],
  ]) {
    holdObject(editor, "");
    holdObject(editor, kind);
    editor.changeHand((hand) => withHeldSize(hand, size));
    editor.commit();
    gripObject(editor);
    assert.deepEqual([editor.object.size, missing(editor.hand)], [size, []]);
  }
  editor.changeHand((hand) => withHeldMoved(hand, [0.05, 0, 0]));
  const { position } = editor.object;
  gripObject(editor);
  assert.ok(missing(editor.hand).length > 0 && distance(editor.object.position, position) < 0.02);
});

test("what an undo takes out of a hand is chosen again by a redo, and no other hand's object is for it", () => {
  const editor = new HandEditor({ model, facts });
  holdObject(editor, "cup");
  editor.undo();
  assert.equal(editor.object, null);
  editor.redo();
  assert.equal(editor.object.kind, "cup");
  COMMANDS.add({ editor });
  editor.choose({ hand: 1, object: true });
  editor.undo();
  assert.deepEqual([editor.hand.held.kind, editor.object], ["cup", null]);
});
