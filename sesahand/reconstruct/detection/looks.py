"""What the landmark network says about squares of a picture, from one look or from several."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate

import torch
from torch import Tensor

# Of a hand that is there, the mirror image shows the same: distance as a part of the hand, difference of probabilities.
MIRROR_DISTANCE, MIRROR_SIDE = 0.1, 0.3


@dataclass(frozen=True, eq=False)
class Looks:
    """What the landmark network says about K squares.

    Attributes:
        keypoints_2d: `[K, 21, 2]` pixels of the picture.
        keypoints_3d: `[K, 21, 3]` metres in the camera's axes.
        score: Confidence that there is a hand, `[K]`.
        right: Probability that it is a right hand, `[K]`.
        stable: Whether the mirror images, if they were looked at, show the same, bool `[K]`.
        spread: How far each landmark moves from look to look, as a part of the hand's longer side, `[K, 21]`; NaN if
            there were no more looks.
        lasting: The mean confidence of all looks, `[K]`; NaN if there were no more.
    """

    keypoints_2d: Tensor
    keypoints_3d: Tensor
    score: Tensor
    right: Tensor
    stable: Tensor
    spread: Tensor
    lasting: Tensor

    def __len__(self) -> int:
        return len(self.score)

    def select(self, index) -> "Looks":
        """Return only some of them."""
        return Looks(*(getattr(self, field.name)[index] for field in fields(self)))

    def split(self, counts: Sequence[int]) -> list["Looks"]:
        """Return so many at a time, from the first on."""
        ends = [*accumulate(counts)]
        return [self.select(slice(end - count, end)) for end, count in zip(ends, counts, strict=True)]

    def by_score(self) -> "Looks":
        """Return them by falling score."""
        return self.select(self.score.argsort(descending=True, stable=True))


def join_looks(parts: list[Looks]) -> Looks:
    """Put looks into one list."""
    return Looks(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Looks)))


def mean_look(straight: Looks, mirrored: Looks) -> Looks:
    """Return the mean of looks at squares and at their mirror images, and whether these agree."""
    distance = (straight.keypoints_2d - mirrored.keypoints_2d).norm(dim=-1).mean(-1)
    mean = {
        name: (getattr(straight, name) + getattr(mirrored, name)) / 2
        for name in ("keypoints_2d", "keypoints_3d", "score", "right")
    }
    near = distance < MIRROR_DISTANCE * sizes(straight.keypoints_2d)
    return replace(straight, stable=near & ((straight.right - mirrored.right).abs() < MIRROR_SIDE), **mean)


def spread_of(points: Tensor) -> Tensor:
    """Return how far landmarks move from look to look.

    Args:
        points: `[L, K, 21, 2]` pixels, from L looks at the same K hands.

    Returns:
        Mean distance from their mean, as a part of the longer side of the box around it, `[K, 21]`.
    """
    mean = points.mean(0)
    return (points - mean).norm(dim=-1).mean(0) / sizes(mean)[:, None].clamp(min=1e-6)


def sizes(keypoints: Tensor) -> Tensor:
    """Return the longer side of the box around each hand `[K, 21, 2]`, in its unit, `[K]`."""
    return (keypoints.amax(1) - keypoints.amin(1)).amax(1)


def as_side(looks: Looks, side: str) -> Looks:
    """Return looks of hands whose side is known, with the depths that this side has.

    Seen in the picture's plane, a hand and the other hand reversed in depth are the same: where the network took a palm
    for the back of the other hand, its points are right but for the sign of their depth.
    """
    right = torch.full_like(looks.right, float(side == "right"))
    agrees = (looks.right >= 0.5) == (right >= 0.5)
    points = looks.keypoints_3d.clone()
    points[~agrees, :, 2] *= -1
    return replace(looks, keypoints_3d=points, right=right)
