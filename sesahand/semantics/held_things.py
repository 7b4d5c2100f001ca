"""What a described hand holds, as one of the objects that a hand can be given: "a red coffee mug" is the cup."""

import re

from ..hands.gripping import GRASPS
from . import lexicon
from .described_hands import DescribedHand
from .grammar import of_last_word, sentences
from .languages import foreign_object

THINGS = {
    "sphere": "sphere ball baseball orb globe apple orange peach pear lemon tomato grapefruit onion snowball "
    "pomegranate mango plum bauble fruit",
    "cylinder": "cylinder bottle can jar thermos canteen vase candle soda",
    "box": "box carton packet brick parcel",
    "cup": "cup mug glass teacup tumbler goblet chalice stein coffee tea wine beer champagne cocktail drink",
    "phone": "phone smartphone cellphone iphone mobile",
    "pen": "pen pencil crayon marker chalk quill stylus ballpoint brush paintbrush",
    "tool": "tool hammer mallet sledgehammer gavel",
}
"""The objects of `hands.objects.OBJECTS`, and what has their shape, as the last word of what it is called."""

_KINDS = {form: kind for kind, nouns in THINGS.items() for noun in nouns.split() for form in lexicon.noun_forms(noun)}

# Gestures of hands with something in them; whoever points at a cup does not hold it.
_GRIPS = frozenset({"pinch", "key_grip", "hook", *(grasp.gesture for grasp in GRASPS.values())})
_HOLDING = frozenset(lexicon.HOLDING_VERBS.split())
_IN_HAND = re.compile(r"\bin\s+(?:\w+\s+){0,2}hands?\b", re.IGNORECASE)


def object_held(hand: DescribedHand, language: str = "en") -> str | None:
    """Return the object of `hands.objects.OBJECTS` that a hand holds, or None where it holds nothing of that shape.

    Args:
        hand: As a text describes it. Without a gesture it holds what its words say that it holds: people have no name
            for a grip around a box.
        language: Of the text, a code of `languages`.
    """
    if not hand.object or hand.gesture not in (None, *_GRIPS):
        return None
    if hand.gesture is None and not _says_holding(hand.words):
        return None
    return object_called(hand.object, language)


def _says_holding(words: str) -> bool:
    verbs = (item.verb for sentence in sentences(words) for item in sentence)
    return not _HOLDING.isdisjoint(filter(None, verbs)) or _IN_HAND.search(words) is not None


def object_called(thing: str, language: str = "en") -> str | None:
    """Return the object that a hand can be given for what a text calls a thing, or None.

    Args:
        thing: What is held, in the text's words, such as "a red coffee mug".
        language: Of the text, a code of `languages`.
    """
    kind = of_last_word(thing, _KINDS)
    if kind is not None or language == "en":
        return kind
    found = foreign_object(thing, language)
    return None if found is None else found[0]
