"""Thoughts in front of an answer, in every kind of tag that models write."""

import pytest

from sesahand.errors import SesaHandError
from sesahand.vlm.captioner import without_reasoning


@pytest.mark.parametrize("tag", ["think", "thinking", "thought", "reasoning", "THINK"])
def test_an_answer_is_what_stands_behind_the_thoughts(tag):
    assert without_reasoning(f"<{tag}>A hand?</{tag}>\n A hand. ", 9) == "A hand."
    assert without_reasoning(f"no opening tag</{tag}>A hand.", 9) == "A hand."
    with pytest.raises(SesaHandError, match="all of its 9 tokens"):
        without_reasoning(f" <{tag}>still", 9)


def test_an_answer_without_thoughts_stays():
    assert without_reasoning(" She thinks <3 ", 9) == "She thinks <3"
