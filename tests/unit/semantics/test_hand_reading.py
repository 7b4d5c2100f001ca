"""What each hand of a caption does, in prompts as people type them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesahand.semantics.behavior import SemanticsBatch
from sesahand.semantics.extractor import extract_semantics, override
from sesahand.semantics.hand_reading import hands_of

RIGHT, LEFT = "right", "left"


def gestures(caption):
    """Side and gesture of each hand of a caption, in its order."""
    return [(hand.side, hand.gesture) for hand in hands_of(caption)]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("Two hands are clenched into fists.", [(RIGHT, "fist"), (LEFT, "fist")]),
        ("It is ok to raise a fist", [(None, "fist")]),
        ("At that point his hand is a fist", [(None, "fist")]),
        ("He is not making a fist, his palm is open", [(None, "open_palm")]),
        ("A man on the left makes a fist", [(None, "fist")]),
        ("A hand pointing to the right with the index finger", [(None, "point")]),
        ("A woman (waving:1.3) her hand in a market", [(None, "open_palm")]),
        ("<lora:hands:0.8> a boy, (ok sign:1.2)", [(None, "ok")]),
        ("1girl, solo, double_v, smile", [(RIGHT, "victory"), (LEFT, "victory")]),
        ("1girl, left_hand_raised, ok_sign", [(LEFT, "ok")]),
        ("two thumbs up from a happy chef", [(RIGHT, "thumbs_up"), (LEFT, "thumbs_up")]),
        ("a wizard pointing his wand at a dragon", [(None, "grasp_cylinder")]),
        ("Two soldiers salute", [(None, "flat_stop"), (None, "flat_stop")]),
        ("in his left hand he holds a sword, in his right hand a shield", [(LEFT, "grasp_cylinder"), (RIGHT, None)]),
        ("She holds a phone in her left hand and waves with the right", [(LEFT, "hold_phone"), (RIGHT, "open_palm")]),
        ("she raises her right hand, palm forward", [(RIGHT, "open_palm")]),
        ("a woman whose left hand is not visible, her right hand makes a fist", [(RIGHT, "fist")]),
        ("a boy holding a screw between thumb and index finger", [(None, "pinch")]),
        ("a jeweller lifting a stud with tweezers in his left hand", [(LEFT, "pinch")]),
        ("the woman on the left holds a cup", [(None, "grasp_cylinder")]),
        ("a saint, right palm raised", [(RIGHT, "open_palm")]),
        ("a cook holding a paper cup", [(None, "grasp_cylinder")]),
        ("a clerk never without a pencil in her right hand", [(RIGHT, "hold_pen")]),
        ("a girl holding up three fingers on each hand", [(RIGHT, "three"), (LEFT, "three")]),
    ],
)
def test_hands_make_what_is_said_of_them(caption, expected):
    assert gestures(caption) == expected


@pytest.mark.parametrize(
    "caption",
    ["hand on hip", "chin on her hand", "a ring on her finger", "hands in pockets, street", "one hand raised"]
    + ["a man leans on one hand", "a boy with his hand on his heart", "a man shakes hands with a client"],
)
def test_a_hand_without_a_gesture_of_the_library_is_kept_without_one(caption):
    hands = hands_of(caption)
    assert hands and not any(hand.gesture for hand in hands)


@pytest.mark.parametrize(
    "caption",
    ["a mountain lake, 8k", "palm trees", "a dog holding a ball", "four candles on a cake", "a man at the stop sign"]
    + ["a peace flag waving in the wind", "portrait of a man, no hands", "a clock with ornate hands"]
    + ["two people stand like statues, a point of view", "a man who rules with an iron fist", "an all-hands meeting"]
    + ["a girl, bad hands, extra fingers", "the farmer turned his hand to baking", "a swordsman drawing his sword"]
    + ["a signpost pointing north", "a fist-sized ruby", "a man unable to make a fist"],
)
def test_where_no_hand_is_described_none_is_found(caption):
    assert hands_of(caption) == ()


def test_objects_and_owners_are_told():
    bride, groom = hands_of("a bride raising a glass of champagne and a groom waving to the guests")
    assert (bride.owner, bride.object, bride.gesture) == ("a bride", "a glass of champagne", "grasp_cylinder")
    assert (groom.owner, groom.object, groom.gesture) == ("a groom", None, "open_palm")


def test_hands_that_another_language_calls_by_name_are_known():
    (hand,) = hands_of("\u4e00\u4e2a\u5973\u4eba\u7528\u53f3\u624b\u6bd4\u4e86\u4e2a\u526a\u5200\u624b")
    assert (hand.side, hand.gesture) == (RIGHT, "victory")


def test_saved_semantics_keep_their_hands_and_older_ones_get_them():
    batch = extract_semantics(["a man makes a fist with his left hand, holding a book in his right hand"])
    assert SemanticsBatch.from_json(batch.to_json()) == batch and len(batch.images[0].hands) == 2
    older = '[{"behavior": {"hand_action": "making an ok sign with her left hand"}, "source": "rules"}]'
    (hand,) = SemanticsBatch.from_json(older).images[0].hands
    assert (hand.side, hand.gesture) == (LEFT, "ok")


def test_a_hand_action_written_over_says_what_the_hands_do():
    batch = extract_semantics(["a man makes a fist"])
    assert [hand.gesture for hand in override(batch, {"hand_action": "giving a thumbs up"}).images[0].hands] == [
        "thumbs_up"
    ]
    assert override(batch, {"environment": "on a pier"}).images[0].hands == batch.images[0].hands


_WORDS = "a the his left right hand hands both fist and with in holding pointing cup of two is not, no . ( ) : man"


@given(st.lists(st.sampled_from(_WORDS.split()), max_size=30).map(" ".join) | st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_without_an_error_and_never_gives_more_than_eight_hands(text):
    assert len(hands_of(text)) <= 8
