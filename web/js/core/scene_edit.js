// An edit of a scene, with what holds whatever it does: the limits of joints, and fingers that are locked.
import { withFingersOf } from "./fingers.js";
import { limitedHands } from "./limited_hand.js";

/**
 * Return a scene after an edit; the scene itself stays.
 * @param {import("./anatomy.js").Anatomy} anatomy
 * @param {import("./scene_format.js").Scene} scene
 * @param {(draft: import("./scene_format.js").Scene) => void} edit changes a copy; hands are values, to be replaced
 * @param {{hand: number, fingers: string[]}} locked fingers of a hand that stay as they are
 */
export function editedScene(anatomy, scene, edit, locked = { hand: -1, fingers: [] }) {
  const draft = { ...scene, camera: { ...scene.camera }, hands: [...scene.hands] };
  edit(draft);
  const hands = limitedHands(anatomy, draft.hands, scene.hands);
  const [hand, before] = [hands[locked.hand], scene.hands[locked.hand]];
  // A hand that only came to another place in the list was not edited.
  if (locked.fingers.length && hand && before && !scene.hands.includes(hand)) {
    hands[locked.hand] = withFingersOf(hand, before, locked.fingers);
  }
  return { ...draft, hands };
}
