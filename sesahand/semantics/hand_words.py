"""Which words of a prompt speak of hands: the paper's hand tokens, by lexicon instead of part-of-speech tagging."""

import re
from collections.abc import Iterable
from functools import lru_cache

from . import lexicon


def hand_lexicon() -> frozenset[str]:
    """Every written form that counts as a hand word, in lower case."""
    nouns = (form for noun in lexicon.HAND_NOUNS.split() for form in lexicon.noun_forms(noun))
    verbs = (form for verb in lexicon.HAND_VERBS.split() for form in lexicon.verb_forms(verb))
    participles = (
        form
        for verb in lexicon.HAND_PARTICIPLES.split()
        for form in lexicon.verb_forms(verb)
        if form.endswith(("ing", "ed"))
    )
    return frozenset([*nouns, *verbs, *participles])


@lru_cache(maxsize=64)
def _pattern(words: tuple[str, ...]) -> re.Pattern:
    # CLIP's tokenizer splits digits and underscores off, so that "2hands" and "hand_up" hold the token as well.
    choices = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in sorted(words, key=lambda w: (-len(w), w)))
    return re.compile(rf"(?<![^\W\d_])(?:{choices})(?![^\W\d_])", re.IGNORECASE)


_FALSE_HANDS = re.compile("|".join(lexicon.FALSE_HANDS), re.IGNORECASE)


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


def hand_word_spans(text: str, extra: Iterable[str] = (), *, lexicon: bool = True) -> list[tuple[int, int]]:
    """Where the hand words of a text stand; phrases such as "palm trees" or "on the other hand" are passed over.

    Args:
        text: a prompt.
        extra: more words to count as hand words; these count everywhere.
        lexicon: whether the words of `hand_lexicon` count.
    """
    if not lexicon:
        return word_spans(text, extra)
    false = [match.span() for match in _FALSE_HANDS.finditer(text)]
    found = [
        span for span in word_spans(text, hand_lexicon()) if not any(a <= span[0] and span[1] <= b for a, b in false)
    ]
    return merge_spans([*found, *word_spans(text, extra)])


def merge_spans(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, overlapping ones made one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged
