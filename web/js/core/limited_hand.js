// The limits of joints, held by whatever an edit did to a hand.
import { rightPose, withRightPose } from "./hand.js";

// Radians: less is what computing angles and back costs.
const NOTHING = 1e-9;

/** Return a rotation of joint `j` brought into its ranges, or itself if it is in them. */
function limited(anatomy, rotation, j, before) {
  const angles = anatomy.angles(rotation, j);
  const within = anatomy.clamp(angles, j, before && anatomy.angles(before, j));
  return within.some((angle, axis) => Math.abs(angle - angles[axis]) > NOTHING)
    ? anatomy.rotation(within, j)
    : rotation;
}

/**
 * Return a hand whose joints are within their ranges.
 * @param {import("./anatomy.js").Anatomy} anatomy
 * @param {import("./hand.js").Hand} hand of either side
 * @param {import("./hand.js").Hand} [before] what it was until now: joints that did not change stay beyond their ranges
 *   if
 *   they were, as some of fitted hands are, and those that did get no further out; see `Anatomy.clamp`
 */
export function limitedHand(anatomy, hand, before) {
  if (before && hand.handPose === before.handPose) return hand;
  const was = before && rightPose(before);
  return withRightPose(
    hand,
    rightPose(hand).map((rotation, j) =>
      before && hand.handPose[j] === before.handPose[j] ? rotation : limited(anatomy, rotation, j, was?.[j]),
    ),
  );
}

/**
 * Return the hands of an edited scene within their limits.
 * @param {import("./anatomy.js").Anatomy} anatomy
 * @param {import("./hand.js").Hand[]} hands
 * @param {import("./hand.js").Hand[]} before the scene's hands until now; one at a new place was not edited
 */
export const limitedHands = (anatomy, hands, before) =>
  hands.map((hand, n) => (before.includes(hand) || !before[n] ? hand : limitedHand(anatomy, hand, before[n])));
