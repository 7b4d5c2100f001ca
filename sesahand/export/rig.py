"""Skeleton, skin and poses of one hand through the frames of a scene."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from ..hands.model import HandModel, chain_joints
from ..hands.rotations import matrix_to_quaternion, mirror_rotation
from ..hands.skeleton import MANO_PARENTS
from ..scene.camera import TO_Y_UP
from ..scene.hand_scene import SIDES, HandScene, hands_of_frames
from .bones import bone_axes
from .formats import ALONG_FINGERS
from .surface import Surface

INFLUENCES = 4
"""Joints that may move one vertex: what every program reads."""

FRAMES_AT_ONCE = 64

PARENTS = (0, *MANO_PARENTS[1:])
"""MANO's, with the wrist as its own parent."""


@dataclass(frozen=True)
class Track:
    """One hand through the frames: which hand of the scene it is in each of its frames, in the frames' order."""

    name: str
    side: str
    frames: tuple[int, ...]
    hands: tuple[int, ...]


def hand_tracks(scene: HandScene) -> list[Track]:
    """Follow hands through the frames: the first right hand of every frame is one track, the second another.

    Returns:
        Tracks named "right_hand", "left_hand", "right_hand2" and so on, in the order in which they first appear.
    """
    found: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for frame, hands in sorted(hands_of_frames(scene.frame).items()):
        seen = dict.fromkeys(SIDES, 0)
        for hand in hands:
            side = scene.side[hand]
            seen[side] += 1
            found.setdefault((side, seen[side]), []).append((frame, hand))
    return [
        Track(f"{side}_hand{number if number > 1 else ''}", side, *zip(*entries, strict=True))
        for (side, number), entries in found.items()
    ]


@dataclass(frozen=True, eq=False)
class Rig:
    """One hand's skin and skeleton and its poses over K frames, float64, joints relative to their parents.

    Attributes:
        surface: How the skin is cut.
        vertices: Bind pose `[V, 3]`, metres, the wrist joint at the origin.
        corrective: Displacement of the bind pose that one frame's pose asks for `[V, 3]`, or None.
        joints: Joints in the bind pose `[16, 3]`, metres, the wrist's at the origin.
        axes: Of the bones in the bind pose `[16, 3, 3]`, see `bone_axes`.
        influences: Joints that move each vertex `[V, 4]`.
        weights: By how much, `[V, 4]`, rows sum to one.
        rotations: MANO's, `[K, 16, 3, 3]`, the wrist's in the frame of the file.
        wrist: Place of the wrist `[K, 3]`, metres, in the frame of the file.
    """

    surface: Surface
    vertices: Tensor
    corrective: Tensor | None
    joints: Tensor
    axes: Tensor
    influences: Tensor
    weights: Tensor
    rotations: Tensor
    wrist: Tensor

    @classmethod
    def of(cls, scene: HandScene, track: Track, forearm: bool, bones: str = ALONG_FINGERS) -> "Rig":
        model = scene.model.to("cpu", torch.float64)
        chosen = scene.select(list(track.hands))
        orient, pose, betas, translation = (
            getattr(chosen, name).detach().cpu().double()
            for name in ("global_orient", "hand_pose", "betas", "translation")
        )
        y_up = torch.tensor(TO_Y_UP, dtype=torch.float64)
        mirror = torch.tensor([1.0 if track.side == "right" else -1.0, 1.0, 1.0], dtype=torch.float64)
        count = len(model.template) if forearm else model.num_hand_vertices
        shape = betas.mean(0)
        joints = model.joint_template + model.joint_shapedirs @ shape
        vertices = model.template + model.shapedirs @ shape
        wrist = (model.joint_template[0] + betas @ model.joint_shapedirs[0].T) * mirror + translation
        weights, influences = model.weights[:count].topk(INFLUENCES, dim=1)
        return cls(
            surface=Surface.of(model, track.side, forearm),
            vertices=(vertices[:count] - joints[0]) * mirror,
            corrective=pose_corrective(model, pose[0], track.side, count) * mirror
            if needs_morph(model, track)
            else None,
            joints=(joints - joints[0]) * mirror,
            axes=bone_axes(model, joints, vertices[list(model.tips)], track.side, bones),
            influences=influences,
            weights=weights / weights.sum(1, keepdim=True),
            rotations=torch.cat([(y_up[:, None] * orient)[:, None], pose], 1),
            wrist=wrist * y_up,
        )

    def places(self) -> Tensor:
        """Return where each bone begins, seen along the axes of its parent `[16, 3]`; the wrist's is the origin."""
        return torch.einsum("jba,jb->ja", self._parent_axes(), self.joints - self.joints[list(PARENTS)])

    def bone_rotations(self) -> Tensor:
        """Return the rotation of each bone relative to its parent `[K, 16, 3, 3]`.

        The wrist's is the same in all frames: the hand is turned and moved as a whole, by the first of `rotations` and
        by `wrist`.
        """
        turned = self.rotations.clone()
        turned[:, 0] = torch.eye(3, dtype=turned.dtype)
        return self._parent_axes().mT @ turned @ self.axes

    def inverse_bind_matrices(self) -> Tensor:
        """Return what brings the bind pose into each bone's own axes `[16, 4, 4]`."""
        matrices = torch.eye(4, dtype=self.axes.dtype).repeat(len(self.axes), 1, 1)
        matrices[:, :3, :3] = self.axes.mT
        matrices[:, :3, 3] = -torch.einsum("jba,jb->ja", self.axes, self.joints)
        return matrices

    def _parent_axes(self) -> Tensor:
        axes = self.axes[list(PARENTS)]
        axes[0] = torch.eye(3, dtype=axes.dtype)
        return axes

    def posed(self, frames: slice = slice(None)) -> Tensor:
        """Return what a reader of the file makes of it: vertices `[K, V, 3]` in the frame of the file."""
        rest = self.vertices if self.corrective is None else self.vertices + self.corrective
        rotations, wrist = self.rotations[frames], self.wrist[frames]
        rotation, position = chain_joints(rotations, self.joints.expand(len(rotations), -1, -1))
        position = position + wrist[:, None]
        shift = position - torch.einsum("kjab,jb->kja", rotation, self.joints)
        skin = torch.zeros(len(rest), len(self.joints), dtype=rest.dtype).scatter_(1, self.influences, self.weights)
        blended = torch.einsum("vj,kjab->kvab", skin, rotation)
        return torch.einsum("kvab,vb->kva", blended, rest) + torch.einsum("vj,kja->kva", skin, shift)

    def largest_error(self, scene: HandScene, track: Track, forearm: bool) -> float:
        """Return how far a posed vertex of the rig is from that of the scene's own posing at most, metres."""
        largest = 0.0
        for start in range(0, len(track.hands), FRAMES_AT_ONCE):
            frames = slice(start, start + FRAMES_AT_ONCE)
            wanted = scene.select(list(track.hands[frames])).pose(forearm).vertices.detach().cpu().double()
            off = self.posed(frames) * torch.tensor(TO_Y_UP) - wanted
            largest = max(largest, float(off.norm(dim=-1).max()))
        return largest


def needs_morph(model: HandModel, track: Track) -> bool:
    return model.posedirs is not None and len(track.hands) == 1


def pose_corrective(model: HandModel, hand_pose: Tensor, side: str, count: int) -> Tensor:
    """Return the displacement `[V, 3]` of a right hand's rest vertices that a pose `[15, 3, 3]` of a side asks for."""
    rotations = hand_pose if side == "right" else mirror_rotation(hand_pose)
    offset = rotations - torch.eye(3, dtype=rotations.dtype)
    # Only for models that have them, as `has_corrective` tells.
    posedirs = cast(Tensor, model.posedirs)
    return posedirs[:count] @ offset.flatten()


def glb_quaternions(rotations: Tensor) -> Tensor:
    """Return quaternions `[K, J, 4]`, x, y, z, w, of rotations `[K, J, 3, 3]`, the short way from frame to frame."""
    quaternion = matrix_to_quaternion(rotations)[..., [1, 2, 3, 0]]
    turned = (quaternion[1:] * quaternion[:-1]).sum(-1, keepdim=True) < 0
    sign = torch.where(turned, -1.0, 1.0).cumprod(0)
    return torch.cat([quaternion[:1], quaternion[1:] * sign])
