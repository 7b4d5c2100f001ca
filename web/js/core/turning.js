// How a hand is turned, in the angles of sesahand/scene/placing.py: from the palm with the fingers up, first pitch,
// then yaw, then roll about the camera's axes, degrees.
import { fromAxisAngle, invert, multiply } from "./rotations.js";

/** The rotations in which each side shows its palm with the fingers up. */
export const CANONICAL = Object.freeze({
  right: Object.freeze([0, 0, 1, 1, 0, 0, 0, 1, 0]),
  left: Object.freeze([0, 0, -1, -1, 0, 0, 0, 1, 0]),
});

const DEGREE = Math.PI / 180;
// Nearer to edge on than this cosine, pitch and roll turn about the same axis.
const EDGE_ON = 1e-9;

/** Return the `globalOrient` of a hand that is turned by angles. */
export function viewRotation(side, { roll, pitch, yaw }) {
  const turn = multiply(fromAxisAngle([0, yaw * DEGREE, 0]), fromAxisAngle([pitch * DEGREE, 0, 0]));
  return multiply(multiply(fromAxisAngle([0, 0, roll * DEGREE]), turn), CANONICAL[side]);
}

/** Return an angle in degrees as -180 to 180. */
const wrapped = (degrees) => degrees - 360 * Math.round(degrees / 360);

/** Return the angles that turn a hand to its `globalOrient`, pitch at most 90 degrees either way. */
export function viewAngles(side, globalOrient) {
  const m = multiply(globalOrient, invert(CANONICAL[side]));
  const cosine = Math.hypot(m[7], m[8]);
  const yaw = Math.atan2(-m[6], cosine) / DEGREE;
  if (cosine < EDGE_ON) return { roll: Math.atan2(-m[1], m[4]) / DEGREE, pitch: 0, yaw };
  const roll = Math.atan2(m[3], m[0]) / DEGREE;
  const pitch = Math.atan2(m[7], m[8]) / DEGREE;
  if (Math.abs(pitch) <= 90) return { roll, pitch, yaw };
  // The same turn said as of the hand's back.
  return { roll: wrapped(roll + 180), pitch: wrapped(pitch + 180), yaw: wrapped(180 - yaw) };
}
