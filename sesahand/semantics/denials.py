"""Leave out what a sentence says is not so: "not making a fist", "no hands visible", "instead of a peace sign"."""

import re

from . import lexicon
from .grammar import Token, join, token
from .places import place_phrases

_NOT = frozenset("not never cannot n't".split())
_NO = frozenset("no without nothing none neither nor nobody".split())
_ENDS = frozenset("but just only instead while".split())
_FAILS = frozenset("unable fail fails failed failing hardly barely scarcely".split())
_AVOIDS = frozenset("avoid avoids avoided avoiding".split())
_CEASES = frozenset("stop stops stopped quit quits ceases ceased".split())
_GONE = re.compile(rf"{lexicon.NOT_SHOWN}|{lexicon.MISSHAPEN}", re.IGNORECASE)


def told(words: list[Token]) -> list[Token]:
    """The words of a sentence without what it denies, and without hands that it says cannot be seen.

    Args:
        words: a sentence; marks stay, so that its pieces can still be told apart.
    """
    kept: list[Token] = []
    for piece in _pieces(words):
        gone = any(item.has("hand") for item in piece) and _GONE.search(join(piece))
        kept += [] if gone else _affirmed(piece)
        if len(kept) == 1 and kept[0].has("mark"):
            # the mark of a piece of which nothing is left
            kept = []
    return kept


def _pieces(words: list[Token]) -> list[list[Token]]:
    """The stretches between marks, each with the mark that ends it."""
    pieces: list[list[Token]] = [[]]
    for item in words:
        pieces[-1].append(item)
        if item.has("mark"):
            pieces.append([])
    return [piece for piece in pieces if piece]


def _affirmed(piece: list[Token]) -> list[Token]:
    kept: list[Token] = []
    k = 0
    while k < len(piece):
        word, end = piece[k].lower, _denied_until(piece, k)
        described = end is not None and _is_described(piece, k)
        aimed = bool(kept) and kept[-1].lower in ("at", "to", "for") and word in ("nothing", "nobody")
        while aimed and kept and not (kept[-1].verb and kept[-1].form):
            # "she points at nothing": she does not
            kept.pop()
        if aimed and kept:
            kept.pop()
        if word in _NOT and k + 1 < len(piece) and piece[k + 1].lower == "without":
            # "never without a cane": with one
            kept.append(token("with"))
            k += 2
        elif end is None:
            kept.append(piece[k])
            k += 1
        else:
            k = end
            if kept and kept[-1].lower == "with" or described and kept and kept[-1].lower == "and":
                kept.pop()
            if k < len(piece) and piece[k].has("conj") and not any(item.form in ("ing", "s") for item in kept):
                # "the child stops waving and sits down"
                k += 1
            if (
                kept
                and word != "without"
                and kept[-1].form in ("ing", "s")
                and kept[-1].verb
                and (k == len(piece) or piece[k].has("mark"))
            ):
                # "giving neither a thumbs up nor ...": nothing is given
                kept.pop()
    return kept


def _denied_until(piece: list[Token], k: int) -> int | None:
    """One past the last word that the denial at `k` takes with it; None if there is none."""
    word = piece[k].lower
    pair = " ".join(item.lower for item in piece[k : k + 2])
    if word in _NOT or word.endswith("n't"):
        return _next(piece, k + 1, lambda item: item.has("mark", "sub") or item.lower in _ENDS)
    if pair in ("instead of", "rather than", "other than"):
        return _next(piece, k + 2, lambda item: item.has("mark", "pronoun", "sub") or item.has("person"))
    if word == "neither":
        return _next(piece, k + 1, lambda item: item.has("mark", "sub"))
    if word in ("nobody", "none") or pair == "no one":
        return _next_person(piece, k + 2)
    if word in _NO:
        end = _next(piece, k + 1, lambda item: _begins_anew(item, "without" if _is_described(piece, k) else word))
        # "snow falls without a sound on the courtyard"
        return min([end, *(k + 1 + start for start, _ in place_phrases(piece[k + 1 : end]) if start)])
    following = piece[k + 1] if k + 1 < len(piece) else None
    ceases = word in _CEASES and following is not None and following.form == "ing"
    fails = word in _FAILS and following is not None and following.lower in ("to", "able")
    if ceases or fails or word in _AVOIDS and following is not None:
        return _next(piece, k + 2, lambda item: item.has("mark", "sub", "conj"))
    return None


def _next_person(piece: list[Token], start: int) -> int:
    """Where what nobody does ends, or the person begins to whom nobody does it: "no one waves at | the girl"."""
    end = _next(piece, start, lambda item: _begins_anew(item, "nobody"))
    aimed = (k for k in range(start, end - 1) if piece[k].has("det") and piece[k + 1].has("person"))
    return next(aimed, end)


def _is_described(piece: list[Token], k: int) -> bool:
    """Whether "no" only says what somebody goes without: "with no shirt and no gloves"."""
    return piece[k].lower == "no" and k > 0 and piece[k - 1].lower in ("with", "and")


def _begins_anew(item: Token, word: str) -> bool:
    if item.has("mark", "sub", "pronoun", "conj", "aux") or item.lower in _ENDS:
        return True
    return word in ("without", "nothing") and item.form == "ing" and bool(item.verb_classes)


def _next(piece: list[Token], start: int, ends) -> int:
    return next((k for k in range(start, len(piece)) if ends(piece[k])), len(piece))
