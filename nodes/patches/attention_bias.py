"""The attention bias on ComfyUI's MODEL."""

import torch

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP

from ...sesahand.attention.bias import check_mask, check_settings, feathered_mask
from ...sesahand.errors import SesaHandError
from ...sesahand.models.families import LATENT_PIXELS
from .cross_attention import Bias, add_wrapper, check_attention, track_prompts, with_task


def bias_attention(
    model: ModelPatcher,
    alpha: float = 2.0,
    blocks: str = "output",
    start: float = 0.0,
    end: float = 1.0,
    mask: torch.Tensor | None = None,
    feather: float = 0.0,
) -> ModelPatcher:
    """A MODEL that attends more to the hand tokens of its prompts: softmax(Q K^T / sqrt(d) + B).

    Args:
        model: The MODEL; it stays as it is.
        alpha: Value of B on the columns of the hand tokens, 0..8.
        blocks: "output" (the paper), "input", "middle" or "all"; thirds of the depth where there is no U-Net.
        start: Fraction of the sampling at which the bias sets in.
        end: Fraction of the sampling after which it is left out.
        mask: [b, H, W] or [H, W] in 0..1: how much of the bias a place of the picture gets; one for all pictures, one
            for each, or b that divides them and is repeated in order; None for all of the bias everywhere.
        feather: How far the mask fades out beyond its edge, in pixels of the picture.

    Returns:
        The patched MODEL.

    Raises:
        SesaHandError: The model has no cross-attention to a text, or a setting means nothing.

    Source:
        SesaHand (ICLR 2026), attention enhancement.
    """
    check_settings(alpha, blocks, start, end)
    if mask is not None:
        mask = mask[None] if mask.ndim == 2 else mask
        check_mask(mask)
    check_attention(model)
    model = model.clone()
    if alpha == 0 or start >= end:
        return model
    track_prompts(model)
    bias = Bias(alpha, blocks, None if mask is None else mask_on_latent(mask, feather / latent_pixels(model)))

    def calc_cond_batch(executor, model, conds, x, timestep, model_options):
        active = is_active(model, timestep, start, end)
        if active and mask is not None and len(mask) > 1:
            check_whole_batch(model_options, "which of the masks belongs to which picture is not known. Use one mask")
        task = {"bias": bias} if active else {}
        return executor(model, conds, x, timestep, with_task(model_options, conds, x, **task))

    add_wrapper(model, WrappersMP.CALC_COND_BATCH, calc_cond_batch)
    return model


def check_whole_batch(model_options: dict, reason: str) -> None:
    """Raise a SesaHandError if context windows show the model a part of the batch at a time."""
    if model_options.get("context_handler") is not None:
        raise SesaHandError(f"Context windows split the batch, so {reason}, or remove the context windows.")


def is_active(model, timestep: torch.Tensor, start: float, end: float) -> bool:
    """Whether this step lies in the range, by the same measure as ComfyUI's own start and end percents."""
    if start <= 0 and end >= 1:
        return True
    sampling = model.model_sampling
    return float(sampling.percent_to_sigma(end)) <= float(timestep[0]) <= float(sampling.percent_to_sigma(start))


def latent_pixels(model: ModelPatcher) -> int:
    """Pixels along a side of a cell of the MODEL's latents."""
    return getattr(model.model.latent_format, "spacial_downscale_ratio", LATENT_PIXELS)


def mask_on_latent(mask: torch.Tensor, feather: float):
    """A function that gives the mask at the size of the latent, faded out over `feather` of its cells.

    The last size is kept, since every step asks for it.
    """
    mask = mask.detach().cpu()
    kept: dict[tuple[int, int], torch.Tensor] = {}

    def at_size(height: int, width: int) -> torch.Tensor:
        # Several devices may ask at once, each in a thread of its own.
        found = kept.get((height, width))
        if found is None:
            found = feathered_mask(mask, height, width, feather)
            kept.clear()
            kept[height, width] = found
        return found

    return at_size
