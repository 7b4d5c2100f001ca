"""Gestures by their words: one table, in which every word finds the gesture it stands for."""

import pytest

from sesahand.errors import SesaHandError
from sesahand.hands.gestures import gesture_names
from sesahand.semantics.gesture_words import find_mentions, find_named_gesture
from sesahand.semantics.gestures import GESTURES, describe_gesture, gesture_called
from sesahand.semantics.hand_reading import read_hands


def test_every_gesture_that_has_angles_has_words_in_the_same_order():
    assert list(GESTURES) == gesture_names()
    assert all(describe_gesture(name) and entry.names for name, entry in GESTURES.items())


@pytest.mark.parametrize("name", GESTURES)
def test_every_word_of_the_table_names_its_gesture(name):
    entry = GESTURES[name]
    alone = {word: find_named_gesture([word]) for word in (*entry.names, *entry.deeds)}
    beside = {word: find_named_gesture([f"a hand, {word}"]) for word in entry.ambiguous}
    named = {word: found and found.name for word, found in (alone | beside).items()}
    assert named == dict.fromkeys(alone | beside, name)
    clear = {*entry.deeds, *entry.tags}
    assert [word for word in entry.ambiguous if word not in clear and find_named_gesture([word])] == []


def test_no_word_stands_for_two_gestures():
    said = [word for name, entry in GESTURES.items() for word in {name, *entry.names, *entry.ambiguous}]
    assert len(said) == len(set(said))


@pytest.mark.parametrize("name", [name for name in GESTURES if GESTURES[name].nouns])
def test_a_hand_is_left_or_right_by_what_it_is_called_in_a_gesture(name):
    for noun in GESTURES[name].nouns:
        (hand,) = read_hands(f"a man raises his left clenched {noun}")
        assert hand.side == "left"


@pytest.mark.parametrize(
    ("asked", "hint"), [("peace sign", "victory"), ("shakka", "call_me"), ("thumb up", "thumbs_up")]
)
def test_a_gesture_asked_for_by_other_words_is_answered_with_its_name(asked, hint):
    with pytest.raises(SesaHandError, match=f"Did you mean '{hint}'.*open_palm.*hold_phone"):
        gesture_called(asked)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A person raises a hand with three fingers.", "three"),
        ("A man in a park holds up his left hand with two fingers", "victory"),
        ("A hand with four fingers", "four"),
        ("He adjusts the focus with two fingers", None),
        ("She touches her left hand with two fingers", None),
        ("He holds her hand with two fingers", None),
    ],
)
def test_fingers_behind_a_hand_are_its_own_and_behind_a_deed_its_tool(text, name):
    found = find_named_gesture([text])
    assert (found and found.name) == name


def test_all_mentions_of_a_text_are_found_in_order_and_none_in_another():
    text = "A clenched left fist; a woman waves, holding her red bottle, and shows an open hand, palm up."
    found = find_mentions(text)
    assert [(mention.name, text[mention.start : mention.end], mention.between) for mention in found] == [
        ("fist", "clenched left fist", ("left",)),
        ("open_palm", "waves", ()),
        ("grasp_cylinder", "holding her red bottle", ("her", "red")),
        ("open_palm", "open hand", ()),
        ("open_palm", "palm up", ()),
    ]
