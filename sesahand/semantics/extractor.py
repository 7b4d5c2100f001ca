"""From a caption to behaviour semantics by a language model's chain of thought, with the rules to fall back on.

Source: paper, semantic alignment (chain of thought, step 2).
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from ..errors import CannotAnswerError, SesaHandError
from ..vlm.reasoning import split_thoughts, without_open_tags
from . import prompts, rules
from .answers import repeats_instruction, settle
from .behavior import (
    COMPONENTS,
    SYNONYMS,
    BehaviorSemantics,
    ImageSemantics,
    SemanticsBatch,
    component_name,
    merge,
)
from .described_hands import DescribedHand
from .hand_reading import hands_of
from .languages import detect_language, language_name
from .prompt_syntax import read_syntax

logger = logging.getLogger(__name__)

LONGEST_ANSWER = 20_000
LONGEST_COMPONENT = 600
DECODE_TRIES = 64


class TextModel(Protocol):
    """What the extractor needs of a captioner handle."""

    def complete(
        self, prompts: list[str], *, system: str = "", max_tokens: int, seed: int, progress: Callable | None = None
    ) -> list[str]: ...


def extract_semantics(
    captions: Sequence[str],
    model: TextModel | None = None,
    *,
    attempts: int = 2,
    max_tokens: int = 512,
    seed: int = 0,
    progress: Callable | None = None,
) -> SemanticsBatch:
    """One semantics per caption, in order.

    Args:
        captions: what is said about each image.
        model: a captioner handle that completes text; without one the rules alone are used.
        attempts: how often a caption is put to the model; each new attempt shows the last answer and what was wrong.
        max_tokens: of each answer, reasoning included.
        seed: of the first attempt; each further one adds 1.
        progress: handed to the model.

    Returns:
        The batch; each entry says whether the model or the rules made it, and why.

    Raises:
        SesaHandError: whatever the model raises, for example when it cannot be reached. Neither an answer that cannot
            be used nor a model that only captions is an error: the rules answer then.
    """
    if model is None:
        return SemanticsBatch(tuple(_by_rules(text) for text in captions))
    try:
        return _by_model(captions, model, attempts=attempts, max_tokens=max_tokens, seed=seed, progress=progress)
    except CannotAnswerError as error:
        logger.warning("The rules read the caption: %s", error)
        return SemanticsBatch(tuple(_by_rules(text, str(error)) for text in captions))


def read_answers(captions: Sequence[str], answers: Sequence[str]) -> SemanticsBatch:
    """One semantics per answer that a language model gave to `prompts.instruction`, whoever ran it.

    An answer without any JSON is taken for a caption: what a model said when it was asked to describe a picture. One
    whose JSON cannot be used, or that repeats an example, leaves it to the rules to read the caption.

    Args:
        captions: What the model was asked about, one for each answer, or one for all.
        answers: The model's words; reasoning, think tags and code fences around the JSON are passed over.

    Raises:
        SesaHandError: If captions and answers do not fit together.
    """
    if len(captions) not in (1, len(answers)):
        raise SesaHandError(
            f"There are {len(answers)} answers to {len(captions)} captions: give an answer to each caption, or one "
            "caption for all."
        )
    captions = list(captions) * len(answers) if len(captions) == 1 else captions
    return SemanticsBatch(tuple(_by_answer(text, answer) for text, answer in zip(captions, answers, strict=True)))


def _by_answer(caption: str, answer: str) -> ImageSemantics:
    said = _without_thoughts(answer).strip()
    if said and not re.search(r"[{}]", said) and not repeats_instruction(said):
        read = _by_rules(said)
        if any(read.behavior.to_dict().values()):
            note = "the answer has no JSON and was read as a caption, by the rules"
            return replace(read, source="rules", note=note)
    try:
        return _settled(answer, caption)
    except SesaHandError as error:
        return _after_model(caption, (answer, str(error)))


def override(batch: SemanticsBatch | None, components: dict[str, str]) -> SemanticsBatch:
    """Write components by hand: alone, or over every entry of an extracted batch.

    Args:
        batch: extracted semantics, or None to begin with empty ones.
        components: names of `COMPONENTS` to text; the word "none" empties a component, an empty text leaves it as it
            is.
    """
    typed = {name: "" if text.strip().lower() == "none" else text for name, text in components.items() if text.strip()}
    if batch is None:
        behavior = BehaviorSemantics(**typed)
        return SemanticsBatch((ImageSemantics(behavior, "typed", hands=_hands_of_behavior(behavior)),))
    return SemanticsBatch(tuple(_edited(image, typed) for image in batch.images))


def _edited(image: ImageSemantics, typed: dict[str, str]) -> ImageSemantics:
    """Semantics with components typed over theirs; hands are those of the hand action if that is typed."""
    behavior = image.behavior.replace(**typed)
    hands = _hands_of_behavior(behavior) if "hand_action" in typed else image.hands
    source = "edited" if typed else image.source
    return replace(image, behavior=behavior, source=source, prompt="", spans=(), hands=hands)


def _hands_of_behavior(behavior: BehaviorSemantics) -> tuple[DescribedHand, ...]:
    """The hands that components describe: their hand action, or what the body does."""
    texts = (behavior.hand_action, behavior.action, behavior.pose)
    return next(filter(None, map(hands_of, filter(None, texts))), ())


def parse_answer(answer: str) -> BehaviorSemantics:
    """Take the components out of a language model's answer; one that it does not name is empty. See `read_answer`."""
    return BehaviorSemantics(**read_answer(answer))


def read_answer(answer: str) -> dict[str, str]:
    """Take the components that a language model's answer names out of it.

    Reasoning in front of the JSON, think tags, code fences, text behind it, single quotes, trailing commas, one
    object per person and objects inside objects are all accepted. The answer is only read, never evaluated.

    Args:
        answer: any text.

    Raises:
        SesaHandError: when no usable JSON object is in it; the message is written to be shown to the model.
    """
    text = _without_thoughts(answer)[-LONGEST_ANSWER:]
    problem = "there is no JSON object in it."
    part: dict[str, str] = {}
    for found in reversed(_decoded(text)):
        try:
            named = _validated(found)
            if len(named) == len(COMPONENTS):
                return named
            part = part or named
        except SesaHandError as error:
            problem = str(error)
        except RecursionError:
            problem = "its JSON is nested too deeply."
    if part:
        return part
    if problem.startswith("there is no") and text.count("{") > text.count("}"):
        problem = "there is no JSON object in it that ends: it was cut off. Answer briefly, or raise the length limit."
    raise SesaHandError(f"The answer cannot be used: {problem}")


def _by_model(
    captions: Sequence[str], model: TextModel, *, attempts: int, max_tokens: int, seed: int, progress: Callable | None
) -> SemanticsBatch:
    answers: dict[int, ImageSemantics] = {}
    failures: dict[int, tuple[str, str]] = {}
    # A server can be made to answer with JSON of this form; models in this process are only asked to.
    form = {"schema": prompts.ANSWER_SCHEMA} if getattr(model, "takes_schema", False) else {}
    for attempt in range(max(1, attempts)):
        open_ones = [i for i, text in enumerate(captions) if i not in answers and text.strip()]
        if not open_ones:
            break
        asked = [_question(captions[i], failures.get(i)) for i in open_ones]
        system, number = prompts.EXTRACTION_SYSTEM, seed + attempt
        replies = model.complete(asked, system=system, max_tokens=max_tokens, seed=number, progress=progress, **form)
        if len(replies) != len(asked):
            raise SesaHandError(f"The language model gave {len(replies)} answers to {len(asked)} questions.")
        for i, reply in zip(open_ones, replies, strict=True):
            try:
                answers[i] = _settled(reply, captions[i])
            except SesaHandError as error:
                failures[i] = (reply, str(error))
    return SemanticsBatch(
        tuple(answers.get(i) or _after_model(text, failures.get(i)) for i, text in enumerate(captions))
    )


def _question(caption: str, failure: tuple[str, str] | None) -> str:
    text = read_syntax(caption).text
    language = detect_language(text)
    if language != "en":
        text = f"{text}\n(The description is in {language_name(language)}; answer in English.)"
    return prompts.correction_prompt(text, *failure) if failure else prompts.extraction_prompt(text)


def _settled(reply: str, caption: str) -> ImageSemantics:
    """The semantics of an answer, with the rules' components where it has none that can be believed.

    Raises:
        SesaHandError: If nothing of it can be used.
    """
    text = read_syntax(caption).text
    language = detect_language(text)
    by_rules = rules.extract(text) if language == "en" else BehaviorSemantics()
    answer = read_answer(reply)
    _refuse_copy(answer, text, by_rules)
    settled = settle(answer, text, by_rules, translated=language != "en")
    behavior = _without_emphasis(settled.behavior)
    hands = hands_of(caption) or _hands_of_behavior(behavior)
    return ImageSemantics(behavior, "language model", caption, hands=hands, language=language, origins=settled.origins)


def _refuse_copy(answer: dict[str, str], caption: str, by_rules: BehaviorSemantics) -> None:
    """Refuse an answer copied from an example, and an empty one where the rules see a person doing something."""
    for text, _, components in prompts.EXTRACTION_EXAMPLES:
        if answer == components and caption.strip() != text:
            raise SesaHandError("it repeats an example; answer about the last description.")
    if not any(answer.values()) and any(by_rules.to_dict().values()):
        raise SesaHandError("all components are empty, but the description tells what a person does.")


def _after_model(caption: str, failure: tuple[str, str] | None) -> ImageSemantics:
    if failure is None:
        return _by_rules(caption)
    logger.warning("The language model's answers could not be used, so the rules answered: %s", failure[1])
    return _by_rules(caption, failure[1])


def _by_rules(caption: str, reason: str = "") -> ImageSemantics:
    """What the rules read in a caption; `reason` is why the language model did not answer, if there is one."""
    text = read_syntax(caption).text
    language = detect_language(text)
    behavior = _without_emphasis(rules.extract(text)) if language == "en" else BehaviorSemantics()
    notes = [reason] if reason else []
    if not caption.strip():
        notes.append("the caption is empty")
    elif language != "en":
        notes.append(
            f"the caption is in {language_name(language)}, which the rules do not read: it is passed on as it stands, "
            "with its hand words. A language model (vlm) translates it"
        )
    elif not any(behavior.to_dict().values()):
        notes.append("the rules found nobody who does anything in the caption: it is passed on as it stands")
    source = "rules after language model" if reason else "rules"
    return ImageSemantics(behavior, source, caption, "; ".join(notes), hands=hands_of(caption), language=language)


def _without_emphasis(behavior: BehaviorSemantics) -> BehaviorSemantics:
    """Components without the marks that a text encoder takes for emphasis: in a caption they mean none."""
    return BehaviorSemantics(**{name: re.sub(r"[()\\]", " ", text) for name, text in behavior.to_dict().items()})


def _without_thoughts(answer: str) -> str:
    """The answer behind the last closing think tag; an open tag that is never closed is only removed."""
    parts = split_thoughts(answer)
    return without_open_tags(next((part for part in reversed(parts) if "{" in part or "[" in part), parts[-1]))


def _decoded(text: str) -> list[object]:
    """Every JSON value in the text that begins with a brace or bracket, in order; strict JSON first, then lenient."""
    found, at, tries = [], 0, 0
    decoder = json.JSONDecoder()
    starts = [match.start() for match in re.finditer(r"[{\[]", text)]
    for start in starts:
        if start < at or tries >= DECODE_TRIES:
            continue
        tries += 1
        try:
            value, at = decoder.raw_decode(text, start)
            found.append(value)
        except (ValueError, RecursionError):
            continue
    useful = [value for value in found if _mentions_components(value)]
    return useful or found + _lenient(text)


def _mentions_components(value: object) -> bool:
    try:
        text = json.dumps(value)[:LONGEST_ANSWER].lower()
    except RecursionError:
        # Writing takes more of the stack than reading did.
        return False
    return any(name in text for name in ("pos", "action", "environment", "hand"))


_NAMES = sorted((*COMPONENTS, *SYNONYMS), key=len, reverse=True)
_KEY = rf"(?<!\w)[\"'“”]?(?P<key>{'|'.join(_NAMES).replace('_', '[_ -]?')})[\"'“”]?\s*[:=]\s*"
_VALUE = (
    r"(?:\"(?P<double>(?:\\.|[^\"\\])*)\"|'(?P<single>(?:\\.|(?!'\s*(?:[,}\]]|$)).)*)'"
    r"|“(?P<curly>[^”]*)”|(?P<null>null|None))"
)
_PAIR = re.compile(_KEY + _VALUE, re.IGNORECASE | re.DOTALL)


def _lenient(text: str) -> list[object]:
    """Objects written like JSON but not quite: single quotes, bare keys, trailing commas, Python's None."""
    objects: list[object] = []
    for match in re.finditer(r"\{[^{}]*\}", text):
        pairs = {
            pair["key"].lower(): pair["double"] or pair["single"] or pair["curly"] or ""
            for pair in _PAIR.finditer(match.group())
        }
        if pairs:
            objects.append({key: re.sub(r"\\(.)", r"\1", value) for key, value in pairs.items()})
    return [objects] if len(objects) > 1 and _in_list(text) else objects


_LIST_BEGINS = re.compile(r"\[\s*\{")
_NEXT_OBJECT = re.compile(r"\}\s*,\s*\{")
_LIST_ENDS = re.compile(r"\}\s*(?:,\s*)?\]")


def _in_list(text: str) -> bool:
    """Whether two objects stand in one list: "[{", then "}, {", then "}]", whatever stands between them."""
    begin = _LIST_BEGINS.search(text)
    following = _NEXT_OBJECT.search(text, begin.end()) if begin else None
    return following is not None and _LIST_ENDS.search(text, following.end()) is not None


def _validated(value: object) -> dict[str, str]:
    """Check a decoded value and take the components it names; several persons are merged into one.

    A list stands for several persons, and so does an object of objects.
    """
    if isinstance(value, list):
        persons = [item for item in value if isinstance(item, dict)]
        if not persons:
            raise SesaHandError("expected a JSON object with the four components, got a list without objects.")
        return _merged([_validated(item) for item in persons])
    if not isinstance(value, dict):
        raise SesaHandError(f"expected a JSON object with the four components, got {type(value).__name__}.")
    named = {component_name(key) for key in value}.intersection(COMPONENTS)
    inner = [item for item in value.values() if isinstance(item, (dict, list)) and _holds_objects(item)]
    if inner and not named:
        return _merged(_usable(inner))
    behavior = _bounded(BehaviorSemantics.from_mapping(value)).to_dict()
    return {name: text for name, text in behavior.items() if name in named}


def _merged(persons: list[dict[str, str]]) -> dict[str, str]:
    named = {name for person in persons for name in person}
    merged = _bounded(merge(BehaviorSemantics(**person) for person in persons)).to_dict()
    return {name: text for name, text in merged.items() if name in named}


def _usable(values: list) -> list[dict[str, str]]:
    """The semantics of the values that can be read; raises what is wrong with the last if there is none."""
    found, problem = [], SesaHandError("the answer holds no object with the four components.")
    for value in values:
        try:
            found.append(_validated(value))
        except SesaHandError as error:
            problem = error
    if not found:
        raise problem
    return found


def _holds_objects(value: dict | list) -> bool:
    return isinstance(value, dict) or any(isinstance(item, dict) for item in value)


def _bounded(behavior: BehaviorSemantics) -> BehaviorSemantics:
    longest = max(COMPONENTS, key=lambda name: len(getattr(behavior, name)))
    if len(getattr(behavior, longest)) > LONGEST_COMPONENT:
        raise SesaHandError(f"'{longest}' has more than {LONGEST_COMPONENT} characters; each value is a short phrase.")
    return behavior


def describe_sources(images: Iterable[ImageSemantics]) -> str:
    """Which path made which entry, in one line: "3 by rules, 1 by language model"."""
    counts: dict[str, int] = {}
    for image in images:
        counts[image.source] = counts.get(image.source, 0) + 1
    return ", ".join(f"{count} by {source}" for source, count in counts.items())
