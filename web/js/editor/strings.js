// What the editor says, in English. Other languages are in locales/<language>/main.json under sesahand.editor; a word
// that one of them lacks is said in English.
import { PANEL_ENGLISH } from "../panel/english.js";

export const ENGLISH = Object.freeze({
  ...PANEL_ENGLISH,
  "menu.edit": "Edit hands...",
  "large.label": "Edit hands",
  "keys.label":
    "Hands. 1 to 5 choose a finger, brackets a joint, arrows bend it, comma and full stop twist it. M mirrors, A adds, " +
    "Delete removes, R resets. G, S, T: arrows move, size, turn the hand. V looks around, D shows depth, F enlarges.",
  // The states of the hands.
  "state.empty": "Drag a dot to bend a finger, the skin to move the hand.",
  "state.following": "Shows the hands of the input. Any edit takes them over.",
  "state.unseen": "Run once to see the hands of the input.",
  "state.waiting": "The run stops here until a hand is edited or taken over.",
  "state.outdated": "The input has changed since these hands were taken over.",
  "state.edited": "These hands are the node's own; the input is not used.",
  "state.viewOnly": "The text comes from another node: view only.",
  "state.unreadable": "This text is no scene of hands, and stays as it is. {problem}",
  "state.unshown": "The hands of the input cannot be shown here. {problem}",
  "state.noHands": "There is no hand. Add one.",
  "state.outside": "A hand is outside of the picture.",
  "state.otherSize": "The picture is {picture}, the hands' view {view}: other proportions.",
  "state.notDrawn": "This browser cannot draw the skin now (no WebGL). The dots work all the same.",
  // The ways out of them.
  "action.takeOver": "Take over",
  "action.follow": "Follow the input again",
  "action.keepMine": "Keep mine",
  "action.startAnew": "Start with an open hand",
  "action.bringBack": "Bring back",
  "action.fit": "Fit to picture",
  // The buttons.
  "tool.bar": "Tools",
  "tool.hands": "Hand",
  "tool.handNamed": "{number} {side}",
  "tool.noHand": "no hand",
  "tool.add": "Add a mirrored copy beside (A)",
  "tool.remove": "Remove the hand (Delete)",
  "tool.mirror": "Mirror in the picture (M)",
  "tool.swap": "Make it the other hand, in its place",
  "tool.resetHand": "Open the hand (Shift+R)",
  "tool.undo": "Undo (Ctrl+Z)",
  "tool.redo": "Redo (Ctrl+Shift+Z)",
  "tool.large": "Large view (F)",
  "tool.look": "Look",
  "tool.shown": "Shown",
  "tool.picture": "Picture",
  "tip.picture": "Through the picture's camera (V)",
  "tool.around": "Look around",
  "tip.around": "Look around the hands; nothing changes (V)",
  "tool.hand": "Hand",
  "tip.hand": "Show the hands (D)",
  "tool.depth": "Depth",
  "tip.depth": "Show the depth map (D)",
  "tool.normal": "Normal",
  "tip.normal": "Show the normal map (D)",
  "tool.frame": "Picture of the batch",
  "tool.frameOf": "{frame} of {frames}",
  "side.right": "right",
  "side.left": "left",
  "finger.thumb": "Thumb",
  "finger.index": "Index",
  "finger.middle": "Middle",
  "finger.ring": "Ring",
  "finger.pinky": "Little",
  "joint.first": "first joint",
  "joint.middle": "middle joint",
  "joint.last": "last joint",
  "joint.named": "{finger}, {place}",
  // What is said to those who cannot see it.
  "said.joint": "{joint}: bend {bend} of {most} degrees",
  "said.undone": "Undone",
  "said.redone": "Redone",
  "said.takenOver": "Taken over",
  "said.notPasted": "The clipboard holds no hand.",
  "did.bend": "Finger bent",
  "did.move": "Hand moved",
  "did.roll": "Hand turned",
  "did.turn": "Hand turned",
  "did.size": "Hand sized",
  "did.pinch": "Hand moved",
  "did.add": "Hand added",
  "did.remove": "Hand removed",
  "did.mirror": "Hand mirrored",
  "did.swap": "Side swapped",
  "did.copy": "Hand copied",
  "did.paste": "Hand pasted",
  "did.resetFinger": "Finger opened",
  "did.resetHand": "Hand opened",
  "did.bringBack": "Hand brought back",
  "did.fit": "View fitted to the picture",
  "arrows.move": "Arrows move the hand",
  "arrows.size": "Arrows size the hand",
  "arrows.turn": "Arrows turn the hand",
});

/**
 * Return the function that says things in a language.
 * @param {Object<string, any>} [messages] nested as in locales/<language>/main.json; dots in keys go inwards
 * @returns {(key: string, values?: Object<string, any>) => string}
 */
export function translator(messages = {}) {
  const found = (key) => key.split(".").reduce((inner, name) => inner?.[name], messages);
  return (key, values = {}) => {
    const text = found(key) ?? ENGLISH[key] ?? key;
    return String(text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  };
}
