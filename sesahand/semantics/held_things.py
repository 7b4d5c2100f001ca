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

LIKE = {
    "sphere": "egg stone rock pebble potato turnip walnut kiwi avocado basketball volleyball softball melon "
    "coconut pumpkin grenade",
    "cylinder": "torch flashlight lantern microphone mic telescope flute megaphone baton cucumber aubergine eggplant "
    "corn scroll rolling_pin hairspray",
    "box": "book notebook novel bible diary camera gift present",
    "phone": "tablet ipad calculator wallet remote",
    "pen": "scalpel lipstick chopstick eyeliner mascara charcoal cigarette thermometer syringe",
    "tool": "knife dagger cleaver machete sword katana saber sabre axe hatchet wrench spanner screwdriver pliers "
    "shovel spade trowel rake hoe broom mop umbrella parasol racket racquet bat club paddle oar ladle spatula whisk "
    "spoon fork plunger hairbrush wand stick cane carrot magnifying_glass",
}
"""What is held as an object that is like it, though it looks otherwise, as the last word of what it is called."""


def _by_form(things: dict[str, str]) -> dict[str, str]:
    """Return the object for each form of each noun; an underscore stands for a space."""
    return {
        " ".join([*noun.split("_")[:-1], form]): kind
        for kind, nouns in things.items()
        for noun in nouns.split()
        for form in lexicon.noun_forms(noun.split("_")[-1])
    }


_LIKE = _by_form(LIKE)
_KINDS = _LIKE | _by_form(THINGS)
# Those that are worn; "two glasses" and "wine glasses" are drunk from.
_SPECTACLES = re.compile(
    r"(?:(?:a|the|his|her|their|my|your|reading|round|black|pair|of|sun|eye|safety|dark|broken|folded|thick) )*glasses",
    re.IGNORECASE,
)
# Of hands whose gesture says what is in them: "taking a selfie", "writing".
_IMPLIED = {"hold_phone": "phone", "hold_pen": "pen"}

# Gestures of hands with something in them; whoever points at a cup does not hold it.
_GRIPS = frozenset({"pinch", "key_grip", "hook", *(grasp.gesture for grasp in GRASPS.values())})
_HOLDING = frozenset(lexicon.HOLDING_VERBS.split())
_ONE = re.compile(r"(?:an?|one|the|this|that|his|her|my|your)\s(?!.*[^su]s\s*$)", re.IGNORECASE)
_HANDS, _EACH = (re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for words in ("hands|palms|both", "each|every|pair"))
_IN_HAND = re.compile(r"\bin\s+(?:\w+\s+){0,2}hands?\b", re.IGNORECASE)


def object_held(hand: DescribedHand, language: str = "en") -> str | None:
    """Return the object of `hands.objects.OBJECTS` that a hand holds, or None where it holds nothing of that shape.

    Args:
        hand: As a text describes it. Without a gesture it holds what its words say that it holds: people have no name
            for a grip around a box.
        language: Of the text, a code of `languages`.
    """
    if not hand.object:
        return _IMPLIED.get(hand.gesture or "")
    if hand.gesture not in (None, *_GRIPS):
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
    kind = None if _SPECTACLES.fullmatch(thing) else of_last_word(thing, _KINDS)
    if kind is not None or language == "en":
        return kind
    found = foreign_object(thing, language)
    return None if found is None else found[0]


def is_only_like(thing: str, kind: str) -> bool:
    """Whether a thing that is held as an object is not of its shape, as a knife that is held as the tool."""
    return of_last_word(thing, _LIKE) == kind


def is_one_for_two(thing: str, words: str) -> bool:
    """Whether words let two hands hold one thing: "two hands holding one apple", but not "a ball in each hand"."""
    return _ONE.match(thing) is not None and _HANDS.search(words) is not None and _EACH.search(words) is None
