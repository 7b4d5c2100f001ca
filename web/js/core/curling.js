// Bending the fingers of a right hand from where they are; what bends keeps its place sideways, and the limits hold.
import { FLEXION } from "./anatomy.js";
import { curlOf, rowsOf, withAngles } from "./fingers.js";

/**
 * Return a pose with some angles of a finger brought a share of their way to straight or to the fist.
 * @param {import("./anatomy.js").Anatomy} anatomy
 * @param {number[][]} pose a right hand's
 * @param {string} finger
 * @param {number} share -1 (straight) to 1 (as in the fist); 0 changes nothing
 * @param {number} axes how many of a joint's angles take part: 1 its flexion, 3 all of them
 */
function brought(anatomy, pose, finger, share, axes) {
  if (share === 0) return pose;
  return rowsOf(finger).reduce((bent, j) => {
    const before = anatomy.angles(pose[j], j);
    const end = share > 0 ? anatomy.fist[j] : [0, 0, 0];
    const angles = before.map((angle, axis) =>
      axis - FLEXION < axes ? angle + Math.abs(share) * (end[axis] - angle) : angle,
    );
    return withAngles(anatomy, bent, j, angles);
  }, pose);
}

/** Return the share of a way to straight or to the fist that leads from one curl to another. */
function shareBetween(from, to) {
  if (to === from) return 0;
  return to > from ? (to - from) / (1 - from) : Math.max(-1, (to - from) / from);
}

/**
 * Return a pose with a finger bent so that `curlOf` finds a curl, its joints in the proportions that they had.
 * @param {import("./anatomy.js").Anatomy} anatomy
 * @param {number[][]} pose a right hand's
 * @param {string} finger
 * @param {number} curl 0 (straight) to 1 (as in the fist)
 */
export const withCurl = (anatomy, pose, finger, curl) =>
  brought(anatomy, pose, finger, shareBetween(curlOf(anatomy, pose, finger), curl), 1);

/** Return how far some fingers are bent on average. */
export const meanCurl = (anatomy, pose, fingers) =>
  fingers.reduce((sum, finger) => sum + curlOf(anatomy, pose, finger), 0) / fingers.length;

/**
 * Return a pose with some fingers closed together, at 1 as in the fist with the thumb over them, or opened.
 * @param {import("./anatomy.js").Anatomy} anatomy
 * @param {number[][]} pose a right hand's
 * @param {string[]} fingers
 * @param {number} curl what their mean shall be, 0 to 1
 */
export function withMeanCurl(anatomy, pose, fingers, curl) {
  const share = shareBetween(meanCurl(anatomy, pose, fingers), curl);
  return fingers.reduce((closed, finger) => brought(anatomy, closed, finger, share, 3), pose);
}
