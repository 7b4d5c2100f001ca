// Names and orders of a hand's joints and keypoints, as in sesahand/hands/skeleton.py; tests compare the two.

export const NUM_JOINTS = 16;
export const NUM_BETAS = 10;

export const MANO_PARENTS = Object.freeze([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14]);

export const FINGERS = Object.freeze(["thumb", "index", "middle", "ring", "pinky"]);

/** MANO joints of each finger, from the knuckle outwards; a joint's rotation is `handPose[joint - 1]`. */
export const FINGER_JOINTS = Object.freeze({
  thumb: [13, 14, 15],
  index: [1, 2, 3],
  middle: [4, 5, 6],
  ring: [10, 11, 12],
  pinky: [7, 8, 9],
});

/** MANO's sixteen joints followed by the five tips, picked into OpenPose's order of keypoints. */
export const OPENPOSE_FROM_MANO = Object.freeze([
  0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20,
]);

/** Pairs of keypoints with a bone between them. */
export const KEYPOINT_BONES = Object.freeze(
  FINGERS.flatMap((_, finger) => [0, 1, 2, 3].map((k) => [k === 0 ? 0 : 4 * finger + k, 4 * finger + k + 1])),
);

/** Return the keypoint of a finger's point: 0 to 2 its joints from the knuckle outwards, 3 its tip. */
export const keypointOf = (finger, point) => 1 + 4 * FINGERS.indexOf(finger) + point;
