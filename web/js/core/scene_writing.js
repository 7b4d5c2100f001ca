// Writing a scene as its text.
import { asRead } from "./as_read.js";
import { writeMesh } from "./held_mesh.js";
import { toAxisAngle } from "./rotations.js";
import { FORMAT, MEANING } from "./scene_format.js";

// A nanometre, a nanoradian: less than what float32 keeps.
const DECIMALS = 9;

/** Return a number with as many decimals as are written. */
const rounded = (value) => Number(value.toFixed(DECIMALS)) || 0;

/** Return how a list is written: as it was read, if it was. */
const written = (list) => asRead(list) ?? list.map(rounded);

/** Return three rows out of nine numbers. */
const rowsOf = (m) => [m.slice(0, 3), m.slice(3, 6), m.slice(6, 9)];

/** Return how a rotation is written: as it was read, or in the given form. */
function writtenRotation(rotation, asMatrix) {
  const before = asRead(rotation);
  if (before && Array.isArray(before[0]) === asMatrix) return before;
  return asMatrix ? rowsOf(rotation.map(rounded)) : toAxisAngle(rotation).map(rounded);
}

/** Tell whether a rotation was read as a matrix, which only a matrix can write without a change. */
const wasMatrix = (rotation) => Array.isArray(asRead(rotation)?.[0]);

/** Return the fields of one hand; those that have their usual values are left out. */
function writeHand(hand) {
  const asMatrices = hand.handPose.some(wasMatrix);
  return {
    ...(hand.frame === 0 ? {} : { frame: hand.frame }),
    side: hand.side,
    ...(hand.score === 1 ? {} : { score: hand.score }),
    translation: written(hand.translation),
    global_orient: writtenRotation(hand.globalOrient, wasMatrix(hand.globalOrient)),
    ...(hand.betas.some((beta) => beta !== 0) ? { betas: written(hand.betas) } : {}),
    hand_pose: hand.handPose.map((rotation) => writtenRotation(rotation, asMatrices)),
  };
}

/** Return the fields of what a hand holds. */
const writeObject = ({ kind, position, orient, size, mesh }, hand, meshes) => ({
  kind,
  hand,
  size,
  position: written(position),
  orient: writtenRotation(orient, true),
  ...(mesh ? { mesh: meshes.indexOf(mesh) } : {}),
});

/** Return what hands hold, as fields of their own; a scene in which none does has none. */
function writeObjects(hands) {
  const meshes = [...new Set(hands.flatMap(({ held }) => held?.mesh ?? []))];
  const objects = hands.flatMap(({ held }, n) => (held ? [writeObject(held, n, meshes)] : []));
  return {
    ...(objects.length ? { objects } : {}),
    ...(meshes.length ? { meshes: meshes.map(writeMesh) } : {}),
  };
}

/**
 * Return a scene as its text, in one line. What was not edited is written with every bit it was read with; what was, in
 * steps of 1e-9 metres or radians.
 * @param {import("./scene_format.js").Scene} scene
 */
export function writeScene({ handModel, dtype, numFrames, camera, hands, takenFrom }) {
  const { focalLength, principalPoint, width, height } = camera;
  return JSON.stringify({
    ...FORMAT,
    ...MEANING,
    hand_model: handModel,
    dtype,
    num_frames: numFrames,
    camera: { focal_length: focalLength, principal_point: principalPoint, width, height },
    ...(takenFrom ? { taken_from: takenFrom } : {}),
    ...writeObjects(hands),
    hands: hands.map(writeHand),
  });
}
