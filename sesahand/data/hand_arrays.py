"""The hands of one pair as the arrays of its npz file.

The arrays of `scene_files.scene_to_arrays` (the hands bit by bit), and what programs of others want without a hand
model at hand: `keypoints_2d [N, 21, 2]` in pixels and `keypoints_3d [N, 21, 3]` in metres, in OpenPose's order and the
camera's frame, and the camera matrix `K [3, 3]`.
"""

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InvalidFileError, SesaHandError
from ..files.arrays import read_npz
from ..hands.model import HandModel
from ..hands.rotations import matrix_to_axis_angle
from ..reconstruct.landmarks import NUM_KEYPOINTS
from ..scene.camera import Camera
from ..scene.hand_scene import HandScene
from ..scene.scene_files import SCENE_ARRAYS, scene_from_arrays, scene_to_arrays
from .record import MAX_HANDS, HandSummary

EXTRA = ("keypoints_2d", "keypoints_3d", "K")
NEAREST = 1e-6
FARTHEST_PIXEL = 1e7


def frame_scene(scene: HandScene, frame: int, width: int, height: int) -> HandScene:
    """Return the hands of one frame as a scene of its own, seen in a picture of the given size.

    Raises:
        SesaHandError: If the picture's proportions are not the scene's, or it holds too many hands.
    """
    hands = scene.select(scene.frame == frame)
    if len(hands) > MAX_HANDS:
        raise SesaHandError(
            f"Frame {frame} has {len(hands)} hands, expected at most {MAX_HANDS} in a picture: leave some out."
        )
    hands = replace(hands, num_frames=1, frame=torch.zeros_like(hands.frame))
    return hands if (hands.camera.width, hands.camera.height) == (width, height) else hands.resized(width, height)


@dataclass(frozen=True, eq=False)
class PosedScene:
    """What is stored of the hands of one picture.

    Attributes:
        arrays: Of the npz file.
        summaries: One a hand.
        vertices_sha256: Of the posed vertices `[N, V, 3]`, float32, little endian.
    """

    arrays: dict[str, np.ndarray]
    summaries: tuple[HandSummary, ...]
    vertices_sha256: str

    def to_npz(self) -> bytes:
        """Return the bytes of the npz file."""
        buffer = io.BytesIO()
        # To numpy's types a name could also be that of savez's own option.
        arrays: dict[str, Any] = self.arrays
        np.savez(buffer, **arrays)
        return buffer.getvalue()


@torch.no_grad()
def pose_scene(scene: HandScene) -> PosedScene:
    """Pose the hands of a scene of one frame and return what is stored of them."""
    posed = scene.pose()
    pixels = _project(scene.camera, posed.vertices)
    boxes = torch.cat([pixels.amin(1), pixels.amax(1)], -1) if len(scene) else pixels.new_zeros(0, 4)
    rows = zip(scene.side, boxes.tolist(), scene.score.tolist(), strict=True)
    camera = scene.camera
    x, y = camera.principal_point
    arrays = {
        **scene_to_arrays(scene),
        "keypoints_2d": _project(camera, posed.keypoints).cpu().numpy().astype(np.float32),
        "keypoints_3d": posed.keypoints.cpu().numpy().astype(np.float32),
        "K": np.array([[camera.focal_length, 0, x], [0, camera.focal_length, y], [0, 0, 1]], np.float64),
    }
    vertices = posed.vertices.cpu().numpy().astype("<f4")
    digest = hashlib.sha256(np.ascontiguousarray(vertices).data).hexdigest()
    return PosedScene(arrays, tuple(HandSummary(side, tuple(box), score) for side, box, score in rows), digest)


@dataclass(frozen=True, eq=False)
class HandParameters:
    """The hands of one picture without their hand model, as formats of others take them.

    Attributes:
        side: "right" or "left" of each hand. A left hand's numbers are its own, as MANO_LEFT would take them.
        pose: Axis-angle `[N, 48]` float32, global orientation first, then MANO's joints; the mean pose is in.
        betas: `[N, 10]` float32, of the hand model of the record.
        translation: `[N, 3]` float32, metres in the camera's frame.
        score: `[N]` float32.
        keypoints_2d: `[N, 21, 2]` float32 pixels.
        keypoints_3d: `[N, 21, 3]` float32 metres in the camera's frame.
        camera: The camera.
    """

    side: tuple[str, ...]
    pose: np.ndarray
    betas: np.ndarray
    translation: np.ndarray
    score: np.ndarray
    keypoints_2d: np.ndarray
    keypoints_3d: np.ndarray
    camera: Camera


def read_hand_file(path: Path) -> dict[str, np.ndarray]:
    """Read and check the arrays of a pair's npz file.

    Raises:
        InvalidFileError: If it is missing or damaged, or holds other arrays or shapes.
    """
    arrays = read_npz(path)
    if set(arrays) != {*SCENE_ARRAYS, *EXTRA}:
        raise InvalidFileError(
            f"{path} holds {', '.join(sorted(arrays))!s:.200}, expected the arrays of a pair, "
            f"{', '.join(SCENE_ARRAYS + EXTRA)}; copy it again."
        )
    count = arrays["is_right"].shape[0] if arrays["is_right"].ndim == 1 else -1
    for name, shape in (("keypoints_2d", (NUM_KEYPOINTS, 2)), ("keypoints_3d", (NUM_KEYPOINTS, 3))):
        if (
            arrays[name].shape != (count, *shape)
            or arrays[name].dtype.kind != "f"
            or not np.isfinite(arrays[name]).all()
        ):
            raise InvalidFileError(
                f"{path}: {name!r} is {arrays[name].dtype} of shape {arrays[name].shape}, expected finite numbers "
                f"{(count, *shape)}; copy it again."
            )
    if arrays["K"].shape != (3, 3):
        raise InvalidFileError(f"{path}: 'K' has the shape {arrays['K'].shape}, expected (3, 3); copy it again.")
    return arrays


def scene_of(arrays: dict[str, np.ndarray], model: HandModel | None, label: str) -> HandScene:
    """Return the scene that the arrays of `read_hand_file` hold."""
    return scene_from_arrays({name: arrays[name] for name in SCENE_ARRAYS}, model, label)


def parameters_of(arrays: dict[str, np.ndarray], stand_in: HandModel, label: str) -> HandParameters:
    """Return the parameters that the arrays of `read_hand_file` hold.

    Args:
        arrays: From `read_hand_file`.
        stand_in: A hand model of the name that the arrays name; nothing else of it is used.
        label: What to call them in errors.
    """
    scene = scene_of(arrays, stand_in, label)
    rotations = torch.cat([scene.global_orient[:, None], scene.hand_pose], 1)
    numbers = {name: getattr(scene, name).numpy().astype(np.float32) for name in ("betas", "translation", "score")}
    return HandParameters(
        side=scene.side,
        pose=matrix_to_axis_angle(rotations).flatten(1).numpy().astype(np.float32),
        keypoints_2d=arrays["keypoints_2d"].astype(np.float32),
        keypoints_3d=arrays["keypoints_3d"].astype(np.float32),
        camera=scene.camera,
        **numbers,
    )


def _project(camera: Camera, points: torch.Tensor) -> torch.Tensor:
    """Project points `[..., 3]`; those at or behind the camera end up far away rather than infinitely far."""
    points = points.double()
    points = torch.cat([points[..., :2], points[..., 2:].clamp_min(NEAREST)], -1)
    return camera.project(points).clamp(-FARTHEST_PIXEL, FARTHEST_PIXEL)
