"""Which prompt and which picture each row of a batch belongs to, told by what the row holds.

ComfyUI says in which order it batched the prompts, but other nodes may turn, split or multiply that batch before it
reaches the model. So the order is believed only where text and latent of every row agree with it; otherwise each row is
looked up among the prompts and pictures of the step.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...sesahand.errors import SesaHandError
from .sampling_step import Area, Prompt, Step


@dataclass(frozen=True)
class Row:
    """One row of a batch: its prompt, after how many keys that repeats, and its picture; None for what is unknown."""

    prompt: Prompt | None
    period: int
    image: int | None


def match_rows(step: Step, x: torch.Tensor, context: torch.Tensor, chunks: Sequence[tuple[int, Any]]) -> list[Row]:
    """Find prompt and picture of every row of a call of the model.

    Args:
        step: The step the call is part of.
        x: [B, c, h, w], the latents of the call.
        context: [B, K, D], its texts.
        chunks: Place and uuid of the prompts in the order in which ComfyUI batched them, each with all pictures.

    Returns:
        One row for each of the batch.

    Raises:
        SesaHandError: A row fits several prompts that ask for different things.
    """
    placed = rows_in_place(step, x, chunks)
    if placed is None:
        return [row_by_content(step, x[i], context[i], chunks) for i in range(len(x))]
    checks = [_carries(context[i], row, step) for i, row in enumerate(placed)]
    if len(step.latent) > 1 or any(prompt.area for prompt in step.prompts.values()):
        checks += [_shows(x[i], step, row.prompt.area, row.image) for i, row in enumerate(placed)]
    # One look at the device for the whole batch: to read from the GPU is to wait for it.
    checks = torch.stack(checks).tolist()
    texts_agree = all(checks[: len(placed)])
    if texts_agree and (all(checks) or not any(_pictures(step, row) for row in x)):
        return placed
    found = [row_by_content(step, x[i], context[i], chunks) for i in range(len(x))]
    return [_reconciled(step, row, found, placed, i) for i, row in enumerate(found)]


def rows_in_place(step: Step, x: torch.Tensor, chunks: Sequence[tuple[int, Any]]) -> list[Row] | None:
    """The rows as ComfyUI batched them, or None if the batch has another size or an unknown prompt."""
    images = len(step.latent)
    if not chunks or len(x) != images * len(chunks) or any(chunk not in step.prompts for chunk in chunks):
        return None
    prompts = [step.prompts[chunk] for chunk in chunks]
    return [Row(prompt, prompt.text.shape[1], i) for prompt in prompts for i in range(images)]


def _reconciled(step: Step, row: Row, found: list[Row], placed: list[Row], i: int) -> Row:
    """A found row, completed by its place where a node has altered the values and everything else is in order."""
    prompt, period, image = row.prompt, row.period, row.image
    if prompt is None and all(f.prompt in (None, p.prompt) for f, p in zip(found, placed, strict=True)):
        prompt, period = placed[i].prompt, placed[i].period
        step.session.warn_once(
            "A node alters the text of a prompt on its way to the model; its hand words are taken to have stayed."
        )
    if image is None and prompt is placed[i].prompt and all(f.image is None for f in found):
        image = placed[i].image
    return Row(prompt, period, image)


def row_by_content(step: Step, x: torch.Tensor, text: torch.Tensor, chunks: Sequence[tuple[int, Any]]) -> Row:
    """Find prompt and picture of one row [c, h, w] with the text [K, D] among all of the step.

    Raises:
        SesaHandError: It fits several prompts that ask for different things.
    """
    fits = prompts_with(step, text, chunks)
    shown = _pictures(step, x)
    areas = {area for area, _ in shown}
    prompt, period = _only(step, [fit for fit in fits if fit[0].area in areas] or fits)
    images = {i for area, i in shown if prompt is None or area == prompt.area}
    return Row(prompt, period or len(text), _single(images, step))


def rows_by_text(step: Step, context: torch.Tensor, images: Iterable[set[int]]) -> list[Row]:
    """The rows [B, K, D] of a batch as it is inside the model; `images` are the pictures each row may belong to."""
    rows = []
    for text, candidates in zip(context, images, strict=True):
        prompt, period = _only(step, prompts_with(step, text, ()))
        rows.append(Row(prompt, period or len(text), _single(candidates, step)))
    return rows


def origins(before: torch.Tensor, after: torch.Tensor, rows: Sequence[Row]) -> list[set[int]]:
    """The pictures that each row of `after` may belong to, by the `rows` whose values in `before` it has."""
    if before.shape[1:] != after.shape[1:]:
        return [set() for _ in after]
    same = torch.stack([(row == before).flatten(1).all(dim=1) for row in after]).tolist()
    return [{rows[i].image for i, hit in enumerate(hits) if hit} - {None} for hits in same]


def prompts_with(step: Step, text: torch.Tensor, chunks: Sequence[tuple[int, Any]]) -> list[tuple[Prompt, int]]:
    """The prompts that have this text [K, D], with their periods: those of the call, or else those of the step."""
    called = [step.prompts[chunk] for chunk in chunks if chunk in step.prompts]
    for prompts in (called, list(step.prompts.values())):
        fits = [(prompt, period) for prompt in prompts if (period := repeats(text, step.text_of(prompt, text)))]
        if fits:
            return fits
    return []


def _only(step: Step, fits: list[tuple[Prompt, int]]) -> tuple[Prompt | None, int]:
    if not fits:
        step.check_numbers()
        step.session.warn_once(
            "A node has put texts into the cross-attention whose hand words are not known (regional prompts, for "
            "instance): these are not acted on."
        )
        return None, 0
    if len({_meaning(step, prompt) for prompt, _ in fits}) > 1:
        raise SesaHandError(
            "Another node arranges the batch of the model anew, and several conditionings have the same text with "
            "different hand words, areas or sides, so it cannot be told which of them a row of that batch is. Give "
            "them different texts or the same hand words, or bypass that node."
        )
    return fits[0]


def _meaning(step: Step, prompt: Prompt) -> tuple:
    """All of a prompt that this step depends on."""
    area = prompt.area if step.records or any(bias.mask for bias in step.biases) else None
    return prompt.columns, area, bool(step.records) and prompt.uuid in step.session.positive


def _single(images: set[int], step: Step) -> int | None:
    if len(step.latent) == 1:
        return 0
    return next(iter(images)) if len(images) == 1 else None


def _pictures(step: Step, x: torch.Tensor) -> set[tuple[Area | None, int]]:
    """The areas and pictures of the step whose latent this row [c, h, w] is."""
    areas = {prompt.area for prompt in step.prompts.values()}
    return {(area, i) for area in areas for i in range(len(step.latent)) if bool(_shows(x, step, area, i))}


def _carries(text: torch.Tensor, row: Row, step: Step) -> torch.Tensor:
    known = step.text_of(row.prompt, text)
    known = known[row.image % len(known)]
    if text.shape[0] % len(known) or text.shape[1] != known.shape[1]:
        return torch.tensor(False, device=text.device)
    return (text.unflatten(0, (-1, len(known))) == known).all()


def _shows(x: torch.Tensor, step: Step, area: Area | None, image: int) -> torch.Tensor:
    height, width, top, left = area or (*step.latent.shape[-2:], 0, 0)
    part = step.latent_on(x.device)[image, ..., top : top + height, left : left + width]
    return (x == part).all() if part.shape == x.shape else torch.tensor(False, device=x.device)


def repeats(row: torch.Tensor, text: torch.Tensor) -> int:
    """After how many keys `text` [b, L, D] repeats to make this row [K, D], up to a factor; 0 if it does not."""
    for candidate in (text, text[:, 0::2]) if text.shape[1] % 2 == 0 else (text,):
        length = candidate.shape[1]
        if row.shape[0] % length or row.shape[1] != candidate.shape[2]:
            continue
        for one in candidate:
            scale = (row[:length] * one).sum() / (one * one).sum().clamp(min=1e-12)
            if torch.allclose(row[:length], scale * one, rtol=4 * torch.finfo(row.dtype).eps, atol=1e-6) and scale > 0:
                return length
    return 0
