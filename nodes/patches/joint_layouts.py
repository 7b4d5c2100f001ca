"""Where the text and the picture stand in the attention of one call of a network that is no U-Net."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from comfy.model_patcher import ModelPatcher

from ...sesahand.attention.joint import Layout
from ...sesahand.models.families import TEXT_ATTENTION, TextAttention


@dataclass(frozen=True, eq=False)
class Transformer:
    """The network of a MODEL, and what is known of its attention to the text."""

    network: torch.nn.Module
    facts: TextAttention

    def layout(self, x: torch.Tensor, context: torch.Tensor, inputs: dict[str, Any]) -> Layout:
        """The layout of a call with latents `x` [B, c, (t,) h, w], the text `context` [B, L, D] and other inputs."""
        return SEQUENCES[self.facts.sequence](self, x, context, inputs)

    @property
    def patch(self) -> tuple[int, int]:
        """Cells of the latent that a patch has along time, and along a side."""
        size = getattr(self.network, self.facts.patch)
        return (
            (size[0], size[-1])
            if isinstance(size, tuple | list)
            else (getattr(self.network, "patch_temporal", 1), size)
        )

    @property
    def calls(self) -> int:
        return sum(len(getattr(self.network, name)) for name in self.facts.blocks)

    def grid(self, latent: torch.Tensor) -> tuple[int, int, int]:
        """Patches of a latent [B, c, (t,) h, w] along time, height and width."""
        time, side = self.patch
        frames = latent.shape[2] if latent.ndim == 5 else 1
        return _up(frames, time), _up(latent.shape[-2], side), _up(latent.shape[-1], side)

    def patches(self, latents: Iterable[torch.Tensor] | None) -> int:
        return sum(math.prod(self.grid(latent)) for latent in latents or ())


def transformer_of(model: ModelPatcher) -> Transformer | None:
    """The network of a MODEL if it is one whose attention to the text is known and no U-Net's."""
    network = model.get_model_object("diffusion_model")
    # What torch.compile has made of it has the attributes of the network.
    network = getattr(network, "_orig_mod", network)
    facts = TEXT_ATTENTION.get(f"{type(network).__module__}.{type(network).__qualname__}")
    is_tried = facts is not None and type(model.model).__name__ not in facts.untried
    return Transformer(network, facts) if is_tried else None


def joint(transformer: Transformer, x: torch.Tensor, context: torch.Tensor, inputs: dict[str, Any]) -> Layout:
    """The text, the picture, the pictures for reference; SD3 may have learnt rows in front of its text."""
    facts, network = transformer.facts, transformer.network
    asked = inputs.get("ref_latents_method", getattr(network, "default_ref_method", None)) is not None
    takes_them = facts.references == "always" or (facts.references == "if asked" and asked)
    references = inputs.get("ref_latents") if takes_them else ()
    start, grid = getattr(network, "register_length", 0), transformer.grid(x)
    picture = start + context.shape[1]
    total = picture + math.prod(grid) + transformer.patches(references)
    return Layout(start, picture, grid, total, total, transformer.calls, False, transformer.patch[1])


def padded(transformer: Transformer, x: torch.Tensor, context: torch.Tensor, inputs: dict[str, Any]) -> Layout:
    """Lumina 2's sequence, and Z-Image's, whose parts are filled up: texts, features, references, the picture last."""
    network, grid = transformer.network, transformer.grid(x)
    multiple = getattr(network, "pad_tokens_multiple", None) or 1

    def filled(rows: int) -> int:
        return _up(rows, multiple) * multiple

    latents, texts = inputs.get("ref_latents") or [], inputs.get("ref_contexts") or []
    has_features = getattr(network, "siglip_embedder", None) is not None
    # A reference without a text or features has one full set of padding in their place.
    before = sum(filled(texts[i].shape[1]) if i < len(texts) else multiple for i in range(len(latents)))
    text = _rows_of_text(network, context, inputs)
    picture = before + filled(text) + sum(filled(rest.shape[1]) for rest in texts[len(latents) :])
    if latents and has_features:
        sizes = [math.prod(one.shape[1:3]) for one in (inputs.get("siglip_feats") or [])[: len(latents)]]
        picture += sum(map(filled, sizes)) + multiple * (len(latents) - len(sizes) + 1)
    picture += sum(filled(transformer.patches([latent])) for latent in latents)
    total = picture + filled(math.prod(grid))
    return Layout(before, picture, grid, total, total, transformer.calls, False, transformer.patch[1])


def _rows_of_text(network: torch.nn.Module, context: torch.Tensor, inputs: dict[str, Any]) -> int:
    # ComfyUI before Z-Image leaves out the rows that the mask hides at the end of the text.
    if hasattr(network, "embed_all"):
        return context.shape[1]
    mask = inputs.get("attention_mask")
    return int(inputs.get("num_tokens", context.shape[1]) if mask is None else mask.sum(dim=1).max())


def cross(transformer: Transformer, x: torch.Tensor, context: torch.Tensor, inputs: dict[str, Any]) -> Layout:
    """Queries of the picture, behind those of Wan's reference and in front of its other latents; keys of the text."""
    grid, (_, side) = transformer.grid(x), transformer.patch
    picture = 0
    if getattr(transformer.network, "ref_conv", None) is not None and inputs.get("reference_latent") is not None:
        reference = inputs["reference_latent"]
        picture = (reference.shape[-2] // side) * (reference.shape[-1] // side)
    others = [inputs[name] for name in ("time_dim_concat",) if inputs.get(name) is not None]
    others += inputs.get("context_latents") or []
    rows = picture + math.prod(grid) + transformer.patches(others)
    return Layout(0, picture, grid, context.shape[1], rows, transformer.calls, True, side)


def _up(count: int, size: int) -> int:
    return -(-count // size)


SEQUENCES: dict[str, Callable[[Transformer, torch.Tensor, torch.Tensor, dict[str, Any]], Layout]] = {
    "joint": joint,
    "padded": padded,
    "cross": cross,
}
