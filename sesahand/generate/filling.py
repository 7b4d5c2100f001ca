"""Choosing how pictures vary so that a set of pairs gets what it lacks of a target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..data.coverage import EVEN, Coverage, HandFacts, Target, even_target, hand_facts, pair_facts, target_like
from ..data.layout import HEADER
from ..data.pair_set import PairSet
from ..scene.hand_scene import HandScene
from .variety import Variation, draw_variation

PROPOSALS = 8
# What a variation of a hand can change; the gesture and the skin stand in the words.
VARIED = ("view", "side", "articulation", "size", "shape")


@dataclass(eq=False)
class Filler:
    """Proposes several variations of each picture and takes the one whose bins lack most.

    Picture i is a function of the seed, of i, of what the set held at first, and of the pictures chosen before it.

    Attributes:
        target: What the set should be like.
        coverage: What it has, and what was chosen since.
        seed: Of the proposals.
    """

    target: Target
    coverage: Coverage
    seed: int = 0

    def __call__(self, number: int, scene_of: Callable[[Variation], HandScene]) -> Variation:
        """Choose the variation of picture `number`, whose hands `scene_of` makes, and count it as there."""
        proposals = [draw_variation(self.seed, number, attempt) for attempt in range(PROPOSALS)]
        facts = [hand_facts(scene_of(proposal)) for proposal in proposals]
        best = max(range(PROPOSALS), key=lambda k: (sum(map(self.worth, facts[k])) / max(1, len(facts[k])), -k))
        for fact in facts[best]:
            self.coverage.add(fact)
        return proposals[best]

    def worth(self, fact: HandFacts) -> float:
        """How much a hand is lacking: what its bins should have more of the hands than they have, summed."""
        return sum(self.target.shares[kind][name] - self.coverage.shares(kind)[name] for kind, name in fact.bins.items()
                   if kind in VARIED)  # fmt: skip


def open_filler(pairs: Path, target: str = EVEN, seed: int = 0) -> Filler:
    """Return what fills a set of pairs, which need not exist yet.

    Args:
        pairs: Folder of the set.
        target: "even", or the folder of a set that it should be like.
        seed: Of the proposals.

    Raises:
        InvalidFileError: If a set cannot be read.
    """
    there = PairSet(pairs) if (pairs / HEADER).is_file() else ()
    return Filler(open_target(target), Coverage.of(fact for pair in there for fact in pair_facts(pair)), seed)


def open_target(name: str) -> Target:
    """Return the target of a name: "even", or that of being like the set in a folder.

    Raises:
        InvalidFileError: If it is a folder that holds no set.
    """
    if name == EVEN:
        return even_target()
    return target_like(Path(name).name, (fact for pair in PairSet(name) for fact in pair_facts(pair)))
