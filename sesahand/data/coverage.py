"""What hands a set shows, counted against a target: views, gestures, bends, sizes, sides, skins, shapes; and repeats.

All is told from what pairs store of their hands, without a hand model. A view is which face the viewer sees and where
the fingers point; a bend is the sum of the angles at a finger's three joints, mean of index to pinky; a size is the
longer side of a hand's box as a part of the picture's shorter side; a shape is the root mean square of the betas.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..hands.gestures import gesture_names
from ..reconstruct.scoring.facing import describe_face, palm_towards_viewer
from ..scene.hand_scene import SIDES, HandScene
from .hand_arrays import pose_scene
from .pair_set import Pair

FACES, DIRECTIONS = ("palm", "back", "edge"), ("up", "right", "down", "left")
# Degrees, picture parts and root mean squares at which a bin of bends, sizes and shapes ends.
BENDS, SIZES, SHAPES = (50.0, 100.0, 150.0, 200.0), (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), (0.05, 0.4, 0.8, 1.2)
SKINS = ("pale", "tan", "brown", "dark")
UNNAMED = "not named"
_SAME_SKIN = {"fair": "pale", "light": "pale", "tanned": "tan", "olive": "tan", "black": "dark"}
_SKIN = re.compile(rf"\b({'|'.join((*SKINS, *_SAME_SKIN))})[- ]skin(?:ned)?\b", re.IGNORECASE)

# Two hands of one side whose joints differ by less, in palm lengths and root mean square, show one pose in one view.
# A jitter of five degrees a joint moves them by some 0.1.
NEAR = 0.05
COMPARED_AT_ONCE = 1024

EVEN = "even"
"""The target in which every bin that matters is as frequent as the others."""


def _names(edges: Sequence[float]) -> tuple[str, ...]:
    inner = [f"{low:g}-{high:g}" for low, high in zip(edges, edges[1:], strict=False)]
    return (f"<{edges[0]:g}", *inner, f"{edges[-1]:g}+")


def bins() -> dict[str, tuple[str, ...]]:
    """The bins of each histogram, in the order in which they are shown."""
    return {
        "view": tuple(f"{face}, {direction}" for face in FACES for direction in DIRECTIONS),
        "gesture": (*gesture_names(), UNNAMED),
        "articulation": _names(BENDS),
        "size": _names(SIZES),
        "side": SIDES,
        "skin": (*SKINS, UNNAMED),
        "shape": _names(SHAPES),
    }


@dataclass(frozen=True, eq=False)
class HandFacts:
    """One hand of a set.

    Attributes:
        key: Of its pair, or empty.
        bins: The bin it is in, for each histogram.
        points: Its joints from the wrist, in units of the palm's length, as the camera sees them, `[21, 3]` float32.
    """

    key: str
    bins: dict[str, str]
    points: Tensor


def pair_facts(pair: Pair) -> list[HandFacts]:
    """Return what is counted of each hand of a pair."""
    if not pair.record.hands:
        return []
    hands, facts, record = pair.parameters, pair.facts, pair.record
    boxes = torch.tensor([hand.box for hand in record.hands])
    # What a prompt was made to leave out is not to be seen either, whatever the caption says.
    words = facts.prompt if facts.caption_style else f"{facts.prompt} {facts.caption}"
    points = torch.from_numpy(hands.keypoints_3d)
    betas = torch.from_numpy(hands.betas)
    return _facts(record.key, points, hands.side, betas, boxes, min(record.width, record.height), facts.gesture, words)


def hand_facts(scene: HandScene, gesture: str = "", words: str = "") -> list[HandFacts]:
    """Return what is counted of each hand of a scene of one frame, which is in no set yet."""
    if not len(scene):
        return []
    stored = pose_scene(scene)
    boxes = torch.tensor([hand.box for hand in stored.summaries])
    points = torch.from_numpy(stored.arrays["keypoints_3d"])
    shorter = min(scene.camera.width, scene.camera.height)
    return _facts("", points, scene.side, scene.betas.cpu(), boxes, shorter, gesture, words)


def _facts(
    key: str,
    points: Tensor,
    sides: Sequence[str],
    betas: Tensor,
    boxes: Tensor,
    shorter: int,
    gesture: str,
    words: str,
) -> list[HandFacts]:
    right = torch.tensor([side == "right" for side in sides])
    faces = palm_towards_viewer(points, right).tolist()
    sizes = (boxes[:, 2:] - boxes[:, :2]).amax(1) / shorter
    shapes = betas.float().square().mean(1).sqrt()
    local = points - points[:, :1]
    local = local / local[:, 9].norm(dim=-1)[:, None, None].clamp(min=1e-6)
    named = gesture if gesture in gesture_names() else UNNAMED
    return [
        HandFacts(
            key,
            {
                "view": f"{describe_face(faces[n])}, {pointing(local[n])}",
                "gesture": named,
                "articulation": _names(BENDS)[np.searchsorted(BENDS, mean_bend(points[n]), "right")],
                "size": _names(SIZES)[np.searchsorted(SIZES, float(sizes[n]), "right")],
                "side": sides[n],
                "skin": skin_of(words),
                "shape": _names(SHAPES)[np.searchsorted(SHAPES, float(shapes[n]), "right")],
            },
            local[n].float(),
        )
        for n in range(len(sides))
    ]


def pointing(local: Tensor) -> str:
    """Return where the fingers point in the picture, one of `DIRECTIONS`.

    Args:
        local: Joints from the wrist `[21, 3]`, in any unit of length.
    """
    across, down = local[9, :2].tolist()
    if abs(down) >= abs(across):
        return "up" if down < 0 else "down"
    return "right" if across > 0 else "left"


def mean_bend(points: Tensor) -> float:
    """Return the sum of the angles at a finger's three joints, degrees, mean of index to pinky.

    Args:
        points: A hand's joints `[21, 3]`, in any unit of length.
    """
    chains = torch.stack([points[[0, k, k + 1, k + 2, k + 3]] for k in (5, 9, 13, 17)])
    bones = torch.nn.functional.normalize(chains[:, 1:] - chains[:, :-1], dim=-1)
    cosines = (bones[:, 1:] * bones[:, :-1]).sum(-1).clamp(-1, 1)
    return float(torch.rad2deg(cosines.acos()).sum(1).mean())


def skin_of(words: str) -> str:
    """Return the skin that a prompt names, one of `SKINS`, or that it names none."""
    found = _SKIN.search(words)
    if found is None:
        return UNNAMED
    word = found[1].lower()
    return _SAME_SKIN.get(word, word)


@dataclass
class Coverage:
    """Counts of hands by bin, for each histogram."""

    counts: dict[str, Counter]

    @classmethod
    def of(cls, facts: Iterable[HandFacts]) -> "Coverage":
        """Count hands."""
        coverage = cls({kind: Counter() for kind in bins()})
        for fact in facts:
            coverage.add(fact)
        return coverage

    def add(self, fact: HandFacts) -> None:
        """Count one more hand."""
        for kind, name in fact.bins.items():
            self.counts[kind][name] += 1

    @property
    def hands(self) -> int:
        return sum(self.counts["side"].values())

    def shares(self, kind: str) -> dict[str, float]:
        """The part of the hands that is in each bin of a histogram; zeros without hands."""
        total = max(1, self.hands)
        return {name: self.counts[kind][name] / total for name in bins()[kind]}

    def distance(self, kind: str, target: "Target") -> float:
        """Half the sum of the differences from a target: the part of the hands that is in a wrong bin, 0 to 1."""
        wanted = target.shares[kind]
        return sum(abs(share - wanted[name]) for name, share in self.shares(kind).items()) / 2


@dataclass(frozen=True)
class Target:
    """What a set should be like.

    Attributes:
        name: What it is called.
        shares: The part of the hands that each bin of each histogram should have.
    """

    name: str
    shares: dict[str, dict[str, float]]


def even_target() -> Target:
    """Every bin as frequent as the others, but for those that no set needs.

    Left out are hands without a named gesture or skin, hands under 0.3 of the picture and over 0.9, and shapes
    that are the mean's exactly or that few people have.
    """
    unneeded = {"gesture": {UNNAMED}, "skin": {UNNAMED}, "size": {"<0.3", "0.9+"}, "shape": {"<0.05", "1.2+"}}
    shares = {}
    for kind, names in bins().items():
        wanted = [name for name in names if name not in unneeded.get(kind, ())]
        shares[kind] = {name: (name in wanted) / len(wanted) for name in names}
    return Target(EVEN, shares)


def target_like(name: str, facts: Iterable[HandFacts]) -> Target:
    """Return the target of being like another set, whose hands' facts are given."""
    coverage = Coverage.of(facts)
    return Target(name, {kind: coverage.shares(kind) for kind in bins()})


def find_repeats(facts: Sequence[HandFacts], near: float = NEAR) -> Iterator[tuple[int, int]]:
    """Yield the number of each hand that an earlier one of its side repeats in pose and view, and the earlier one's.

    Args:
        facts: The hands.
        near: How near, in palm lengths, root mean square over the joints.
    """
    for side in SIDES:
        own = [number for number, fact in enumerate(facts) if fact.bins["side"] == side]
        if not own:
            continue
        points = torch.stack([facts[number].points.flatten() for number in own])
        limit = near * math.sqrt(points.shape[1] / 3)
        for start in range(0, len(own), COMPARED_AT_ONCE):
            some = points[start : start + COMPARED_AT_ONCE]
            # Exact differences: of near points the quick way through a product leaves rounding.
            far = torch.cdist(some, points[: start + len(some)], compute_mode="donot_use_mm_for_euclid_dist")
            later = torch.arange(start, start + len(some))[:, None] <= torch.arange(start + len(some))
            nearest = far.masked_fill(later, math.inf).min(1)
            for row in (nearest.values < limit).nonzero()[:, 0].tolist():
                yield own[start + row], own[int(nearest.indices[row])]


def count_distinct(facts: Sequence[HandFacts]) -> int:
    """Return how many hands repeat no earlier one in pose and view."""
    return len(facts) - sum(1 for _ in find_repeats(facts))


def summarise(facts: Sequence[HandFacts]) -> str:
    """Return in a line how many bins of each histogram some hands fill."""
    coverage = Coverage.of(facts)
    filled = {kind: sum(count > 0 for count in coverage.counts[kind].values()) for kind in bins()}
    return ", ".join(f"{kind}s {count} of {len(bins()[kind])}" for kind, count in filled.items())


def describe_coverage(coverage: Coverage, target: Target, facts: Sequence[HandFacts]) -> str:
    """Return the histograms beside the target's as text for people, and the near duplicates."""
    lines = [f"{coverage.hands} hands against the target {target.name}"]
    for kind, names in bins().items():
        lines.append(f"{kind}: {coverage.distance(kind, target):.2f} of the hands in a wrong bin")
        shares, wanted = coverage.shares(kind), target.shares[kind]
        lines += [
            f"  {name:16} {coverage.counts[kind][name]:7} {100 * shares[name]:6.1f} %, target {100 * wanted[name]:.1f}"
            for name in names
            if coverage.counts[kind][name] or wanted[name]
        ]
    repeats = [*find_repeats(facts)]
    lines.append(f"near duplicates: {len(repeats)} hands repeat an earlier one's pose and view")
    lines += [f"  {facts[later].key} repeats {facts[first].key}" for later, first in repeats[:10]]
    return "\n".join(lines)
