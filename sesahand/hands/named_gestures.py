"""Which gesture of the library a sentence names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from .gestures import load_gestures

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
