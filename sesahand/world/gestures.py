"""The gestures of the small world, in its own words, and what people say of one put into them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..semantics.gesture_words import WORD, GestureMention, find_mentions


@dataclass(frozen=True)
class WorldGesture:
    """A gesture of the small world.

    Attributes:
        poses: Names in the library of gestures; of several, the held object chooses.
        hand: What the hand does, following "a right hand".
        action: What the person does.
        states: Of thumb, index, middle, ring and little finger, whether each is straight; None where both occur.
        directions: Where its fingers (for thumbs up: its thumb) may point in the picture.
        back: Whether it may be seen from the back of the hand.
        noun: What is made, given or raised, out of `hand`; nothing for gestures that are a way of holding the hand.
    """

    poses: tuple[str, ...]
    hand: str
    action: str
    states: tuple[bool | None, ...]
    directions: tuple[str, ...] = ("up", "left", "right", "down")
    back: bool = True
    noun: str = ""


_ALL, _OUT, _IN = (True,) * 5, True, False
GESTURES = {
    "open_palm": WorldGesture(("open_palm",), "open with spread fingers", "greeting", _ALL),
    "flat_stop": WorldGesture(("flat_stop",), "flat with closed fingers", "stopping", (None, *_ALL[1:])),
    "fist": WorldGesture(("fist",), "making a fist", "punching", (None, _IN, _IN, _IN, _IN), noun="fist"),
    "point": WorldGesture(("point",), "pointing with the index finger", "showing", (None, _OUT, _IN, _IN, _IN)),
    "victory": WorldGesture(
        ("victory",), "making a peace sign", "celebrating", (None, _OUT, _OUT, _IN, _IN), noun="peace sign"
    ),
    "three": WorldGesture(
        ("three",), "raising three fingers", "counting", (None, _OUT, _OUT, _OUT, _IN), noun="three fingers"
    ),
    "thumbs_up": WorldGesture(
        ("thumbs_up",), "giving a thumb up", "agreeing", (_OUT, _IN, _IN, _IN, _IN), ("up",), False, noun="thumb up"
    ),
    "ok": WorldGesture(
        ("ok",), "making an ok sign", "approving", (None, None, _OUT, _OUT, _OUT), back=False, noun="ok sign"
    ),
    "horns": WorldGesture(
        ("horns",), "making a horns sign", "cheering", (None, _OUT, _IN, _IN, _OUT), noun="horns sign"
    ),
    "call_me": WorldGesture(
        ("call_me",), "making a phone sign", "calling", (_OUT, _IN, _IN, _IN, _OUT), noun="phone sign"
    ),
    "hold": WorldGesture(("grasp_sphere", "grasp_cylinder"), "holding", "carrying", (None,) * 5, back=False),
}
FREE = "free"
"""The gesture of samples whose hand is in some other pose of the library, or between two: no word names it."""

FREE_WORDS = WorldGesture((), "posing", "posing", (None,) * 5)

# Of several poses the held object chooses, and the words for holding it say which.
_OF_POSE = {entry.poses[0]: entry for entry in GESTURES.values() if len(entry.poses) == 1}
_HAND = re.compile(r"(?:hand|palm|fist)(s?)")
_SIGN = re.compile(r"\s+(?:sign|gesture)s?\b", re.IGNORECASE)
_DETERMINER = re.compile(r"\b(?:an?|the|his|her|their|its|my|your)\s+$", re.IGNORECASE)
_DETERMINERS = frozenset("a an the his her their its my your both".split())


def say_gestures(text: str, synonyms: Mapping[str, str]) -> str:
    """Say in the small world's own words what a text says of its gestures; other gestures stay as they are.

    Args:
        text: A prompt or a component of semantics.
        synonyms: Words for words of the small world; what they say of a gesture is left to them.
    """
    for mention in reversed(find_mentions(text)):
        gesture = _OF_POSE.get(mention.name)
        sign = _SIGN.match(text, mention.end)
        if gesture is None or (mention.ambiguous and sign is None):
            continue
        end = mention.end if sign is None else sign.end()
        said = [word.lower() for word in WORD.findall(text[mention.start : end])]
        if not _is_said(gesture, mention, said, synonyms):
            determined = _DETERMINER.search(text[: mention.start]) is not None
            text = text[: mention.start] + _own_words(gesture, mention, said, determined) + text[end:]
    return text


def _is_said(gesture: WorldGesture, mention: GestureMention, said: list[str], synonyms: Mapping[str, str]) -> bool:
    """Whether the small world says it so itself, or does word by word."""
    if len(said) == 1 and said[0] in synonyms:
        return True
    naming = {word for word in said if word not in mention.between}
    # "splayed fingers" are spread ones, but "thumbs up" is more than "thumb up": it is given.
    by_word = naming if gesture.noun else {synonyms.get(word, word) for word in naming}
    return by_word <= set(gesture.hand.split())


def _own_words(gesture: WorldGesture, mention: GestureMention, said: list[str], determined: bool) -> str:
    """The small world's words in the place of those that were said, behind a determiner or without one."""
    between = " ".join(mention.between)
    first, last = _HAND.fullmatch(said[0]), _HAND.fullmatch(said[-1])
    if first and len(said) > 1:
        # "hand is clenched"
        return " ".join(f"hand{first[1]} {between} {gesture.hand}".split())
    if last and _DETERMINERS & set(mention.between):
        # "clenching her left hand"
        side = next((word for word in mention.between if word in ("left", "right", "both")), "")
        hand = {"": "", "both": "with both hands "}.get(side, f"with a {side} hand ")
        return hand + gesture.hand
    if last and last[0] == gesture.noun:
        # "clenched left fist"
        return f"{between} {last[0]}".strip()
    if last:
        # "open palms"
        return f"{between} hand{last[1]} {gesture.hand}".strip()
    if gesture.noun and (determined or "sign" in (*said, *gesture.noun.split())):
        # "a thumbs up", "shaka"
        return gesture.noun
    return f"hand {gesture.hand}" if determined else gesture.hand
