"""Languages that the rules do not read: told apart, passed on, and searched for their own hand words."""

import re

import pytest

from sesahand.semantics.gestures import GESTURES
from sesahand.semantics.hand_words import hand_word_spans
from sesahand.semantics.languages import _table, detect_language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a woman waves her hand in a market", "en"),
        ("1girl, caf\u00e9, na\u00efve art, r\u00e9sum\u00e9", "en"),
        ("8k, 4:3", "en"),
        ("a man in El Paso, Los Angeles", "en"),
        ("Eine Frau h\u00e4lt eine Tasse", "de"),
        ("une femme assise, les mains dans les poches", "fr"),
        ("una mujer levanta la mano derecha", "es"),
        ("\u624b\u3092\u632f\u308b\u5c11\u5e74", "ja"),
        ("\uc190\uc744 \ud754\ub4dc\ub294 \uc18c\ub144", "ko"),
        ("\u4e3e\u624b\u7684\u7537\u5b69", "zh"),
        ("\u0416\u0435\u043d\u0449\u0438\u043d\u0430", "other"),
    ],
)
def test_languages_are_told_apart(text, code):
    assert detect_language(text) == code


def test_hand_words_of_another_language_are_marked_and_english_ones_are_not():
    text = "une femme tient une tasse dans sa main gauche, (point)"
    assert [text[a:b] for a, b in hand_word_spans(text)] == ["tient", "main"]


def test_the_table_names_gestures_of_the_library_in_patterns_that_can_be_read():
    table = _table()
    for code, gestures in table["gestures"].items():
        assert set(gestures) <= set(GESTURES) and code in table["names"]
        for pattern in (*gestures.values(), table["hands"][code], table["right"][code], table["left"][code]):
            assert not re.compile(pattern).search("")
