"""Which characters of a prompt the hand tokens are taken from: single hand words, the hand action, or both."""

import re
from collections.abc import Iterable, Sequence

from ..errors import SesaHandError
from ..semantics import rules
from ..semantics.behavior import ImageSemantics
from ..semantics.grammar import VERBS
from ..semantics.hand_words import hand_word_spans, merge_spans, word_spans
from ..semantics.plain import LONGEST_CAPTION
from .tokens import segments

LONGEST_TEXT = 100_000
"""Characters of a prompt, and of all hand actions that may belong to it."""
LONGEST_EXTRA = 10_000
CHOICES = ("hand words", "hand action", "hand words and hand action")


def choose_spans(
    text: str, choice: str, extra_words: Iterable[str] = (), images: Sequence[ImageSemantics] = ()
) -> list[tuple[int, int]]:
    """The stretches of a prompt whose tokens are hand tokens.

    Args:
        text: the prompt, with ComfyUI's emphasis marks if any.
        choice: one of `CHOICES`.
        extra_words: more words to count as hand words, whatever the choice.
        images: semantics that may belong to the prompt. Without any, the rules look for the hand action in the text,
            and where they find none its hand words stand for it.

    Returns:
        (start, end) character positions, in order, without overlap; none if the prompt says nothing of hands.

    Raises:
        SesaHandError: when the choice is unknown, the hand action of the semantics does not stand in the prompt, or
            one of them is longer than any that is meant.
    """
    extra_words = tuple(extra_words)
    _check_lengths(text, extra_words, images)
    if choice not in CHOICES:
        raise SesaHandError(f"The choice of hand tokens is {choice!r:.60}, expected one of: {', '.join(CHOICES)}.")
    words = "hand words" in choice
    # Weights and escapes are taken out before words are looked for, so that "(holding a cup:1.2)" reads as it is meant.
    plain, places = _plain(text)
    spans = hand_word_spans(plain, extra_words) if words else word_spans(plain, extra_words)
    spans = [_back(span, places) for span in spans]
    if "hand action" in choice:
        spans += _hand_action(text, plain, places, images)
    return merge_spans(spans)


def _check_lengths(text: str, extra_words: Iterable[str], images: Iterable[ImageSemantics]) -> None:
    """Refuse texts that would be compared for minutes: each word or phrase is looked for in the whole prompt."""
    for what, length, most in (
        ("prompt", len(text), LONGEST_TEXT),
        ("list of extra words", sum(map(len, extra_words)), LONGEST_EXTRA),
        ("hand action", sum(len(image.behavior.hand_action) for image in images), LONGEST_TEXT),
    ):
        if length > most:
            raise SesaHandError(f"The {what} has {length} characters, more than {most}; shorten it.")


def _plain(text: str) -> tuple[str, list[int]]:
    parts = segments(text)
    return "".join(part.text for part in parts), [place for part in parts for place in part.places]


def _back(span: tuple[int, int], places: list[int]) -> tuple[int, int]:
    return places[span[0]], places[span[1] - 1] + 1


def _hand_action(text: str, plain: str, places: list[int], images: Sequence[ImageSemantics]) -> list[tuple[int, int]]:
    composed = next((image for image in images if image.prompt and image.prompt == text), None)
    if composed is not None:
        return [(span.start, span.end) for span in composed.of_part("hand_action")]
    if not images:
        return [_back(span, places) for span in read_hand_action(plain)]
    actions = [image.behavior.hand_action for image in images]
    found = [span for action in actions for span in find_phrases(plain, action)]
    if not found and any(actions):
        raise SesaHandError(
            f"The hand action {next(filter(None, actions))!r:.120} does not stand in the text {text!r:.120}. Connect "
            "the prompt of Compose Prompt, or choose 'hand words'."
        )
    return [_back(span, places) for span in found]


def find_phrases(text: str, phrases: str) -> list[tuple[int, int]]:
    """Where the comma-separated phrases of a component stand in a text; what stands between their words is ignored."""
    found = []
    for phrase in phrases.split(","):
        words = _WORD.findall(phrase)
        match = words and re.search(r"(?<!\w)" + r"\W+".join(map(re.escape, words)) + r"(?!\w)", text, re.IGNORECASE)
        if match:
            found.append(match.span())
    return found


_WORD = re.compile(r"[^\W_]+")
_CLAUSE = re.compile(r"[^,.;:!?\n]+")


def read_hand_action(text: str) -> list[tuple[int, int]]:
    """Where a text without semantics says what the hands do, read by the rules.

    The rules leave words out ("gently", "in a kitchen"), so that a phrase of theirs is looked for word by word, in
    order and within one clause; only its own words are given. Phrases that say nothing of hands, such as tags behind
    the clause, are passed over.

    Args:
        text: a prompt without emphasis marks.

    Returns:
        (start, end) character positions; those of the hand words alone where no phrase is found.
    """
    clauses = [
        [(word.group().lower(), word.span()) for word in _WORD.finditer(text, *clause.span())]
        # What the rules do not read, none of their phrases says.
        for clause in _CLAUSE.finditer(text[:LONGEST_CAPTION])
    ]
    found = []
    for phrase in rules.extract(text).hand_action.split(","):
        words = [word.lower() for word in _WORD.findall(phrase)]
        if _says_hands(phrase, words):
            found += next(filter(None, (_in_order(words, clause) for clause in clauses)), [])
    return found or hand_word_spans(text)


def _says_hands(phrase: str, words: list[str]) -> bool:
    """Whether a phrase of the rules has a hand word or begins with an inflected verb, such as "stirring"."""
    inflected = bool(words) and words[0] in VERBS and words[0] != VERBS[words[0]][0]
    return inflected or bool(hand_word_spans(phrase))


def _in_order(words: list[str], clause: list[tuple[str, tuple[int, int]]]) -> list[tuple[int, int]]:
    """The spans of the words in a clause where they stand closest, neighbours together; none if a word is missing.

    Args:
        words: of a phrase, in lower case.
        clause: its words, in lower case, and where each stands.
    """
    places: dict[str, list[int]] = {}
    for number in reversed(range(len(words))):
        places.setdefault(words[number], []).append(number)
    # Where the words up to each one begin that stand closest before here.
    begins: list[int | None] = [None] * len(words)
    best: tuple[int, int] | None = None
    for k, (word, _) in enumerate(clause):
        for number in places.get(word, ()):
            begins[number] = begins[number - 1] if number else k
        begin = begins[-1]
        if word == words[-1] and begin is not None and (best is None or k - begin < best[1] - best[0]):
            best = begin, k
    if best is None:
        return []
    taken: list[int] = []
    for k in range(best[0], best[1] + 1):
        if len(taken) < len(words) and clause[k][0] == words[len(taken)]:
            taken.append(k)
    firsts = [k for k, before in zip(taken, [None, *taken], strict=False) if before is None or k - 1 != before]
    lasts = [k for k, behind in zip(taken, [*taken[1:], None], strict=True) if behind is None or k + 1 != behind]
    return [(clause[a][1][0], clause[b][1][1]) for a, b in zip(firsts, lasts, strict=True)]
