"""What is asked of a picture: words as semantics with their prompt, and the hands that go with them."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ..attention.tokens import fewest_columns
from ..errors import SesaHandError, printable
from ..scene.hand_scene import HandScene
from ..semantics.behavior import ImageSemantics
from ..semantics.captions import check_readable, read_caption
from ..semantics.composer import as_typed, compose_batch
from ..semantics.extractor import extract_semantics
from ..vlm.captioner import Captioner

logger = logging.getLogger(__name__)


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
    batch, warnings = compose_batch(batch, prefix=prefix, style=style, count_tokens=fewest_columns)
    return batch.images[0], warnings


def describe(text: str, vlm: Captioner | None = None, *, prefix: str = "", style: str = "") -> ImageSemantics:
    """Return what a sentence, a caption in a .txt file or a picture says: behaviour, hand words and prompt.

    Args:
        text: The sentence, or a path; a picture needs a captioner.
        vlm: Looks at pictures and reasons about captions; None leaves captions to the rules.
        prefix: Goes in front of the prompt.
        style: Goes behind it.

    Raises:
        InvalidFileError: If a file cannot be read.
        SesaHandError: If there is no text, or a picture without a captioner.
    """
    check_readable(text)
    image, warnings = read_words(read_caption(text, vlm), vlm, prefix=prefix, style=style)
    for warning in warnings:
        logger.warning("%s", printable(warning))
    return image
