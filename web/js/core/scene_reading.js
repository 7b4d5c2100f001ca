// Reading a scene from its text: what Python reads, and nothing that it refuses.
import { remember } from "./as_read.js";
import { InvalidFileError } from "./errors.js";
import { readMesh } from "./held_mesh.js";
import { checkedShape, fields, quoted, wholeNumber } from "./numbers.js";
import { fromAxisAngle, isRotation } from "./rotations.js";
import { DTYPES, FARTHEST_OBJECT, FORMAT, MEANING, OBJECT_SIZES, OBJECTS } from "./scene_format.js";
import { NUM_BETAS, NUM_JOINTS } from "./skeleton.js";
import { norm } from "./vectors.js";

const HEADER_FIELDS = ["format", "version", "hand_model", "num_frames", "camera", "hands"];
const HEADER_OPTIONS = ["frame_of_reference", "units", "dtype", "objects", "meshes", "taken_from"];
const HAND_FIELDS = ["side", "translation", "global_orient", "hand_pose"];
const HAND_OPTIONS = ["frame", "score", "betas"];
const OBJECT_FIELDS = ["kind", "hand", "position", "orient"];
const OBJECT_OPTIONS = ["size", "mesh"];
const MAX_MESHES = 256;
const CAMERA_FIELDS = ["focal_length", "principal_point", "width", "height"];
const SIDES = ["right", "left"];

/** More hands than an editor can show; Python reads a hundred thousand. */
export const MAX_HANDS = 64;
const MAX_TEXT = 2 ** 21;
const MAX_FRAMES = 100_000;
/** Pixels of a side of a picture that a text can say. */
export const MAX_SIZE = 16384;
const MAX_BETA = 20;
const MAX_TAKEN_FROM = 128;
const ROTATION_TOLERANCE = 1e-3;
// Python tells 1.0 from 1 and takes only the latter for a whole number.
const FRACTION = /"(?:version|num_frames|frame|hand|mesh|width|height)"\s*:\s*-?\d+[.eE]/;

/** Throw unless no number is larger than `most` in the precision that Python keeps them in. */
function checkSize(list, dtype, label, most = Number.MAX_VALUE) {
  const kept = dtype === "float32" ? list.map(Math.fround) : list;
  if (kept.every((value) => Math.abs(value) <= most)) return;
  throw new InvalidFileError(`${label} holds a number that is too large, expected ${most} at most.`);
}

/** Return a list of numbers of a given length. */
function readList(value, length, dtype, label) {
  checkedShape(value, [[length]], label);
  checkSize(value, dtype, label);
  return remember([...value], value);
}

/** Return a hand's shape; farther from the mean, in standard deviations, its surface turns inside out. */
function readBetas(value, dtype, label) {
  const betas = readList(value, NUM_BETAS, dtype, label);
  checkSize(betas, dtype, label, MAX_BETA);
  return betas;
}

/** Return a rotation from a matrix or an axis-angle vector, whose shape has been checked. */
function readRotation(value, dtype, label) {
  if (value.length === 3 && !Array.isArray(value[0])) {
    const rotation = fromAxisAngle(value);
    checkSize(rotation, dtype, label);
    return remember(rotation, value);
  }
  const rotation = value.flat();
  if (isRotation(rotation, ROTATION_TOLERANCE)) return remember(rotation, value);
  throw new InvalidFileError(
    `${label} holds a matrix that is not a rotation: its rows must be perpendicular, of length one, and right-handed.`,
  );
}

/** Return the rotations of a hand's joints. */
function readPose(value, dtype, label) {
  const joints = NUM_JOINTS - 1;
  const [length] = checkedShape(value, [[joints, 3, 3], [joints, 3], [3 * joints]], label);
  const rows = length === joints ? value : Array.from({ length: joints }, (_, j) => value.slice(3 * j, 3 * j + 3));
  return rows.map((row) => readRotation(row, dtype, label));
}

/** Return a number of 0 to 1. */
function readScore(value, label) {
  checkedShape(value, [[]], label);
  if (value >= 0 && value <= 1) return value;
  throw new InvalidFileError(`${label} is ${quoted(value)}, expected 0 to 1.`);
}

/** Return one of a few words, or throw. */
function readWord(value, words, label) {
  if (words.includes(value)) return value;
  throw new InvalidFileError(`${label} is ${quoted(value)}, expected ${words.join(" or ")}.`);
}

/** Return the note of which hands a scene began as. */
function readTakenFrom(value) {
  // As Python counts them, which takes two units of UTF-16 for one character.
  if (typeof value === "string" && [...value].length <= MAX_TAKEN_FROM) return value;
  throw new InvalidFileError(`taken_from is ${quoted(value)}, expected at most ${MAX_TAKEN_FROM} characters.`);
}

/** Return one hand. */
function readHand(value, dtype, numFrames, label) {
  const given = fields(value, HAND_FIELDS, HAND_OPTIONS, label);
  checkedShape(given.global_orient, [[3, 3], [3]], `${label}.global_orient`);
  return {
    frame: wholeNumber(given.frame === undefined ? 0 : given.frame, 0, numFrames - 1, `${label}.frame`),
    side: readWord(given.side, SIDES, `${label}.side`),
    score: readScore(given.score === undefined ? 1 : given.score, `${label}.score`),
    translation: readList(given.translation, 3, dtype, `${label}.translation`),
    globalOrient: readRotation(given.global_orient, dtype, `${label}.global_orient`),
    handPose: readPose(given.hand_pose, dtype, `${label}.hand_pose`),
    betas: readBetas(given.betas === undefined ? Array(NUM_BETAS).fill(0) : given.betas, dtype, `${label}.betas`),
  };
}

/** Return where an object is in its hand. */
function readPlace(value, label) {
  const position = readList(value, 3, "float32", label);
  if (norm(position.map(Math.fround)) <= FARTHEST_OBJECT) return position;
  throw new InvalidFileError(`${label} is ${quoted(value)}, expected at most ${FARTHEST_OBJECT} m from the wrist.`);
}

/** Return what a hand of a scene holds, and that hand's number. */
function readObject(value, count, meshes, label) {
  const given = fields(value, OBJECT_FIELDS, OBJECT_OPTIONS, label);
  checkedShape(given.orient, [[3, 3]], `${label}.orient`);
  const size = given.size === undefined ? 1 : given.size;
  checkedShape(size, [[]], `${label}.size`);
  if (!(size >= OBJECT_SIZES[0] && size <= OBJECT_SIZES[1])) {
    throw new InvalidFileError(`${label}.size is ${quoted(size)}, expected ${OBJECT_SIZES.join(" to ")}.`);
  }
  return {
    hand: wholeNumber(given.hand, 0, count - 1, `${label}.hand`),
    held: {
      kind: readWord(given.kind, OBJECTS, `${label}.kind`),
      position: readPlace(given.position, `${label}.position`),
      orient: readRotation(given.orient, "float32", `${label}.orient`),
      size,
      ...(given.mesh === undefined
        ? {}
        : { mesh: meshes[wholeNumber(given.mesh, 0, meshes.length - 1, `${label}.mesh`)] }),
    },
  };
}

/** Return the surfaces of the user's that objects refer to. */
function readMeshes(value) {
  if (Array.isArray(value) && value.length <= MAX_MESHES) return value.map((each, n) => readMesh(each, `meshes[${n}]`));
  throw new InvalidFileError(`meshes must be a list of at most ${MAX_MESHES} meshes.`);
}

/** Return hands with what they hold. */
function holding(hands, value, meshes) {
  if (!Array.isArray(value) || value.length > hands.length) {
    throw new InvalidFileError(`objects must be a list of at most one object for each of ${hands.length} hands.`);
  }
  const objects = value.map((each, n) => readObject(each, hands.length, meshes, `objects[${n}]`));
  if (objects.some(({ hand }, n) => n > 0 && hand <= objects[n - 1].hand)) {
    throw new InvalidFileError("objects must be in the order of the hands that hold them, one a hand at most.");
  }
  const held = new Map(objects.map((each) => [each.hand, each.held]));
  return hands.map((hand, n) => (held.has(n) ? { ...hand, held: held.get(n) } : hand));
}

/** Return the camera. */
function readCamera(value) {
  const given = fields(value, CAMERA_FIELDS, [], "camera");
  checkedShape(given.focal_length, [[]], "camera.focal_length");
  checkedShape(given.principal_point, [[2]], "camera.principal_point");
  if (!(given.focal_length > 0)) {
    throw new InvalidFileError(`camera.focal_length is ${quoted(given.focal_length)}, expected a positive number.`);
  }
  return {
    focalLength: given.focal_length,
    principalPoint: given.principal_point,
    width: wholeNumber(given.width, 1, MAX_SIZE, "camera.width"),
    height: wholeNumber(given.height, 1, MAX_SIZE, "camera.height"),
  };
}

/** Return what a text holds, if it is JSON. */
function parse(text) {
  if (text.length > MAX_TEXT) {
    throw new InvalidFileError(`The scene has ${text.length} characters, more than ${MAX_TEXT}.`);
  }
  const fraction = FRACTION.exec(text);
  if (fraction) throw new InvalidFileError(`The scene has ${quoted(fraction[0])}, expected a whole number there.`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidFileError(`The scene is not valid JSON: ${error.message}`);
  }
}

/**
 * Read a scene from its text: what Python reads, up to `MAX_HANDS` hands.
 * @param {string} text
 * @param {string} handModel the name that its hands' model must have
 * @returns {import("./scene_format.js").Scene}
 * @throws {InvalidFileError} if Python would refuse the text, or its hands are too many or another model's
 */
export function readScene(text, handModel) {
  const given = fields(parse(text), HEADER_FIELDS, HEADER_OPTIONS, "The scene");
  for (const [name, expected] of Object.entries({ ...FORMAT, ...MEANING, hand_model: handModel })) {
    if (given[name] !== expected && !(given[name] === undefined && name in MEANING)) {
      throw new InvalidFileError(`The scene's ${name} is ${quoted(given[name])}, expected ${quoted(expected)}.`);
    }
  }
  const dtype = readWord(given.dtype === undefined ? DTYPES[0] : given.dtype, DTYPES, "dtype");
  if (!Array.isArray(given.hands) || given.hands.length > MAX_HANDS) {
    throw new InvalidFileError(`hands must be a list of at most ${MAX_HANDS} hands; take Load Hands for more.`);
  }
  const numFrames = wholeNumber(given.num_frames, 1, MAX_FRAMES, "num_frames");
  const camera = readCamera(given.camera);
  const hands = given.hands.map((hand, n) => readHand(hand, dtype, numFrames, `hands[${n}]`));
  const takenFrom = readTakenFrom(given.taken_from === undefined ? "" : given.taken_from);
  const meshes = readMeshes(given.meshes === undefined ? [] : given.meshes);
  const objects = given.objects === undefined ? [] : given.objects;
  return { handModel, dtype, numFrames, camera, hands: holding(hands, objects, meshes), takenFrom };
}
