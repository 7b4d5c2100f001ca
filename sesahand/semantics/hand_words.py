"""Which words of a prompt speak of hands: the paper's hand tokens, by lexicon instead of part-of-speech tagging."""

import re
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate

from . import lexicon
from .grammar import CLOSED, NOUNS, VERBS
from .languages import detect_language, foreign_hand_words
from .prompt_syntax import tag_spans

_NOUN_LIKE = frozenset(
    form
    for verb in lexicon.NOUN_LIKE_HAND_VERBS.split()
    for form in lexicon.verb_forms(verb)
    if form in (verb, verb + "s", verb + "es")
) - {form for noun in lexicon.HAND_NOUNS.split() for form in lexicon.noun_forms(noun)}
"""Forms that are hand words only where they stand as verbs: "she waves", but not "the waves"."""


@lru_cache(maxsize=1)
def hand_lexicon() -> frozenset[str]:
    """Every written form that can be a hand word, in lower case."""
    nouns = (form for noun in lexicon.HAND_NOUNS.split() for form in lexicon.noun_forms(noun))
    lemmas = (lexicon.HAND_VERBS + lexicon.NOUN_LIKE_HAND_VERBS).split()
    return frozenset([*nouns, *(form for lemma in lemmas for form in lexicon.verb_forms(lemma))])


@lru_cache(maxsize=64)
def _pattern(words: tuple[str, ...]) -> re.Pattern:
    # CLIP's tokenizer splits digits and underscores off, so that "2hands" and "hand_up" hold the token as well.
    choices = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in sorted(words, key=lambda w: (-len(w), w)))
    return re.compile(rf"(?<![^\W\d_])(?:{choices})(?![^\W\d_])", re.IGNORECASE)


_FALSE_HANDS = re.compile("|".join(lexicon.FALSE_HANDS + lexicon.IDIOMS), re.IGNORECASE)


def word_spans(text: str, words: Iterable[str]) -> list[tuple[int, int]]:
    """Where whole words stand in a text, in any letter case.

    Args:
        text: a prompt.
        words: words or short phrases; empty ones are ignored.

    Returns:
        (start, end) character positions in order, without overlap.
    """
    words = tuple(sorted({" ".join(word.split()) for word in words} - {""}))
    return [match.span() for match in _pattern(words).finditer(text)] if words else []


def hand_word_spans(text: str, extra: Iterable[str] = ()) -> list[tuple[int, int]]:
    """Where the hand words of a text stand; phrases such as "palm trees" or "on the other hand" are passed over.

    Names of LoRAs and embeddings are no words. A text in a language of `languages` is searched for its own words.

    Args:
        text: a prompt.
        extra: more words to count as hand words; these count everywhere.
    """
    false = [*(match.span() for match in _FALSE_HANDS.finditer(text)), *tag_spans(text)]
    if detect_language(text) != "en":
        return merge_spans([*_not_within(false, foreign_hand_words(text)), *word_spans(text, extra)])
    found = [
        (start, end)
        for start, end in _not_within(false, word_spans(text, hand_lexicon()))
        if text[start:end].lower() not in _NOUN_LIKE or _stands_as_verb(text, start, end)
    ]
    return merge_spans([*found, *word_spans(text, extra)])


def _not_within(others: Iterable[tuple[int, int]], spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans that lie in none of the others. Each is not compared with each: prompts may hold thousands of both."""
    others = sorted(others)
    starts, reached = [start for start, _ in others], [0, *accumulate((end for _, end in others), max)]
    return [(start, end) for start, end in spans if reached[bisect_right(starts, start)] < end]


_NOUN_FOLLOWS = CLOSED["det"] | (CLOSED["prep"] - {"to"})
_VERB_FOLLOWS = NOUNS["person"] | NOUNS["hand"] | CLOSED["pronoun"] | CLOSED["aux"] | {"who", "to"}
_OBJECT = re.compile(
    r"\s+(?:(?:at|to|toward|towards|for|into|out|up|with)\s+)?(?:"
    + "|".join(sorted(CLOSED["det"] | CLOSED["object pronoun"]))
    + r")\b",
    re.IGNORECASE,
)
_LONGEST_CONTEXT = 80


def _stands_as_verb(text: str, start: int, end: int) -> bool:
    """Whether a form that can be a noun is a verb here, by the words around it."""
    before = re.findall(r"[^\W_]+|[^\w\s]", text[max(0, start - _LONGEST_CONTEXT) : start].lower())[-2:]
    last = before[-1] if before else ""
    if last in _NOUN_FOLLOWS:
        return False
    if last in _VERB_FOLLOWS or len(last) > 4 and last.endswith("ly"):
        return True
    joined = last in ("and", "then", "or") and before[0] in VERBS
    return joined or _OBJECT.match(text, end) is not None


def merge_spans(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, overlapping ones made one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged
