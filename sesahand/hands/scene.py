"""Hands in front of a camera: the value that travels between posing, rendering, reconstruction and data sets."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from ..errors import SesaHandError
from ..render.camera import Camera
from .model import NUM_BETAS, NUM_JOINTS, HandModel, PosedHands, check_parameters

SIDES = ("right", "left")


@dataclass(frozen=True, eq=False)
class HandScene:
    """N hands over F frames, seen by one camera. No hands at all is a normal value.

    Attributes:
        model: The hand model that the parameters belong to.
        camera: The camera of every frame.
        num_frames: F, at least 1; frames without hands count.
        frame: The frame each hand is in, int64 `[N]`, values 0..F-1.
        side: "right" or "left" of each hand, N entries.
        global_orient: `[N, 3, 3]`, in the camera's frame.
        hand_pose: Absolute joint rotations `[N, 15, 3, 3]`, MANO order.
        betas: `[N, 10]`.
        translation: `[N, 3]` metres in the camera's frame, added after posing.
        score: Confidence of each hand in 0..1, `[N]`; 1 for hands that were posed rather than found.
    """

    model: HandModel
    camera: Camera
    num_frames: int
    frame: Tensor
    side: tuple[str, ...]
    global_orient: Tensor
    hand_pose: Tensor
    betas: Tensor
    translation: Tensor
    score: Tensor

    ARRAYS: ClassVar = ("frame", "global_orient", "hand_pose", "betas", "translation", "score")

    def __post_init__(self):
        count = len(self.side)
        check_parameters(count, **{name: getattr(self, name) for name in self.ARRAYS})
        if not set(self.side) <= set(SIDES):
            raise SesaHandError(f"Each side must be 'right' or 'left', got {sorted(set(self.side))}.")
        if self.num_frames < 1:
            raise SesaHandError(f"A scene has at least one frame, got {self.num_frames}.")
        if count and not (0 <= int(self.frame.min()) and int(self.frame.max()) < self.num_frames):
            raise SesaHandError(f"Hands are in frames {self.frame.tolist()}, but the scene has {self.num_frames}.")

    def __len__(self) -> int:
        return len(self.side)

    @property
    def is_right(self) -> Tensor:
        return torch.tensor([side == "right" for side in self.side], dtype=torch.bool)

    @classmethod
    def empty(cls, model: HandModel, camera: Camera, num_frames: int = 1) -> "HandScene":
        """Return a scene without hands."""
        return cls(
            model, camera, num_frames, torch.zeros(0, dtype=torch.long), (), torch.zeros(0, 3, 3),
            torch.zeros(0, NUM_JOINTS - 1, 3, 3), torch.zeros(0, NUM_BETAS), torch.zeros(0, 3), torch.zeros(0),
        )  # fmt: skip

    def select(self, index) -> "HandScene":
        """Return the scene with only the hands of `index` (int64 or bool tensor, or list of ints), frames unchanged."""
        index = torch.as_tensor(index)
        index = index.nonzero()[:, 0] if index.dtype == torch.bool else index.long()
        arrays = {name: getattr(self, name)[index] for name in self.ARRAYS}
        return replace(self, side=tuple(self.side[i] for i in index.tolist()), **arrays)

    def pose(self, forearm: bool = False) -> PosedHands:
        """Return vertices `[N, V, 3]` and keypoints `[N, 21, 3]` in the camera's frame, metres."""
        return self.model(
            self.global_orient, self.hand_pose, self.betas, self.translation, self.is_right, forearm=forearm
        )
