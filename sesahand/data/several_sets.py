"""Several sets of pairs read as one, with keys that cannot collide."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import numpy as np

from ..hands.model import HandModel
from .layout import LONGEST_KEY
from .pair_set import Pair, PairSet
from .shards import SHARDS, open_shards, sets_in

LONGEST_NAME = 24
DIGEST = 8
"""Hexadecimal digits of a key's hash, which stand for the part of it that there is no room for."""


class PairSets(Sequence):
    """The pairs of several sets, one set after the other.

    A pair of one set alone keeps its key. With several, each key begins with the name of its set's folder, so that two
    pairs that are both `00000000` at home can stand side by side: `studio_00000000` and `street_00000000`.

    Args:
        roots: Folders of the sets. Two folders of one name are told apart by a number, in this order. A planned set
            counts as one, whose pairs all have keys of their own.
        hand_models: As of `PairSet`.

    Raises:
        InvalidFileError: If a folder is no set, or its index is damaged before its end.
    """

    def __init__(self, roots: Sequence[str | Path], hand_models: Sequence[HandModel] = ()):
        found = [(root, [PairSet(path, hand_models) for path in paths]) for root, paths in sets_in(roots)]
        names = names_of_sets([Path(os.path.realpath(root)) for root, _ in found])
        self.sets = [each for _, sets in found for each in sets]
        self.names = [name for name, (_, sets) in zip(names, found, strict=True) for _ in sets]
        self.alone = len(found) == 1
        self.ends = list(accumulate(len(each) for each in self.sets))
        self.counts = [(root, sum(map(len, sets))) for root, sets in found]

    def unfinished(self) -> Iterator[tuple[Path, int, int]]:
        """Yield of each planned set that is not whole its folder, how many pairs it has, and how many are planned."""
        for root, there in self.counts:
            planned = open_shards(root).count if (root / SHARDS).is_file() else there
            if there < planned:
                yield root, there, planned

    def __len__(self) -> int:
        return self.ends[-1] if self.ends else 0

    def __getitem__(self, number: int) -> Pair:  # type: ignore[override]  # one at a time: pairs are read from disk
        if not -len(self) <= number < len(self):
            raise IndexError(f"There is no pair {number}: the sets have {len(self)}.")
        number %= len(self)
        which = int(np.searchsorted(self.ends, number, side="right"))
        return self._named(which, self.sets[which][number - self.ends[which] + len(self.sets[which])])

    def __iter__(self) -> Iterator[Pair]:
        return (self._named(which, pair) for which, each in enumerate(self.sets) for pair in each)

    def _named(self, which: int, pair: Pair) -> Pair:
        return pair if self.alone else replace(pair, own_key=prefixed(self.names[which], pair.record.key))


def names_of_sets(roots: Sequence[Path]) -> list[str]:
    """Return a name for each set that a key can begin with: its folder's, told apart by a number where that repeats."""
    names: list[str] = []
    for root in roots:
        name = plain = re.sub(r"[^a-z0-9]+", "_", root.name.lower()).strip("_")[:LONGEST_NAME] or "set"
        number = 1
        while name in names:
            number += 1
            name = f"{plain}_{number}"
        names.append(name)
    return names


def prefixed(name: str, key: str) -> str:
    """Return the key that a pair has among those of several sets."""
    whole = f"{name}_{key}"
    if len(whole) <= LONGEST_KEY:
        return whole
    digest = hashlib.sha256(key.encode()).hexdigest()[:DIGEST]
    return f"{whole[: LONGEST_KEY - DIGEST - 1]}_{digest}"
