"""Which predicted picture is which true one, and in each which hand is which."""

import math
from collections import Counter
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...errors import SesaHandError
from ...reconstruct.scoring.matching import assign, check_number
from ...reconstruct.scoring.score import FARTHEST_COST, SIDE_COST
from .hand_set import UNKNOWN_SIDE, HandSet

# Where nothing tells hands of one side apart, the surest goes first; less than any difference that means something.
DOUBT_COST = 1e-3


@dataclass(frozen=True, eq=False)
class HandPairs:
    """Predicted hands and the true ones that they are of.

    Attributes:
        found: All predicted hands, their pixels in the true pictures' sizes.
        truth: All true hands.
        pairs: (predicted, true) hands.
        missing: True hands without a predicted one.
        extra: Predicted hands without a true one, in pictures that the truth has.
        not_predicted: True pictures of which the predictions say nothing; their hands are missing.
        not_annotated: Predicted pictures of which the truth says nothing; their hands count nowhere.
    """

    found: HandSet
    truth: HandSet
    pairs: tuple[tuple[int, int], ...]
    missing: tuple[int, ...]
    extra: tuple[int, ...]
    not_predicted: tuple[int, ...]
    not_annotated: tuple[int, ...]

    @property
    def wrong_side(self) -> int:
        """How many pairs are of a right and a left hand."""
        return sum(sides_differ(self.found.side[i], self.truth.side[j]) for i, j in self.pairs)


def pair_hands(found: HandSet, truth: HandSet) -> HandPairs:
    """Pair predicted hands with true ones, picture by picture, by side and by where they are.

    A pair costs the root-mean-square distance of its keypoints in the picture, in sizes of the true hand, and
    `SIDE_COST` if the sides differ; beyond `FARTHEST_COST` there is none. Where one of the two has no place in the
    picture, sides alone tell.

    Args:
        found: The predictions.
        truth: What they should be.

    Raises:
        SesaHandError: If no picture of one is a picture of the other, their sizes do not fit, or a picture has more
            hands than can be told apart.
    """
    frames = pair_pictures(found, truth)
    found = _rescaled(found, truth, frames)
    wanted_in, found_in = truth.by_picture(), found.by_picture()
    pairs, missing, extra = [], [], []
    for picture in range(len(truth.pictures)):
        wanted = wanted_in.get(picture, [])
        there = found_in.get(frames.get(picture, -1), [])
        check_number(len(wanted), len(there), f"The picture {truth.pictures[picture].key!r:.80}")
        costs = [[_cost(found, i, truth, j) for i in there] for j in wanted]
        chosen = assign(costs, FARTHEST_COST)
        taken = {there[column]: j for j, column in zip(wanted, chosen, strict=True) if column is not None}
        pairs += [(i, j) for i, j in taken.items()]
        given = set(taken.values())
        missing += [j for j in wanted if j not in given]
        extra += [i for i in there if i not in taken]
    seen = set(frames.values())
    return HandPairs(
        found=found,
        truth=truth,
        pairs=tuple(pairs),
        missing=tuple(missing),
        extra=tuple(extra),
        not_predicted=tuple(picture for picture in range(len(truth.pictures)) if picture not in frames),
        not_annotated=tuple(picture for picture in range(len(found.pictures)) if picture not in seen),
    )


def pair_pictures(found: HandSet, truth: HandSet) -> dict[int, int]:
    """Return the predicted picture of each true one that has any: by name, or by order where names are lacking.

    Raises:
        SesaHandError: If there are no pictures, a name is not unique, none is in both, or without names the numbers of
            pictures differ.
    """
    for hands in (found, truth):
        if not hands.pictures:
            raise SesaHandError(f"{hands.source} has no pictures, so that there is nothing to compare.")
    if not (found.named and truth.named):
        if len(found.pictures) != len(truth.pictures):
            raise SesaHandError(
                f"{found.source} has {len(found.pictures)} pictures and {truth.source} {len(truth.pictures)}; without "
                "names they are paired by their order, and must be as many."
            )
        return {picture: picture for picture in range(len(truth.pictures))}
    places = _places(found)
    frames = {number: places[key] for key, number in _places(truth).items() if key in places}
    if not frames:
        raise SesaHandError(
            f"No picture of {found.source} is one of {truth.source}: the first are named "
            f"{found.pictures[0].key!r:.80} and {truth.pictures[0].key!r:.80}. Predictions are NAME_hands.json for a "
            "picture NAME."
        )
    return frames


def _places(hands: HandSet) -> dict[str, int]:
    places = {picture.key: number for number, picture in enumerate(hands.pictures)}
    if len(places) < len(hands.pictures):
        twice = next(name for name, times in Counter(picture.key for picture in hands.pictures).items() if times > 1)
        raise SesaHandError(f"{hands.source} has several pictures of the name {twice!r:.80}; give each its own.")
    return places


def _rescaled(found: HandSet, truth: HandSet, frames: dict[int, int]) -> HandSet:
    """Return the predictions with pixels of the true pictures, where those are of another size."""
    scale = torch.ones(len(found.pictures), 2, dtype=found.keypoints_2d.dtype)
    for wanted, given in frames.items():
        size, other = truth.pictures[wanted].size, found.pictures[given].size
        if size is None or other is None or size == other:
            continue
        if abs(other[0] / other[1] * size[1] - size[0]) > 1:
            raise SesaHandError(
                f"The picture {truth.pictures[wanted].key!r:.80} has {size[0]}x{size[1]} pixels in {truth.source}, but "
                f"{other[0]}x{other[1]} in {found.source}: predict hands in the whole picture."
            )
        scale[given] = torch.tensor([size[0] / other[0], size[1] / other[1]], dtype=scale.dtype)
    return replace(found, keypoints_2d=found.keypoints_2d * scale[found.frame, None])


def _cost(found: HandSet, i: int, truth: HandSet, j: int) -> float:
    side = SIDE_COST * sides_differ(found.side[i], truth.side[j])
    apart = distance_2d(found.keypoints_2d[i], truth.keypoints_2d[j])
    return side + (DOUBT_COST * (1 - float(found.score[i])) if apart is None else apart)


def sides_differ(a: str, b: str) -> bool:
    """Return whether two sides are known and not the same."""
    return UNKNOWN_SIDE not in (a, b) and a != b


def distance_2d(found: Tensor, reference: Tensor) -> float | None:
    """Root-mean-square distance of the keypoints that both know, in sizes of the reference hand.

    Args:
        found: `[21, 2]` pixels, NaN for unknown points.
        reference: Likewise, `[21, 2]` pixels.

    Returns:
        None if fewer than two points are known, or all of the reference's known ones coincide.
    """
    size = hand_size(reference)
    known = (found.isfinite() & reference.isfinite()).all(-1)
    if size is None or not known.any():
        return None
    return math.sqrt(float((found[known] - reference[known]).square().sum(-1).mean())) / size


def hand_size(points: Tensor) -> float | None:
    """Longer side of the box around the known ones of points `[21, 2]`, pixels; None without two of them."""
    known = points[points.isfinite().all(-1)]
    size = float((known.amax(0) - known.amin(0)).max()) if len(known) > 1 else 0.0
    return size if size > 0 else None
