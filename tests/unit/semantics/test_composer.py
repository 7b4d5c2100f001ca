"""The composed prompt: each phrase once, every part found again at its characters."""

import pytest
from hostile import run_limited
from hypothesis import given, settings
from hypothesis import strategies as st

from sesahand.errors import SesaHandError
from sesahand.semantics.behavior import COMPONENTS, BehaviorSemantics, ImageSemantics, SemanticsBatch
from sesahand.semantics.composer import DEFAULT_TEMPLATE, compose, compose_batch, summary
from sesahand.semantics.extractor import extract_semantics

WOMAN = BehaviorSemantics(
    pose="a woman standing",
    action="waiting for the bus",
    hand_action="holding an umbrella with her hand",
    environment="at a bus stop",
)


def parts(composition, part):
    return [span.text for span in composition.spans if span.part == part]


def test_the_components_stand_in_the_order_of_the_template():
    assert compose(WOMAN).prompt == (
        "a woman standing, waiting for the bus, holding an umbrella with her hand, at a bus stop"
    )
    assert compose(WOMAN, "{environment}: {hand_action}").prompt == "at a bus stop: holding an umbrella with her hand"


def test_prefix_and_style_surround_the_components():
    composed = compose(WOMAN, prefix="sesa style", style="photo, 35mm")
    assert composed.prompt.startswith("sesa style, a woman") and composed.prompt.endswith("bus stop, photo, 35mm")
    assert parts(composed, "prefix") == ["sesa style"] and parts(composed, "style") == ["photo, 35mm"]


def test_hand_words_have_spans():
    assert parts(compose(WOMAN), "hand word") == ["holding", "hand"]


@pytest.mark.parametrize("empty", COMPONENTS)
def test_an_empty_component_leaves_no_gap(empty):
    prompt = compose(WOMAN.replace(**{empty: ""})).prompt
    assert ", ," not in prompt and prompt == prompt.strip(" ,")


def test_words_in_front_of_an_empty_field_go_with_it():
    template = "photo of {pose}, {action} in {environment}."
    assert compose(BehaviorSemantics(pose="a man"), template).prompt == "photo of a man."
    assert compose(BehaviorSemantics(environment="a park"), template).prompt == "photo of a park."


def test_a_phrase_of_two_components_stands_once_and_has_two_spans():
    said = BehaviorSemantics(action="the woman is holding a cup", hand_action="holding a cup")
    composed = compose(said)
    assert composed.prompt == "the woman is holding a cup"
    assert parts(composed, "action") == ["the woman is holding a cup"] and parts(composed, "hand_action") == [
        "holding a cup"
    ]


def test_the_fuller_of_two_phrases_stays():
    said = BehaviorSemantics(action="holding a cup", hand_action="holding a cup with both hands, waving")
    composed = compose(said)
    assert composed.prompt == "holding a cup with both hands, waving"
    assert parts(composed, "action") == ["holding a cup"]
    assert parts(composed, "hand_action") == ["holding a cup with both hands, waving"]


def test_only_the_phrases_that_are_new_are_added():
    said = BehaviorSemantics(action="cutting bread, laughing", hand_action="cutting bread, her left hand on the loaf")
    composed = compose(said)
    assert composed.prompt == "cutting bread, laughing, her left hand on the loaf"
    assert sorted(parts(composed, "hand_action")) == ["cutting bread", "her left hand on the loaf"]


def test_the_umbrella_sentence_keeps_its_words():
    batch, _ = compose_batch(extract_semantics(["The woman is holding a pink umbrella with her hand."]))
    image = batch.images[0]
    assert image.prompt == "the woman is holding a pink umbrella with her hand"
    assert [span.text for span in image.of_part("hand_action")] == ["holding a pink umbrella with her hand"]
    assert [span.text for span in image.of_part("hand word")] == ["holding", "hand"]
    assert "environment: -" in summary(image) and "from: rules" in summary(image)


def test_a_batch_keeps_its_order_and_numbers_its_warnings():
    batch, warnings = compose_batch(extract_semantics(["A man waves.", "", "A boy points."]))
    assert [image.prompt for image in batch.images] == ["a man waves", "", "a boy points"]
    assert len(warnings) == 1 and warnings[0].startswith("Image 2: The prompt says nothing")


def test_a_prompt_of_style_alone_is_warned_of():
    composed = compose(BehaviorSemantics(), prefix="sks", style="photo")
    assert composed.prompt == "sks, photo" and "says nothing of behaviour" in composed.warnings[0]
    assert compose(WOMAN, style="photo").warnings == ()


def test_brackets_of_a_caption_leave_every_span_in_its_place():
    caption = "A man (in his 40s) holds a cup (blue) with (two) fingers in a bar."
    batch, _ = compose_batch(extract_semantics([caption]))
    image = batch.images[0]
    assert not set("()") & set(image.prompt) and "cup" in image.prompt
    assert all(image.prompt[span.start : span.end] == span.text for span in image.spans)


def test_emphasis_that_was_typed_stays():
    assert compose(BehaviorSemantics(hand_action="(holding:1.3) a cup")).prompt == "(holding:1.3) a cup"


@pytest.mark.parametrize("template", ["{pose!r}", "{pose:>10}"])
def test_more_than_a_name_in_a_field_says_how_to_write_it(template):
    with pytest.raises(SesaHandError, match="write {pose} without"):
        compose(WOMAN, template)


def test_a_prompt_over_77_columns_is_warned_of():
    assert compose(WOMAN, count_tokens=lambda text: 77).warnings == ()
    assert "needs 78 columns" in compose(WOMAN, count_tokens=lambda text: 78).warnings[0]


@pytest.mark.parametrize(
    "template",
    ["", "no field", "{pose", "}", "{}", "{0}", "{pose.__class__}", "{pose!r}", "{pose:>10}", "{pose[0]}", "{mood}",
     "{pose} {pose}", "{prefix} {style}"],
)  # fmt: skip
def test_a_template_that_cannot_be_used_is_refused(template):
    with pytest.raises(SesaHandError, match="template"):
        compose(WOMAN, template)


def test_braces_can_be_written():
    assert compose(WOMAN, "{{{pose}}}").prompt == "{a woman standing}"


PHRASE = st.lists(
    st.sampled_from(
        ["a woman", "holding a cup", "with both hands", "hand", "cup", "in a park", "Fingers", "(x)", "a+b"]
    ),
    max_size=3,
).map(", ".join) | st.text(max_size=20)
TEMPLATE = st.permutations(["{prefix}", "{pose}", "{action}", "{hand_action}", "{environment}", "{style}"]).flatmap(
    lambda fields: st.sampled_from([", ", " and ", ". ", ""]).map(lambda mark: mark.join(fields))
)


@settings(max_examples=400, deadline=None)
@given(st.builds(BehaviorSemantics, PHRASE, PHRASE, PHRASE, PHRASE), TEMPLATE, PHRASE, PHRASE)
def test_every_span_holds_its_text_and_every_component_is_found(behavior, template, prefix, style):
    composed = compose(behavior, template, prefix=prefix, style=style)
    assert composed == compose(behavior, template, prefix=prefix, style=style)
    for span in composed.spans:
        assert composed.prompt[span.start : span.end] == span.text
    for name in COMPONENTS:
        if getattr(behavior, name).strip(" ,"):
            assert parts(composed, name), name


def test_the_default_template_has_every_field():
    assert all(f"{{{name}}}" in DEFAULT_TEMPLATE for name in ("prefix", *COMPONENTS, "style"))


def compose_long(count: int, times: int) -> int:
    first, second = (", ".join(f"{letter}{k} b" for k in range(count)) for letter in "ac")
    behavior = BehaviorSemantics(pose=first, action=second, hand_action=second, environment="x")
    return sum(len(compose(behavior).prompt) for _ in range(times))


def test_long_components_are_composed_in_no_time():
    assert run_limited(compose_long, 1200, 8, seconds=20).returned() > 8 * 15_000


def test_a_component_longer_than_any_prompt_is_refused_by_name():
    with pytest.raises(SesaHandError, match="'action' has 10001 characters"):
        compose(WOMAN.replace(action="a" * 10_001))
    assert len(compose(WOMAN.replace(action="a" * 10_000)).prompt) > 10_000


def test_half_of_a_surrogate_pair_does_not_reach_the_prompt():
    """JSON may hold one, and no tokenizer takes it."""
    half = "\ud83d"
    image = ImageSemantics(BehaviorSemantics(pose=f"a woman {half} stands"), "typed")
    typed = ImageSemantics(BehaviorSemantics(), "rules", caption=f"a lake {half}")
    template = f"{{prefix}}, {{pose}}, {{style}} {half}"
    batch, _ = compose_batch(SemanticsBatch((image, typed)), template, prefix=half, style=half)
    for composed in batch.images:
        assert half not in composed.prompt and composed.prompt.encode() and "\ufffd" in composed.prompt
