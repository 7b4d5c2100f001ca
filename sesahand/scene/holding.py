"""Giving hands of a scene something to hold: the fingers close on it, and where the hands are stays."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from ..hands.gripping import CONTACT, GRASPS, Grip, grip
from ..hands.object_mesh import ObjectMesh
from ..hands.rotations import mirror_rotation
from .hand_scene import HandScene
from .held_object import HeldObject

DEEP = 0.001
"""From this depth on, metres, a hand goes visibly into what it holds, or into itself."""


@dataclass(frozen=True, eq=False)
class Holding:
    """Hands that hold something, and how each of those that were chosen does, by its number in the scene."""

    scene: HandScene
    grips: dict[int, Grip]


def hold_object(
    scene: HandScene,
    kind: str,
    size: float,
    chosen: Tensor,
    on_hand: Callable[[int, int], None] | None = None,
    mesh: ObjectMesh | None = None,
) -> Holding:
    """Close hands on an object each, in place of their poses and of what they held.

    Args:
        scene: Hands of any frames. Their place, shape and turn stay.
        kind: A name of `hands.objects.OBJECTS`.
        size: In times its usual size.
        chosen: Which hands, bool `[N]`.
        on_hand: Called after each hand with how many are done and how many there are.
        mesh: What is held in the place of that object, and as it is.

    Raises:
        SesaHandError: If there is no such object, or it is too small or too large.
    """
    numbers = chosen.nonzero()[:, 0].tolist()
    pose, objects, grips = scene.hand_pose.clone(), {held.hand: held for held in scene.objects}, {}
    known: dict[tuple, Grip] = {}
    # A left hand is gripped as a right one in a mirror, and so is what it holds.
    in_mirror = None if mesh is None else mesh.mirrored()
    for done, n in enumerate(numbers, 1):
        right = scene.side[n] == "right"
        as_right = mesh if right else in_mirror
        # Objects without a mesh are their own mirror images.
        shape = (right or mesh is None, *scene.betas[n].tolist())
        if shape not in known:
            known[shape] = grip(scene.model, kind, size, scene.betas[n], as_right)
        grips[n] = known[shape]
        held = HeldObject(kind, n, grips[n].position, grips[n].orient, size, as_right)
        objects[n] = held if right else replace(held.mirrored(), mesh=mesh)
        pose[n] = (grips[n].hand_pose if right else mirror_rotation(grips[n].hand_pose)).to(pose)
        if on_hand is not None:
            on_hand(done, len(numbers))
    held_objects = tuple(objects[n] for n in sorted(objects))
    return Holding(replace(scene, hand_pose=pose, objects=held_objects), grips)


def describe_holding(holding: Holding) -> str:
    """Return a line about each hand that was to hold something: which fingers touch, and what does not."""
    lines = []
    for n, each in holding.grips.items():
        held = holding.scene.held_by(n)
        assert held is not None
        what = f"frame {int(holding.scene.frame[n])}, {holding.scene.side[n]} hand, {held.name} x {held.size:g}"
        touching = [finger for finger, gap in each.gaps.items() if gap <= CONTACT]
        line = f"{what}: {', '.join(touching) or 'no finger'} on it, {1000 * each.depth:.1f} mm deep at most"
        if each.depth > DEEP:
            line += "; it cannot be held so: the hand goes into it, choose another size"
        if each.missing:
            line += f"; it cannot be held so: {', '.join(each.missing)} do not reach it, choose another size"
        elif held.size > (lies_to := GRASPS[held.kind].lies_to):
            line += f"; it only touches and lies in no hand that uses it so, choose a size of at most {lies_to:g}"
        if each.self_depth > DEEP:
            line += f"; the hand is {1000 * each.self_depth:.1f} mm deep in itself, choose a size nearer to 1"
        if held.mesh is not None and not held.mesh.is_closed:
            line += "; its surface has holes, where fingers may go in"
        lines.append(line)
    return "\n".join(lines) or "no hands"


def held_surfaces(scene: HandScene, keypoints: Tensor) -> list[tuple[HeldObject, Tensor, Tensor]]:
    """Return each object of a scene with its vertices `[V, 3]`, metres in the camera's frame, and faces `[T, 3]`.

    Args:
        scene: The hands.
        keypoints: Of the posed hands, `[N, 21, 3]`, metres in the camera's frame.
    """
    return [(held, *held.surface(scene.global_orient[held.hand], keypoints[held.hand, 0])) for held in scene.objects]
