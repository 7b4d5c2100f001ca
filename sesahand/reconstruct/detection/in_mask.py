"""The hand that is meant by a mask, whether the mask covers all of it or one finger."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import SesaHandError
from ...scene.mask_regions import find_regions, white_threshold
from ..landmarks import HandLandmarks
from .external import HandBox
from .landmark_pictures import mask_landmarks

# A mask may also cover what should be a finger and lies beside the hand that was found: as far as this part of its box.
REACH = 0.25
# A hand is meant if so much of the mask is within its reach, or the mask covers so much of its box.
LEAST_OF_MASK, LEAST_OF_HAND = 0.5, 0.3
# Where none of the hands that are found in the picture is meant, boxes this much larger than the mask are looked at.
BOX_SCALES = (1.0, 1.5, 2.5)


@dataclass(frozen=True, eq=False)
class MeantHands:
    """The hand of each of F pictures that is to be repaired, if there is one.

    Attributes:
        landmarks: At most one hand in each picture.
        masks: What is to be repainted `[F, H, W]`, 0..1: what was painted, else the hand that was found, else nothing.
        painted: Whether somebody painted a mask, for each picture.
    """

    landmarks: HandLandmarks
    masks: Tensor
    painted: tuple[bool, ...]

    @property
    def nothing(self) -> bool:
        """Whether there is neither a hand nor a mask in any picture."""
        return not len(self.landmarks) and not any(self.painted)


def meant_hands(look: Callable[..., HandLandmarks], pictures: Tensor, masks: Tensor | None = None) -> MeantHands:
    """Find the hand that each mask is about; without a mask, the largest hand of the picture.

    Hands are looked for in the whole picture, as a mask over a finger does not tell where its hand is. Where none of
    them is at the mask, they are looked for in boxes around it.

    Args:
        look: Finds hands in pictures `[F, H, W, C]`, or at most one in each of `boxes`, a list of `HandBox`: such as
            a `HandDetector`.
        pictures: `[F, H, W, C]` of 0..1.
        masks: `[F, H, W]` or `[1, H, W]` of 0..1, white where a hand is to be repainted. A black one of any size, as
            Load Image has for pictures without one, is as none.

    Raises:
        SesaHandError: If masks and pictures do not belong together.
    """
    frames, height, width = pictures.shape[:3]
    painted, white = _painted(masks, frames, (height, width))
    found = look(pictures)
    chosen = [_meant(found, frame, own) for frame, own in enumerate(white)]
    landmarks = found.select([index for index in chosen if index is not None])
    missed = {frame: own for frame, own in enumerate(white) if chosen[frame] is None and own is not None}
    if missed:
        boxes = [box for frame, own in missed.items() for box in _boxes_around(own, frame)]
        closer = look(pictures, boxes=boxes)
        landmarks = _joined(
            landmarks, closer.select([k for k in (_surest(closer, f) for f in missed) if k is not None])
        )
    masks = torch.where(torch.tensor(painted)[:, None, None], _as_given(masks, pictures), mask_landmarks(landmarks))
    return MeantHands(landmarks, masks, tuple(painted))


def _painted(masks: Tensor | None, frames: int, size: tuple[int, int]) -> tuple[list[bool], list[Tensor | None]]:
    """Return for each picture whether a mask was painted, and its white pixels, bool `[H, W]`."""
    if masks is None or not bool(masks.any()):
        return [False] * frames, [None] * frames
    if masks.ndim != 3 or len(masks) not in (1, frames) or tuple(masks.shape[1:]) != size:
        raise SesaHandError(
            f"The mask has the shape {list(masks.shape)} for {frames} pictures of {size[1]}x{size[0]} pixels: give one "
            "mask, or one for each picture, of the pictures' size."
        )
    white = [_white(mask) for mask in masks]
    white = white * frames if len(white) == 1 else white
    return [own is not None for own in white], white


def _white(mask: Tensor) -> Tensor | None:
    values = mask.detach().cpu().double().numpy()
    white = torch.from_numpy(values > white_threshold(values))
    return white if bool(white.any()) else None


def _as_given(masks: Tensor | None, pictures: Tensor) -> Tensor:
    """Return the masks as they came, `[F, H, W]`, black where there are none."""
    if masks is None or masks.shape[1:] != pictures.shape[1:3]:
        return torch.zeros(pictures.shape[:3])
    return masks.detach().cpu().float().expand(len(pictures), -1, -1)


def _meant(found: HandLandmarks, frame: int, white: Tensor | None) -> int | None:
    """Return which of the hands in a picture its mask is about, or without a mask the largest one."""
    hands = (found.frame == frame).nonzero()[:, 0].tolist()
    if white is None:
        return max(hands, key=lambda hand: _area(found.box[hand]), default=None)
    near = [hand for hand in hands if _is_near(found.box[hand], white)]
    return max(near, key=lambda hand: _closeness(found, hand, white), default=None)


def _area(box: Tensor) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _is_near(box: Tensor, white: Tensor) -> bool:
    reach = REACH * float((box[2:] - box[:2]).max())
    within = _count(white, (box + torch.tensor([-reach, -reach, reach, reach])).tolist())
    return within >= LEAST_OF_MASK * int(white.sum()) or within >= LEAST_OF_HAND * _area(box)


def _count(white: Tensor, box: list[float]) -> int:
    """Return how many white pixels are within a box."""
    left, top, right, bottom = (max(0, round(edge)) for edge in box)
    return int(white[top:bottom, left:right].sum())


def _closeness(found: HandLandmarks, hand: int, white: Tensor) -> tuple[int, float]:
    """Return what is more for a hand that a mask is rather about: the mask's part within it, and how near it is."""
    within = mask_landmarks(found.select([hand]))[int(found.frame[hand])] > 0
    rows, columns = white.nonzero().double().mean(0).tolist()
    box = found.box[hand].double()
    away = (box[:2] + box[2:]) / 2 - torch.tensor([columns, rows], dtype=torch.float64)
    return int((within & white).sum()), -float(away.norm())


def _boxes_around(white: Tensor, frame: int) -> list[HandBox]:
    """Return boxes in which the hand of a mask may be."""
    [region] = find_regions(white, "all", 0.5)
    x0, y0, x1, y1 = region.box
    x, y, half = (x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0) / 2
    return [HandBox(frame, (x - s * half, y - s * half, x + s * half, y + s * half)) for s in BOX_SCALES]


def _surest(found: HandLandmarks, frame: int) -> int | None:
    hands = (found.frame == frame).nonzero()[:, 0].tolist()
    return max(hands, key=lambda hand: float(found.score[hand]), default=None)


def _joined(one: HandLandmarks, other: HandLandmarks) -> HandLandmarks:
    """Return the hands of both, which are of the same pictures."""
    arrays: dict[str, Any] = {
        name: torch.cat([getattr(one, name), getattr(other, name)]) for name in HandLandmarks.SHAPES
    }
    return replace(one, side=one.side + other.side, **arrays)
