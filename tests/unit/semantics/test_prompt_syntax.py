"""Prompt syntax: taken out before a prompt is read, and put back around what is composed."""

import pytest
from hostile import run_limited
from hypothesis import given, settings
from hypothesis import strategies as st

from sesahand.semantics.composer import compose_batch
from sesahand.semantics.extractor import extract_semantics
from sesahand.semantics.prompt_syntax import read_syntax


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("a woman (waving:1.3) her hand", "a woman waving her hand"),
        ("((peace sign)), park", "peace sign, park"),
        ("<lora:hands:0.8>, a man", "a man"),
        ("embedding:EasyNegative, a man", "a man"),
        ("a {red|blue} cup", "a red cup"),
        ("[cat:dog:0.5] on a wall", "cat on a wall"),
        ("a man, (bad:0), park", "a man, park"),
        (r"man \(superhero\) flying", "man (superhero) flying"),
        ("a man (left) and a boy", "a man (left) and a boy"),
        ("A MAN AND A DOG", "A MAN AND A DOG"),
    ],
)
def test_what_is_left_to_read_are_words(prompt, text):
    assert " ".join(read_syntax(prompt).text.split()) == text


def composed(prompt):
    batch, warnings = compose_batch(extract_semantics([prompt]))
    return batch.images[0], warnings


def test_weights_and_tags_come_back_and_spans_stand_in_the_prompt():
    image, warnings = composed(
        "a (left fist:1.4), __style__, ((a man)) raises a fist, <lora:hands:0.8> BREAK (dim:0.9)"
    )
    assert "((a man))" in image.prompt and image.prompt.endswith("__style__ <lora:hands:0.8>")
    assert all(image.prompt[span.start : span.end] == span.text for span in image.spans)
    assert not any("lora" in span.text for span in image.of_part("hand word"))
    (lost,) = (warning for warning in warnings if "Left out" in warning)
    assert "BREAK" in lost and "(dim:0.9)" in lost


def test_neighbouring_weights_are_closed_before_the_next_opens():
    image, _ = composed("a man (holding:1.2) (a cup:1.1) in a park")
    assert image.prompt == "a man (holding:1.2) (a cup:1.1), in a park"


_PIECES = [
    "(a cup:1.2)",
    "<lora:x:1>",
    "holding",
    "a man",
    ",",
    "((",
    "))",
    "[a|b]",
    "{c|d}",
    "\\(",
    ":",
    "BREAK",
    "hand",
    "\n",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=14).map(" ".join))
@settings(max_examples=150, deadline=None)
def test_nothing_that_is_typed_is_lost_in_silence(prompt):
    syntax = read_syntax(prompt)
    image, warnings = composed(prompt)
    told = image.prompt + " ".join(warnings)
    assert all(tag in told for tag in syntax.tags)
    assert all(str(each) in told or image.prompt == " ".join(prompt.split()) for each in syntax.emphasis)


def test_a_caption_without_behaviour_is_the_prompt_as_it_stands():
    image, warnings = composed("a mountain lake, (mist:1.2), <lora:film:1>")
    assert image.prompt == "a mountain lake, (mist:1.2), <lora:film:1>" and "as it stands" in warnings[0]


@pytest.mark.parametrize(
    "prompt",
    ["a man <lora:x:1>" + " " * 100_000 + "b", "a (man:1.2) b" + "\n" * 100_000 + "b", "(a:" + "1" * 100_000]
)  # fmt: skip
def test_a_prompt_of_blanks_or_digits_is_read_in_no_time(prompt):
    assert run_limited("sesahand.semantics.prompt_syntax:read_syntax", prompt, seconds=15).returned().text[0] in "a("
