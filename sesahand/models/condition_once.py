"""Let a ControlNet embed its condition map once for a picture instead of once for each step of the sampler.

The embedding depends on the map alone, and is a good part of a small ControlNet's work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..fusion.own_calls import OwnCalls

if TYPE_CHECKING:
    from diffusers import ControlNetModel

LEAST = 8
"""Side of the picture that an embedding is run on whose result is known, pixels: it cannot be left out by a hook."""


class _Known:
    """The last map and its embedding, of the calls that are its own."""

    def __init__(self, own_calls: OwnCalls):
        self.own_calls = own_calls
        self.map: Tensor | None = None
        self.embedded: Tensor | None = None

    def before(self, module: torch.nn.Module, args: tuple) -> tuple | None:
        if not self.own_calls:
            return None
        if torch.is_grad_enabled():
            self.map = self.embedded = None
            return None
        picture: torch.Tensor = args[0]
        if self.embedded is not None and picture is self.map:
            return (picture[:1, :, :LEAST, :LEAST], *args[1:])
        self.map, self.embedded = picture, None
        return None

    def after(self, module: torch.nn.Module, args: tuple, output: Tensor) -> Tensor | None:
        if not self.own_calls:
            return None
        if self.embedded is None and self.map is not None:
            self.embedded = output
        return self.embedded


@contextmanager
def condition_once(controlnet: ControlNetModel) -> Iterator[None]:
    """Embed each condition map once for the length of a with block; pictures stay the same to the last bit.

    A map counts as the same if it is the same tensor, unchanged, as the pipelines of diffusers pass it in all steps.
    With gradients nothing is kept, and what other threads embed meanwhile is theirs.
    """
    with OwnCalls().entered() as own:
        known, embedding = _Known(own), controlnet.controlnet_cond_embedding
        handles = [embedding.register_forward_pre_hook(known.before), embedding.register_forward_hook(known.after)]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
