"""The emphasis grammar, hand words, and the choice of tokens, without ComfyUI."""

import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sesahand.attention.choice import CHOICES, choose_spans, find_phrases
from sesahand.attention.tokens import (
    MAX_NESTING,
    HandTokens,
    check_encoding,
    check_length,
    columns_of,
    fewest_columns,
    hand_tokens,
    marked,
    nesting,
    segments,
)
from sesahand.errors import SesaHandError
from sesahand.models.families import TEXT_ENCODERS
from sesahand.semantics.behavior import BehaviorSemantics, ImageSemantics
from sesahand.semantics.composer import compose
from sesahand.semantics.hand_words import hand_word_spans, merge_spans


def words(text, spans):
    return [text[a:b] for a, b in spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a hand", [("a hand", 1.0)]),
        ("a (hand:1.3) b", [("a ", 1.0), ("hand", 1.3), (" b", 1.0)]),
        ("((hand))", [("hand", 1.1 * 1.1)]),
        ("(a (hand:0.5) b)", [("a ", 1.1), ("hand", 0.5), (" b", 1.1)]),
        (r"\(hand\)", [("(hand)", 1.0)]),
        (r"(a \(hand\):1.2)", [("a (hand)", 1.2)]),
        ("(a:b)", [("a:b", 1.1)]),
        ("(hand", [("(hand", 1.0)]),
        ("", []),
    ],
)
def test_emphasis_is_read_as_comfyui_reads_it(text, expected):
    found = [(part.text, pytest.approx(part.weight)) for part in segments(text)]
    assert found == expected


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab ()\\:1.5,\n", max_size=40))
def test_every_character_of_a_segment_knows_its_place(text):
    for part in segments(text):
        assert len(part.text) == len(part.places)
        for letter, place in zip(part.text, part.places, strict=True):
            assert text[place] == letter or text[place : place + 2] in (r"\(", r"\)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("her hands, a Finger and two thumbs", ["hands", "Finger", "thumbs"]),
        (
            "holding, holds, held, gripping, grasps, clutched",
            ["holding", "holds", "held", "gripping", "grasps", "clutched"],
        ),
        ("a cup, cupping her palm, palm trees", ["cupping", "palm"]),
        ("on the other hand, a second-hand shop by hand", ["hand"]),
        ("handsome handbag beforehand handle", []),
        ("2hands hand_up hand's", ["hands", "hand", "hand"]),
        ("waving goodbye over the waves, pointing at a point", ["waving", "pointing"]),
        ("a man waves. She points at him and claps", ["waves", "points", "claps"]),
        ("he reaches for it, carries, carried, two boys catch a ball", ["reaches", "carries", "carried", "catch"]),
        ("she threw it and caught a cup, a girl cups her face", ["threw", "caught", "cups"]),
        ("a woman in red waves at the crowd, smiles and waves", ["waves", "waves"]),
        ("ocean waves, within reach, a throw pillow, a press, door handle, waves", []),
        ("Palm Springs, a rule of thumb, a palm tree, fish fingers", []),
        ("", []),
    ],
)
def test_hand_words_are_found_in_all_their_forms(text, expected):
    assert words(text, hand_word_spans(text)) == expected


def test_extra_words_may_be_phrases():
    text = "a woman with an umbrella, a fountain  pen"
    assert words(text, hand_word_spans(text, ["umbrella", " fountain pen ", ""])) == ["umbrella", "fountain  pen"]


def test_spans_are_merged_in_order():
    assert merge_spans([(5, 8), (0, 2), (7, 9), (3, 3), (1, 2)]) == [(0, 2), (5, 9)]


def test_the_hand_action_is_taken_from_the_composed_prompt():
    behavior = BehaviorSemantics(action="walking", hand_action="carrying a bag")
    composed = compose(behavior, style="bag")
    image = ImageSemantics(behavior, "typed", prompt=composed.prompt, spans=composed.spans)
    assert words(composed.prompt, choose_spans(composed.prompt, "hand action", images=[image])) == ["carrying a bag"]
    assert words(composed.prompt, choose_spans(composed.prompt, "hand words", images=[image])) == ["carrying"]


def test_the_hand_action_is_found_in_an_edited_prompt():
    image = ImageSemantics(BehaviorSemantics(hand_action="carrying a bag, waving"), "typed")
    text = "photo: Carrying a (bag:1.2) in town, waving"
    assert words(text, choose_spans(text, "hand action", images=[image])) == ["Carrying a (bag", "waving"]


def test_without_semantics_the_rules_find_the_hand_action():
    text = "a man (holding a cup:1.2) and smiling in a park"
    assert words(text, choose_spans(text, "hand action")) == ["holding a cup"]
    assert choose_spans("a lake", "hand words and hand action") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a woman gently holding a beautiful red cup with her left hand, park",
            ["holding a", "red cup with her left hand"],
        ),
        ("a woman is holding a cup in a kitchen, red hair", ["holding a cup"]),
        ("a woman is holding a cup in a kitchen with both hands", ["holding a cup", "with both hands"]),
        ("a chef chopping onions with a knife, kitchen, masterpiece", ["chopping onions with a knife"]),
        ("a cup, a kitchen, a woman holding a cup", ["holding a cup"]),
    ],
)
def test_only_words_of_the_hand_action_are_chosen_in_a_text_that_says_more(text, expected):
    assert words(text, choose_spans(text, "hand action")) == expected


def test_hand_words_stand_for_a_hand_action_that_the_rules_cannot_read():
    text = "gripped, tightly, 1girl, red hair"
    assert words(text, choose_spans(text, "hand action")) == ["gripped"]


def test_semantics_of_another_prompt_are_refused():
    image = ImageSemantics(BehaviorSemantics(hand_action="carrying a bag"), "typed")
    with pytest.raises(SesaHandError, match="does not stand in the text"):
        choose_spans("a lake", "hand action", images=[image])


def test_an_unknown_choice_is_refused():
    with pytest.raises(SesaHandError, match="expected one of"):
        choose_spans("a hand", "feet")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("a hand (holding:1.2) \\()[],:_2İﬁ\n"), max_size=60), st.sampled_from(CHOICES))
def test_spans_lie_in_the_text(text, choice):
    spans = choose_spans(text, choice, ["a"])
    assert all(0 <= a < b <= len(text) for a, b in spans)
    assert all(first[1] <= second[0] for first, second in zip(spans, spans[1:], strict=False))


def test_phrases_are_found_whatever_stands_between_their_words():
    text = "she (holds:1.1) a cup, and smiles"
    assert words(text, find_phrases(text, "holds a cup, cries")) == []
    assert find_phrases("she holds, a cup", "holds a cup") == [(4, 16)]


def test_marks_stand_around_neighbours_together():
    assert marked("a big hand here", [(2, 5), (6, 10)]) == "a [big hand] here"
    assert marked("hand", []) == "hand"


def test_token_lists_without_word_ids_are_refused():
    with pytest.raises(SesaHandError, match="return_word_ids"):
        columns_of("a", [], None, [[(1, 1.0)]])


def test_encoders_that_are_not_clip_are_refused():
    with pytest.raises(SesaHandError, match="t5xxl"):
        hand_tokens("a hand", [], None, {"l": [], "t5xxl": []}, TEXT_ENCODERS)


@pytest.mark.parametrize(("length", "fits"), [(77, True), (154, True), (76, False), (100, False), (0, False)])
def test_a_conditioning_must_be_as_long_as_its_text(length, fits):
    tokens = HandTokens((3,), 77)
    if fits:
        check_length(tokens, [length])
    else:
        with pytest.raises(SesaHandError, match=f"has {length} columns"):
            check_length(tokens, [length])


def test_a_conditioning_must_begin_with_the_encoding_of_its_text():
    own = torch.randn(1, 77, 8, generator=torch.Generator().manual_seed(0))
    check_encoding([own.half(), torch.cat([own, own], dim=1), own.expand(2, -1, -1)], [own])
    check_encoding([own], [own * 2, own])
    other = own.clone()
    other[:, 5] *= 1.1
    for wrong in (other, torch.cat([other, own], dim=1), own[:, :, :4], own.roll(1, dims=1)):
        with pytest.raises(SesaHandError, match="not encoded from this text"):
            check_encoding([own, wrong], [own])


def test_the_fewest_columns_count_words_and_marks():
    assert fewest_columns("") == 2
    assert fewest_columns("a (woman's:1.3) hand, 35mm") == 2 + len(["a", "woman", "'s", "hand", ",", "3", "5", "mm"])


@pytest.mark.parametrize("unit", ["palm tree hand ", "<lora:hand:1> hand ", "she waves ", "holding hand ", "waving a "])
def test_long_prompts_take_a_time_that_grows_with_their_length(unit):
    begin = time.process_time()
    choose_spans(unit * (100_000 // len(unit)), "hand words and hand action", ["cup"])
    assert time.process_time() - begin < 1.5


@pytest.mark.parametrize(
    ("text", "extra", "action", "says"),
    [("a" * 100_001, (), "", "prompt has 100001"), ("a", ["b"] * 10_001, "", "words has 10001"),
     ("a", (), "b" * 100_001, "hand action has 100001")],
    ids="prompt extra action".split(),
)  # fmt: skip
def test_texts_longer_than_any_prompt_are_refused(text, extra, action, says):
    images = [ImageSemantics(BehaviorSemantics(hand_action=action), "rules")]
    with pytest.raises(SesaHandError, match=says):
        choose_spans(text, "hand words and hand action", extra, images)


def test_weights_nested_without_end_are_told_and_those_in_reason_are_read():
    with pytest.raises(SesaHandError, match="5000 parentheses inside each other"):
        segments("(" * 5000 + "hand" + ")" * 5000)
    deep = segments("(" * MAX_NESTING + "hand" + ")" * MAX_NESTING)
    assert [part.text for part in deep] == ["hand"] and deep[0].weight == pytest.approx(1.1**MAX_NESTING)
    assert nesting(r"\(" * 5000 + ")" * 9 + "(a)(b (c))") == 2
