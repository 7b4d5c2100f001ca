"""Thoughts in front of an answer, in every kind of tag that models write."""

import pytest

from sesahand.errors import SesaHandError
from sesahand.vlm.captioner import without_reasoning
from sesahand.vlm.reasoning import without_marks


@pytest.mark.parametrize("tag", ["think", "thinking", "thought", "reasoning", "THINK"])
def test_an_answer_is_what_stands_behind_the_thoughts(tag):
    assert without_reasoning(f"<{tag}>A hand?</{tag}>\n A hand. ", 9) == "A hand."
    assert without_reasoning(f"no opening tag</{tag}>A hand.", 9) == "A hand."
    with pytest.raises(SesaHandError, match="all of its 9 tokens"):
        without_reasoning(f" <{tag}>still", 9)


def test_an_answer_without_thoughts_stays():
    assert without_reasoning(" She thinks <3 ", 9) == "She thinks <3"


@pytest.mark.parametrize(
    "written",
    [
        "A fist.<|im_end|>",
        "A fist.</s>",
        "A fist.<|eot_id|>",
        "A fist.<end_of_turn>",
        "<answer>A fist.</answer>",
        "<|begin_of_box|>A fist.<|end_of_box|>",
        "◁think▷A hand? ◁/think▷A fist.",
        "<s>A fist.</s></s>",
        "A fist.<|endoftext|>",
        "A fist.<|end|><|endoftext|>",
        "A fist.<end_of_utterance>",
        "A fist.<｜end▁of▁sentence｜>",
        "A fist.<|END_OF_TURN_TOKEN|>",
        "A fist.<eos><pad><pad>",
        "A fist. [/INST]",
        "<|im_start|>assistant\nA fist.<|im_end|>\n<|im_start|>user\nAnd now?",
        "<|start_header_id|>assistant<|end_header_id|>\n\nA fist.<|eot_id|>",
        "<start_of_turn>model\nA fist.<end_of_turn>\n<start_of_turn>user\nAnd?",
        "<|channel|>analysis<|message|>A hand.<|end|><|start|>assistant<|channel|>final<|message|>A fist.<|return|>",
        "<think>A hand.</think><answer>\nA fist.\n</answer><|im_end|>",
        "<|start_of_role|>assistant<|end_of_role|>A fist.<|end_of_text|>",
    ],
)
def test_the_marks_of_a_template_are_no_words(written):
    assert without_reasoning(written, 9) == "A fist."


@pytest.mark.parametrize(
    "text", ["x < 3 > 2", "a <b>bold</b> hand", "<loc_12>", "I <3 hands | feet", "[left] hand", "a </ b"]
)
def test_what_only_looks_like_a_mark_stays(text):
    assert without_marks(text) == text


def test_an_unclosed_thought_of_any_kind_is_told():
    for opened in ("◁think▷", "<|channel|>analysis<|message|>", "<s><think>"):
        with pytest.raises(SesaHandError, match="all of its 9 tokens"):
            without_reasoning(f"{opened}A hand", 9)
