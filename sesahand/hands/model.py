"""A parametric hand: shape and pose parameters in, vertices and joints out, one interface for every hand."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ..errors import SesaHandError
from .mesh import close_boundary
from .rotations import mirror_rotation
from .skeleton import MANO_PARENTS, OPENPOSE_FROM_MANO

NUM_JOINTS = 16
NUM_BETAS = 10

PARAMETER_SHAPES = {
    "global_orient": (3, 3),
    "hand_pose": (NUM_JOINTS - 1, 3, 3),
    "betas": (NUM_BETAS,),
    "translation": (3,),
    "is_right": (),
    "frame": (),
    "score": (),
}


# No person's hand is so far from the mean, in standard deviations; beyond, the surface turns inside out.
MAX_BETA = 20.0


def check_parameters(count: int, **parameters: Tensor) -> None:
    """Raise a SesaHandError unless each named parameter is finite, possible and of its shape for `count` hands.

    Args:
        count: Number of hands.
        **parameters: By their names in `PARAMETER_SHAPES`, each `[count, ...]` with the dimensions given there.
    """
    for name, value in parameters.items():
        expected = (count, *PARAMETER_SHAPES[name])
        if tuple(value.shape) != expected:
            raise SesaHandError(f"{name} has shape {tuple(value.shape)}, expected {expected} for {count} hands.")
        if not torch.isfinite(value).all():
            raise SesaHandError(f"{name} holds NaN or infinite values; check where this hand's parameters come from.")
    farthest = float(parameters["betas"].detach().abs().max()) if count and "betas" in parameters else 0.0
    if farthest > MAX_BETA:
        raise SesaHandError(
            f"betas reach {farthest:g}, expected at most {MAX_BETA:g} standard deviations from the mean hand; check "
            "where this hand's shape comes from."
        )


@dataclass(frozen=True, eq=False)
class HandModel:
    """The data of one right hand in MANO's conventions; left hands are its mirror image.

    Rest frame (right hand): fingers along -x, palm facing -y, thumb towards +z, metres. Hand vertices and faces come
    first, the optional forearm's follow, so that leaving the forearm out is a slice.

    Attributes:
        name: What the hand is called in files, for example "sesahand-cc0" or "mano".
        licence: One line on the terms its data is under; it travels with everything exported.
        template: Rest vertices `[V, 3]` in metres.
        faces: Vertex ids `[T, 3]`, counter-clockwise seen from outside (right hand).
        shapedirs: Vertex displacement per unit of each beta `[V, 3, 10]`, metres.
        joint_template: Rest joints `[16, 3]` in MANO order, metres.
        joint_shapedirs: Joint displacement per unit of each beta `[16, 3, 10]`, metres.
        weights: Skin weights `[V, 16]`, rows sum to one.
        posedirs: Pose corrective per entry of `hand_pose - I` `[V, 3, 135]`, or None for a hand without correctives.
        tips: Vertex ids of the fingertips, thumb to pinky.
        part_ids: The MANO joint that each face belongs to, `[T]`.
        uv: Texture coordinates `[U, 2]`, or None. Their own list, since a vertex on a seam has several.
        uv_faces: Rows of `uv` at the corners of each face `[T, 3]`, or None.
        pose_mean: MANO's mean pose in axis-angle `[45]`; zero where the rest pose is the mean.
        pose_components: MANO's PCA basis of hand poses, one component a row `[45, 45]`, or None.
        num_hand_vertices: Vertices before the forearm's.
        num_hand_faces: Faces before the forearm's.
    """

    name: str
    licence: str
    template: Tensor
    faces: Tensor
    shapedirs: Tensor
    joint_template: Tensor
    joint_shapedirs: Tensor
    weights: Tensor
    tips: tuple[int, int, int, int, int]
    part_ids: Tensor
    num_hand_vertices: int
    num_hand_faces: int
    posedirs: Tensor | None = None
    uv: Tensor | None = None
    uv_faces: Tensor | None = None
    pose_mean: Tensor = field(default_factory=lambda: torch.zeros(45))
    pose_components: Tensor | None = None

    def __repr__(self) -> str:
        return f"HandModel({self.name!r})"

    @property
    def has_forearm(self) -> bool:
        return self.num_hand_faces < len(self.faces)

    def to(self, *args, **kwargs) -> "HandModel":
        """Return the model with its floating-point arrays moved or cast as by `Tensor.to`."""
        device = torch.empty(0).to(*args, **kwargs).device
        moved: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                moved[name] = value.to(*args, **kwargs) if value.is_floating_point() else value.to(device)
        return replace(self, **moved)

    def faces_for(self, side: str, forearm: bool = False, closed: bool = False) -> Tensor:
        """Return faces `[T, 3]` wound outwards for a "right" or "left" hand.

        Args:
            side: "right" or "left".
            forearm: Keep the forearm's faces.
            closed: Append a fan over every hole, which is the wrist of a hand without forearm. These faces are wrist.
        """
        faces = self.faces if forearm else self.faces[: self.num_hand_faces]
        faces = close_boundary(faces) if closed else faces
        return faces if side == "right" else faces[:, [0, 2, 1]]

    def part_ids_for(self, forearm: bool = False, closed: bool = False) -> Tensor:
        """Return the MANO joint `[T]` that each face of `faces_for` belongs to."""
        parts = self.part_ids if forearm else self.part_ids[: self.num_hand_faces]
        added = len(self.faces_for("right", forearm, closed)) - len(parts)
        return torch.cat([parts, parts.new_zeros(added)])

    def __call__(
        self,
        global_orient: Tensor,
        hand_pose: Tensor,
        betas: Tensor,
        translation: Tensor,
        is_right: Tensor,
        forearm: bool = False,
    ) -> "PosedHands":
        """Pose N hands.

        Args:
            global_orient: Rotation of each hand about its wrist joint, `[N, 3, 3]`.
            hand_pose: Absolute joint rotations relative to the parent joint, `[N, 15, 3, 3]`, MANO order. "Absolute"
                means that the mean pose is already in: zero rotation is the flat rest hand.
            betas: Shape, `[N, 10]`.
            translation: Added after posing, `[N, 3]`, metres.
            is_right: Bool `[N]`. The parameters of a left hand are a left hand's own, as MANO_LEFT would take them.
            forearm: Keep the forearm's vertices.

        Returns:
            Vertices and OpenPose keypoints in the frame that `global_orient` and `translation` lead to.

        Raises:
            SesaHandError: If shapes disagree or a value is not finite.

        Source: linear blend skinning as in SMPL (Loper et al., 2015) and MANO (Romero et al., 2017).
        """
        count = len(betas)
        check_parameters(
            count,
            global_orient=global_orient,
            hand_pose=hand_pose,
            betas=betas,
            translation=translation,
            is_right=is_right,
        )
        dtype = self.template.dtype
        rotations = torch.cat([global_orient[:, None], hand_pose], 1).to(dtype)
        # A left hand is posed as the right hand that it mirrors, and mirrored at the end.
        rotations = torch.where(is_right[:, None, None, None], rotations, mirror_rotation(rotations))
        betas = betas.to(dtype)

        last = len(self.template) if forearm else self.num_hand_vertices
        vertices = self.template[:last] + torch.einsum("vcb,nb->nvc", self.shapedirs[:last], betas)
        joints = self.joint_template + torch.einsum("jcb,nb->njc", self.joint_shapedirs, betas)
        if self.posedirs is not None:
            offset = rotations[:, 1:] - torch.eye(3, dtype=dtype, device=rotations.device)
            vertices = vertices + torch.einsum("vcp,np->nvc", self.posedirs[:last], offset.flatten(1))

        rotation, position = chain_joints(rotations, joints)
        shift = position - torch.einsum("njab,njb->nja", rotation, joints)
        blended = torch.einsum("vj,njab->nvab", self.weights[:last], rotation)
        vertices = torch.einsum("nvab,nvb->nva", blended, vertices) + torch.einsum(
            "vj,nja->nva", self.weights[:last], shift
        )

        keypoints = torch.cat([position, vertices[:, list(self.tips)]], 1)[:, list(OPENPOSE_FROM_MANO)]
        sign = torch.ones(count, 1, 3, dtype=dtype, device=vertices.device)
        sign[~is_right, :, 0] = -1
        move = translation.to(dtype)[:, None]
        return PosedHands(vertices * sign + move, keypoints * sign + move)


@dataclass(frozen=True, eq=False)
class PosedHands:
    """Vertices `[N, V, 3]` and OpenPose keypoints `[N, 21, 3]` of N hands, metres."""

    vertices: Tensor
    keypoints: Tensor


def chain_joints(rotations: Tensor, joints: Tensor) -> tuple[Tensor, Tensor]:
    """Compose joint rotations along MANO's kinematic tree.

    Args:
        rotations: Rotation of each joint relative to its parent, `[N, 16, 3, 3]`.
        joints: Rest positions `[N, 16, 3]`, metres.

    Returns:
        Rotation `[N, 16, 3, 3]` and position `[N, 16, 3]`, metres, of each joint in the model's frame.
    """
    rotation, position = [rotations[:, 0]], [joints[:, 0]]
    for joint, parent in enumerate(MANO_PARENTS[1:], start=1):
        bone = joints[:, joint] - joints[:, parent]
        position.append(position[parent] + torch.einsum("nab,nb->na", rotation[parent], bone))
        rotation.append(rotation[parent] @ rotations[:, joint])
    return torch.stack(rotation, 1), torch.stack(position, 1)
