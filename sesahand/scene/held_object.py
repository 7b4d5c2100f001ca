"""An object in a hand. It is said where it is in the hand, so that it goes wherever the hand goes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SesaHandError
from ..hands.object_mesh import ObjectMesh
from ..hands.objects import SIZES, object_mesh, object_solids
from ..hands.rotations import mirror_rotation

FARTHEST = 10.0
"""How far an object's middle may be from the wrist of the hand that holds it, metres."""


@dataclass(frozen=True, eq=False)
class HeldObject:
    """One object that a hand holds.

    Attributes:
        kind: A name of `hands.objects.OBJECTS`.
        hand: Which hand of the scene holds it, from 0.
        position: Its middle from the wrist joint, `[3]`, metres in the frame that `global_orient` turns. A left hand's
            is its own.
        orient: Rotation from the object's frame into that one, `[3, 3]`.
        size: In times its usual size.
        mesh: A surface of the user's that is in its place; None is the object itself.
    """

    kind: str
    hand: int
    position: Tensor
    orient: Tensor
    size: float = 1.0
    mesh: ObjectMesh | None = None

    def __post_init__(self):
        object_solids(self.kind)
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise SesaHandError(
                f"The size of an object is {SIZES[0]} to {SIZES[1]} times its usual one, got {self.size!r}."
            )
        for name, shape in (("position", (3,)), ("orient", (3, 3))):
            value = getattr(self, name)
            if tuple(value.shape) != shape or not torch.isfinite(value).all():
                raise SesaHandError(
                    f"An object's {name} has shape {tuple(value.shape)}, expected finite numbers {shape}."
                )
        # Twice as exact as the position, whose square may be beyond what it can say.
        distance = self.position.double().norm()
        if distance > FARTHEST:
            raise SesaHandError(
                f"An object is {distance:.4g} m from its hand's wrist, expected at most {FARTHEST:g} m."
            )

    @property
    def num_faces(self) -> int:
        """Of its surface."""
        return len(object_mesh(self.kind)[1] if self.mesh is None else self.mesh.faces)

    @property
    def name(self) -> str:
        """What it is called: its mesh, or the object."""
        return self.kind if self.mesh is None else self.mesh.name

    @property
    def shape(self) -> str:
        """What tells its surface, at its usual size, from those of others."""
        return self.kind if self.mesh is None else self.mesh.digest

    def usual_surface(self) -> tuple[Tensor, Tensor]:
        """Return its vertices `[V, 3]`, metres in its own frame at its usual size, and faces `[T, 3]`, vertex ids."""
        return object_mesh(self.kind) if self.mesh is None else self.mesh.drawn

    def mirrored(self) -> "HeldObject":
        """Return the object in a hand of the other side."""
        flip = self.position.new_tensor([-1.0, 1.0, 1.0])
        mesh = None if self.mesh is None else self.mesh.mirrored()
        return HeldObject(self.kind, self.hand, self.position * flip, mirror_rotation(self.orient), self.size, mesh)

    def surface(self, global_orient: Tensor, wrist: Tensor) -> tuple[Tensor, Tensor]:
        """Return where the object's surface is.

        Args:
            global_orient: Of the hand that holds it, `[3, 3]` in the camera's frame.
            wrist: That hand's wrist joint `[3]`, metres in the camera's frame.

        Returns:
            Vertices `[V, 3]` in metres in the camera's frame, and faces `[T, 3]`, vertex ids, counter-clockwise seen
            from outside.
        """
        vertices, faces = self.usual_surface()
        in_hand = self.size * vertices.to(wrist) @ self.orient.to(wrist).mT + self.position.to(wrist)
        return in_hand @ global_orient.to(wrist).mT + wrist, faces.to(wrist.device)


def describe_left_out(objects: Sequence[HeldObject], what: str) -> str:
    """Return what is to be said where hands go without what they hold; nothing where they hold nothing.

    Args:
        objects: What the hands hold.
        what: What has the hands alone.
    """
    kinds = ", ".join(dict.fromkeys(held.name for held in objects))
    return f"Without what the hands hold ({kinds}): {what} has the hands alone." if kinds else ""
