// What is chosen of a scene, and how it is looked at: in memory only, never in the text.

/** Return the state of an editor that has nothing to show yet. */
export const noChoice = () => ({
  scene: null,
  chosen: -1,
  joint: -1,
  look: "picture",
  shown: "hand",
  frame: 0,
  locked: new Set(),
});

/** Bring a state's choice back to what its scene has: a picture of the batch, and one of that picture's hands. */
export function keepChoice(state) {
  const hands = state.scene?.hands ?? [];
  state.frame = Math.max(0, Math.min(state.frame, (state.scene?.numFrames ?? 1) - 1));
  const isShown = (hand) => hand?.frame === state.frame;
  if (!isShown(hands[state.chosen])) state.chosen = hands.findIndex(isShown);
  if (state.chosen < 0) state.joint = -1;
}
