// What tests of objects start from: hands of the library that hold one, and how they are seen.
import { CONTACT } from "../../web/js/core/closing.js";
import { touchOf } from "../../web/js/core/gripping.js";
import { heldSurface, middleOfHeld } from "../../web/js/core/held_surface.js";
import { objectShapes, shapeOfHeld } from "../../web/js/core/objects.js";
import { readScene } from "../../web/js/core/scene_reading.js";
import { SeenHand, SeenObject } from "../../web/js/core/seeing.js";
import { anatomy, golden, model } from "./goldens.mjs";

export const facts = golden("editor_facts");
export const objects = objectShapes(facts.objects);
export const known = { model, anatomy, objects };
export const grips = golden("grips");
export const read = (text) => readScene(text, model.name);
export const holders = grips.map(({ scene }) => read(scene).hands[0]);
/** Return a hand and its object as they are seen. */
export function seen(hand, sight) {
  const shape = shapeOfHeld(objects, hand.held);
  const { vertices } = heldSurface(model, shape, hand);
  const skin = new SeenHand(model, sight, model.vertices(hand), model.keypoints(hand));
  return { skin, object: new SeenObject(shape, sight, vertices, middleOfHeld(model, hand)) };
}

/** Return the fingers that are to touch an object and do not. */
export const missing = (hand) => {
  const { gaps } = touchOf(known, hand);
  return objects.get(hand.held.kind).grasp.fingers.filter((finger) => gaps[finger] > CONTACT);
};
