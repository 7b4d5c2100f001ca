"""Lift what is put in between a subject and its verb: "a chef, wearing a hat, is cutting bread" are two sentences."""

from .clauses import phrase_head, verbal
from .grammar import Token, token

LONGEST = 25  # words between the two commas

_LEADING = ("conj", "sub", "adv")


def lift(tokens: list[Token]) -> list[list[Token]]:
    """Take the asides out of a sentence.

    Args:
        tokens: a sentence.

    Returns:
        For each aside that says what its subject does a sentence of its own, and at the end what is left.
    """
    lifted = []
    at = 0
    while at < len(tokens):
        found = _aside(tokens, at) if tokens[at].lower == "," else None
        if found is None:
            at += 1
            continue
        start, end = found
        subject, inner = tokens[start:at], tokens[at + 1 : end]
        lifted += [_sentence(subject, inner)] if inner else []
        tokens = [*tokens[:at], *tokens[end + 1 :]]
    return [sentence for sentence in lifted if sentence] + [tokens]


def _aside(tokens: list[Token], comma: int) -> tuple[int, int] | None:
    """Where the subject before a comma starts and where the aside behind it ends, or None if there is no aside."""
    start = next((k + 1 for k in range(comma - 1, max(-1, comma - LONGEST), -1) if tokens[k].has("mark")), 0)
    while start < comma and tokens[start].has(*_LEADING) and not tokens[start].has("standin"):
        start += 1
    subject = tokens[start:comma]
    if not subject or phrase_head(subject) not in ("person", "hand", "body", "standin") or _has_finite(subject):
        return None
    for end in range(comma + 1, min(comma + LONGEST, len(tokens) - 1)):
        if tokens[end].lower == "," and _finite(tokens, end + 1, subject):
            return start, end
    return None


def _has_finite(subject: list[Token]) -> bool:
    return any(verbal(subject, k) and (item.has("aux") or item.form == "s") for k, item in enumerate(subject) if k)


def _finite(tokens: list[Token], at: int, subject: list[Token]) -> bool:
    """Whether the verb that the subject waits for stands at `at`."""
    item = tokens[at]
    while item.has("adv") and not item.verb and at + 1 < len(tokens):
        at += 1
        item = tokens[at]
    plural = any(word.plural for word in subject)
    irregular = item.form == "ed" and not item.lower.endswith("ed")
    known = item.form == "s" or irregular or plural and item.form == "base" and not item.roles
    return item.has("aux") or known and verbal(tokens, at, opening=True) or known and item.form == "base"


def _sentence(subject: list[Token], aside: list[Token]) -> list[Token]:
    """The aside as a sentence about its subject; nothing if it only says who or what that is."""
    first, person = aside[0], phrase_head(subject) in ("person", "standin")
    if first.has("rel") and first.lower != "whose":
        return [*subject, *aside[1:]] if person else []
    if first.form in ("ing", "ed") and (person or first.verb_classes != {"dropped"}) or first.lower == "whose":
        return [*subject, *aside]
    absolute = first.has("owner") or first.lower in ("his", "her", "their", "one", "both", "with")
    return [*subject, token(","), *aside] if person and absolute else []
