// What is chosen of a scene, and how it is looked at: in memory only, never in the text.

/** Return the state of an editor that has nothing to show yet. */
export const noChoice = () => ({
  scene: null,
  chosen: -1,
  joint: -1,
  object: false,
  look: "picture",
  shown: "hand",
  frame: 0,
  locked: new Set(),
});

/**
 * Choose a hand, or a joint of it (-1 for none), or what it holds; its picture of the batch is shown.
 * @param {{chosen: number, joint: number, object: boolean, scene: any, frame: number}} state
 * @param {{hand?: number, joint?: number, object?: boolean}} choice
 * @returns {boolean} whether it is another choice
 */
export function choose(state, { hand = state.chosen, joint = -1, object = false }) {
  if (hand === state.chosen && joint === state.joint && object === state.object) return false;
  Object.assign(state, { chosen: hand, joint, object });
  state.frame = state.scene?.hands[hand]?.frame ?? state.frame;
  return true;
}

/** Bring a state's choice back to what its scene has: a picture of the batch, and one of that picture's hands. */
export function keepChoice(state) {
  const hands = state.scene?.hands ?? [];
  state.frame = Math.max(0, Math.min(state.frame, (state.scene?.numFrames ?? 1) - 1));
  const isShown = (hand) => hand?.frame === state.frame;
  if (!isShown(hands[state.chosen])) Object.assign(state, { chosen: hands.findIndex(isShown), object: false });
  if (state.chosen < 0) state.joint = -1;
  // An object that an undo takes away is still the choice when a redo brings it back.
}
