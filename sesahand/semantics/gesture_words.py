"""Which gestures of the library a text names, word by word: in any inflection, and never by half a word."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from . import lexicon
from .gestures import GESTURES
from .grammar import CLOSED, NOUNS, VERBS

HAND_WORDS = frozenset("hand hands palm palms finger fingers gesture gestures sign signs symbol".split())
# Words between an ambiguous word and the word for the hand.
NEAR = 2
# What may stand between the words of "hold a bottle": "holds her red bottle".
GAP_WORDS = 2
FILLERS = frozenset("a an the his her their its my your of".split())
# Any of a line stands for all of it.
SAME = {word: group for group in ("sign gesture symbol", "index forefinger", "ok okay") for word in group.split()}
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?|[\U0001F300-\U0001FAFF\u261D\u270A-\u270D]\uFE0F?")

_HOLDING = frozenset(form for verb in lexicon.HOLDING_VERBS.split() for form in lexicon.verb_forms(verb))
_NUMBERS = frozenset("one two three four five six".split())
_COUNTED = frozenset("hands palms fists thumbs arms".split())
_FINGERS = frozenset("finger fingers sign signs gesture gestures".split())
_STANDINS = frozenset("one both some other others each".split())
_NOUN_FOLLOWS = (CLOSED["det"] - _STANDINS) | CLOSED["color"] | (CLOSED["prep"] - {"to", "up", "down", "off", "past"})
_STOPS = (CLOSED["prep"] - {"of", "with", "up"}) | CLOSED["conj"] | CLOSED["sub"]
# "A stop sign" stands in a street.
_SIGNS_OF_THEIR_OWN = frozenset("stop metal gun natural good like power rest tiger hello".split())
_MADE = frozenset(form for verb in ("make", "give", "do", "show", "form", "flash") for form in lexicon.verb_forms(verb))
_SHOWN = frozenset(form for verb in ("raise", "lift", "show", "have") for form in lexicon.verb_forms(verb))
_SIDES = frozenset({"left", "right"})
_BASE_DEEDS = frozenset("wave point salute write draw shush punch".split())
# What is drawn without a pen.
_DRAWN = frozenset(
    "bow string arrow sword swords gun pistol weapon blade katana curtain curtains attention near back close breath "
    "water blood card cards".split()
)
# What waves, points and draws without a hand.
_WITHOUT_HANDS = frozenset(lexicon.MOVED_BY_WIND.split())
_WAVED_TO = frozenset("at to back goodbye hello hi farewell her his their and from with".split())
# Hands that are together but not flat.
_CLASPED = frozenset("clasped locked interlocked interlaced intertwined cupped tied bound chained laced".split())
_PLACE_WHERE_POINTED = CLOSED["prep"] | CLOSED["det"] | CLOSED["adv"] | frozenset("straight directly".split())


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
    """A name of a gesture: for each of its words the forms it may have, and whether it means other things too."""

    name: str
    forms: tuple[frozenset[str], ...]
    ambiguous: bool = False
    deeds: tuple[str, ...] = ()
    tag: bool = False


@lru_cache(maxsize=1)
def _phrases() -> dict[str, list[_Phrase]]:
    """All names of all gestures by the forms of their first word."""
    table: dict[str, list[_Phrase]] = defaultdict(list)

    def add(phrase: _Phrase) -> None:
        for form in phrase.forms[0]:
            table[form].append(phrase)

    for name, entry in GESTURES.items():
        for words in dict.fromkeys((name, *entry.names, *entry.ambiguous)):
            add(_Phrase(name, _forms(words), words in entry.ambiguous, entry.deeds))
        for thing in entry.things:
            *first, last = thing.split()
            forms = *(frozenset({word}) for word in first), frozenset(lexicon.noun_forms(last))
            add(_Phrase(name, (_HOLDING, *forms)))
        for tag in entry.tags:
            add(_Phrase(name, tuple(frozenset({word}) for word in WORD.findall(tag.replace("\ufe0f", ""))), tag=True))
    return table


def _forms(phrase: str) -> tuple[frozenset[str], ...]:
    words = WORD.findall(phrase.replace("_", " "))
    return tuple(_forms_of(word) for word in words if word not in FILLERS)


def _forms_of(word: str) -> frozenset[str]:
    """The written forms of a word, of all that mean the same; short words but for known ones have one form alone."""
    same = SAME.get(word, word).split()
    base = VERBS[word][0] if word in VERBS else word
    if word in HAND_WORDS or base == word and len(word) > 2 and word not in CLOSED["adv"]:
        same += [form for each in same for form in lexicon.noun_forms(each)]
    if word not in HAND_WORDS and (word in VERBS or len(word) > 4):
        same += lexicon.verb_forms(base)
    return frozenset(same)


def _mentions(text: str) -> Iterator[GestureMention]:
    """Yield every place of every name, also where one lies in another."""
    words = list(WORD.finditer(text))
    said = [word.group().lower().replace("\ufe0f", "") for word in words]
    gaps = [text[a.end() : b.start()] for a, b in zip(words, words[1:])]  # noqa: B905
    marks = [bool(re.search(r"[.,;:!?\n|]", gap)) for gap in gaps]
    phrases = _phrases()
    for first, word in enumerate(said):
        for phrase in phrases.get(word, ()):
            last = _match(phrase, said, marks, first)
            if last is None or not _is_meant(phrase, said, marks, first, last):
                continue
            ambiguous = phrase.ambiguous and said[first] not in phrase.deeds
            start, end = words[first].start(), words[last].end()
            between = tuple(said[k] for k in range(first, last) if not any(said[k] in form for form in phrase.forms))
            yield GestureMention(phrase.name, start, end, len(phrase.forms), between, ambiguous)


def _match(phrase: _Phrase, said: list[str], marks: list[bool], start: int) -> int | None:
    """The index of the last word of a phrase that begins at `start`, or None."""
    at = start
    for form in phrase.forms[1:]:
        reach = range(at + 1, min(at + (1 if phrase.tag else 2 + GAP_WORDS) + phrase.tag, len(said)))
        found = next((k for k in reach if said[k] in form), -1)
        skipped = said[at + 1 : found] if found > 0 else []
        if found < 0 or any(marks[at:found]) or any(word in _STOPS and word not in ("up", "out") for word in skipped):
            return None
        at = found
    return at


def _is_meant(phrase: _Phrase, said: list[str], marks: list[bool], first: int, last: int) -> bool:
    """Whether words that name a gesture do so where they stand."""
    alone = (first == 0 or marks[first - 1]) and (last == len(said) - 1 or marks[last])
    if phrase.tag:
        return alone
    if _aims(said, first) or phrase.name == "relaxed" and _rests_somewhere(said, first, last):
        return False
    before, after = said[max(0, first - 1) : first], said[last + 1 : last + 4]
    if before == ["with"] and said[first] in _NUMBERS and first > 2 and said[first + 1 :] == ["fingers"]:
        # "adjusts the focus with two fingers", but "raises a hand with three fingers"
        return _shows_hand(said[: first - 1])
    between = before == ["between"] or before == ["and"] and said[first - 2 : first - 1] == ["thumb"]
    if between and phrase.name in ("victory", "point", "three"):
        # "between two fingers", "thumb and index finger"
        return False
    if phrase.name == "flat_stop" and _CLASPED & set(said[first : last + 1]):
        return False
    if said[first].startswith("draw") and _DRAWN & set(after):
        return False
    if said[first] in phrase.deeds and len(phrase.forms) == 1:
        if _is_moved(said, first):
            return False
        return alone or _is_deed(said, first, after) or _beside_hand(said, marks, first, last, alone)
    if phrase.ambiguous and said[first] in _BASE_DEEDS and before and _are_many(before[0]):
        return True
    if phrase.ambiguous:
        return _beside_hand(said, marks, first, last, alone)
    return True


def _shows_hand(said: Sequence[str]) -> bool:
    """Whether words end with a hand that is only shown: "a left hand", "holds up her hand"; nothing is done with it."""
    if said[-1:] not in (["hand"], ["hands"]):
        return False
    deed = next((k for k, word in reversed([*enumerate(said[:-1])]) if word in VERBS and word not in _SIDES), None)
    return deed is None or said[deed] in _SHOWN or said[deed + 1] == "up"


def _rests_somewhere(said: Sequence[str], first: int, last: int) -> bool:
    """Whether a hand only lies somewhere: "her hand rests on the table"."""
    resting = any(word.startswith("rest") for word in said[first : last + 1])
    return resting and not {"on", "against", "upon", "in", "over"}.isdisjoint(said[last + 1 : last + 4])


def _is_moved(said: Sequence[str], first: int) -> bool:
    """Whether a thing points or waves: "a flag waving". With "a girl with long hair waving" the hair is hers."""
    before = said[max(0, first - 1) : first]
    return bool(before) and before[0] in _WITHOUT_HANDS and "with" not in said[max(0, first - 5) : first]


def _is_deed(said: Sequence[str], first: int, after: list[str]) -> bool:
    """Whether a form stands as a verb of somebody: "she waves", but not "the waves", "a flag waving"."""
    word, before = said[first], said[max(0, first - 1) : first]
    if before and before[0] in _NOUN_FOLLOWS:
        return False
    if word in ("scrolls", "scrolling"):
        return bool(after) and after[0] in _PLACE_WHERE_POINTED
    if word == "points":
        return not after or after[0] in _PLACE_WHERE_POINTED
    if word in ("waves", "waving") and after and after[0] in CLOSED["det"] and not HAND_WORDS & set(after):
        # "waving a fan"
        return False
    if word == "waves":
        if not before:
            return not after or after[0] in _WAVED_TO
        return before[0] in ("left", "right") or not _makes_waves(before[0])
    return word != "pointing" or not after or after[0] not in ("sign", "arrow", "stick", "device")


def _are_many(word: str) -> bool:
    """Whether a word names several persons, whose verb has no -s: "two soldiers salute"."""
    return word in ("they", "we", "both", "people") or word in NOUNS["person"] and word.endswith(("s", "men"))


def _makes_waves(word: str) -> bool:
    """Whether waves behind a word are those of water: "crashing waves", "ocean waves"."""
    return word.endswith(("ing", "ed")) or word in VERBS or word in NOUNS["place"]


def _aims(said: Sequence[str], first: int) -> bool:
    """Whether something else than a hand is pointed: "pointing his wand"."""
    if said[first] not in ("point", "points", "pointing", "pointed") or said[first + 1 : first + 2] in ([], ["at"]):
        return False
    thing = said[first + 1 : first + 5]
    return thing[0] in CLOSED["det"] and not any(word in HAND_WORDS or word in NOUNS["hand"] for word in thing)


def _beside_hand(said: list[str], marks: list[bool], first: int, last: int, alone: bool) -> bool:
    """Whether a word that means other things too stands beside a word for the hand or a sign, in its own clause."""
    word = said[first]
    if word in _NUMBERS:
        near = said[last + 1 : last + 2] + said[max(0, first - 1) : first]
        beside = bool(_FINGERS & set(near)) or alone and "hand" in said[max(0, first - 1) :]
        return beside and not _COUNTED & set(near)
    after = _near(said, marks, range(last + 1, min(last + 1 + NEAR, len(said))), 0)
    before = _near(said, marks, range(first - 1, max(first - 1 - NEAR, -1), -1), -1, across=alone)
    if after in ("sign", "signs") and word in _SIGNS_OF_THEIR_OWN:
        return bool(_MADE & set(said[max(0, first - 3) : first]))
    determined = first > 0 and said[first - 1] in CLOSED["det"] | {"that"}
    if after and determined and said[last + 1] in CLOSED["det"]:
        # "at that point his hand"
        return False
    return bool(after or before)


def _near(said: Sequence[str], marks: list[bool], reach: range, step: int, across: bool = False) -> str:
    """The first word for the hand in reach, before another clause or phrase begins; empty if there is none."""
    for k in reach:
        if not across and marks[k - 1 if step == 0 else k] or said[k] in _STOPS:
            return ""
        if said[k] in HAND_WORDS:
            return said[k]
    return ""
