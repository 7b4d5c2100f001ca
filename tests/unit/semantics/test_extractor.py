"""Answers of language models: read tolerantly, checked, asked for again, and replaced by the rules."""

import json

import pytest
from hostile import run_limited
from hypothesis import given, settings
from hypothesis import strategies as st

from sesahand.errors import CannotAnswerError, SesaHandError
from sesahand.semantics.behavior import COMPONENTS, BehaviorSemantics, SemanticsBatch
from sesahand.semantics.composer import summary
from sesahand.semantics.extractor import extract_semantics, override, parse_answer, read_answers
from sesahand.semantics.prompts import EXTRACTION_EXAMPLES, EXTRACTION_SYSTEM, instruction

CAPTION = "A woman is holding a pink umbrella with her hand."
GOOD = {"pose": "a woman", "action": "waiting", "hand_action": "holding a cup", "environment": "in a park"}
EXPECTED = BehaviorSemantics(**GOOD)
TOLD = "A woman is waiting in a park, holding a cup by its handle. First, second and third try."


class Recorded:
    """Replays answers, one list for each round of questions, and keeps what it was asked."""

    def __init__(self, *rounds):
        self.rounds, self.asked = list(rounds), []

    def complete(self, prompts, *, system="", max_tokens, seed, progress=None):
        self.asked.append((prompts, system, max_tokens, seed))
        return self.rounds.pop(0)


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(GOOD),
        "```json\n" + json.dumps(GOOD, indent=2) + "\n```",
        "Persons: a woman.\nPose: standing.\nSo the JSON is:\n" + json.dumps(GOOD) + "\nI hope this helps {smile}!",
        "<think>She might {hold} it, or [not]: {\"pose\": \"draft\"}</think>\n" + json.dumps(GOOD),
        "reasoning without an opening tag </think> " + json.dumps(GOOD),
        str(GOOD),
        "{'pose': 'a woman', 'action': 'waiting', 'hand_action': 'holding a cup', 'environment': 'in a park',}",
        '{pose: "a woman", action: "waiting", hand_action: "holding a cup", environment: "in a park"}',
        '{"Pose": "a woman", "Action": "waiting", "Hand Action": "holding a cup", "Environment": "in a park"}',
        '{"pose": ["a woman"], "action": "waiting", "hand-action": "holding a cup", "environment": ["in a park"]}',
        '{"result": ' + json.dumps(GOOD) + "}",
        '{"pose": "example"}\nNow the real one:\n' + json.dumps(GOOD),
        "“quoted” [1] [2] " + json.dumps(GOOD),
        '{“pose”: “a woman”, “action”: “waiting”, “hand_action”: “holding a cup”, “environment”: “in a park”}',
    ],
)  # fmt: skip
def test_an_answer_is_read_however_it_is_wrapped(answer):
    assert parse_answer(answer) == EXPECTED


@pytest.mark.parametrize(
    "nothing",
    ["Not described", "not visible", "None mentioned", "N/A.", "Unspecified", "...", "-", "No hands visible", "(none)",
     "Not clearly visible in the image", ["None", "n/a"], {"left": "not visible", "right": ""}, None],
)  # fmt: skip
def test_words_that_say_nothing_leave_a_component_empty(nothing):
    assert parse_answer(json.dumps({**GOOD, "hand_action": nothing})) == EXPECTED.replace(hand_action="")


@pytest.mark.parametrize("said", ["nothing but holding a cup", "not letting go of the rope", "no-look pass"])
def test_words_that_say_something_stay(said):
    assert parse_answer(json.dumps({**GOOD, "hand_action": said})).hand_action == said


@pytest.mark.parametrize(
    ("key", "component"),
    [("hand_actions", "hand_action"), ("Hands", "hand_action"), ("location", "environment"), ("setting", "environment"),
     ("actions", "action"), ("posture", "pose")],
)  # fmt: skip
def test_other_names_of_a_component_are_understood(key, component):
    answer = {(key if name == component else name): text for name, text in GOOD.items()}
    assert parse_answer(json.dumps(answer)) == EXPECTED
    assert parse_answer(str(answer)) == EXPECTED


def test_each_hand_and_each_person_may_have_an_object():
    hands = {"left": "holding a bowl", "right_hand": "stirring with her right hand", "other": "n/a"}
    behavior = parse_answer(json.dumps({**GOOD, "hand_action": hands}))
    assert behavior.hand_action == "left hand holding a bowl, stirring with her right hand"
    persons = {"person_1": GOOD, "person_2": {**GOOD, "pose": "a man"}, "confidence": {"score": 1}}
    assert parse_answer(json.dumps(persons)) == EXPECTED.replace(pose="a woman, a man")


def test_invisible_characters_do_not_reach_the_components():
    assert parse_answer(json.dumps({**GOOD, "pose": "a\u0000 wo\u202eman"})).pose == "a wo man"


@pytest.mark.parametrize(
    "answer",
    [
        '{"pose": "...", "action": "...", "hand_action": "...", "environment": "..."}',
        '{"pose": "kneeling"}',
        json.dumps(EXTRACTION_EXAMPLES[0][2]),
    ],
)
def test_an_echo_and_a_part_of_an_answer_are_asked_for_again_and_then_left_to_the_rules(answer):
    model = Recorded([answer], [answer])
    image = extract_semantics(["A man ties his shoe with both hands."], model).images[0]
    assert len(model.asked) == 2 and image.source == "rules after language model"
    assert "ties his shoe with both hands" in image.behavior.hand_action


def test_an_example_put_as_a_question_may_get_its_answer():
    text, _, components = EXTRACTION_EXAMPLES[0]
    assert extract_semantics([text], Recorded([json.dumps(components)])).images[0].source == "language model"


def test_apostrophes_in_single_quotes_stay():
    answer = (
        "{'pose': '', 'action': 'washing the baby's hair', 'hand_action': 'on the baby\\'s head', 'environment': None}"
    )
    assert parse_answer(answer) == BehaviorSemantics(action="washing the baby's hair", hand_action="on the baby's head")


@pytest.mark.parametrize("wrap", ["{}", '{{"persons": {}}}', "```\n{}\n```"])
def test_several_persons_are_joined_in_order(wrap):
    persons = [
        {"pose": "a man sitting", "action": "talking", "hand_action": "", "environment": "in a bar"},
        {"pose": "a woman standing", "action": "listening", "hand_action": "holding a cup", "environment": "in a bar"},
    ]
    expected = BehaviorSemantics("a man sitting, a woman standing", "talking, listening", "holding a cup", "in a bar")
    assert parse_answer(wrap.format(json.dumps(persons))) == expected
    assert parse_answer(wrap.format(str(persons)).replace("persons", "persons")) == expected


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("", "no JSON object"),
        ("I cannot help with that.", "no JSON object"),
        ('{"foo": "bar"}', "Expected an object with the keys"),
        ('{"pose": 3}', "must be text"),
        ('{"pose": {"a": 1}, "action": "b"}', "must be text"),
        ("[1, 2, 3]", "without objects"),
        (json.dumps({**GOOD, "pose": "x" * 2000}), "more than 600 characters"),
        ('{"pose": "a", "action": "b", "hand_ac', "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ("{" * 100_000, "no JSON object"),
        ('{"a":' * 5_000, "no JSON object"),
        ('{"a":' * 800 + json.dumps(GOOD) + "}" * 800, "nested too deeply"),
    ],
)
def test_an_unusable_answer_says_what_is_wrong(answer, problem):
    with pytest.raises(SesaHandError, match=problem):
        parse_answer(answer)


FRAGMENTS = st.sampled_from(
    ["{", "}", "[", "]", '"', "'", ":", ",", "pose", "action", "hand_action", "environment", "<think>", "</think>",
     "```", "json", "\\", "null", "None", "a woman", "1e999", "\n", "__import__('os')", "{0.__class__}", "“", "”",
     "\x00", "\ud800"]
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(FRAGMENTS, max_size=60).map("".join)))
def test_reading_an_answer_raises_nothing_but_sesahand_errors(answer):
    try:
        found = parse_answer(answer)
    except SesaHandError:
        return
    assert all(isinstance(getattr(found, name), str) for name in COMPONENTS)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*COMPONENTS, "persons", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_any_json_is_taken_or_refused(value):
    for answer in (json.dumps(value), repr(value)):
        try:
            parse_answer(answer)
        except SesaHandError:
            pass


@pytest.mark.parametrize("rest", ["[{x},{" * 3000, "[{x},{x},{x}" + " " * 19_000])
def test_a_list_that_never_ends_is_read_in_no_time(rest):
    answer = "{pose:'standing'}{pose:'sitting'}" + rest
    assert run_limited("sesahand.semantics.extractor:read_answer", answer, seconds=10).returned()["pose"] == "sitting"


@pytest.mark.parametrize("depth", range(940, 1100, 8))
def test_an_answer_nested_about_as_deep_as_the_stack_is_left_to_the_rules(depth):
    for answer in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
        assert read_answers([CAPTION], [answer]).images[0].source == "rules after language model"


def test_an_answer_is_never_executed(tmp_path):
    target = tmp_path / "made"
    attack = f"{{'pose': __import__('pathlib').Path({str(target)!r}).touch(), 'action': 'x'}}"
    try:
        parse_answer(attack)
    except SesaHandError:
        pass
    assert not target.exists()


def test_the_model_answers_in_the_order_of_the_captions():
    things = ("cup", "bowl", "book")
    told = [TOLD.replace("cup", thing) for thing in things]
    model = Recorded([json.dumps({**GOOD, "hand_action": f"holding a {thing}"}) for thing in things])
    batch = extract_semantics(told, model, max_tokens=99, seed=5)
    assert [image.behavior.hand_action for image in batch.images] == [f"holding a {thing}" for thing in things]
    assert {image.source for image in batch.images} == {"language model"}
    ((prompts, system, max_tokens, seed),) = model.asked
    assert all(asked.rstrip().endswith(f"Description: {text}") for asked, text in zip(prompts, told, strict=True))
    assert "step by step" in system and (max_tokens, seed) == (99, 5)


def test_a_bad_answer_is_asked_for_again_with_the_error():
    model = Recorded([json.dumps(GOOD), "no idea"], [json.dumps({**GOOD, "action": "waiting, second"})])
    batch = extract_semantics([TOLD, f"A man waves his hand. {TOLD}"], model)
    assert [image.behavior.action for image in batch.images] == ["waiting", "waiting, second"]
    prompts, _, _, seed = model.asked[1]
    assert (
        len(prompts) == 1 and "A man waves" in prompts[0] and "no idea" in prompts[0] and "no JSON object" in prompts[0]
    )
    assert seed == 1


def test_the_rules_answer_when_the_model_never_does():
    batch = extract_semantics([CAPTION], Recorded(["nonsense"], ["more nonsense"], ["[]"]), attempts=3)
    image = batch.images[0]
    assert image.source == "rules after language model" and "cannot be used" in image.note
    assert image.behavior.hand_action == "holding a pink umbrella with her hand"


def test_an_empty_answer_is_refused_where_somebody_acts_and_taken_where_nobody_does():
    empty = json.dumps(dict.fromkeys(COMPONENTS, ""))
    assert extract_semantics([CAPTION], Recorded([empty], [empty])).images[0].source == "rules after language model"
    assert extract_semantics(["A lake."], Recorded([empty])).images[0].source == "language model"


def test_without_a_model_the_rules_answer():
    image = extract_semantics([CAPTION]).images[0]
    assert (image.source, image.note, image.caption) == ("rules", "", CAPTION)


@pytest.mark.parametrize(
    ("caption", "says"),
    [
        ("Eine Frau hält eine Tasse.", "is in German"),
        ("Une femme tient une tasse.", "is in French"),
        ("A lake at dawn.", "found nobody"),
    ],
)
def test_the_rules_say_so_when_they_find_nobody_or_read_no_such_language(caption, says):
    image = extract_semantics([caption]).images[0]
    assert image.behavior == BehaviorSemantics() and says in image.note and "passed on as it stands" in image.note


def test_the_rules_answer_for_a_model_that_only_captions():
    class CaptionsOnly:
        def complete(self, prompts, **options):
            raise CannotAnswerError("tiny can caption pictures but not answer text.")

    image = extract_semantics([CAPTION], CaptionsOnly()).images[0]
    assert image.source == "rules after language model" and "not answer text" in image.note
    assert image.behavior.hand_action == "holding a pink umbrella with her hand"


def test_brackets_of_a_caption_or_an_answer_are_no_emphasis():
    caption = r"A man (in his 40s) holds a cup \(blue) with (two) fingers in a bar."
    assert not set("()\\") & set("".join(extract_semantics([caption]).images[0].behavior.to_dict().values()))
    model = Recorded([json.dumps({**GOOD, "hand_action": "holding a cup (by its (handle:4)"})])
    assert extract_semantics([TOLD], model).images[0].behavior.hand_action == "holding a cup by its handle:4"


def test_an_empty_caption_is_not_put_to_the_model():
    model = Recorded([json.dumps(GOOD)])
    batch = extract_semantics(["  ", TOLD], model)
    assert len(model.asked[0][0]) == 1
    assert batch.images[0].behavior == BehaviorSemantics() and batch.images[1].behavior == EXPECTED
    assert batch.images[0].note == "the caption is empty"


def test_errors_of_the_model_reach_the_user():
    class Gone:
        def complete(self, prompts, **options):
            raise SesaHandError("The server is not running.")

    with pytest.raises(SesaHandError, match="not running"):
        extract_semantics([CAPTION], Gone())
    with pytest.raises(SesaHandError, match="2 answers to 1"):
        extract_semantics([CAPTION], Recorded(["a", "b"]))


def test_typed_components_replace_extracted_ones():
    batch = extract_semantics([CAPTION, "A man runs in a park."])
    edited = override(batch, {"pose": "kneeling", "action": "", "hand_action": "none", "environment": ""})
    assert [image.behavior.pose for image in edited.images] == ["kneeling", "kneeling"]
    assert edited.images[0].behavior.hand_action == "" and edited.images[1].behavior.environment == "in a park"
    assert {image.source for image in edited.images} == {"edited"}
    assert override(batch, dict.fromkeys(COMPONENTS, "")) == batch


def test_components_can_be_typed_without_anything_extracted():
    (image,) = override(None, {"hand_action": "waving", "pose": " "}).images
    assert image.behavior == BehaviorSemantics(hand_action="waving") and image.source == "typed"


def test_a_batch_survives_json():
    batch = extract_semantics([CAPTION, ""])
    assert SemanticsBatch.from_json(batch.to_json()) == batch


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}x", "[1]", "[" * 50_000, '[{"source": "rules"}]'),
        '[{"behavior": {"pose": 1}, "source": "rules"}]',
        '[{"behavior": {}, "source": "magic"}]',
        '[{"behavior": {}, "source": "rules", "spans": [{"part": "pose", "start": 0, "end": 1, "text": "b"}]}]',
    ],
)
def test_json_that_is_no_batch_is_refused(text):
    with pytest.raises(SesaHandError):
        SemanticsBatch.from_json(text)


class TestWhatIsBelieved:
    """A component is the model's where its words are the caption's, and the rules' elsewhere."""

    def settled(self, **answer):
        return extract_semantics([WAVE], Recorded([json.dumps(answer)])).images[0]

    def test_a_part_of_an_answer_is_filled_by_the_rules_and_says_so(self):
        image = self.settled(pose="a woman standing at a red door")
        assert image.source == "language model" and image.behavior.pose == "a woman standing at a red door"
        assert image.behavior.hand_action == extract_semantics([WAVE]).images[0].behavior.hand_action != ""
        assert dict(image.origins)["hand_action"] == "the rules, because it is missing in the answer"
        assert "hand action from the rules, because it is missing" in summary(image)

    def test_invented_words_are_refused_and_named(self):
        image = self.settled(**{**PARTS, "environment": "in a park at sunset"})
        assert image.behavior.environment == "" and "park, sunset" in dict(image.origins)["environment"]
        assert image.behavior.hand_action == PARTS["hand_action"]

    def test_the_instruction_and_its_examples_never_come_back(self):
        stolen = EXTRACTION_SYSTEM.splitlines()[1]
        image = self.settled(**{**PARTS, "pose": EXTRACTION_EXAMPLES[0][2]["pose"], "action": stolen})
        assert image.behavior.pose == "a woman stands at a door" and stolen not in image.behavior.action
        [image] = read_answers([WAVE], [EXTRACTION_SYSTEM]).images
        assert image.behavior == extract_semantics([WAVE]).images[0].behavior and image.caption == WAVE

    def test_the_whole_caption_sorts_nothing_out(self):
        text = f"{WAVE} Two cats and a dog sleep on the stairs while snow falls on the roofs of the quiet old village."
        model = Recorded([json.dumps({**PARTS, "pose": text})])
        image = extract_semantics([text], model).images[0]
        assert "cats" not in image.behavior.pose and "repeats the whole caption" in dict(image.origins)["pose"]

    def test_hands_are_those_of_the_caption_whatever_a_model_says(self):
        image = self.settled(**{**PARTS, "hand_action": "waving with her right hand"})
        assert [(hand.side, hand.gesture) for hand in image.hands] == [("left", "open_palm")]

    def test_a_translation_is_taken_and_its_hands_are_read(self):
        model = Recorded([json.dumps({**PARTS, "hand_action": "making a fist with her left hand"})])
        image = extract_semantics(["Eine Frau steht an einer T\u00fcr und ballt die linke Hand"], model).images[0]
        assert image.behavior.hand_action == "making a fist with her left hand" and image.language == "de"
        assert [(hand.side, hand.gesture) for hand in image.hands] == [("left", "fist")]
        assert "is in German; answer in English" in model.asked[0][0][0]


WAVE = "A woman in a blue coat stands at a red door and waves with her left hand."
PARTS = {
    "pose": "a woman standing at a door",
    "action": "waving",
    "hand_action": "waving with her left hand",
    "environment": "",
}


class TestAnswersOfOtherNodes:
    """What a node of another pack, or of core, made a language model say."""

    @pytest.mark.parametrize(
        "answer",
        [json.dumps(PARTS), f"Persons: a woman.\n```json\n{json.dumps(PARTS, indent=1)}\n```\nDone.",
         f"<think>Is it {{one}} person? Yes.</think>\n\n{json.dumps(PARTS)}",
         f"thinking...\n</think>{json.dumps(PARTS)}"],
    )  # fmt: skip
    def test_json_is_taken_out_of_what_is_around_it(self, answer):
        [image] = read_answers([WAVE], [answer]).images
        assert image.behavior.to_dict() == PARTS and image.source == "language model" and image.caption == WAVE

    def test_a_description_is_read_as_the_caption(self):
        [image] = read_answers(["Something else entirely."], [WAVE]).images
        assert image.behavior == extract_semantics([WAVE]).images[0].behavior
        assert image.caption == WAVE and image.source == "rules" and "no JSON" in image.note

    @pytest.mark.parametrize(
        "answer, why",
        [('{"pose": "a woman standing", "acti', "was cut off"),
         (json.dumps(EXTRACTION_EXAMPLES[0][2]), "repeats an example"), ("I am sorry, I cannot do that.", "no JSON"),
         ("", "no JSON")],
    )  # fmt: skip
    def test_an_answer_that_cannot_be_used_leaves_the_caption_to_the_rules(self, answer, why):
        [image] = read_answers([WAVE], [answer]).images
        assert image.behavior == extract_semantics([WAVE]).images[0].behavior
        assert image.source == "rules after language model" and why in image.note

    def test_each_answer_belongs_to_its_caption_or_all_to_one(self):
        two = read_answers([WAVE, "A man points."], [json.dumps(PARTS), "{"])
        assert [image.caption for image in two.images] == [WAVE, "A man points."]
        assert [image.caption for image in read_answers([WAVE], ["{", "{"]).images] == [WAVE, WAVE]
        with pytest.raises(SesaHandError, match="1 answers to 2 captions"):
            read_answers([WAVE, WAVE], ["{"])

    def test_the_instruction_holds_the_system_text_the_examples_and_the_caption_last(self):
        text = instruction(f"  {WAVE} ")
        assert text.startswith(EXTRACTION_SYSTEM) and text.rstrip().endswith(f"Description: {WAVE}")
        assert all(example in text for example, _, _ in EXTRACTION_EXAMPLES)


@pytest.mark.parametrize(
    "text",
    [
        "The environment is not mentioned",
        "not mentioned",
        "No information about the environment is given.",
        "The description does not mention the environment",
        "The environment cannot be determined.",
        "not explicitly stated",
        "No specific environment is described",
        "N/A (not visible)",
        "none mentioned",
        "Not specified in the description",
        "hands not visible",
        "The hands are not visible in the image.",
        "No hand action described",
        "unknown location",
        "insufficient information",
        "It is unclear",
        "Unclear from the caption",
        "no hand action",
        "Cannot be determined from the text",
        "The setting is not specified",
        "there is no information about the pose",
        "not enough information",
        "no hands are visible",
        "The caption doesn't specify the place",
        "Environment: not mentioned",
        "None; the hands are hidden",
        "unable to determine",
        "nothing is mentioned",
        "no details provided",
        "Not applicable.",
        "The pose isn't described.",
        "I cannot tell",
        "the text does not describe the hands",
        "unspecified environment",
        "no clear environment",
        "the person's hands are not described",
        "(none)",
        "-",
        "...",
        "No mention of environment",
        "no environment mentioned",
        "no mention",
        "No hands or fingers are described",
    ],
)
def test_words_that_only_say_that_nothing_is_said_are_no_component(text):
    assert BehaviorSemantics.from_mapping({"pose": "standing", "environment": text}).environment == ""


@pytest.mark.parametrize(
    "text",
    [
        "no hands on the wheel",
        "standing in clear water",
        "holding nothing back",
        "an unknown woman waving",
        "a missing person poster",
        "in an empty room",
        "nowhere in particular a street",
        "not smiling, waving",
        "holding an empty glass",
        "blank paper in hand",
        "seen from behind",
        "visible hands on a table",
        "in a place known as Rome",
        "on a hidden beach",
        "a given name tag",
        "no gloves on, waving at the crowd",
        "pose",
        "hand",
        "shown a card",
        "at the scene",
        "a man with no shirt standing",
        "hands hidden in pockets",
        "in an unknown city",
        "her hands are empty",
        "unclear glass door",
        "without gloves",
        "with no background",
        "empty street",
        "at an undetermined spot",
    ],
)
def test_words_that_say_what_is_not_there_stay(text):
    assert BehaviorSemantics.from_mapping({"environment": text}).environment == text


def test_marks_of_a_template_do_not_get_into_a_component():
    answer = {"pose": "standing<|im_end|>", "action": "", "hand_action": "a fist</s>", "environment": "<answer>a park"}
    assert parse_answer(json.dumps(answer)).to_dict() == {
        "pose": "standing", "action": "", "hand_action": "a fist", "environment": "a park"
    }  # fmt: skip


def test_an_answer_that_was_cut_is_called_that():
    with pytest.raises(SesaHandError, match="was cut off.*raise the length limit"):
        parse_answer('Persons: a woman. {"pose": "a woman standing", "action": "wav')
