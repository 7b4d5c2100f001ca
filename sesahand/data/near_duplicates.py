"""Near duplicates by pose and view, found pair by pair among millions."""

import itertools
import math
from collections import defaultdict

import numpy as np

from .coverage import NEAR, HandFacts, pair_facts
from .pair_set import Pair

POINTS = 21
TIPS = np.full(POINTS, -5 / 16)
TIPS[4::4] = 1.0
TIPS = (TIPS / np.linalg.norm(TIPS)).astype(np.float32)
"""Fingertips against all other joints, of length 1 and at right angles to ones."""
NEIGHBOURS = np.array([*itertools.product((-1, 0, 1), repeat=4)])


class NearDuplicates:
    """Knows the hands of the pairs that were new; some 200 bytes of memory for each.

    Two pairs are near duplicates if they have as many hands of each side and these are near hand by hand, in the order
    from left to right. Hands are sorted into cells that are as wide as what is near, so that only neighbours are
    compared, and none is missed.

    Args:
        near: How near, in palm lengths, root mean square over the joints.
    """

    def __init__(self, near: float = NEAR):
        self.limit = near * math.sqrt(POINTS)
        self._known: dict[tuple[str, ...], _Poses] = {}

    def is_new(self, pair: Pair) -> bool:
        """Tell whether no pair that was new before is like this one; pairs without hands always are."""
        lefts = [hand.box[0] for hand in pair.record.hands]
        facts = [fact for _, fact in sorted(zip(lefts, pair_facts(pair), strict=True), key=lambda row: row[0])]
        return not facts or self.is_new_pose(facts)

    def is_new_pose(self, hands: list[HandFacts]) -> bool:
        """Tell it of the hands of a picture, from left to right, and remember them if they are."""
        sides = tuple(hand.bins["side"] for hand in hands)
        poses = self._known.setdefault(sides, _Poses(len(hands), self.limit))
        return poses.add(np.stack([hand.points.numpy() for hand in hands]))


class _Poses:
    """Poses of so many hands each, `[N, H, 21, 3]` in half precision, and their places by cell."""

    def __init__(self, hands: int, limit: float):
        self.limit, self.count = limit, 0
        self.points = np.zeros((16, hands, POINTS, 3), np.float16)
        self.cells: dict[bytes, list[int]] = defaultdict(list)

    def add(self, points: np.ndarray) -> bool:
        """Add a pose `[H, 21, 3]` unless one is near it; tell whether it was added."""
        # Rounded first: what is compared and what is stored are the same numbers.
        points = points.astype(np.float16).astype(np.float32)
        # The mean over the hands: no farther apart than the hands that are farthest apart.
        cell = np.floor(np.mean([_shadow(hand) for hand in points], 0) / self.limit).astype(np.int32)
        around = (each.tobytes() for each in (cell + NEIGHBOURS).astype(np.int32))
        places = [place for key in around if key in self.cells for place in self.cells[key]]
        if places:
            apart = self.points[places].astype(np.float32) - points
            if (np.square(apart).sum((2, 3)).max(1) < self.limit**2).any():
                return False
        if self.count == len(self.points):
            self.points = np.concatenate([self.points, np.zeros_like(self.points)])
        self.points[self.count] = points
        self.cells[cell.tobytes()].append(self.count)
        self.count += 1
        return True


def _shadow(points: np.ndarray) -> np.ndarray:
    """Return lengths along four directions at right angles, `[4]`, of joints `[21, 3]`.

    Three are where the hand reaches, the fourth how high fingertips stand above the rest. No two shadows are farther
    apart than the joints are.
    """
    reach = points.sum(0) / math.sqrt(POINTS)
    return np.append(reach, points[:, 1] @ TIPS)
