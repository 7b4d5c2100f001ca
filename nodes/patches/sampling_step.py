"""What is known of one step of ComfyUI's sampling: its prompts, and what the bias and recording nodes ask for."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ...sesahand.attention.heatmap import BlockShares, MapAverage
from ...sesahand.errors import SesaHandError, printable

logger = logging.getLogger(__name__)

TOKENS = "sesahand_tokens"
KEY = "sesahand_attention"
SESSION = "sesahand_attention_session"

Area = tuple[int, int, int, int]


@dataclass(frozen=True)
class Bias:
    """What one bias node asks for; `mask` gives the weights [b, H, W] on a latent of that size."""

    alpha: float
    blocks: str
    mask: Callable[[int, int], torch.Tensor] | None = None


@dataclass(frozen=True)
class Recording:
    """What one recording node asks for: the mean map of this step, from grids no finer than 1/`coarseness` latent."""

    blocks: str
    coarseness: int
    average: MapAverage
    shares: BlockShares


@dataclass
class Session:
    """One sampling: which prompts are positive, what was warned of, and the maps of each recording node so far."""

    positive: frozenset
    warned: set[str] = field(default_factory=set)
    runs: dict[str, list] = field(default_factory=dict)

    def warn_once(self, message: str) -> None:
        if message not in self.warned:
            self.warned.add(message)
            logger.warning("%s", printable(message))


@dataclass(frozen=True, eq=False)
class Prompt:
    """One conditioning of the step: its text [b, L, D], the hand tokens in it, and the part of the latent it covers.

    The text is as the model takes it; `rows` are those that it was encoded in, in which the columns are counted.
    """

    text: torch.Tensor
    columns: tuple[int, ...]
    uuid: Any
    area: Area | None
    rows: int


@dataclass(frozen=True, eq=False)
class Step:
    """The prediction of one step: its prompts by place and uuid, the latent [b, c, h, w], and what is to be done."""

    prompts: dict[tuple[int, Any], Prompt]
    latent: torch.Tensor
    session: Session
    biases: tuple[Bias, ...] = ()
    records: tuple[Recording, ...] = ()
    texts: dict[tuple, torch.Tensor] = field(default_factory=dict, repr=False)
    latents: dict[torch.device, torch.Tensor] = field(default_factory=dict, repr=False)

    def check_numbers(self) -> None:
        """Say that a text or the latent holds NaN, which equals nothing, before anything else is blamed for it.

        Raises:
            SesaHandError: If one does.
        """
        if not all(bool(torch.isfinite(prompt.text).all()) for prompt in self.prompts.values()):
            raise SesaHandError(
                "The text of a conditioning holds values that are not numbers (NaN or infinity), so nothing can be "
                "told by it. Look at the node that made it, or at the text encoder's precision."
            )
        if not bool(torch.isfinite(self.latent).all()):
            raise SesaHandError(
                "The latent that is sampled holds values that are not numbers (NaN or infinity), so its pictures "
                "cannot be told apart. Look at the node that made it, or at the model's precision."
            )

    def text_of(self, prompt: Prompt, like: torch.Tensor) -> torch.Tensor:
        """The text [b, L, D] of a prompt on the device and in the type of `like`; moved once in the step."""
        known = prompt, like.device, like.dtype
        if known not in self.texts:
            self.texts[known] = prompt.text.to(like)
        return self.texts[known]

    def latent_on(self, device: torch.device) -> torch.Tensor:
        """The latent on a device: where ComfyUI shares the prompts out among several, each has its own copy."""
        if device not in self.latents:
            self.latents[device] = self.latent.to(device)
        return self.latents[device]


def find_prompts(conds: Sequence, shape: tuple[int, ...], session: Session) -> dict[tuple[int, Any], Prompt]:
    """The prompt of every conditioning, by its place in `conds` and its uuid."""
    entries = [(place, cond, _text_of(cond)) for place, group in enumerate(conds) for cond in group or ()]
    entries = [entry for entry in entries if entry[2] is not None]
    owners = [(text, cond) for _, cond, text in entries if _has_own_text(cond, text, entries)]
    prompts = {}
    for place, cond, text in entries:
        owner = _owner(cond, text, owners)
        if owner is None and any(TOKENS in other for _, other, _ in entries):
            session.warn_once(
                "The text of a conditioning with an area is not that of any encoded prompt, so its hand words are not "
                "known and not acted on. Bypass the node that changes the text after its encoding."
            )
        columns = tuple(owner[TOKENS]["columns"]) if owner is not None and TOKENS in owner else ()
        uuid = owner["uuid"] if owner is not None else cond["uuid"]
        encoded = (owner or cond).get("cross_attn")
        rows = text.shape[1] if encoded is None else encoded.shape[1]
        prompts[place, cond["uuid"]] = Prompt(text, columns, uuid, _clipped(cond.get("area"), shape), rows)
    return prompts


def _owner(cond: dict, text: torch.Tensor, owners: list[tuple[torch.Tensor, dict]]) -> dict | None:
    """The conditioning whose hand tokens go with the text of this one, or None if none is known to have that text."""
    # ComfyUI fills an area that only one side has with a copy of the other side's entry under this side's text: such
    # an entry carries foreign hand tokens, and its own are those of the conditioning its text came from.
    if any(cond is own for _, own in owners):
        return cond
    for same in (lambda known: known is text, lambda known: _same_text(known, text)):
        for known, own in owners:
            if same(known):
                return own
    return cond if "area" not in cond else None


def _has_own_text(cond: dict, text: torch.Tensor, entries: Sequence[tuple[int, dict, torch.Tensor]]) -> bool:
    """Whether this text is what became of the conditioning's own."""
    encoded = cond.get("cross_attn")
    if encoded is None or encoded.shape[1] == text.shape[1]:
        return _same_text(text, encoded)
    # The model has made another text of it (Flux 2 and Anima fill it up). A copy under another's text shares its uuid
    # with the one that it was copied from, and its text with the one that the text came from.
    others = [(other["uuid"] == cond["uuid"], known) for _, other, known in entries if other is not cond]
    is_copied = any(same and not _same_text(text, known) for same, known in others)
    return not (is_copied and any(not same and _same_text(text, known) for same, known in others))


def _same_text(text: torch.Tensor, other: torch.Tensor | None) -> bool:
    """Whether two texts have the same values; the usual case, that they are one tensor, costs nothing."""
    if text is other:
        return True
    return other is not None and text.shape == other.shape and torch.equal(text, other.to(text))


def _text_of(cond: dict) -> torch.Tensor | None:
    text = cond.get("model_conds", {}).get("c_crossattn")
    return None if text is None else text.cond


def _clipped(area: Sequence[int] | None, shape: tuple[int, ...]) -> Area | None:
    if area is None:
        return None
    half = len(area) // 2
    height, width, top, left = (int(value) for value in (*area[:half][-2:], *area[half:][-2:]))
    if half == 3 and (int(area[3]) > 0 or int(area[0]) < shape[2]):
        raise SesaHandError(
            f"A conditioning has {int(area[0])} of the {shape[2]} frames as its area, in which the attention to its "
            "hand words cannot be told. Give it all frames, or bypass Attention Bias and Record Attention."
        )
    return min(shape[-2] - top, height), min(shape[-1] - left, width), top, left
