// A pose to be kept: a scene with one right hand in it, in the file that is named after it.
import { InvalidFileError } from "./errors.js";
import { rightPose } from "./hand.js";
import { readScene } from "./scene_reading.js";
import { writeScene } from "./scene_writing.js";

const LONGEST_NAME = 60;

/** Return a name that every file system takes, as near as possible to what was typed; empty if nothing is left. */
export const presetName = (typed) =>
  typed
    .normalize("NFC")
    .replace(/[\p{Control}\p{Format}\p{Surrogate}\\/:*?"<>|%#]+/gu, " ")
    .replace(/\s+/gu, " ")
    .replace(/^[\s.]+/u, "")
    .slice(0, LONGEST_NAME)
    .replace(/[\s.\p{Surrogate}]+$/u, "");

/**
 * Return the text of a preset.
 * @param {import("./hand.js").Hand} hand of either side, whose pose is kept, and neither its place nor its shape
 * @param {import("./scene_format.js").Scene} around a scene with a right hand, which gives all else
 */
export const writePreset = (hand, around) =>
  writeScene({ ...around, numFrames: 1, hands: [{ ...around.hands[0], frame: 0, handPose: rightPose(hand) }] });

/**
 * Return the right hand's pose that a preset, or any scene's first hand, has.
 * @throws {InvalidFileError} if the text is no scene of that model, or has no hand
 */
export function readPreset(text, handModel) {
  const [hand] = readScene(text, handModel).hands;
  if (hand) return rightPose(hand);
  throw new InvalidFileError("The file has no hand, expected a scene with one.");
}
