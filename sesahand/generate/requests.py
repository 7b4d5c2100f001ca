"""What is asked of a picture: words as semantics with their prompt, and the hands that go with them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ..attention.tokens import fewest_columns
from ..errors import SesaHandError
from ..hands.gestures import gesture_names
from ..hands.named_gestures import NamedGesture, find_named_gesture
from ..hands.scene import HandScene
from ..semantics.behavior import ImageSemantics, SemanticsBatch, Span
from ..semantics.composer import compose_batch
from ..semantics.extractor import extract_semantics
from ..semantics.hand_words import hand_word_spans

# Up to two words may stand between, as in "her left clenched hand".
_SIDED = re.compile(
    r"\b(left|right)[ -](?:[a-z]+[ -]){0,2}?(?:hand|fist|palm|thumb|index|finger)|\b(both|two) (?:[a-z]+ )?"
    r"(?:hands|palms|fists|thumbs)",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class PictureRequest:
    """One picture to be made.

    Attributes:
        semantics: What is said, with the prompt and its spans.
        scene: The hands, one frame.
        gesture: Name of the gesture in the library, or empty.
    """

    semantics: ImageSemantics
    scene: HandScene
    gesture: str = ""


def read_words(
    text: str,
    vlm=None,
    *,
    verbatim: bool = False,
    prefix: str = "",
    style: str = "",
    max_tokens: int = 512,
    seed: int = 0,
) -> tuple[ImageSemantics, list[str]]:
    """Reduce a sentence or a caption to semantics and compose its prompt.

    Args:
        text: The sentence or caption.
        vlm: A captioner handle that reasons about it; None takes the rules.
        verbatim: Let the text be the prompt as it is.
        prefix: Goes in front of the prompt.
        style: Goes behind it.
        max_tokens: Of an answer of the captioner.
        seed: Of the captioner.

    Returns:
        The semantics, and what the user should know of them.
    """
    if not text.strip():
        raise SesaHandError("The sentence is empty: say what the person and the hand do.")
    batch = extract_semantics([text], vlm, max_tokens=max_tokens, seed=seed)
    if verbatim:
        return as_typed(batch.images[0], text, prefix, style), []
    if not any(vars(batch.images[0].behavior).values()):
        typed = as_typed(batch.images[0], text, prefix, style)
        return typed, ["The sentence names no behaviour: it is the prompt as it stands."]
    batch, warnings = compose_batch(batch, prefix=prefix, style=style, count_tokens=fewest_columns)
    return batch.images[0], warnings


def as_typed(image: ImageSemantics, text: str, prefix: str = "", style: str = "") -> ImageSemantics:
    """The semantics with a text as it was typed for their prompt, and its hand words as spans."""
    prompt = ", ".join(filter(None, (" ".join(part.split()) for part in (prefix, text, style))))
    spans = tuple(Span("hand word", start, end, prompt[start:end]) for start, end in hand_word_spans(prompt))
    return replace(image, prompt=prompt, spans=spans)


def batch_in_small_words(batch: SemanticsBatch) -> SemanticsBatch:
    """Semantics with components in the small model's own words, as far as it has words for the same."""
    from ..training.vocabulary import translate

    def translated(image: ImageSemantics) -> ImageSemantics:
        own = {name: translate(text).text for name, text in image.behavior.to_dict().items()}
        return replace(image, behavior=image.behavior.replace(**own))

    return SemanticsBatch(tuple(map(translated, batch.images)))


def in_small_words(image: ImageSemantics) -> ImageSemantics:
    """The semantics with a prompt in the small model's own words, as far as it has words for the same."""
    from ..training.vocabulary import translate

    translated = translate(image.prompt).text
    return image if translated == image.prompt else as_typed(image, translated)


def gesture_of(image: ImageSemantics) -> NamedGesture:
    """The gesture that a caption names: what the hands do first, then the caption.

    Raises:
        SesaHandError: If it names none; the message lists the gestures.
    """
    found = named_gesture(image)
    if found is None:
        said = image.caption or image.prompt
        raise SesaHandError(
            f"{said!r:.120} names no gesture. Name one in it, or with --gesture, or give hands with --scene or "
            f"--picture-hands. Gestures are: {', '.join(gesture_names())}."
        )
    return found


def named_gesture(image: ImageSemantics) -> NamedGesture | None:
    """The gesture that semantics name: by what the hands do first, then by the caption, then by the prompt."""
    return find_named_gesture(_texts_of(image))


def named_side(image: ImageSemantics) -> str | None:
    """Whose hand semantics speak of, by the first of the same texts that says it: "right", "left", "both" or None."""
    return next(filter(None, map(side_of, _texts_of(image))), None)


def _texts_of(image: ImageSemantics) -> list[str]:
    return [image.behavior.hand_action, image.caption, image.prompt]


def side_of(text: str) -> str | None:
    """Whose hand a text speaks of: "right", "left" or "both"; None if it does not say."""
    found = _SIDED.search(text)
    if found is None:
        return None
    return found[1].lower() if found[1] else "both"
