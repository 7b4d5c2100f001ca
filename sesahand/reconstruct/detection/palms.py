"""Palms from the raw output of MediaPipe's palm network.

Source: MediaPipe's `palm_detection` graphs (Apache-2.0): the layout of the anchors, the scales of the output, weighted
non-maximum suppression, and how the square of a hand follows from its palm.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...scene.placing import box_overlap
from .crops import to_picture, upright_angle

# Cells along a side and anchors in each, in the order of the network's output.
ANCHOR_GRIDS = ((24, 2), (12, 6))
NUM_ANCHORS = sum(cells * cells * each for cells, each in ANCHOR_GRIDS)
NUM_POINTS = 7
NUM_VALUES = 4 + 2 * NUM_POINTS
# Of a palm's points, those at the wrist and at the root of the middle finger give its direction.
WRIST, MIDDLE = 0, 2
LARGEST_LOGIT = 100.0
# Palms that overlap by this much are merged; where they come from two views of a picture, one is left out by this much.
SAME_PALM, REPEATED_PALM = 0.3, 0.5
# Radians: one that points elsewhere by more than this shows the landmark network another square.
SAME_DIRECTION = 0.35
# The square of a hand is this much larger than the palm's box, and moved by this much of the box towards the fingers.
HAND_SCALE, HAND_SHIFT = 2.6, 0.5


@dataclass(frozen=True, eq=False)
class Palms:
    """P palms in one picture, best first.

    Attributes:
        box: x0, y0, x1, y1 in pixels, `[P, 4]`.
        points: `[P, 7, 2]` pixels.
        score: 0..1, `[P]`.
    """

    box: Tensor
    points: Tensor
    score: Tensor

    def __len__(self) -> int:
        return len(self.score)

    def select(self, index) -> "Palms":
        """Return only some of the palms."""
        return Palms(self.box[index], self.points[index], self.score[index])

    def directions(self) -> Tensor:
        """Return by what angle in radians each palm is turned from upright, `[P]`."""
        return upright_angle(self.points[:, WRIST], self.points[:, MIDDLE])

    def squares(self, turned: float = 0.0) -> Tensor:
        """Return the squares `[P, 4]` in which the hands are looked for, `turned` by more radians than the palms."""
        angle = self.directions() + turned
        size = self.box[:, 2:] - self.box[:, :2]
        centre = (self.box[:, 2:] + self.box[:, :2]) / 2
        towards_fingers = torch.stack([angle.sin(), -angle.cos()], -1)
        centre = centre + HAND_SHIFT * size[:, 1:] * towards_fingers
        return torch.cat([centre, HAND_SCALE * size.amax(1, keepdim=True), angle[:, None]], 1)


def make_anchors() -> Tensor:
    """Return the centres of the anchors as parts of the network's picture, `[2016, 2]`."""
    grids = []
    for cells, each in ANCHOR_GRIDS:
        centres = (torch.arange(cells) + 0.5) / cells
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        grids.append(torch.stack([x, y], -1).reshape(-1, 1, 2).expand(-1, each, -1).reshape(-1, 2))
    return torch.cat(grids)


def decode_palms(values: Tensor, logits: Tensor, size: int, square: Tensor, threshold: float) -> Palms:
    """Turn the network's answer for one picture into palms, before any are merged.

    Args:
        values: Centre, size and points relative to the anchors, in the network's pixels, `[2016, 18]`.
        logits: `[2016, 1]`.
        size: Side of the network's picture in pixels.
        square: Which square of the picture the network saw, `[4]`, not turned.
        threshold: Palms with a lower score are left out.
    """
    score = logits[:, 0].clamp(-LARGEST_LOGIT, LARGEST_LOGIT).sigmoid()
    kept = (score >= threshold).nonzero()[:, 0]
    pairs = (values[kept] / size).reshape(-1, 2 + NUM_POINTS, 2)
    half = pairs[:, 1:2].clamp(min=0) / 2
    anchors = make_anchors()[kept][:, None] - 0.5
    located = torch.cat([pairs[:, :1] - half, pairs[:, :1] + half, pairs[:, 2:]], 1) + anchors
    located = to_picture(square[None].expand(len(kept), -1), located)
    return Palms(located[:, :2].reshape(-1, 4), located[:, 2:], score[kept])


def merge_palms(palms: Palms) -> Palms:
    """Replace palms that overlap by their mean, weighted by their scores; the best one's score stays."""
    left = palms.score.argsort(descending=True, stable=True)
    merged = []
    while len(left):
        same = box_overlap(palms.box[left[0]], palms.box[left]) > SAME_PALM
        same[0] = True
        group = palms.select(left[same])
        weight = group.score / group.score.sum()
        box, points = (torch.einsum("k,k...->...", weight, part) for part in (group.box, group.points))
        merged.append((box, points, group.score[0]))
        left = left[~same]
    if not merged:
        return palms
    return Palms(*(torch.stack(parts) for parts in zip(*merged, strict=True)))


def join_palms(parts: list[Palms]) -> Palms:
    """Put palms of one picture into one list, in the order given."""
    return Palms(*(torch.cat([getattr(part, name) for part in parts]) for name in ("box", "points", "score")))


def add_palms(palms: Palms, more: Palms) -> Palms:
    """Append those of `more` that are not among the palms yet."""
    overlap = box_overlap(more.box[:, None], palms.box[None])
    return join_palms([palms, more.select(~(overlap > REPEATED_PALM).any(1))])


def add_other_palms(palms: Palms, more: Palms) -> Palms:
    """Append those of `more` that are not among the palms yet, or point in another direction than these."""
    overlap = box_overlap(more.box[:, None], palms.box[None]) > REPEATED_PALM
    apart = more.directions()[:, None] - palms.directions()
    return join_palms([palms, more.select(~(overlap & (apart.cos() > math.cos(SAME_DIRECTION))).any(1))])


NO_PALMS = Palms(torch.zeros(0, 4), torch.zeros(0, NUM_POINTS, 2), torch.zeros(0))
