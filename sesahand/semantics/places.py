"""Where a caption says that something happens: prepositional phrases and subjects that name a place."""

import itertools

from . import lexicon
from .clauses import verbal
from .grammar import Token

_PAIRS = frozenset(lexicon.PLACE_PAIRS.split("|"))
_NOT_PLACES = frozenset(lexicon.NOT_PLACES.split("|"))
_PARTS = frozenset(lexicon.PLACE_PARTS.split())
_QUANTITIES = frozenset(lexicon.QUANTITIES.split())
_AIMED = frozenset("point look stare gaze wave aim glance".split())
_FURNITURE = frozenset(
    "table counter bench sink desk chair stool island seat floor window bed couch stairs steps".split()
)
_HEAPS = frozenset("mountain mountains hill hills sea ocean river forest island field lake stream party".split())
_VEHICLES = frozenset("car cars bus train van truck taxi plane boat".split())
_BESIDE = frozenset("under behind beside near by over at".split())
_STARTS = frozenset(lexicon.PLACE_PREPOSITIONS.split())
_BACKDROPS = frozenset(lexicon.BACKDROPS.split())


def place_phrases(words: list[Token]) -> list[tuple[int, int]]:
    """The stretches of `words` that say where: a preposition and a noun phrase that ends in a place."""
    found = []
    k = 0
    while k < len(words):
        end = _backdrop_end(words, k)
        aimed = words[k].lower == "at" and k > 0 and words[k - 1].verb in _AIMED
        if end is None and words[k].lower in _STARTS and not aimed:
            end = _place_end(words, k)
        if end is None:
            k += 1
        else:
            found.append((k, end))
            k = end
    return found


def furnished_places(words: list[Token]) -> list[Token]:
    """Places whose furniture a clause names: the kitchen of "at a kitchen table"."""
    pairs = itertools.pairwise(words)
    return [place for place, thing in pairs if place.has("place") and thing.lower in _FURNITURE and not place.verb]


def names_pair(phrase: list[Token]) -> bool:
    """Whether a phrase ends in a place of two words: "a crowded bus stop"."""
    return " ".join(item.lower for item in phrase[-2:]) in _PAIRS


def is_backdrop(phrase: list[Token]) -> bool:
    """Whether a place phrase says what somebody stands in front of."""
    return phrase[-1].lower in _BACKDROPS


def _backdrop_end(words: list[Token], start: int) -> int | None:
    """One past the last word of "in front of a plain wall" that begins at `start`, or None."""
    if [item.lower for item in words[start : start + 3]] != ["in", "front", "of"]:
        return None
    k = _noun_phrase_end(words, start + 3)
    return k if k > start + 3 and is_backdrop(words[:k]) else None


def _place_end(words: list[Token], start: int) -> int | None:
    """One past the last word of the place phrase that the preposition at `start` begins, or None if it begins none."""
    if start and words[start].lower == "of" and words[start - 1].lower in ("front", "out", "instead"):
        return None
    k = _noun_phrase_end(words, start + 1)
    if k == start + 1:
        return None
    if words[k - 1].has("adv") and not words[k - 1].has("place"):
        k -= 1
    pair = " ".join(item.lower for item in words[k - 2 : k])
    if words[start].lower in _BESIDE and words[k - 1].lower in _VEHICLES:
        # "under an old truck"
        return None
    named = words[k - 1].has("place") or pair in _PAIRS
    if named and k + 1 < len(words) and words[k].lower == "of" and words[k - 1].lower not in _PARTS | _HEAPS:
        # "on the courtyard of a monastery"
        whole = end_with_of(words, k)
        k = whole if words[whole - 1].has("place") else k
    if k < len(words) and words[k].lower == "of" and words[k - 1].lower in _PARTS:
        return _place_end(words, k)
    if words[k - 1].lower in _HEAPS and [item.lower for item in words[k : k + 1]] == ["of"]:
        # "behind a mountain of turmeric"
        return None
    if words[start].lower == "of" and words[k - 1].lower in _VEHICLES and words[start - 1].lower not in _PARTS:
        # "on the hood of a car"
        return None
    if pair in _NOT_PLACES or not (words[k - 1].has("place") or pair in _PAIRS):
        return None
    before = words[start - 1] if start else None
    if words[start].lower == "of" and (before is None or not before.content or before.lower in _QUANTITIES):
        return None
    return k


def end_with_of(words: list[Token], end: int) -> int:
    """One past the "of lights" that goes with a noun phrase that ends at `end`."""
    of = end + 1 < len(words) and words[end].lower == "of"
    return max(end, _noun_phrase_end(words, end + 1)) if of else end


def _noun_phrase_end(words: list[Token], k: int) -> int:
    while k < len(words) and _in_noun_phrase(words, k):
        k += 1
    return k


def _in_noun_phrase(words: list[Token], k: int) -> bool:
    item, after = words[k], words[k + 1] if k + 1 < len(words) else None
    if item.has("det", "owner"):
        return True
    if item.form == "ing":
        # "a living room", "a bustling spice market"
        return after is not None and (after.has("place") or item.has("opinion") and after.content)
    if item.form == "ed" and words[k - 1].has("place") and after is not None and after.has("prep"):
        # "a kitchen filled with pots"
        return False
    if item.lower.endswith("ly") and after is not None and after.form == "ed":
        # "a dimly lit club"
        return True
    if item.has("adv") and not item.lower.endswith("ly"):
        return after is not None and after.content
    return item.content and not (item.form == "s" and verbal(words, k))


def _unknown_deed(words: list[Token], k: int) -> bool:
    """Whether an unknown word is the verb of the place before it: "a classroom buzzes with energy"."""
    after = words[k + 1] if k + 1 < len(words) else None
    return words[k].lower.endswith("s") and not words[k].roles and after is not None and after.has("prep", "adv")


def place_object(words: list[Token]) -> list[Token]:
    """The place that a verb acts on: "a sunken library" of "explores a sunken library with a lamp"."""
    end = _noun_phrase_end(words, 0)
    does = (k + 1 for k in range(end - 1) if words[k].has("place") and _unknown_deed(words, k + 1))
    end = next(does, end)
    named = end > 0 and (words[end - 1].has("place") or names_pair(words[:end]))
    return words[:end] if named and words[end - 1].lower not in _VEHICLES | _HEAPS else []


def bare_places(words: list[Token]) -> list[list[Token]]:
    """The noun phrases with an article that name a place: "the station" of "smoke fills the station"."""
    found, k = [], 0
    while k < len(words):
        phrase = place_object(words[k:]) if words[k].has("det") else []
        if phrase:
            found.append(phrase)
        k += max(1, len(phrase))
    return found


def place_subject(subject: list[Token]) -> list[Token]:
    """The noun phrase of a subject that names a place: "the kitchen" of "the kitchen with white tiles"."""
    head = next((k for k, item in enumerate(subject) if k and item.has("prep", "mark")), len(subject))
    phrase = subject[:head]
    if not phrase or not phrase[0].has("det") or not phrase[-1].has("place"):
        return []
    if len(phrase) <= 2 and phrase[-1].lower in ("room", "scene"):
        return []
    return phrase
