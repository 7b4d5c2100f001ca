"""Leave out some of a ControlNet's residuals, to see what the others are worth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch

from ..errors import SesaHandError
from ..fusion.own_calls import OwnCalls
from ..fusion.settings import FusionSettings
from .diffusers_fusion import diffusers_layout

if TYPE_CHECKING:
    from diffusers import ControlNetModel

REFINED, OTHERS = "refined", "others"


@contextmanager
def silenced_residuals(controlnet: ControlNetModel, which: str, settings: FusionSettings) -> Iterator[None]:
    """Set residuals to zero for the length of a with block; structural fusion may be attached beside it.

    Args:
        controlnet: diffusers' ControlNet.
        which: "refined": those that structural fusion refines; "others": all but those.
        settings: Of the structural fusion that says which it refines, whether it is on or not.

    Raises:
        SesaHandError: If `which` is neither.
    """
    if which not in (REFINED, OTHERS):
        raise SesaHandError(f"Residuals to silence are {which!r:.40}; choose {REFINED} or {OTHERS}.")
    layout = diffusers_layout(controlnet)
    refined = layout.select_residuals(settings)
    silent = [residual for residual in layout.residuals if (residual in refined) == (which == REFINED)]
    with OwnCalls().entered() as own:
        handles = [residual.zero_conv.register_forward_hook(partial(_nothing, own)) for residual in silent]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _nothing(own: OwnCalls, module: torch.nn.Module, args: tuple, output: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(output) if own else output
