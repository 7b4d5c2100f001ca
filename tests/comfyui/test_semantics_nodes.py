"""The semantics nodes inside ComfyUI: their wires, lists, overrides, and every tooltip."""

import json

import pytest
from sesahand_pack.nodes.semantics import ComposePrompt, ExtractSemantics, TextEncode, WriteSemantics
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.semantics.composer import DEFAULT_TEMPLATE

UMBRELLA = "The woman is holding a pink umbrella with her hand."


def extract(*captions, vlm=None):
    """Run the node as ComfyUI does, which gives it every input as a list."""
    model = {} if vlm is None else {"vlm": [vlm]}
    return ExtractSemantics.execute(list(captions), [2], [512], [0], **model).args


def compose(semantics, template=DEFAULT_TEMPLATE, prefix="", style="", **links):
    return ComposePrompt.execute(semantics, template, prefix, style, **links).args


def write(semantics=None, pose="", action="", hand_action="", environment=""):
    links = {} if semantics is None else {"semantics": semantics}
    return WriteSemantics.execute(pose, action, hand_action, environment, **links).args


def test_a_typed_caption_becomes_a_prompt_without_any_model():
    semantics, report = extract(UMBRELLA)
    assert report.startswith("1 by rules")
    prompts, composed, summary = compose(semantics)
    assert prompts == ["the woman is holding a pink umbrella with her hand"]
    assert composed.images[0].prompt == prompts[0] and "hand words: holding, hand" in summary


def test_a_list_of_captions_becomes_one_batch_in_order():
    semantics, report = extract("A man waves his hand.", "A lake.", "A girl points at the sky.")
    assert [image.behavior.hand_action for image in semantics.images] == ["waves his hand", "", "points at the sky"]
    assert report.startswith("3 by rules") and "image 3" in report
    prompts, _, summary = compose(semantics)
    assert prompts == ["a man waves his hand", "A lake.", "a girl points at the sky"]
    assert "warning: Image 2" in summary


def test_a_tokenizer_is_not_asked_to_count_without_end():
    counted = []

    class Clip:
        """Of which only the tokenizer is asked."""

        tokenizer = cond_stage_model = None

        def tokenize(self, text, return_word_ids=False):
            counted.append(len(text))
            return {"l": [[(0, 1.0, 1)] * 77]}

    prompts, *_ = compose(extract("A man waves his hand.")[0], style="[" * 1_000_000, clip=Clip())
    assert counted and max(counted) <= 20_000 and len(prompts[0]) > 1_000_000


def test_each_line_can_be_a_caption_of_its_own():
    text = "A man waves his hand.\n\n  \nA girl points at the sky.\r\n"
    both, _ = ExtractSemantics.execute([text], [2], [512], [0], each_line=[True]).args
    assert [image.caption for image in both.images] == ["A man waves his hand.", "A girl points at the sky."]
    one, _ = ExtractSemantics.execute([text], [2], [512], [0], each_line=[False]).args
    assert one == extract(text)[0] and len(one.images) == 1
    nothing, report = ExtractSemantics.execute([""], [2], [512], [0], each_line=[True]).args
    assert len(nothing.images) == 1 and "empty" in report


def test_a_language_model_answers_and_the_report_says_so():
    class Scripted:
        """Replays recorded answers in the manner of a captioner handle."""

        def __init__(self, *answers):
            self.answers = list(answers)

        def complete(self, prompts, *, system, max_tokens, seed, progress):
            progress(1, 1)
            return [self.answers.pop(0) for _ in prompts]

    answer = {"pose": "the woman", "action": "", "hand_action": "holding a pink umbrella", "environment": ""}
    semantics, report = extract(UMBRELLA, vlm=Scripted("Steps.\n" + json.dumps(answer)))
    assert semantics.images[0].behavior.to_dict() == answer and report.startswith("1 by language model")
    semantics, report = extract(UMBRELLA, vlm=Scripted("nothing", "again nothing"))
    assert report.startswith("1 by rules after language model") and "no JSON object" in report
    assert semantics.images[0].behavior.hand_action == "holding a pink umbrella with her hand"


def test_typed_fields_override_extracted_parts_of_every_image():
    semantics, _ = extract(UMBRELLA, "A man runs in a park.")
    edited, report = write(semantics, environment="on a pier", action="none")
    assert [image.behavior.environment for image in edited.images] == ["on a pier", "on a pier"]
    assert [image.behavior.action for image in edited.images] == ["", ""]
    assert edited.images[0].behavior.hand_action == semantics.images[0].behavior.hand_action
    assert semantics.images[0].behavior.environment == "", "the input must stay as it was"
    assert "edited" in report


def test_typed_fields_stand_alone():
    prompts, _, _ = compose(write(pose="a man kneeling", hand_action="tying a knot")[0], prefix="sks", style="photo")
    assert prompts == ["sks, a man kneeling, tying a knot, photo"]


def test_a_long_prompt_is_warned_of_in_summary_and_log(caplog):
    semantics, _ = write(action="word " * 75)
    assert "warning" not in compose(semantics)[2]
    semantics, _ = write(action="word " * 76)
    assert "needs 78 columns" in compose(semantics)[2] and "needs 78 columns" in caplog.text


def test_a_bad_template_says_what_it_may_hold():
    with pytest.raises(SesaHandError, match=r"\{mood\}.*\{pose\}"):
        compose(extract(UMBRELLA)[0], "{mood}")


def test_the_composed_hand_action_is_what_text_encode_marks():
    from narrow_models import clip

    prompts, semantics, _ = compose(extract("A man walks in a park, carrying a heavy bag.")[0], style="a bag of tricks")
    conditioning, marked = TextEncode.execute(clip(layers=1), prompts[0], "hand action", "", semantics).args
    assert marked == "a man walks, [carrying a heavy bag], in a park, a bag of tricks"
    assert len(conditioning[0][1]["sesahand_tokens"]["columns"]) == 4


def test_the_seed_stays_as_it_is_between_runs():
    seed = next(entry for entry in ExtractSemantics.define_schema().inputs if entry.id == "seed")
    assert not seed.control_after_generate


def test_a_prompt_of_style_alone_and_a_foreign_caption_are_told_of():
    semantics, report = extract("Eine Frau hält eine Tasse.")
    assert "is in German" in report
    prompts, _, summary = compose(semantics, style="photo")
    assert prompts == ["Eine Frau hält eine Tasse., photo"] and "the prompt as it stands" in summary
    emptied, _ = write(extract(UMBRELLA)[0], pose="none", action="none", hand_action="none", environment="none")
    assert "says nothing of behaviour" in compose(emptied, style="photo")[2]


def test_weights_and_tags_of_the_caption_come_back_and_what_is_lost_is_told():
    semantics, report = extract("<lora:hands:0.8> a woman (waving:1.3) her hand, (masterpiece:1.2), market")
    prompts, composed, summary = compose(semantics)
    assert prompts == ["a woman (waving:1.3) her hand, market, <lora:hands:0.8>"]
    assert "Left out of the prompt: (masterpiece:1.2)" in summary and "hands: a hand of a woman: open_palm" in report
    assert [span.text for span in composed.images[0].of_part("hand word")] == ["waving", "hand"]


def test_text_with_half_a_letter_or_nested_without_end_is_taken_or_told():
    from narrow_models import clip

    encoder = clip(layers=1)
    assert TextEncode.execute(encoder, "a hand \ud83d waves", "hand words", "").args[1] == "a [hand] \ufffd waves"
    with pytest.raises(SesaHandError, match="5000 parentheses inside each other"):
        TextEncode.execute(encoder, "(" * 5000 + "hand" + ")" * 5000, "hand words", "")
    (semantics,) = write(hand_action="waving a hand")[:1]
    for style in ("\ud83d", "(" * 5000 + ")" * 5000):
        compose(semantics, style=style)
        compose(semantics, style=style, clip=encoder)
