"""The 21 keypoints of a hand and their exact derivatives, without the rest of its surface.

A keypoint is a skinned point like any vertex: a joint hangs rigidly on its parent, a fingertip on the joints that its
vertex is weighted to. So one formula gives all derivatives, with the tips' shape and pose correctives in them.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from ...hands.limits import joint_frames
from ...hands.model import NUM_BETAS, NUM_JOINTS, HandModel, chain_joints
from ...hands.rotations import axis_angle_to_matrix, skew_matrix
from ...hands.skeleton import MANO_PARENTS, OPENPOSE_FROM_MANO
from ..landmarks import NUM_KEYPOINTS

# Entries of a step: a turn of each joint, the translation, the betas.
TURNS = slice(0, 3 * NUM_JOINTS)
TRANSLATION = slice(TURNS.stop, TURNS.stop + 3)
BETAS = slice(TRANSLATION.stop, TRANSLATION.stop + NUM_BETAS)
NUM_PARAMETERS = BETAS.stop


@dataclass(frozen=True, eq=False)
class HandState:
    """Parameters of B right hands while they are fitted, float64.

    Attributes:
        rotations: Global orientation and joint rotations `[B, 16, 3, 3]`, MANO order.
        translation: `[B, 3]` metres in the camera's frame.
        betas: `[B, 10]`.
    """

    rotations: Tensor
    translation: Tensor
    betas: Tensor

    def __len__(self) -> int:
        return len(self.betas)

    def select(self, index: Tensor) -> "HandState":
        """Return the hands of an index, numbers `[K]` or bool `[B]`."""
        return HandState(self.rotations[index], self.translation[index], self.betas[index])

    def put(self, index: Tensor, other: "HandState") -> None:
        """Overwrite the hands of `index`, numbers `[K]` or bool `[B]`, with those of `other`."""
        self.rotations[index], self.translation[index] = other.rotations, other.translation
        self.betas[index] = other.betas

    def clone(self) -> "HandState":
        return HandState(self.rotations.clone(), self.translation.clone(), self.betas.clone())


@dataclass(frozen=True, eq=False)
class _Posed:
    """What skinning goes through: keypoints, the rest points and joints that they come from, and their transforms."""

    points: Tensor
    rest: Tensor
    rotation: Tensor
    position: Tensor
    shift: Tensor
    blended: Tensor


class KeypointModel:
    """Keypoints of right hands of a model, in OpenPose order, as a function of steps from a state.

    The turn of a joint is an axis-angle vector in the joint's anatomical axes (`hands.limits.joint_frames`), applied
    after the joint's present rotation: `R <- R F exp(turn) F^T`.

    Source: derivatives of linear blend skinning (SMPL, Loper et al., 2015) on the tangent space of SO(3).
    """

    def __init__(self, model: HandModel):
        def double(array: Tensor) -> Tensor:
            return array.detach().cpu().double()

        tips = list(model.tips)
        order = list(OPENPOSE_FROM_MANO)
        self.joints, self.joint_shapedirs = double(model.joint_template), double(model.joint_shapedirs)
        self.rest = torch.cat([self.joints, double(model.template)[tips]])[order]
        self.shapedirs = torch.cat([self.joint_shapedirs, double(model.shapedirs)[tips]])[order]
        hangs_on = torch.eye(NUM_JOINTS, dtype=torch.float64)[[max(parent, 0) for parent in MANO_PARENTS]]
        self.weights = torch.cat([hangs_on, double(model.weights)[tips]])[order]
        self.posedirs = None
        if model.posedirs is not None:
            none = torch.zeros(NUM_JOINTS, 3, 9 * (NUM_JOINTS - 1), dtype=torch.float64)
            self.posedirs = torch.cat([none, double(model.posedirs)[tips]])[order]
        self.frames = torch.cat([torch.eye(3)[None].double(), joint_frames(model.to(torch.float64))])
        # moves[j, k]: whether turning joint j moves what hangs on joint k.
        moves = torch.eye(NUM_JOINTS, dtype=torch.float64)
        for joint, parent in enumerate(MANO_PARENTS[1:], start=1):
            moves[:, joint] += moves[:, parent]
        self.moves = moves
        self.share = self.weights @ moves.T
        self.moved_point, self.moving_joint = self.share.nonzero().T
        self.generators = skew_matrix(torch.eye(3, dtype=torch.float64))

    def moved(self, state: HandState, step: Tensor) -> HandState:
        """Return the state after a step `[B, 61]`."""
        turns = axis_angle_to_matrix(step[:, TURNS].unflatten(1, (NUM_JOINTS, 3)))
        rotations = state.rotations @ (self.frames @ turns @ self.frames.mT)
        return HandState(rotations, state.translation + step[:, TRANSLATION], state.betas + step[:, BETAS])

    def __call__(self, state: HandState) -> Tensor:
        """Return the keypoints `[B, 21, 3]` in the camera's frame, metres."""
        return self._pose(state).points

    def linearise(self, state: HandState) -> tuple[Tensor, Tensor]:
        """Return the keypoints `[B, 21, 3]` and their derivative by a step, at the zero step, `[B, 21, 3, 61]`."""
        posed = self._pose(state)
        jacobian = state.betas.new_zeros(len(state), NUM_KEYPOINTS, 3, NUM_PARAMETERS)
        jacobian[..., TURNS] = self._by_turns(state, posed)
        jacobian[..., TRANSLATION] = torch.eye(3, dtype=torch.float64)
        jacobian[..., BETAS] = self._by_betas(posed)
        return posed.points, jacobian

    def _pose(self, state: HandState) -> _Posed:
        joints = self.joints + torch.einsum("jcb,nb->njc", self.joint_shapedirs, state.betas)
        rest = self.rest + torch.einsum("pcb,nb->npc", self.shapedirs, state.betas)
        if self.posedirs is not None:
            offset = state.rotations[:, 1:] - torch.eye(3, dtype=torch.float64)
            rest = rest + torch.einsum("pcq,nq->npc", self.posedirs, offset.flatten(1))
        rotation, position = chain_joints(state.rotations, joints)
        shift = position - (rotation @ joints[..., None])[..., 0]
        blended = torch.einsum("pj,njab->npab", self.weights, rotation)
        points = (blended @ rest[..., None])[..., 0] + self.weights @ shift
        return _Posed(points + state.translation[:, None], rest, rotation, position, shift, blended)

    def _by_turns(self, state: HandState, posed: _Posed) -> Tensor:
        """Return `[B, 21, 3, 48]`: what a joint moves goes round it, along axis x arm."""
        # Where each point would be if it hung on joint k alone, summed over the joints that joint j moves.
        alone = torch.einsum("nkab,npb->npak", posed.rotation, posed.rest) + posed.shift.mT[:, None]
        carried = (alone * self.weights[:, None]) @ self.moves.T
        point, joint = self.moved_point, self.moving_joint
        arm = carried[:, point, :, joint].transpose(0, 1)
        arm = arm - self.share[point, joint][:, None] * posed.position[:, joint]
        axes = (posed.rotation @ self.frames)[:, joint]
        moved = torch.linalg.cross(axes, arm[..., None].expand_as(axes), dim=-2)
        by_turns = arm.new_zeros(len(arm), NUM_KEYPOINTS, NUM_JOINTS, 3, 3)
        by_turns[:, point, joint] = moved
        if self.posedirs is not None:
            by_turns[:, :, 1:] += self._by_correctives(state, posed)
        return by_turns.transpose(2, 3).flatten(3)

    def _by_correctives(self, state: HandState, posed: _Posed) -> Tensor:
        """Return `[B, 21, 15, 3, 3]`: how turns move points through the pose correctives."""
        # d(R F exp(turn) F^T) = R F [e_a] F^T for each axis a.
        frames = self.frames[1:]
        turned = torch.einsum("njab,jbc,dce,jfe->njdaf", state.rotations[:, 1:], frames, self.generators, frames)
        directions = cast(Tensor, self.posedirs).unflatten(-1, (NUM_JOINTS - 1, 9))
        rest = torch.einsum("pcjq,njdq->npjcd", directions, turned.flatten(-2))
        return posed.blended[:, :, None] @ rest

    def _by_betas(self, posed: _Posed) -> Tensor:
        """Return `[B, 21, 3, 10]`."""
        parents = [max(parent, 0) for parent in MANO_PARENTS]
        bones = self.joint_shapedirs - self.joint_shapedirs[parents]
        bones[0] = 0
        turned = posed.rotation[:, parents] @ bones
        turned[:, 0] = self.joint_shapedirs[0]
        position = torch.einsum("kj,nkab->njab", self.moves, turned)
        shift = position - posed.rotation @ self.joint_shapedirs
        return posed.blended @ self.shapedirs + torch.einsum("pj,njab->npab", self.weights, shift)
