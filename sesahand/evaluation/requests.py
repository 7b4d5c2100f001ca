"""What is asked of a model: prompts and condition maps of held-out samples of the small world, at any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..generate.maps import control_map
from ..scene.hand_scene import HandScene
from ..training.samples import CLEAN, VERBOSE

if TYPE_CHECKING:
    from ..world.cache import SampleCache
    from ..world.synthetic import Description, SyntheticHands

RENDERED_MAP = "mesh"


class Requests:
    """Held-out samples as requests.

    Args:
        source: The sequence of samples, at the size of the pictures that are asked for.
        rendered: The same samples drawn, if they are: their mesh maps need not be drawn again.
        held_in_map: Whether mesh maps show what hands hold, in another gray.
    """

    def __init__(self, source: SyntheticHands, rendered: SampleCache | None = None, held_in_map: bool = False):
        self.source, self.rendered, self.held_in_map = source, rendered, held_in_map
        self._described: dict[int, Description] = {}

    def description(self, index: int) -> Description:
        """What sample `index` shows."""
        if index not in self._described:
            self._described[index] = self.source.describe(index)
        return self._described[index]

    def prompt(self, index: int, words: str) -> str:
        """The clean prompt of a sample, or the caption that says too much."""
        description = self.description(index)
        return {CLEAN: lambda: description.composition.prompt, VERBOSE: lambda: description.rambling}[words]()

    def scene(self, index: int) -> HandScene:
        """The hands of a sample, at the picture's size."""
        return self.source.stage(index)[2].scene

    def maps(self, indices: Sequence[int], name: str) -> Tensor:
        """Condition maps `[B, S, S, 3]` in 0..1, float32."""
        if self.held_in_map and name == RENDERED_MAP:
            gray = torch.stack([torch.from_numpy(self.source.map_with_held(index)) for index in indices])
            return gray[..., None].expand(-1, -1, -1, 3).float() / 255
        if self.rendered is not None and name == RENDERED_MAP:
            gray = torch.stack([torch.from_numpy(self.rendered.conditions[index].copy()) for index in indices])
            return gray[..., None].expand(-1, -1, -1, 3).float() / 255
        return torch.stack([control_map(self.scene(index), name) for index in indices])

    def pictures(self, indices: Sequence[int]) -> Tensor:
        """The renders themselves, `[B, S, S, 3]` in 0..1, float32."""
        drawn = self.rendered.pictures if self.rendered is not None else None
        found = [self.source[index].picture if drawn is None else drawn[index].copy() for index in indices]
        return torch.stack([torch.from_numpy(picture) for picture in found]).float() / 255
