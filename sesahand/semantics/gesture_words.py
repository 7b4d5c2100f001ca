"""Which gesture of the library a sentence names, and whose hand it speaks of."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from ..errors import SesaHandError
from ..hands.gestures import gesture_names
from .behavior import ImageSemantics
from .gestures import GESTURES

HAND_WORDS = frozenset("hand hands palm palms finger fingers gesture sign".split())
# Words between an ambiguous word and the word for the hand.
NEAR = 2
# What may stand between the words of "hold a bottle": "holds her red bottle".
GAP_WORDS = 2
FILLERS = frozenset("a an the his her their its my your of".split())
SAME = {"sign": "gesture", "gestur": "gesture", "forefinger": "index"}
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")


@dataclass(frozen=True)
class NamedGesture:
    """A gesture that a text names.

    Attributes:
        name: Of the gesture in the library.
        words: The words of the text that name it.
    """

    name: str
    words: str


@dataclass(frozen=True)
class GestureMention:
    """A place in a text that names a gesture.

    Attributes:
        name: Of the gesture in the library.
        start: The first character.
        end: One past the last.
        length: How many words name it, without those that may stand between them.
        between: The words that stand between them, in lower case.
        ambiguous: Whether it names the gesture only because a word for the hand stands beside it.
    """

    name: str
    start: int
    end: int
    length: int
    between: tuple[str, ...] = ()
    ambiguous: bool = False


def find_named_gesture(texts: Iterable[str]) -> NamedGesture | None:
    """Find the gesture that the first of some texts names which names any.

    Names count in any inflection ("clenched hand", "clenching his hand"); the longest phrase wins, then the earliest.
    Words that mean other things as well ("like", "rock", "two") count next to a word for the hand.

    Args:
        texts: For example what the hands do, then the whole caption.

    Returns:
        The gesture and the words it was known by, or None.
    """
    for text in texts:
        found = max(_mentions(text), key=_weight, default=None)
        if found is not None:
            return NamedGesture(found.name, text[found.start : found.end])
    return None


def find_mentions(text: str) -> list[GestureMention]:
    """Find every gesture that a text names, from the first to the last.

    Of two that overlap the one of more words stays, and of those the one with less between them.
    """
    kept: list[GestureMention] = []
    for mention in sorted(_mentions(text), key=lambda each: (-each.length, len(each.between), each.start)):
        if all(mention.end <= other.start or mention.start >= other.end for other in kept):
            kept.append(mention)
    return sorted(kept, key=lambda mention: mention.start)


def _weight(mention: GestureMention) -> tuple[int, int]:
    return mention.length, -mention.start


@dataclass(frozen=True)
class _Phrase:
    """A name of a gesture as the stems of its words, whether it means other things too, and which forms do not."""

    name: str
    stems: tuple[str, ...]
    ambiguous: bool
    deeds: tuple[str, ...]


@lru_cache(maxsize=1)
def _phrases() -> tuple[_Phrase, ...]:
    phrases = []
    for name, entry in GESTURES.items():
        for phrase in dict.fromkeys((name, *entry.names, *entry.ambiguous)):
            words = phrase.replace("_", " ").split()
            stems = tuple(_stem(word) for word in words if word not in FILLERS)
            phrases.append(_Phrase(name, stems, phrase in entry.ambiguous, entry.deeds))
    return tuple(phrases)


def _mentions(text: str) -> Iterator[GestureMention]:
    """Yield every place of every name, also where one lies in another."""
    words = list(WORD.finditer(text))
    said = [word.group().lower() for word in words]
    stems = [_stem(word) for word in said]
    for phrase in _phrases():
        for first in range(len(said)):
            last = _match(phrase.stems, stems, first)
            if last is None:
                continue
            ambiguous = phrase.ambiguous and said[first] not in phrase.deeds
            start, end = words[first].start(), words[last].end()
            if (ambiguous and not _beside_hand(said, first)) or re.search(r"[.;!?]", text[start:end]):
                continue
            between = tuple(said[k] for k in range(first, last) if stems[k] not in phrase.stems)
            yield GestureMention(phrase.name, start, end, len(phrase.stems), between, ambiguous)


def _match(wanted: tuple[str, ...], stems: list[str], start: int) -> int | None:
    """The index of the last word of a phrase that begins at `start`, or None."""
    at = start
    if stems[at] != wanted[0]:
        return None
    for stem in wanted[1:]:
        reach = range(at + 1, min(at + 2 + GAP_WORDS, len(stems)))
        at = next((k for k in reach if stems[k] == stem), -1)
        if at < 0:
            return None
    return at


def _beside_hand(said: list[str], at: int) -> bool:
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
    found = _sided().search(text)
    if found is None:
        return None
    return found[1].lower() if found[1] else "both"


@lru_cache(maxsize=1)
def _sided() -> re.Pattern:
    """Finds "left hand" and "both fists", with up to two words between, as in "her left clenched hand"."""
    nouns = ("hand", *(noun for entry in GESTURES.values() for noun in entry.nouns))
    one, pair = "|".join((*nouns, "finger")), "|".join(f"{noun}s" for noun in nouns)
    pattern = rf"\b(left|right)[ -](?:[a-z]+[ -]){{0,2}}?(?:{one})|\b(both|two) (?:[a-z]+ )?(?:{pair})"
    return re.compile(pattern, re.IGNORECASE)
