"""What steps are taken by: torch's AdamW, or bitsandbytes' with 8 bits for each of the two numbers it remembers."""

from __future__ import annotations

import torch

from ..errors import SesaHandError
from .config import ADAMW, Steps

MISSING = (
    "training.optimizer is adamw8bit, which needs bitsandbytes: pip install bitsandbytes, or set "
    "training.optimizer=adamw."
)


def make_optimizer(groups: list[dict], steps: Steps, device: torch.device) -> torch.optim.Optimizer:
    """Build the optimizer of a stage, with a learning rate of 1 that the loop replaces in each step.

    Args:
        groups: The trained parameters, each group with its factor of the rate.
        steps: Which optimizer, and its numbers.
        device: Where the parameters are.

    Raises:
        SesaHandError: If bitsandbytes is asked for and not installed.
    """
    if steps.optimizer == ADAMW:
        fused = device.type in ("cpu", "cuda")
        return torch.optim.AdamW(groups, lr=1.0, betas=steps.betas, weight_decay=steps.weight_decay, fused=fused)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise SesaHandError(MISSING) from error
    for parameter in (parameter for group in groups for parameter in group["params"]):
        # It would do so in its first step itself, and its memory would keep the old order of the numbers.
        parameter.data = parameter.data.contiguous()
    return AdamW8bit(groups, lr=1.0, betas=steps.betas, weight_decay=steps.weight_decay)
