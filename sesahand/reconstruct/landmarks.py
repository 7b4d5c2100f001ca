"""Hands found in pictures: 21 keypoints each, before any hand model is fitted to them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import SesaHandError
from ..hands.skeleton import FINGERS
from ..scene.camera import Camera
from ..scene.hand_scene import SIDES

NUM_KEYPOINTS = 21
# Points that move further than this from look to look, as a part of the hand's size and on average over a hand or a
# finger, are not to be relied on.
DOUBTFUL_HAND, DOUBTFUL_FINGER = 0.05, 0.07


@dataclass(frozen=True, eq=False)
class HandLandmarks:
    """N hands found in F pictures of one size. No hands at all is a normal value.

    Keypoints are in OpenPose's hand order, which is also MediaPipe's: wrist, then thumb to pinky from palm to tip.

    Attributes:
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        num_frames: F, at least 1; pictures without hands count.
        frame: The picture each hand is in, int64 `[N]`, values 0..F-1.
        side: "right" or "left" of each hand as its owner would say (the picture is not a mirror's), N entries.
        keypoints_2d: `[N, 21, 2]` pixels; pixel (i, j) covers `[i, i + 1) x [j, j + 1)`. NaN for an unknown point.
        keypoints_3d: `[N, 21, 3]` metres in the camera's axes (x right, y down, z forward), up to a translation of the
            whole hand. NaN where only the picture's plane is known.
        box: Axis-aligned box around each hand `[N, 4]`, x0, y0, x1, y1 in pixels; it may reach out of the picture.
        score: Confidence that it is a hand, 0..1, `[N]`.
        side_score: Confidence in `side`, 0.5..1, `[N]`.
        camera: The camera that the 3D points were measured in, if what found them says so, or None.
        note: Why there may be no hands, or what else is to be known of all of them; empty if nothing is.
        spread: How far each point moved when the hand was looked at turned, scaled and in the mirror, as a part of the
            hand's longer side `[N, 21]`. NaN where it was looked at once, or found by something else; None is all NaN.
        second_2d: Points of fingers that may be bent otherwise, `[N, 21, 2]` pixels; NaN for all others. None is all
            NaN.
        second_3d: The same as `keypoints_3d`, `[N, 21, 3]` metres.
    """

    width: int
    height: int
    num_frames: int
    frame: Tensor
    side: tuple[str, ...]
    keypoints_2d: Tensor
    keypoints_3d: Tensor
    box: Tensor
    score: Tensor
    side_score: Tensor
    camera: Camera | None = None
    note: str = ""
    spread: Tensor | None = None
    second_2d: Tensor | None = None
    second_3d: Tensor | None = None

    SHAPES: ClassVar = {
        "frame": (),
        "keypoints_2d": (NUM_KEYPOINTS, 2),
        "keypoints_3d": (NUM_KEYPOINTS, 3),
        "box": (4,),
        "score": (),
        "side_score": (),
        "spread": (NUM_KEYPOINTS,),
        "second_2d": (NUM_KEYPOINTS, 2),
        "second_3d": (NUM_KEYPOINTS, 3),
    }
    OPTIONAL: ClassVar = ("spread", "second_2d", "second_3d")

    def __post_init__(self):
        count = len(self.side)
        for name in self.OPTIONAL:
            if getattr(self, name) is None:
                object.__setattr__(self, name, torch.full((count, *self.SHAPES[name]), torch.nan))
        for name, shape in self.SHAPES.items():
            found = tuple(getattr(self, name).shape)
            if found != (count, *shape):
                raise SesaHandError(f"{name} has shape {found}, expected {(count, *shape)} for {count} hands.")
        if not set(self.side) <= set(SIDES):
            raise SesaHandError(f"Each side must be 'right' or 'left', got {sorted(set(self.side))}.")
        if self.num_frames < 1:
            raise SesaHandError(f"Landmarks belong to at least one picture, got {self.num_frames}.")
        if count and not (0 <= int(self.frame.min()) and int(self.frame.max()) < self.num_frames):
            raise SesaHandError(
                f"Hands are in pictures {self.frame.unique().tolist()!s:.80}, but there are {self.num_frames} "
                "(numbered from 0)."
            )

    def __len__(self) -> int:
        return len(self.side)

    @property
    def has_3d(self) -> Tensor:
        """Whether each hand's relative depth is known, bool `[N]`."""
        return torch.isfinite(self.keypoints_3d).all(-1).all(-1)

    @property
    def doubt(self) -> Tensor:
        """How far the points of each hand and of its fingers, thumb first, move from look to look, `[N, 6]`.

        As a part of the hand's longer side; NaN where it was looked at once.
        """
        spread = torch.as_tensor(self.spread)
        return torch.cat([spread.mean(1, keepdim=True), spread[:, 1:].unflatten(1, (5, 4)).mean(2)], 1)

    @property
    def has_second(self) -> Tensor:
        """Whether each finger, thumb first, may be bent otherwise, bool `[N, 5]`."""
        return torch.as_tensor(self.second_2d).isfinite().all(-1)[:, 1::4]

    def second_reading(self) -> "HandLandmarks":
        """Return the landmarks with those fingers otherwise that may be; the rest stays."""
        pixels, metres = torch.as_tensor(self.second_2d), torch.as_tensor(self.second_3d)
        return replace(
            self,
            keypoints_2d=torch.where(pixels.isfinite(), pixels, self.keypoints_2d),
            keypoints_3d=torch.where(metres.isfinite(), metres, self.keypoints_3d),
            second_2d=torch.where(pixels.isfinite(), self.keypoints_2d, pixels),
            second_3d=torch.where(metres.isfinite(), self.keypoints_3d, metres),
        )

    @classmethod
    def empty(cls, width: int, height: int, num_frames: int = 1, note: str = "") -> "HandLandmarks":
        """Return landmarks of pictures without hands, or in which none could be looked for, as the note says."""
        arrays: dict[str, Any] = {name: torch.zeros(0, *shape) for name, shape in cls.SHAPES.items()}
        arrays |= {"frame": torch.zeros(0, dtype=torch.long)}
        return cls(width, height, num_frames, side=(), note=note, **arrays)

    def select(self, index) -> "HandLandmarks":
        """Return the landmarks of only the hands of `index` (int64 or bool tensor, or list of ints)."""
        index = torch.as_tensor(index)
        index = index.nonzero()[:, 0] if index.dtype == torch.bool else index.long()
        arrays = {name: getattr(self, name)[index] for name in self.SHAPES}
        return replace(self, side=tuple(self.side[i] for i in index.tolist()), **arrays)


def doubtful_fingers(doubt: Sequence[float]) -> list[str]:
    """Return the names of the fingers of one hand that are not to be relied on.

    Args:
        doubt: Six numbers as in `HandLandmarks.doubt`.
    """
    return [finger for finger, moved in zip(FINGERS, doubt[1:], strict=True) if moved > DOUBTFUL_FINGER]


def describe_doubt(doubt: Sequence[float]) -> str:
    """Return what is doubtful of one hand in words, "" if nothing is.

    Args:
        doubt: Six numbers as in `HandLandmarks.doubt`.
    """
    parts = [f"its points move by {doubt[0]:.0%} of its size"] if doubt[0] > DOUBTFUL_HAND else []
    parts += doubtful_fingers(doubt)
    return f"doubtful: {', '.join(parts)}" if parts else ""


def join_landmarks(each: Sequence[HandLandmarks]) -> HandLandmarks:
    """Return the landmarks of several pictures of one size, one after the other; those of a single one as they are."""
    if len(each) == 1:
        return each[0]
    arrays: dict[str, Any] = {name: torch.cat([getattr(one, name) for one in each]) for name in HandLandmarks.SHAPES}
    starts = [sum(one.num_frames for one in each[:place]) for place in range(len(each) + 1)]
    arrays["frame"] = torch.cat([one.frame + start for one, start in zip(each, starts, strict=False)])
    side = tuple(side for one in each for side in one.side)
    notes = {one.note for one in each}
    return replace(each[0], num_frames=starts[-1], side=side, note=notes.pop() if len(notes) == 1 else "", **arrays)
