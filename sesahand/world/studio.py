"""What every sample is made with: read and worked out once, and held by whoever draws samples."""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..hands.builtin import load_builtin_hand
from ..hands.gestures import Gesture, load_gestures
from ..hands.limits import joint_frames
from ..hands.model import HandModel
from ..hands.skeleton import FINGER_JOINTS, FINGERS
from ..scene.hand_scene import SIDES
from ..scene.placing import view_rotation
from .shapes import Shape, object_shape
from .vocabulary import OBJECTS

NAIL = (1.06, 0.98, 0.97)
BLUSH = (1.02, 0.93, 0.9)
# Where along the forearm its sections are taken, metres from the wrist, and half as thick as this.
SECTIONS, SECTION_REACH = (0.015, 0.04, 0.07, 0.105), 0.013


class Studio:
    """The built-in hand, the gestures, and the shapes of objects."""

    @cached_property
    def model(self) -> HandModel:
        return load_builtin_hand()

    @cached_property
    def gestures(self) -> dict[str, Gesture]:
        return load_gestures()

    @cached_property
    def frames(self) -> Tensor:
        """Axes of the joints `[15, 3, 3]`, see `joint_frames`."""
        return joint_frames(self.model)

    @cached_property
    def views(self) -> dict[tuple[str, str], Tensor]:
        """Rotation `[3, 3]` from the rest frame into the view in which a gesture is known, by its name and the side."""
        mirror = {"right": (1, 1, 1), "left": (-1, 1, -1)}
        return {
            (name, side): view_rotation(side, *(sign * v for sign, v in zip(mirror[side], gesture.view, strict=True)))
            for name, gesture in self.gestures.items()
            for side in SIDES
        }

    @cached_property
    def closed_faces(self) -> dict[str, Tensor]:
        """Faces `[T, 3]` of a hand closed at the wrist, by side."""
        return {side: self.model.faces_for(side, closed=True) for side in SIDES}

    @cached_property
    def arm_faces(self) -> dict[str, Tensor]:
        """Faces `[T, 3]` of a hand with its forearm, by side."""
        return {side: self.model.faces_for(side, forearm=True) for side in SIDES}

    @cached_property
    def objects(self) -> dict[str, Shape]:
        return {kind: object_shape(kind) for kind in OBJECTS}

    @cached_property
    def forearm_sections(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x `[K]`, centres `[K, 3]` and half widths `[K, 2]` of the mean hand's forearm, metres in the rest frame."""
        points = self.model.template.numpy()
        slices = [points[np.abs(points[:, 0] - x) < SECTION_REACH] for x in SECTIONS]
        middle = np.array(
            [[x, *((s[:, 1:].max(0) + s[:, 1:].min(0)) / 2)] for x, s in zip(SECTIONS, slices, strict=True)]
        )
        return np.array(SECTIONS), middle, np.array([np.ptp(s[:, 1:], axis=0) / 2 for s in slices])

    @cached_property
    def skin_map(self) -> np.ndarray:
        """Factors on the skin's colour `[V, 3]`: rosy knuckles and fingertips, and nails."""
        model = self.model
        points, joints = model.template.numpy(), model.joint_template.numpy()
        normals = vertex_normals(model.template, model.faces).numpy()
        blush, nail = np.zeros(len(points)), np.zeros(len(points))
        # The joints' second axis is across the back of the finger: which way, the middle finger tells.
        sign = np.sign(float(self.frames[FINGER_JOINTS["middle"][2] - 1, 1, 1]))
        for finger, tip in zip(FINGERS, model.tips, strict=True):
            first, second, third = FINGER_JOINTS[finger]
            end, bone = points[tip], points[tip] - joints[third]
            for spot, reach, depth in (
                (joints[first], 0.011, 0.75),
                (joints[second], 0.009, 0.75),
                (joints[third], 0.007, 0.75),
                (end, 0.010, 1.0),
            ):
                near = np.exp(-((points - spot) ** 2).sum(1) / (2 * reach**2))
                blush = np.maximum(blush, depth * near)
            along = (points - joints[third]) @ bone / (bone @ bone)
            owned = model.weights[:, third].numpy() > 0.8
            facing = normals @ (sign * self.frames[third - 1, :, 1].numpy())
            on_nail = smooth(facing, 0.55, 0.8) * smooth(along, 0.42, 0.55) * smooth(-along, -1.02, -0.95)
            nail = np.maximum(nail, owned * on_nail)
        factor = 1 + blush[:, None] * (np.array(BLUSH) - 1)
        return (factor + nail[:, None] * (np.array(NAIL) - factor)).astype(np.float32)


def smooth(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return 0 below `low`, 1 above `high` and smooth between for a `value` of any shape, in the same shape."""
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Return area-weighted unit normals `[V, 3]` of vertices `[V, 3]`, any unit, with faces `[T, 3]` of vertex ids."""
    a, b, c = vertices[faces].unbind(1)
    across = torch.linalg.cross(b - a, c - a)
    normals = torch.zeros_like(vertices)
    for corner in range(3):
        normals.index_add_(0, faces[:, corner], across)
    return torch.nn.functional.normalize(normals, dim=-1, eps=1e-20)
