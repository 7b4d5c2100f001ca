"""A moving average of weights, which draws better pictures than the last weights do."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The exponential moving average of some parameters, in float32.

    Args:
        parameters: What is averaged, in a fixed order.
        decay: How much of the average stays in each step; less in the first ones, which would hold it near the start.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float):
        self.parameters = list(parameters)
        self.decay, self.updates = decay, 0
        self.averages = [parameter.detach().float().clone() for parameter in self.parameters]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the parameters as they are now."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + 9))
        current = [parameter.detach().float() for parameter in self.parameters]
        torch._foreach_lerp_(self.averages, current, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the averages into the model for as long as the block runs."""
        kept = [parameter.detach().clone() for parameter in self.parameters]
        self.copy_from(self.averages)
        try:
            yield
        finally:
            self.copy_from(kept)

    def state_dict(self) -> dict:
        return {"updates": self.updates, "averages": self.averages}

    def load_state_dict(self, state: dict) -> None:
        self.updates = state["updates"]
        for average, value in zip(self.averages, state["averages"], strict=True):
            average.copy_(value)

    @torch.no_grad()
    def copy_from(self, values: list[Tensor]) -> None:
        """Put values into the parameters: one for each in their order, of the same shape."""
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)
