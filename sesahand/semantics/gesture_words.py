"""Which gesture of the library a sentence names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ..errors import SesaHandError
from ..hands.gestures import gesture_names, load_gestures
from .behavior import ImageSemantics

# Words with other meanings than a gesture's, which count beside a word for the hand or a sign only.
AMBIGUOUS = frozenset(
    "approval catch draw five four good gun halt hello hook horns indicate like loser love metal natural one palm "
    "perfect phone pistol point pointing power prayer relaxed rest rock salute scratch scroll selfie six spider stop "
    "talons texting three tiger two tweeze wave write writing".split()
)
# Verbs of that list which say what hands do wherever they stand.
DEEDS = frozenset("catches catching halting points pointing saluting salutes scratching stops stopping texting".split())
DEEDS |= frozenset("praying waves waving writes writing drawing draws scrolling".split())
HAND_WORDS = frozenset("hand hands palm palms finger fingers gesture sign".split())
# Words between an ambiguous word and the word for the hand.
NEAR = 2
# What may stand between the words of "hold a bottle": "holds her red bottle".
GAP_WORDS = 2
FILLERS = frozenset("a an the his her their its my your of".split())
# How people say it beside the library's names and synonyms.
PHRASES = {
    "open_palm": ("spread fingers", "fingers spread", "splayed fingers"),
    "flat_stop": ("closed fingers", "fingers together"),
    "thumbs_up": ("thumb up",),
    "grasp_cylinder": ("hold a cup", "hold a mug"),
    "grasp_sphere": ("hold a fruit",),
    "hold_phone": ("hold a phone",),
    "hold_pen": ("hold a pen",),
}
SAME = {"sign": "gesture", "gestur": "gesture", "forefinger": "index"}

# Up to two words may stand between, as in "her left clenched hand".
_SIDED = re.compile(
    r"\b(left|right)[ -](?:[a-z]+[ -]){0,2}?(?:hand|fist|palm|thumb|index|finger)|\b(both|two) (?:[a-z]+ )?"
    r"(?:hands|palms|fists|thumbs)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class NamedGesture:
    """A gesture that a text names.

    Attributes:
        name: Of the gesture in the library.
        words: The words of the text that name it.
    """

    name: str
    words: str


def find_named_gesture(texts: Iterable[str]) -> NamedGesture | None:
    """Find the gesture that the first of some texts names which names any.

    Names and synonyms count in any inflection ("clenched hand", "clenching his hand"); the longest phrase wins, then
    the earliest. Words that mean other things as well ("like", "rock", "two") count next to a word for the hand.

    Args:
        texts: For example what the hands do, then the whole caption.

    Returns:
        The gesture and the words it was known by, or None.
    """
    for text in texts:
        found = [each for phrase in _phrases() if (each := _find(phrase, text)) is not None]
        if found:
            return max(found, key=lambda each: each[0])[1]
    return None


@lru_cache(maxsize=1)
def _phrases() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Pairs of a gesture and the words of a name or synonym."""
    return tuple(
        (name, tuple(phrase.lower().replace("_", " ").replace("-", " ").split()))
        for name, entry in load_gestures().items()
        for phrase in (name, *entry.synonyms, *PHRASES.get(name, ()))
    )


def _find(phrase: tuple[str, tuple[str, ...]], text: str) -> tuple[tuple[int, int], NamedGesture] | None:
    """How good the first match is, and the match."""
    name, wanted = phrase
    words = list(re.finditer(r"[^\W_]+(?:'[^\W_]+)?", text))
    said = [word.group().lower() for word in words]
    content = [word for word in wanted if word not in FILLERS] or list(wanted)
    for start in range(len(said)):
        end = _match(content, said, start)
        if end is None or (len(wanted) == 1 and not _means_the_hand(wanted[0], said, start)):
            continue
        if re.search(r"[.;!?]", text[words[start].start() : words[end].end()]):
            continue
        found = NamedGesture(name, text[words[start].start() : words[end].end()])
        return (len(content), -start), found
    return None


def _match(content: list[str], said: list[str], start: int) -> int | None:
    """The index of the last word of a phrase that begins at `start`, or None."""
    at = start
    if _stem(said[at]) != _stem(content[0]):
        return None
    for word in content[1:]:
        reach = range(at + 1, min(at + 2 + GAP_WORDS, len(said)))
        at = next((k for k in reach if _stem(said[k]) == _stem(word)), -1)
        if at < 0:
            return None
    return at


def _means_the_hand(word: str, said: list[str], at: int) -> bool:
    if word not in AMBIGUOUS or said[at] in DEEDS:
        return True
    around = said[max(0, at - NEAR) : at] + said[at + 1 : at + 1 + NEAR]
    return any(near in HAND_WORDS for near in around)


def _stem(word: str) -> str:
    """A word without its inflection: "clenching", "clenched" and "clench" are one."""
    if len(word) > 4:
        for ending in ("ing", "ed", "es", "s"):
            if word.endswith(ending) and not word.endswith("ss"):
                word = word.removesuffix(ending)
                break
    elif len(word) == 4 and word.endswith("s"):
        word = word[:-1]
    word = word.removesuffix("e")
    return SAME.get(word, word)


def gesture_of(image: ImageSemantics) -> NamedGesture:
    """The gesture that a caption names: what the hands do first, then the caption.

    Raises:
        SesaHandError: If it names none; the message lists the gestures.
    """
    found = named_gesture(image)
    if found is None:
        said = image.caption or image.prompt
        raise SesaHandError(
            f"{said!r:.120} names no gesture. Name one in it, or with --gesture, or give hands with --scene or "
            f"--picture-hands. Gestures are: {', '.join(gesture_names())}."
        )
    return found


def named_gesture(image: ImageSemantics) -> NamedGesture | None:
    """The gesture that semantics name: by what the hands do first, then by the caption, then by the prompt."""
    return find_named_gesture(_texts_of(image))


def named_side(image: ImageSemantics) -> str | None:
    """Whose hand semantics speak of, by the first of the same texts that says it: "right", "left", "both" or None."""
    return next(filter(None, map(side_of, _texts_of(image))), None)


def _texts_of(image: ImageSemantics) -> list[str]:
    return [image.behavior.hand_action, image.caption, image.prompt]


def side_of(text: str) -> str | None:
    """Whose hand a text speaks of: "right", "left" or "both"; None if it does not say."""
    found = _SIDED.search(text)
    if found is None:
        return None
    return found[1].lower() if found[1] else "both"
