"""Hands as points in pictures: what predictions and truth have in common, whatever file they come from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from ...errors import SesaHandError
from ...reconstruct.landmarks import NUM_KEYPOINTS
from ...render.rasterizer import NEAR
from ...scene.hand_scene import SIDES, HandScene, hands_of_frames

UNKNOWN_SIDE = ""
# A coordinate beyond is no hand's, and its square may be no number.
FARTHEST_METRES = 1000.0
FARTHEST_PIXELS = 1e12


@dataclass(frozen=True)
class SeenPicture:
    """A picture that hands are in.

    Attributes:
        key: Its name, without folder and ending.
        size: Width and height in pixels that 2D keypoints refer to, or None if nobody says.
        file: The picture itself, if it is known where it should be.
    """

    key: str
    size: tuple[int, int] | None = None
    file: Path | None = None


@dataclass(frozen=True, eq=False)
class HandSet:
    """N hands in F pictures. Keypoints are in OpenPose's order; what is not known is NaN.

    Attributes:
        source: Where they come from, for messages.
        pictures: The F pictures.
        frame: The picture each hand is in, int64 `[N]`, 0..F-1.
        side: "right", "left" or `UNKNOWN_SIDE` of each hand.
        score: Confidence of each hand, 0..1, `[N]`.
        keypoints_3d: `[N, 21, 3]` float64, metres in the camera's axes (x right, y down, z forward).
        keypoints_2d: `[N, 21, 2]` float64, pixels of the picture.
        vertices: `[N, V, 3]` float32, metres in the frame of `keypoints_3d`, or None if there are no surfaces.
        mesh: Name of the surface's topology: vertices of one name belong to each other.
        named: Whether the pictures' keys are names; else only their order tells which picture is which.
    """

    source: str
    pictures: tuple[SeenPicture, ...]
    frame: Tensor
    side: tuple[str, ...]
    score: Tensor
    keypoints_3d: Tensor
    keypoints_2d: Tensor
    vertices: Tensor | None = None
    mesh: str = ""
    named: bool = True

    SHAPES: ClassVar = {
        "frame": (),
        "score": (),
        "keypoints_3d": (NUM_KEYPOINTS, 3),
        "keypoints_2d": (NUM_KEYPOINTS, 2),
    }

    def __post_init__(self):
        count = len(self.side)
        for name, shape in self.SHAPES.items():
            found = tuple(getattr(self, name).shape)
            if found != (count, *shape):
                raise SesaHandError(f"{name} has shape {found}, expected {(count, *shape)} for {count} hands.")
        if self.vertices is not None and (self.vertices.ndim != 3 or len(self.vertices) != count):
            raise SesaHandError(f"vertices have shape {tuple(self.vertices.shape)}, expected [{count}, V, 3].")
        for name, farthest in (("keypoints_3d", FARTHEST_METRES), ("keypoints_2d", FARTHEST_PIXELS)):
            # What is not known compares as no farther.
            if bool((getattr(self, name).abs() > farthest).any()):
                raise SesaHandError(
                    f"{self.source} holds points farther than {FARTHEST_METRES:g} metres, or {FARTHEST_PIXELS:g} "
                    "pixels; expected metres from the camera and pixels of the picture."
                )
        if not set(self.side) <= {*SIDES, UNKNOWN_SIDE}:
            raise SesaHandError(f"Each side must be right, left or unknown, got {sorted(set(self.side))}.")
        if count and not 0 <= int(self.frame.min()) <= int(self.frame.max()) < len(self.pictures):
            raise SesaHandError(f"Hands are in pictures that {self.source} does not have.")

    def __len__(self) -> int:
        return len(self.side)

    def by_picture(self) -> dict[int, list[int]]:
        """Return the hands in each picture that has any, in their order."""
        return hands_of_frames(self.frame)


@torch.no_grad()
def hands_of_scene(scene: HandScene, source: str, pictures: Sequence[SeenPicture], named: bool = True) -> HandSet:
    """Pose the hands of a scene.

    Args:
        scene: The hands.
        source: Where they come from.
        pictures: One a frame of the scene; a size that is missing is the camera's.
        named: See `HandSet`.
    """
    size = scene.camera.width, scene.camera.height
    posed = scene.pose()
    keypoints = posed.keypoints.double()
    pixels = scene.camera.project(keypoints)
    pixels[keypoints[..., 2] <= NEAR] = torch.nan
    return HandSet(
        source=source,
        pictures=tuple(replace(picture, size=picture.size or size) for picture in pictures),
        frame=scene.frame,
        side=scene.side,
        score=scene.score.double(),
        keypoints_3d=keypoints,
        keypoints_2d=pixels,
        vertices=posed.vertices.float(),
        mesh=scene.model.name,
        named=named,
    )


def join_hand_sets(parts: Sequence[HandSet], source: str) -> HandSet:
    """Put the pictures of several sets one after the other; they keep their names.

    Raises:
        SesaHandError: If there is none, or their surfaces are of different hand models.
    """
    if not parts:
        raise SesaHandError(f"{source} holds no hands' files.")
    # A set without hands says nothing of surfaces.
    meshes = {part.mesh for part in parts if len(part)}
    if len(meshes) > 1:
        raise SesaHandError(
            f"{source} holds hands of the models {', '.join(sorted(meshes))}; evaluate each model's by themselves."
        )
    full = [part for part in parts if len(part)] or [parts[0]]
    starts, count = [], 0
    for part in parts:
        starts.append(count)
        count += len(part.pictures)
    arrays = {name: torch.cat([getattr(part, name) for part in full]) for name in HandSet.SHAPES if name != "frame"}
    return HandSet(
        source=source,
        pictures=tuple(picture for part in parts for picture in part.pictures),
        frame=torch.cat([part.frame + start for part, start in zip(parts, starts, strict=True)]),
        side=tuple(side for part in parts for side in part.side),
        vertices=None
        if full[0].vertices is None
        else torch.cat([part.vertices for part in full if part.vertices is not None]),
        mesh=full[0].mesh,
        named=all(part.named for part in parts),
        **arrays,
    )
