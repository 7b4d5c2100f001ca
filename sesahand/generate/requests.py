"""What is asked of a picture: words as semantics with their prompt, and the hands that go with them."""

from __future__ import annotations

from dataclasses import dataclass

from ..attention.tokens import fewest_columns
from ..errors import SesaHandError
from ..scene.hand_scene import HandScene
from ..semantics.behavior import ImageSemantics
from ..semantics.composer import as_typed, compose_batch
from ..semantics.extractor import extract_semantics


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
