"""Sentences as prompts."""

from sesahand.generate.requests import read_words


def test_a_sentence_without_behaviour_is_the_prompt_as_it_stands():
    image, warnings = read_words("A hand.", prefix="photo", style="soft light")
    assert image.prompt == "photo, A hand., soft light" and "as it stands" in warnings[0]
    assert [span.text for span in image.spans] == ["hand"]


def test_a_sentence_with_behaviour_is_reduced_to_it():
    image, warnings = read_words("A woman raises a fist. There is a lamp.")
    assert "fist" in image.prompt and "lamp" not in image.prompt and not warnings
