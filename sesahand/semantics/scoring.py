"""Compare two phrases by their content words, for the extraction benchmark and its test."""

import re

STOP_WORDS = frozenset(
    """
    a an the this that these those some his her their its my your our he she they it who which whose him them of in on
    at to with by for from into onto and or as while is are was were be been being has have had one
    """.split()
)


def content_words(text: str) -> frozenset[str]:
    """The words of a phrase that carry meaning, without their endings: "holds the cups" gives hold and cup."""
    words = re.findall(r"[^\W_]+", text.lower().replace("'s", ""))
    return frozenset(_stem(word) for word in words if word not in STOP_WORDS)


def word_scores(found: frozenset[str], wanted: frozenset[str]) -> tuple[float, float, float]:
    """(precision, recall, F1) of one phrase; two empty phrases agree."""
    if not found and not wanted:
        return 1.0, 1.0, 1.0
    hits = len(found & wanted)
    precision = hits / len(found) if found else 0.0
    recall = hits / len(wanted) if wanted else 0.0
    return precision, recall, 2 * hits / (len(found) + len(wanted))


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    word = re.sub(r"(.)\1$", r"\1", word)
    return word[:-1] if word.endswith(("e", "y")) and len(word) > 3 else word
