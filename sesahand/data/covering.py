"""Choosing from pairs so that what is kept comes near a target of views, gestures, bends, sizes, sides and the like."""

from .coverage import Coverage, Target, pair_facts
from .pair_set import Pair

LEAST_GAIN = 1e-9


class Covering:
    """Keeps each pair that brings those kept before it nearer to a target; so it depends on the order of the pairs.

    Args:
        target: What the kept pairs should be like. A histogram in which all pairs are alike decides on none.
    """

    def __init__(self, target: Target):
        self.target, self.coverage = target, Coverage.of(())
        self.distance = self._distance(self.coverage)

    def keeps(self, pair: Pair) -> bool:
        """Tell whether a pair is kept, and count its hands if it is; pairs without hands never are."""
        facts = pair_facts(pair)
        with_it = Coverage({kind: counts.copy() for kind, counts in self.coverage.counts.items()})
        for fact in facts:
            with_it.add(fact)
        distance = self._distance(with_it)
        if not facts or (self.coverage.hands and distance > self.distance - LEAST_GAIN):
            return False
        self.coverage, self.distance = with_it, distance
        return True

    def _distance(self, coverage: Coverage) -> float:
        # Squares tell by how much a bin is too full, which `Coverage.distance` does not where most bins are empty.
        total = max(1, coverage.hands)
        rows = ((coverage.counts[kind], shares) for kind, shares in self.target.shares.items())
        return sum((counts[name] / total - share) ** 2 for counts, shares in rows for name, share in shares.items())
