// Ways to change single fingers of a right hand's pose, as sesahand/hands/fingers.py has them; the limits always hold.
import { FLEXION } from "./anatomy.js";
import { rightPose, withRightPose } from "./hand.js";
import { blendRotations } from "./rotations.js";
import { FINGER_JOINTS, FINGERS } from "./skeleton.js";
import { add, scale } from "./vectors.js";

/** Return the places of a finger's three rotations in a pose, from the knuckle outwards. */
export const rowsOf = (finger) => FINGER_JOINTS[finger].map((joint) => joint - 1);

/** Return a pose with other angles of joint `j`, radians, within their ranges; see `Anatomy.clamp`. */
export function withAngles(anatomy, pose, j, angles) {
  return pose.with(j, anatomy.rotation(anatomy.clamp(angles, j, anatomy.angles(pose[j], j)), j));
}

/** Return a pose with a finger bent from straight (0) to as far as in the fist (1), whatever it was before. */
export const curlFinger = (anatomy, pose, finger, amount) =>
  rowsOf(finger).reduce((bent, j) => withAngles(anatomy, bent, j, scale(anatomy.fist[j], amount)), pose);

/** Return a pose with flexion, abduction and twist added to a finger's first joint, radians. */
function turnFinger(anatomy, pose, finger, turn) {
  const [first] = rowsOf(finger);
  return withAngles(anatomy, pose, first, add(anatomy.angles(pose[first], first), turn));
}

/** Return a pose with a finger moved away from the middle one (1) or to it (-1), and that one to the index (1). */
export const spreadFinger = (anatomy, pose, finger, amount) =>
  turnFinger(anatomy, pose, finger, scale(anatomy.spread[FINGERS.indexOf(finger)], amount));

/** Return a pose with the thumb brought before the palm, its pad to the fingers (1), or back beside it (-1). */
export const opposeThumb = (anatomy, pose, amount) =>
  turnFinger(anatomy, pose, "thumb", scale(anatomy.opposition, amount));

/** Return a pose with the thumb turned about itself, its pad to the palm (1) or away from it (-1). */
export const twistThumb = (anatomy, pose, amount) => turnFinger(anatomy, pose, "thumb", scale(anatomy.twist, amount));

/** Return how far a finger is bent, as `curlFinger` counts: by the sum of what its joints bend. */
export function curlOf(anatomy, pose, finger) {
  const rows = rowsOf(finger);
  const bend = rows.reduce((sum, j) => sum + anatomy.angles(pose[j], j)[FLEXION], 0);
  return bend / rows.reduce((sum, j) => sum + anatomy.fist[j][FLEXION], 0);
}

/** Return the pose that is the share t of the way from one to another, each joint along its shortest turn. */
export const blendPoses = (first, second, t) => first.map((rotation, j) => blendRotations(rotation, second[j], t));

/** Return a hand of either side with some fingers as another hand of either side has them. */
export function withFingersOf(hand, other, fingers) {
  const rows = new Set(fingers.flatMap(rowsOf));
  const others = rightPose(other);
  return withRightPose(
    hand,
    rightPose(hand).map((rotation, j) => (rows.has(j) ? others[j] : rotation)),
  );
}
