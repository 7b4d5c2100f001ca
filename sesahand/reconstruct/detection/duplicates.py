"""Which of the hands found in a picture are one hand found twice."""

import torch
from torch import Tensor

from ...scene.placing import box_overlap
from .looks import Looks, join_looks, sizes

# Two hands whose landmarks lie closer on average than this part of the smaller one's box are one hand found twice.
SAME_HAND = 0.15
# So are two whose boxes overlap by this much, or, of those found later, one of which lies in the other's by this much.
SAME_BOX, LARGEST_SHARE = 0.5, 0.7
# Unless they are a right and a left one of which every look says the same: hands that lie on each other.
STEADY_PAIR = 0.03
# What unsteadiness takes from a hand's confidence, for each part of its size that its landmarks move.
COST_OF_SPREAD = 3.0


def choose_hands(looks: Looks, threshold: float) -> Looks:
    """Return the hands of one picture that are sure enough, each once, by falling score."""
    order = looks.score.argsort(descending=True, stable=True)
    chosen: list[int] = []
    for index in order[looks.score[order] >= threshold].tolist():
        if not lie_on(looks.keypoints_2d[index], looks.keypoints_2d[chosen]).any():
            chosen.append(index)
    return looks.select(chosen)


def are_new(more: Looks, hands: Looks) -> list[bool]:
    """Return for each of more hands of one picture whether its landmarks are those of none of `hands`."""
    return [not lie_on(points, hands.keypoints_2d).any() for points in more.keypoints_2d]


def without_repeats(hands: Looks, more: Looks) -> Looks:
    """Return the hands of one picture and more of them, by falling score, each once.

    Of two that are one the steadier stays, and one of `hands` before one of `more` where they are about as steady.

    Args:
        hands: Measured in several looks.
        more: Likewise.
    """
    both = join_looks([hands, more])
    worth = worth_of(both)
    worth[: len(hands)] += COST_OF_SPREAD * STEADY_PAIR
    chosen: list[int] = []
    for index in worth.argsort(descending=True, stable=True).tolist():
        if not any(_same_hand(both, index, other, max(index, other) >= len(hands)) for other in chosen):
            chosen.append(index)
    return both.select(sorted(chosen)).by_score()


def worth_of(looks: Looks) -> Tensor:
    """Return how good finds of several looks are, `[K]`: their confidence less what their spread takes."""
    return looks.lasting - COST_OF_SPREAD * looks.spread.mean(1)


def lie_on(points: Tensor, others: Tensor) -> Tensor:
    """Tell for each of other hands whether a hand's landmarks lie on its own.

    Args:
        points: `[21, 2]`, pixels.
        others: `[K, 21, 2]`, pixels.

    Returns:
        Bool `[K]`.
    """
    apart = (others - points).norm(dim=-1).mean(-1)
    return apart < SAME_HAND * torch.minimum(sizes(others), sizes(points[None]))


def same_landmarks(pair: Tensor) -> bool:
    """Tell whether two hands' landmarks `[2, 21, 2]`, pixels, lie on each other."""
    return bool(lie_on(pair[0], pair[1:]))


def _same_hand(looks: Looks, one: int, other: int, new: bool) -> bool:
    """Tell whether two of several looks are at one hand; of `new` ones more is asked to be a hand of their own."""
    pair = looks.keypoints_2d[[one, other]]
    if same_landmarks(pair):
        return True
    both_sides = bool((looks.right[one] >= 0.5) != (looks.right[other] >= 0.5))
    if both_sides and bool((looks.spread[[one, other]].mean(1) < STEADY_PAIR).all()):
        return False
    first, second = torch.cat([pair.amin(1), pair.amax(1)], 1)
    return bool(box_overlap(first, second) > SAME_BOX) or (new and bool(shares(first, second) > LARGEST_SHARE))


def shares(first: Tensor, second: Tensor) -> Tensor:
    """Return how much of the smaller of two boxes they share, 0 to 1.

    Args:
        first: `[..., 4]`: x0, y0, x1, y1 in pixels.
        second: Likewise.

    Returns:
        0 to 1, `[...]`.
    """
    low, high = torch.maximum(first[..., :2], second[..., :2]), torch.minimum(first[..., 2:], second[..., 2:])
    areas = [(box[..., 2:] - box[..., :2]).prod(-1) for box in (first, second)]
    return (high - low).clamp(min=0).prod(-1) / torch.minimum(*areas).clamp(min=1e-6)
