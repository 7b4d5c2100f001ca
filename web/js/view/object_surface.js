// What a hand holds as what a graphics card takes.
import { heldSurface, middleOfHeld } from "../core/held_surface.js";
import { shapeOfHeld } from "../core/objects.js";

/** Buffers of one object, filled again whenever the hand that holds it is another one. */
export class ObjectSurface {
  #hand = null;

  /**
   * Make room for nothing yet.
   * @param {import("../core/hand_model.js").HandModel} model
   * @param {Map<string, import("../core/objects.js").ObjectShape>} objects
   */
  constructor(model, objects) {
    this.model = model;
    this.objects = objects;
  }

  /** Show what a hand holds; nothing is done if it is the hand that is shown. */
  update(hand) {
    if (hand === this.#hand) return this;
    this.#hand = hand;
    this.shape = shapeOfHeld(this.objects, hand.held);
    const { vertices, normals } = heldSurface(this.model, this.shape, hand);
    this.vertices = vertices;
    this.middle = middleOfHeld(this.model, hand);
    this.positions = Float32Array.from(vertices);
    this.normals = Float32Array.from(normals);
    this.index = this.shape.faces;
    if (this.sunk?.length !== vertices.length / 3) this.sunk = new Float32Array(vertices.length / 3);
    this.span = depthsOf(vertices);
    return this;
  }
}

/** Return the least and the most depth of vertices. */
function depthsOf(vertices) {
  let [near, far] = [Infinity, -Infinity];
  for (let v = 2; v < vertices.length; v += 3) {
    near = Math.min(near, vertices[v]);
    far = Math.max(far, vertices[v]);
  }
  return [near, far];
}
