"""Several sets as one, with shares."""

from collections.abc import Sequence
from typing import Any

import numpy as np


class Mixture:
    """Several sets as one: in one time through, each is drawn from in its share, and each sample at least once.

    Args:
        sets: None of them empty.
        shares: One for each, in any unit; the sets' lengths read one set after the other.
    """

    def __init__(self, sets: Sequence, shares: Sequence[float]):
        self.sets, total = list(sets), sum(shares)
        length = max(len(part) * total / share for part, share in zip(sets, shares, strict=True))
        counts = [max(len(part), round(length * share / total)) for part, share in zip(sets, shares, strict=True)]
        self.ends = np.cumsum(counts)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> Any:
        part, number = self.place(index)
        return part[number]

    def at(self, index: int, draw: tuple[int, int]) -> Any:
        """Return a sample as it is in one draw, see `samples.Batches`."""
        part, number = self.place(index)
        return part.at(number, draw) if hasattr(part, "at") else part[number]

    def place(self, index: int) -> tuple[Any, int]:
        """Return the set that a sample is in, and its number there."""
        which = int(np.searchsorted(self.ends, index, side="right"))
        part = self.sets[which]
        return part, (index - (int(self.ends[which - 1]) if which else 0)) % len(part)


class Subset:
    """A stretch of some samples."""

    def __init__(self, samples: Any, start: int, end: int):
        self.samples, self.range = samples, range(start, end)

    def __len__(self) -> int:
        return len(self.range)

    def __getitem__(self, index: int) -> Any:
        return self.samples[self.range[index]]

    def at(self, index: int, draw: tuple[int, int]) -> Any:
        """Return a sample as it is in one draw."""
        return self.samples.at(self.range[index], draw)
