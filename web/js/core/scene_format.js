// Version 1 of the text that hands before a camera are kept in; sesahand/scene/scene_files.py documents it.

/**
 * @typedef {object} Scene
 * @property {string} handModel the name of the hand model
 * @property {"float32" | "float64"} dtype of the numbers in Python
 * @property {number} numFrames
 * @property {import("./camera.js").Camera} camera
 * @property {import("./hand.js").Hand[]} hands
 * @property {string} takenFrom which hands the scene began as, as the node names what leads to its input; or nothing
 */

/** What the text says of itself. */
export const FORMAT = Object.freeze({ format: "sesahand-hands", version: 1 });

/** What its numbers mean; may be left out. */
export const MEANING = Object.freeze({
  frame_of_reference: "camera: x right, y down, z forward",
  units: "metres, radians, pixels",
});

/** The precision that Python keeps the numbers in; the first where none is said. */
export const DTYPES = Object.freeze(["float32", "float64"]);

/** What hands can hold, and the least and most of its size in times the usual one; see sesahand/hands/objects.py. */
export const OBJECTS = Object.freeze(["sphere", "cylinder", "box", "cup", "phone", "pen", "tool"]);
export const OBJECT_SIZES = Object.freeze([0.5, 2]);

/** How far an object may be from the wrist of its hand, metres; see sesahand/scene/held_object.py. */
export const FARTHEST_OBJECT = 10;
