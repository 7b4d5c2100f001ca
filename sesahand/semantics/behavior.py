"""What travels on a SESAHAND_SEMANTICS wire: human behaviour per image, and where it came from."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import SesaHandError

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
            components: keys as in `COMPONENTS`, in any letter case and with spaces or hyphens for underscores; a
                missing or null value counts as empty, a list of strings is joined. Other keys are ignored.

        Raises:
            SesaHandError: when no key is a component, or a value is neither text nor a list of texts.
        """
        found = {}
        for key, value in components.items():
            name = "_".join(str(key).lower().replace("-", " ").replace("_", " ").split())
            name = {"handaction": "hand_action", "hands": "hand_action", "place": "environment"}.get(name, name)
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


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return "" if value.strip().lower() in ("none", "n/a", "null", "unknown", "not specified", "-") else value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(item.strip() for item in value if item.strip())
    raise SesaHandError(f"The component '{name}' must be text or a list of texts, got {type(value).__name__}.")


@dataclass(frozen=True)
class Span:
    """A stretch of a prompt: `prompt[start:end]` is `text`; `part` is a component or "hand word"."""

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
    """

    behavior: BehaviorSemantics
    source: str
    caption: str = ""
    note: str = ""
    prompt: str = ""
    spans: tuple[Span, ...] = ()

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
            entries = json.loads(text)
            images = tuple(
                ImageSemantics(
                    behavior=BehaviorSemantics(**entry["behavior"]),
                    source=entry["source"],
                    caption=str(entry.get("caption", "")),
                    note=str(entry.get("note", "")),
                    prompt=str(entry.get("prompt", "")),
                    spans=tuple(Span(**span) for span in entry.get("spans", ())),
                )
                for entry in entries
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise SesaHandError(f"This is not the JSON of SesaHand semantics: {error!r:.200}.") from error
        return cls(images)
