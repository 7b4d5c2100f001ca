"""What a vision-language model must do to be used here, be it in this process or behind a server."""

from typing import Protocol, runtime_checkable

import torch

from ..callbacks import Progress
from ..errors import SesaHandError
from .reasoning import begins_with_thought, split_thoughts, without_marks


@runtime_checkable
class Captioner(Protocol):
    """A model that describes pictures and continues text.

    Attributes:
        name: What to call it in messages; never holds a key.
    """

    @property
    def name(self) -> str: ...

    def describe(
        self,
        images: torch.Tensor,
        instruction: str,
        *,
        max_tokens: int,
        seed: int,
        temperature: float = 0.0,
        max_side: int = 1024,
        progress: Progress | None = None,
    ) -> list[str]:
        """Write one caption per image.

        Args:
            images: `[B, H, W, C]` float in 0..1 with 1, 3 or 4 channels.
            instruction: What to describe.
            max_tokens: Most tokens per caption.
            seed: The same seed gives the same text; the random state of the process is left alone.
            temperature: 0 takes the likeliest token each time, more samples; 0.7 is lively.
            max_side: Longer side, in pixels, to which larger images are shrunk.
            progress: Called between tokens; may raise to interrupt.

        Returns:
            B captions, in the order of the images.

        Raises:
            SesaHandError: An image cannot be used, or the model or its server cannot answer.
        """
        ...

    def complete(
        self,
        prompts: list[str],
        *,
        system: str = "",
        max_tokens: int,
        seed: int,
        temperature: float = 0.0,
        progress: Progress | None = None,
    ) -> list[str]:
        """Answer text prompts, one answer each, in order; arguments as in `describe`."""
        ...


def without_reasoning(text: str, max_tokens: int) -> str:
    """Drop what a reasoning model thought before it answered.

    Args:
        text: An answer, perhaps with `<think>...</think>` before it (some templates put the opening tag in the prompt).
        max_tokens: The limit under which it was written, for the message.

    Returns:
        The answer alone, stripped, without the marks of the model's template.

    Raises:
        SesaHandError: The thought was cut off by the limit, so that there is no answer.
    """
    answer = without_marks(split_thoughts(text)[-1])
    if begins_with_thought(answer):
        raise SesaHandError(
            f"The model spent all of its {max_tokens} tokens on thinking and gave no answer. Raise the length limit, "
            "or use a model that does not reason aloud."
        )
    return answer
