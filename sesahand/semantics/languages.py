"""Which language a caption is in, and the words for hands in those that the rules do not read.

The table, `assets/hand_words.json`, is small on purpose: enough to draw attention to the hand and to know a gesture
that is called by name. What a sentence means is a language model's part.
"""

import json
import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from ..hands.gripping import GRASPS
from .described_hands import SIDES, DescribedHand

TABLE = Path(__file__).resolve().parents[1] / "assets" / "hand_words.json"
_ENGLISH = frozenset(
    "the a an and of with in on at to his her is are while for from by it this that their man woman boy girl".split()
)
_WORD = re.compile(r"[^\W\d_]+")
_LONGEST = 2000


@lru_cache(maxsize=1)
def _table() -> dict[str, dict]:
    """Names of languages, frequent words of those in Latin script, and patterns of hand words, gestures and sides."""
    return json.loads(TABLE.read_text(encoding="utf-8"))


@lru_cache(maxsize=256)
def detect_language(text: str) -> str:
    """Tell the language of a text: "en", a code of the table, or "other".

    Args:
        text: A caption or prompt. Lists of English tags and texts without letters count as English.
    """
    text = text[:_LONGEST]
    letters = [letter for letter in text if letter.isalpha()]
    if not letters:
        return "en"
    scripts = [_script(letter) for letter in letters]
    share = {name: scripts.count(name) / len(letters) for name in set(scripts)}
    if share.get("kana", 0) > 0.05:
        return "ja"
    if share.get("hangul", 0) > 0.15:
        return "ko"
    if share.get("han", 0) > 0.15:
        return "zh"
    if share.get("latin", 0) < 0.5:
        return "other"
    return _latin_language(text)


def _script(letter: str) -> str:
    if letter.isascii():
        return "latin"
    name = unicodedata.name(letter, "")
    scripts = {"HIRAGANA": "kana", "KATAKANA": "kana", "HANGUL": "hangul", "CJK": "han", "LATIN": "latin"}
    return next((script for start, script in scripts.items() if name.startswith(start)), "other")


def _latin_language(text: str) -> str:
    words = [word.lower() for word in _WORD.findall(text)]
    english = sum(word in _ENGLISH for word in words)
    scores = {code: sum(word in _stop_words(code) for word in words) for code in _table()["stop_words"]}
    accents = any(letter.isalpha() and not letter.isascii() for letter in text)
    for code in scores:
        if code in _table()["hands"] and (scores[code] > english or accents):
            scores[code] += len(_pattern(code).findall(text))
    best = max(scores, key=lambda code: scores[code])
    return best if scores[best] >= 2 and scores[best] > 2 * english else "en"


@lru_cache(maxsize=8)
def _stop_words(code: str) -> frozenset[str]:
    return frozenset(_table()["stop_words"][code].split()) - {"a", "in", "an", "am", "on", "o", "no", "do"}


@lru_cache(maxsize=8)
def _pattern(code: str) -> re.Pattern:
    return re.compile(_table()["hands"][code], re.IGNORECASE)


def foreign_hand_words(text: str) -> list[tuple[int, int]]:
    """Where the hand words of a text in another language stand; none for English and unknown languages."""
    code = detect_language(text)
    return [match.span() for match in _pattern(code).finditer(text)] if code in _table()["hands"] else []


def read_foreign_hands(text: str) -> tuple[DescribedHand, ...]:
    """The hands whose gesture a text in another language calls by its name, or else what one of them holds."""
    code, table = detect_language(text), _table()
    if code not in table["gestures"]:
        return ()
    sides = [side for side in SIDES if re.search(table[side][code], text, re.IGNORECASE)]
    found = []
    for name, pattern in table["gestures"][code].items():
        match = re.search(pattern, text, re.IGNORECASE)
        if match:
            found.append((match.start(), name, match.group()))
    side = sides[0] if len(sides) == 1 and len(found) <= 1 else None
    if not found and re.search(table["holds"][code], text, re.IGNORECASE):
        held = foreign_object(text, code)
        return () if held is None else (DescribedHand(side, GRASPS[held[0]].gesture, held[1], words=held[1]),)
    return tuple(DescribedHand(side, name, words=words) for _, name, words in sorted(found)[:2])


def foreign_object(text: str, code: str) -> tuple[str, str] | None:
    """The first thing of a text in the language `code` that is one of `hands.objects.OBJECTS`, and its words."""
    found = []
    for kind, pattern in _table()["objects"].get(code, {}).items():
        match = re.search(pattern, text, re.IGNORECASE)
        if match:
            found.append((match.start(), kind, match.group()))
    return min(found)[1:] if found else None


def language_name(code: str) -> str:
    """What to call a language in a sentence."""
    return _table()["names"].get(code, "another language than English")
