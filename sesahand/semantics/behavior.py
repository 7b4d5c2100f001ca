"""What travels on a SESAHAND_SEMANTICS wire: human behaviour per image, and where it came from."""

import dataclasses
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import InvalidFileError, SesaHandError
from ..files.reading import parse_json
from ..vlm.reasoning import without_marks
from .described_hands import DescribedHand
from .hand_reading import hands_of

COMPONENTS = ("pose", "action", "hand_action", "environment")

SOURCES = ("language model", "rules", "rules after language model", "typed", "edited")
"""How a result came about; "rules after language model" means that no answer of the model could be used."""


@dataclass(frozen=True)
class BehaviorSemantics:
    """The four components of human behaviour in one picture; an empty string says that there is none.

    Args:
        pose: how the bodies are placed, for example "a woman sitting at a table".
        action: what the persons do.
        hand_action: what the hands do and what they hold or touch.
        environment: where it happens.

    Source: paper, semantic alignment (chain of thought, step 2).
    """

    pose: str = ""
    action: str = ""
    hand_action: str = ""
    environment: str = ""

    def __post_init__(self):
        for name in COMPONENTS:
            value = getattr(self, name)
            if not isinstance(value, str):
                raise SesaHandError(f"The component '{name}' must be text, got {type(value).__name__}: {value!r:.80}.")
            object.__setattr__(self, name, " ".join(value.split()))

    @classmethod
    def from_mapping(cls, components: Mapping) -> "BehaviorSemantics":
        """Check a decoded JSON object and take its four components.

        Args:
            components: keys as in `COMPONENTS`, in any letter case, with spaces or hyphens for underscores, or as in
                `SYNONYMS`. A missing or null value and words such as "not visible" count as empty; a list of texts and
                an object of texts, one for each hand, are joined. Other keys are ignored.

        Raises:
            SesaHandError: when no key is a component, or a value holds anything but texts.
        """
        found = {}
        for key, value in components.items():
            name = component_name(key)
            if name in COMPONENTS:
                found[name] = _text(name, value)
        if not found:
            raise SesaHandError(
                f"Expected an object with the keys {', '.join(COMPONENTS)}; got the keys "
                f"{', '.join(repr(str(key)[:40]) for key in list(components)[:8]) or 'of an empty object'}."
            )
        return cls(**found)

    def replace(self, **components: str) -> "BehaviorSemantics":
        """A copy with some components replaced."""
        return dataclasses.replace(self, **components)

    def to_dict(self) -> dict[str, str]:
        """The components by name, in the order of `COMPONENTS`."""
        return {name: getattr(self, name) for name in COMPONENTS}


def merge(persons: Iterable[BehaviorSemantics]) -> BehaviorSemantics:
    """One semantics for a picture of several persons: the phrases in order, each said once."""
    persons = list(persons)
    return BehaviorSemantics(
        **{name: ", ".join(dict.fromkeys(filter(None, (getattr(p, name) for p in persons)))) for name in COMPONENTS}
    )


def component_name(key: object) -> str:
    """The component that a key of decoded JSON means, or the key itself with underscores if it means none."""
    name = "_".join(str(key).lower().replace("-", " ").replace("_", " ").split())
    return SYNONYMS.get(name, name)


SYNONYMS = {
    **dict.fromkeys(("handaction", "hand_actions", "hands_action", "hands_actions", "hands", "hand"), "hand_action"),
    **dict.fromkeys(("poses", "posture", "body_pose"), "pose"),
    **dict.fromkeys(("actions", "activity"), "action"),
    **dict.fromkeys(("environments", "place", "location", "setting", "scene"), "environment"),
}
"""What language models write for the names of components."""

_SAID = (
    r"(?:described|visible|mentioned|specified|stated|given|shown|seen|provided|available|applicable|present|clear"
    r"|known|detected|depicted|indicated|included|discernible|determined|determinable|identified|identifiable"
    r"|recogni[sz]able|inferred|discussed|noted|listed|reported|defined|detailed|apparent|evident|found|recorded|sure)"
)
_THING = (
    r"(?:pose|posture|body|actions?|activity|activities|hand[ _-]?actions?|hands?(?: or fingers?)?|fingers?|gestures?"
    r"|environment|place|location|setting|scene|background|surroundings?|details?|information|data|context|component"
    r"|value|field|answer|persons?|people|subject|behaviou?r|one|this|that|it|they|anything)"
)
_WHICH = (
    r"(?:(?:the|a|an|any|his|her|its|their|this|that|such|of|specific|exact|particular|clear|other|further|more|much"
    r"|additional|explicit|sufficient|enough|relevant|discernible|person's|woman's|man's|left|right"
    r"|both|about|on|for) )*"
)
_SOURCE = r"(?:description|caption|text|image|picture|photo|photograph|input|prompt|passage|sentence|scene|view|frame)"
_BE = r"(?:is|are|was|were|has been|have been|isn't|aren't|wasn't|weren't)"
_TELL = (
    r"(?:mention|describe|specify|state|show|say|give|provide|indicate|tell|reveal|contain|include|name|detail|depict"
    r"|identify|define|determine|see|know|infer|discern|find)s?"
)
_TAIL = (
    rf"(?: (?:here|explicitly|directly|clearly|at all|anywhere|yet|in the \w+"
    rf"|(?:in|by|from|within|on) {_WHICH}(?:given |provided |original )?{_SOURCE}))?"
)
_NO_ANSWER = re.compile(
    rf"(?:none|nothing|nobody|no one|no(?: [\w-]+){{0,3}}|{_WHICH}{_THING}(?: {_WHICH}{_THING})?|it|there)?"
    rf" ?(?:{_BE} )?(?:not |n't |nowhere |never )?(?:\w+ly )?(?:be )?{_SAID}{_TAIL}"
    rf"|(?:it )?(?:{_BE} )?(?:cannot|can't|can not|could not|couldn't|unable to|impossible to|not possible to|hard to"
    rf"|difficult to|i (?:cannot|can't|don't know|do not know|am not sure))"
    rf"(?: (?:be )?(?:\w+ly )?(?:{_SAID}|{_TELL})(?: {_WHICH}{_THING})?)?{_TAIL}"
    rf"|{_WHICH}{_THING} (?:cannot|can't|can not|could not|couldn't) be (?:\w+ly )?{_SAID}{_TAIL}"
    rf"|{_WHICH}{_SOURCE} (?:does not|doesn't|did not|didn't|do not|don't) (?:\w+ly )?{_TELL}(?: {_WHICH}\w+)?"
    rf"(?: (?:or|and|of) {_WHICH}\w+)?{_TAIL}"
    rf"|(?:there (?:is|are|was|were) )?(?:no|not enough|insufficient|unknown|unclear|unspecified|undefined|missing"
    rf"|without|lack of) {_WHICH}{_THING}(?: (?:or|and|of|about|on|for|regarding) {_WHICH}{_THING})?"
    rf"(?: (?:{_BE} )?{_SAID})?{_TAIL}"
    rf"|(?:there (?:is|are) )?no mention(?: of {_WHICH}{_THING})?{_TAIL}|(?:unclear|unknown|unspecified){_TAIL}"
    rf"|{_WHICH}{_THING} (?:{_BE}|remains?) (?:unknown|unclear|unspecified|undefined|missing|omitted|hidden)"
    rf"|(?:it is |it's )?(?:none|null|nil|nothing|n/?a|n\.a\.?|unknown|unspecified|undescribed|undefined|unclear|empty"
    rf"|blank|left blank|empty string|no idea|not sure|nobody|no one|undetermined|unmentioned|ambiguous|missing|tbd)"
)
_BUT_NO = re.compile(
    r"\b(?:no|not|none|nothing|nobody|nowhere|never|cannot|unable|un\w+|insufficient|lack|without|n/?a"
    r"|n\.a|null|nil|empty|blank|\w+n't|missing|ambiguous|impossible|hard|difficult|hidden|omitted|tbd)\b"
)


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _said(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(filter(None, map(_said, value)))
    if isinstance(value, dict) and value and all(isinstance(item, str) for item in value.values()):
        return ", ".join(_of_hand(str(key), text) for key, item in value.items() if (text := _said(item)))
    raise SesaHandError(f"The component '{name}' must be text or a list of texts, got {type(value).__name__}.")


def _said(value: str) -> str:
    """A value without control characters; nothing for words that only say that nothing is said, or for no words."""
    text = "".join(" " if unicodedata.category(letter) in ("Cc", "Cf", "Cs") else letter for letter in value).strip()
    text = without_marks(text)
    clauses = re.split(
        r"[;,:()\[\]]|[.!?](?:\s|$)| [-\u2013\u2014] ", " ".join(text.lower().replace("\u2019", "'").split())
    )
    bare = [re.sub(r"^\W+|\W+$", "", clause) for clause in clauses]
    silent = [_says_nothing(clause) for clause in bare]
    # "Environment: not mentioned" names what it says nothing of.
    heading = any(silent) and re.fullmatch(f"{_WHICH}{_THING}", bare[0]) is not None
    told = any(clause and not quiet for clause, quiet in list(zip(bare, silent, strict=True))[heading:])
    return text if told else ""


def _says_nothing(clause: str) -> bool:
    """Whether a clause only says that nothing is said: "the environment is not mentioned"."""
    return bool(_BUT_NO.search(clause) and len(clause) < 200 and _NO_ANSWER.fullmatch(clause))


def _of_hand(key: str, text: str) -> str:
    """What a hand does, with the hand in front unless the text names it: "left", "holds a cup"."""
    side = re.search(r"left|right|both", key.lower())
    if side is None or side.group() in text.lower():
        return text
    return f"{side.group()} {'hands' if side.group() == 'both' else 'hand'} {text}"


@dataclass(frozen=True)
class Span:
    """A stretch of a prompt: `prompt[start:end]` is `text`.

    Args:
        part: a component, "prefix", "style" or "hand word".
        start: position of the first character.
        end: position behind the last character.
        text: what stands there.
    """

    part: str
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class ImageSemantics:
    """One image's entry in a batch.

    Args:
        behavior: the four components.
        source: one of `SOURCES`.
        caption: the description the components were taken from; empty when typed.
        note: why a language model's answer was not used, or empty.
        prompt: the composed prompt, or empty before composing.
        spans: where the components and the hand words stand in `prompt`.
        hands: each hand that is described.
        language: of the caption: "en", another code of `languages`, or "other".
        origins: for components that did not come from `source`, their name and where they came from.
    """

    behavior: BehaviorSemantics
    source: str
    caption: str = ""
    note: str = ""
    prompt: str = ""
    spans: tuple[Span, ...] = ()
    hands: tuple[DescribedHand, ...] = ()
    language: str = "en"
    origins: tuple[tuple[str, str], ...] = ()

    def __post_init__(self):
        if self.source not in SOURCES:
            raise SesaHandError(
                f"The source of semantics must be one of {', '.join(SOURCES)}; got {self.source!r:.60}."
            )
        for span in self.spans:
            if self.prompt[span.start : span.end] != span.text:
                raise SesaHandError(
                    f"The span of '{span.part}' ({span.start}-{span.end}) does not stand in the prompt. "
                    "Compose the prompt again after editing it."
                )

    def of_part(self, part: str) -> list[Span]:
        """The spans of one component, or of the hand words."""
        return [span for span in self.spans if span.part == part]


def _hands_of_entry(entry: Mapping) -> tuple[DescribedHand, ...]:
    """The hands of a saved entry; read again from its words where it is older than they are."""
    if "hands" in entry:
        return tuple(DescribedHand.from_mapping(hand) for hand in entry["hands"])
    texts = (entry["behavior"].get("hand_action"), entry.get("caption"), entry.get("prompt"))
    return next(filter(None, (hands_of(str(text)) for text in texts if text)), ())


@dataclass(frozen=True)
class SemanticsBatch:
    """The value on a SESAHAND_SEMANTICS wire: one entry per image, in the order of the images."""

    images: tuple[ImageSemantics, ...]

    def to_json(self) -> str:
        """The batch as JSON text."""
        return json.dumps([dataclasses.asdict(image) for image in self.images], ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "SemanticsBatch":
        """Read what `to_json` wrote.

        Raises:
            SesaHandError: when the text is no such JSON.
        """
        try:
            entries = parse_json(text, "the text")
            images = tuple(
                ImageSemantics(
                    behavior=BehaviorSemantics(**entry["behavior"]),
                    source=entry["source"],
                    caption=str(entry.get("caption", "")),
                    note=str(entry.get("note", "")),
                    prompt=str(entry.get("prompt", "")),
                    spans=tuple(Span(**span) for span in entry.get("spans", ())),
                    hands=_hands_of_entry(entry),
                    language=str(entry.get("language", "en")),
                    origins=tuple((str(name), str(origin)) for name, origin in entry.get("origins", ())),
                )
                for entry in entries
            )
        except (InvalidFileError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise SesaHandError(f"This is not the JSON of SesaHand semantics: {error!r:.200}.") from error
        return cls(images)
