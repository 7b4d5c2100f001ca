"""Put a sentence that begins with where it happens into the usual order: "at its center stands a queen"."""

from . import lexicon
from .grammar import Token

_COMES = frozenset("stand sit kneel lie lean crouch perch hang come emerge walk wait rest pose stride step run".split())
_LONGEST_LEAD = 20
_ARTICLES = frozenset("a an the one two three his her their".split())
_ING_NOUNS = frozenset(lexicon.ING_NOUNS.split())


def in_order(words: list[Token]) -> list[list[Token]]:
    """A sentence with its subject before its verb; the place that it begins with is a sentence of its own.

    Args:
        words: a sentence.
    """
    if not words or not (words[0].has("prep") or words[0].lower in ("deep", "high", "far", "somewhere", "out")):
        return [words]
    end = _end_of_lead(words)
    if end is None:
        return [words]
    lead, rest = words[:end], words[end:]
    if lead[-1].lower == ",":
        lead = lead[:-1]
    if rest[0].verb in _COMES and rest[0].form == "s":
        stop = _noun_phrase(rest, 1)
        if stop is None:
            return [words]
        if any(item.lower in ("its", "it", "this", "all") for item in lead):
            return [[*rest[1:stop], rest[0], *rest[stop:]]]
        # "out of the crowd | comes | a runner | with a number": the runner comes out of the crowd
        return [[*rest[1:stop], rest[0], *lead, *rest[stop:]]]
    return [lead, rest]


def _end_of_lead(words: list[Token]) -> int | None:
    """Where the phrase that a sentence begins with ends and its verb or its subject begins; None if neither follows."""
    for k in range(2, min(len(words), _LONGEST_LEAD)):
        item, before = words[k], words[k - 1]
        if before.lower == "," and item.verb in _COMES and item.form == "s":
            return k
        after = words[k + 1] if k + 1 < len(words) else None
        listed = item.lower == "," and after is not None and (after.has("prep") or after.verb in _COMES)
        inner = item.lower == "it" and before.has("prep")
        if item.has("mark", "conj", "sub", "rel", "aux", "pronoun") and not (listed or inner):
            return None
        if (
            before.has("prep", "det", "owner", "mark", "hand")
            and before.lower != "all"
            or not before.content
            and not before.has("adv")
        ):
            continue
        if item.lower in _ARTICLES and not _is_thing_of(words, k) and _noun_phrase(words, k) is not None:
            return k
        if item.verb in _COMES and item.form == "s" and _noun_phrase(words, k + 1) is not None:
            return k
    return None


def _is_thing_of(words: list[Token], k: int) -> bool:
    """Whether what begins at `k` is what a participle before it acts on: "in a room holding the ..."."""
    before = words[k - 1]
    told = before.form in ("ing", "ed") and bool(before.verb_classes) and before.lower not in _ING_NOUNS
    return told and not words[k - 2].has("det", "color", "opinion")


def _noun_phrase(words: list[Token], k: int) -> int | None:
    """One past the noun phrase at `k` if it names a person, a hand or a part of the body; None if not."""
    if k >= len(words) or not words[k].has("det"):
        return None
    end = k + 1
    while end < len(words) and words[end].content and not words[end].has("prep", "pronoun"):
        if words[end].has("person", "hand", "body") and not _noun_goes_on(words, end):
            return end + 1
        end += 1
    return None


def _noun_goes_on(words: list[Token], k: int) -> bool:
    after = words[k + 1] if k + 1 < len(words) else None
    return after is not None and after.has("person", "hand", "body")
