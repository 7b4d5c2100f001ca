"""Closing a hand on an object: where the object lies in it, and how far each finger bends until its skin touches.

Every object begins in a gesture of the library and at a place that was solved with it. Objects that lie in the palm are
moved along its normal until they touch the open hand, others laid on the thumb; all are moved away from where palm or
thumb would go into them. Then each finger closes from an open pose along its flexion, in three stages: all its joints,
its outer two, its last one. Each stage ends where the skin comes within `CLEARANCE` of the object, so that the joints
above stay where they touch (the grasp of Miller and Allen, "GraspIt!", 2004). One that would go into a finger that has
closed before it is spread away from that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ..errors import SesaHandError
from .contact import boundary_edges, cone, contact_vertices, depth_inside, part_faces, penetration_depths
from .gestures import find_gesture
from .limits import angles_from_pose, joint_frames, joint_limits, pose_from_angles
from .model import NUM_BETAS, HandModel
from .object_mesh import ObjectMesh
from .objects import SIZES, object_distance
from .rotations import axis_angle_to_matrix
from .skeleton import FINGER_JOINTS, FINGERS

CONTACT = 0.001
"""A finger touches from this distance on, in metres."""

CLEARANCE = 0.0001
"""Space that is left between skin and object, in metres."""

# Poses that are tried at once on a stage, and how often the interval between two of them is searched anew.
TRIED, REFINED = 24, 3

# How deep a finger may go into another, metres: skin gives way so far.
APART = 0.0005
# How else a finger that misses, or meets another, may be spread at its first joint, radians, how often the object is
# pushed out of palm and thumb, and how often the hand then closes anew.
SPREADS = (0.0, *(sign * 0.1 * step for step in range(1, 7) for sign in (1, -1)))
PUSHES, TRIES = 24, 5
# How far the thumb below an object that lies on it is opened, until that is clear of the palm, and the steps it takes.
THUMBS, SETTLED = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), 120
# Skin further from an object than this, in metres, does not meet it when it is settled.
NEAR = 0.03
# Of a descent, and the differences that a slope is taken by.
PACE, STEP = 0.02, 1e-6
# To be inside the object is so many times worse than to be as far outside.
INSIDE = 10.0

# From where and how far palms are searched, metres.
PALM_REACH = 0.12


@dataclass(frozen=True)
class Grasp:
    """How an object is held.

    Attributes:
        gesture: The gesture of the library that it begins in.
        fingers: Those that are to touch.
        place: Where its middle lies, metres from the rest hand's origin in its frame.
        turn: How it is turned there, an axis-angle vector in radians.
        in_palm: Whether it is moved against the open hand; else it is laid on the thumb.
        by_tips: Whether it is laid on the thumb's last bone, and near those of the others, rather than anywhere.
        lies_to: Up to which size it lies in the hand as it is used; a larger one only touches.
        held_at: Where along its length it is held, so that this place stays as it grows, metres from its middle.
    """

    gesture: str
    fingers: tuple[str, ...]
    place: tuple[float, float, float]
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    in_palm: bool = True
    by_tips: bool = False
    lies_to: float = SIZES[1]
    held_at: float = 0.0


GRASPS = {
    "sphere": Grasp("grasp_sphere", FINGERS[:4], (-0.080, -0.053, 0.001)),
    "cylinder": Grasp("grasp_cylinder", FINGERS, (-0.074, -0.056, -0.008), (-0.22, -0.43, 0.0)),
    "box": Grasp("grasp_cylinder", FINGERS, (-0.074, -0.056, -0.008), (-0.22, -0.43, 0.0)),
    "cup": Grasp("grasp_cylinder", FINGERS, (-0.074, -0.056, -0.008), (-0.22, -0.43, 0.0)),
    "phone": Grasp(
        "hold_phone", FINGERS, (-0.0725, -0.0439, 0.0024), (0.107, -0.228, 0.0), in_palm=False, by_tips=True
    ),
    "pen": Grasp(
        "hold_pen",
        ("thumb", "index", "middle"),
        (-0.0882, -0.0206, 0.0379),
        (-1.352, -0.875, -1.515),
        in_palm=False,
        by_tips=True,
        lies_to=1.8,
        held_at=-0.043,
    ),
    "tool": Grasp("grasp_cylinder", FINGERS, (-0.074, -0.056, -0.008), (-0.22, -0.43, 0.0)),
}


@dataclass(frozen=True, eq=False)
class Grip:
    """A right hand that holds an object.

    Attributes:
        hand_pose: Absolute joint rotations `[15, 3, 3]`.
        position: The object's middle `[3]`, metres from the wrist joint in the hand's frame.
        orient: Rotation from the object's frame into the hand's, `[3, 3]`.
        gaps: Distance in metres from the skin of each finger to the object, by the finger's name.
        depth: How deep the hand goes into the object at most, in metres.
        missing: The fingers that were to touch and do not.
        self_depth: How deep a part of the hand goes into another at most, in metres.
    """

    hand_pose: Tensor
    position: Tensor
    orient: Tensor
    gaps: dict[str, float]
    depth: float
    missing: tuple[str, ...]
    self_depth: float = 0.0


def grip(
    model: HandModel, kind: str, size: float = 1.0, betas: Tensor | None = None, mesh: ObjectMesh | None = None
) -> Grip:
    """Close a right hand on an object.

    Args:
        model: The hand.
        kind: A name of `GRASPS`.
        size: Of the object, in times its usual size, within `SIZES`.
        betas: Shape of the hand `[10]`; None is the mean shape.
        mesh: What is held in the place of that object, and as it is.

    Returns:
        The grip; a left hand's is its mirror image.

    Raises:
        SesaHandError: If there is no such object, or it is smaller or larger than a hand can hold.
    """
    if kind not in GRASPS:
        raise SesaHandError(f"There is no object {kind!r:.40} to hold; objects are {', '.join(GRASPS)}.")
    if not SIZES[0] <= size <= SIZES[1]:
        raise SesaHandError(f"The size of an object is {SIZES[0]} to {SIZES[1]} times its usual one, got {size!r}.")
    return _Closing(model, kind, size, betas, mesh).grip()


class _Closing:
    """A hand about to close on one object: both where they are so far."""

    def __init__(self, model: HandModel, kind: str, size: float, betas: Tensor | None, mesh: ObjectMesh | None):
        self.model, self.size, self.grasp = model, size, GRASPS[kind]
        self.distance_at_usual_size = partial(object_distance, kind, filled=True) if mesh is None else mesh.distance
        self.betas = torch.zeros(NUM_BETAS) if betas is None else betas.detach().cpu().float()
        self.frames = joint_frames(model)
        self.gesture = angles_from_pose(find_gesture(self.grasp.gesture).hand_pose, self.frames)
        low, high = joint_limits().unbind(-1)
        self.low, self.high = low, high
        self.wrist = model.joint_template[0] + model.joint_shapedirs[0] @ self.betas
        self.turn = grasp_rotation(self.grasp)
        self.place = torch.tensor(self.grasp.place) - (size - 1) * self.grasp.held_at * self.turn[:, 2]
        faces, parts = model.faces_for("right"), model.part_ids_for()
        self.tips = {finger: faces[parts == joints[2]].unique() for finger, joints in FINGER_JOINTS.items()}
        self.faces, self.outside = part_faces(model), contact_vertices(model)
        self.rims = {finger: boundary_edges(self.faces[finger]) for finger in FINGERS}
        self.ids = {part: faces.unique() for part, faces in self.faces.items()}

    def skin(self, angles: Tensor) -> Tensor:
        """Return vertices `[K, V, 3]` in metres of the hand under joint angles `[K, 15, 3]` in radians."""
        count = len(angles)
        orient, nothing = torch.eye(3).expand(count, 3, 3), torch.zeros(count, 3)
        right, betas = torch.ones(count, dtype=torch.bool), self.betas.expand(count, -1)
        return self.model(orient, pose_from_angles(angles, self.frames), betas, nothing, right).vertices

    def distance(self, points: Tensor, place: Tensor) -> Tensor:
        """Return the signed distance `[...]` in metres from points `[..., 3]` to the object at `place` `[..., 3]`."""
        return self.size * self.distance_at_usual_size(((points - place) @ self.turn) / self.size)

    def distances(self, points: Tensor, place: Tensor, turn: Tensor) -> Tensor:
        """Return the signed distance `[K, P]` in metres from points `[P, 3]` to the object at K places, turned so.

        Args:
            points: `[P, 3]`, metres; without P, one for each place.
            place: `[K, 3]`, metres.
            turn: `[K, 3, 3]`.
        """
        offset = (points - place[..., None, :]) @ turn if place.ndim > 1 else (points - place) @ turn
        return self.size * self.distance_at_usual_size(offset / self.size)

    def grip(self) -> Grip:
        opened = angles = self.opened()
        # The thumb that an object lies on touches it already, or all but.
        order = FINGERS if self.grasp.in_palm else (*FINGERS[1:], "thumb")
        if self.grasp.in_palm:
            self.move_to_palm(opened)
        else:
            opened = self.lay_on_thumb(opened)
        for _ in range(TRIES):
            angles = opened
            for number, finger in enumerate(order):
                angles = self.close(angles, finger, order[:number])
            if not self.move_out(angles):
                break
        skin = self.skin(angles[None])[0]
        distance = self.distance(skin, self.place)
        gaps = {finger: float(distance[self.ids[finger]].min()) for finger in FINGERS}
        return Grip(
            pose_from_angles(angles, self.frames),
            self.place - self.wrist,
            self.turn,
            {finger: max(0.0, gap) for finger, gap in gaps.items()},
            max(0.0, -float(distance.min())),
            tuple(finger for finger in self.grasp.fingers if gaps[finger] > CONTACT),
            max(penetration_depths(self.model, skin).values()),
        )

    def opened(self) -> Tensor:
        """Return the angles `[15, 3]` in radians of the hand before it closes."""
        angles = self.gesture.clone()
        for finger in FINGERS:
            joints = [joint - 1 for joint in FINGER_JOINTS[finger]]
            angles[joints, 0] -= torch.tensor([0.5, 0.4, 0.4]) if finger == "thumb" else self.gesture[joints, 0] * 0.8
        return torch.minimum(torch.maximum(angles, self.low), self.high)

    def move_to_palm(self, angles: Tensor) -> None:
        """Move the object along the palm's normal until it touches a hand `[15, 3]`, but for its thumb."""
        ids = torch.cat([self.ids[part] for part in self.ids if part != "thumb"])
        points = self.skin(angles[None])[0, ids]
        near, far = 0.0, PALM_REACH
        for _ in range(REFINED):
            offsets = torch.linspace(far, near, TRIED)
            places = torch.stack([self.place[0].expand(TRIED), -offsets, self.place[2].expand(TRIED)], -1)
            free = self.distance(points, places[:, None]).amin(1) >= CLEARANCE
            last = int(free.int().cumprod(0).sum()) - 1
            self.place = places[max(last, 0)]
            far, near = float(offsets[max(last, 0)]), float(offsets[min(last + 1, TRIED - 1)])

    def lay_on_thumb(self, opened: Tensor) -> Tensor:
        """Lay the object on the thumb and clear of the palm, and return `opened` `[15, 3]` with the thumb it lies on.

        That is the gesture's, or for a thick object one that is opened a little.
        """
        joints = [joint - 1 for joint in FINGER_JOINTS["thumb"]]
        place, turn = self.place, self.turn
        angles = opened.clone()
        for share in THUMBS:
            self.place, self.turn = place, turn
            angles[joints] = self.gesture[joints] + share * (opened - self.gesture)[joints]
            if self.settle(angles) >= 0:
                break
        return angles

    def settle(self, angles: Tensor) -> float:
        """Move and turn the object until it touches the thumb of `angles` `[15, 3]`, radians, where others reach it.

        Returns:
            The least distance in metres that is left to palm and thumb, negative inside.
        """
        thumbs = [joint - 1 for joint in FINGER_JOINTS["thumb"]]
        bent = self.gesture.clone()
        bent[thumbs] = angles[thumbs]
        # The skin between thumb and index finger also moves with the latter.
        skin = self.skin(torch.stack([angles, bent]))
        thumb = skin[0, self.ids["thumb"]]
        fixed = torch.cat([thumb, skin[0, self.ids["palm"]], skin[1, self.ids["palm"]]])
        touching = self.tips if self.grasp.by_tips else self.ids
        others = [skin[1, touching[finger]].double() for finger in self.grasp.fingers[1:]]
        thumb, fixed = skin[0, touching["thumb"]].double(), self.near(fixed).double()
        place, turn = self.place.double(), self.turn.double()

        def moved(change: Tensor) -> tuple[Tensor, Tensor]:
            # Centimetres and radians move at about the same pace.
            return place + 0.01 * change[..., :3], turn @ axis_angle_to_matrix(change[..., 3:])

        def cost(change: Tensor) -> Tensor:
            at = moved(change)
            inside = (1000 * (3 * CLEARANCE - self.distances(fixed, *at))).clamp(min=0).square().sum(-1)
            gap = (1000 * (self.distances(thumb, *at).amin(-1) - 3 * CLEARANCE)).square()
            reach = sum((1000 * self.distances(points, *at).amin(-1).clamp(min=0)).square() for points in others)
            return inside + gap + reach + change.square().sum(-1)

        self.place, self.turn = (each.float() for each in moved(descended(cost, torch.zeros(6).double())))
        return float(self.distance(fixed.float(), self.place).min())

    def near(self, points: Tensor) -> Tensor:
        """Return those of points `[P, 3]`, metres, that are not far from the object, and always the nearest."""
        distance = self.distance(points, self.place)
        return points[distance <= distance.min().clamp(min=0) + NEAR]

    def move_out(self, angles: Tensor) -> bool:
        """Move the object away from where palm and thumb of `angles` `[15, 3]` are deepest in it, and say whether."""
        points = self.skin(angles[None])[0, torch.cat([self.ids["palm"], self.ids["thumb"]])]
        for push in range(PUSHES):
            distance = self.distance(points, self.place)
            depth = -float(distance.min())
            if depth <= 0:
                return push > 0
            deepest = points[distance.argmin()].double()
            outwards = slope(lambda point: self.distances(point, self.place.double(), self.turn.double()), deepest)
            self.place = self.place - (depth + CLEARANCE) * outwards.float()
        return True

    def close(self, angles: Tensor, finger: str, closed: tuple[str, ...]) -> Tensor:
        """Return the angles `[15, 3]` in radians with one finger closed on the object.

        If it passes the object by, begins inside of it, or goes into one that is `closed` already, it closes from where
        it is spread differently.
        """
        joints = [joint - 1 for joint in FINGER_JOINTS[finger]]
        if finger in self.grasp.fingers:
            best, touches = self.spread_well(angles, finger, self.closed(joints), joints, closed)
            if touches:
                return best
        # A finger that does not reach the object is bent no further than in the gesture.
        return self.spread_well(angles, finger, self.gesture, joints[:1], closed, may_miss=True)[0]

    def spread_well(
        self, angles: Tensor, finger: str, end: Tensor, stages: list[int], closed: tuple[str, ...], may_miss=False
    ) -> tuple[Tensor, bool]:
        """Return the angles `[15, 3]` in radians of a finger closed towards others from where it is spread best.

        That is as little as it can be for the finger to touch the object and stay out of those that are closed; if
        nothing does both, where it touches and is least deep in them. The second value says whether that was found: a
        finger that touches from nowhere and may not miss the object stays as it is.
        """
        first = FINGER_JOINTS[finger][0] - 1
        best, least = angles, float("inf")
        for spread in SPREADS:
            opened = angles.clone()
            opened[first, 1] = (angles[first, 1] + spread).clamp(self.low[first, 1], self.high[first, 1])
            tried = self.close_towards(opened, end, stages, finger)
            skin = self.skin(tried[None])[0]
            gap = float(self.distance(skin[self.ids[finger]], self.place).min())
            if not (may_miss or -CONTACT / INSIDE <= gap <= CONTACT):
                continue
            cost = self.overlap(skin, finger, closed) + INSIDE * max(0.0, -gap)
            if cost < least:
                best, least = tried, cost
            if cost <= APART:
                break
        return best, least < float("inf")

    def overlap(self, skin: Tensor, finger: str, closed: tuple[str, ...]) -> float:
        """Return how deep a finger and closed ones go into each other, metres, of a hand with vertices `[V, 3]`."""

        def surface(part: str) -> tuple[Tensor, Tensor]:
            return skin[self.faces[part]], cone(self.rims[part], skin)

        own, depth = surface(finger), 0.0
        for other in closed:
            depth = max(depth, depth_inside(skin[self.outside[other]], *own))
            depth = max(depth, depth_inside(skin[self.outside[finger]], *surface(other)))
        return depth

    def close_towards(self, angles: Tensor, end: Tensor, stages: list[int], finger: str) -> Tensor:
        """Return angles `[15, 3]` of a finger closed towards others, radians, in a stage from each joint named on."""
        joints = [joint - 1 for joint in FINGER_JOINTS[finger]]
        for first in stages:
            moved = joints[joints.index(first) :]
            target = angles.clone()
            target[moved, 0] = torch.maximum(angles, end)[moved, 0]
            angles = self.first_contact(angles, target, finger)
        return angles

    def closed(self, joints: list[int]) -> Tensor:
        """Return angles `[15, 3]` in radians of a hand closed as far as a grasp of anything asks, at some joints."""
        end = self.gesture.clone()
        end[joints, 0] = self.high[joints, 0] - 0.01
        return end

    def first_contact(self, start: Tensor, end: Tensor, finger: str) -> Tensor:
        """Return the angles between two, all `[15, 3]` in radians, at which a finger's skin first touches."""
        ids = self.ids[finger]
        low, high = 0.0, 1.0
        for _ in range(REFINED):
            shares = torch.linspace(low, high, TRIED)
            tried = start + shares[:, None, None] * (end - start)
            free = self.distance(self.skin(tried)[:, ids], self.place).amin(1) >= CLEARANCE
            last = int(free.int().cumprod(0).sum()) - 1
            if last == TRIED - 1:
                return tried[last]
            low, high = float(shares[max(last, 0)]), float(shares[min(last + 1, TRIED - 1)])
        return start + low * (end - start)


def grasp_rotation(grasp: Grasp) -> Tensor:
    """Return the rotation `[3, 3]` from an object's frame into that of the hand that grasps it."""
    return axis_angle_to_matrix(torch.tensor(grasp.turn))


def slope(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Return the gradient `[D]` of a function of points `[K, D]`, by differences: ComfyUI runs nodes without autograd.

    Args:
        function: Gives a number for each point, `[K]`.
        at: The point `[D]`, float64, in the function's units.
    """
    steps = STEP * torch.eye(len(at), dtype=at.dtype)
    ahead, behind = function(torch.cat([at + steps, at - steps])).chunk(2)
    return (ahead - behind) / (2 * STEP)


def descended(cost: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Return where a cost of points `[K, D]` is low near `start` `[D]`, both without unit, float64.

    Source: Adam (Kingma and Ba, 2015).
    """
    point, mean, square = start, torch.zeros_like(start), torch.zeros_like(start)
    for step in range(1, SETTLED + 1):
        gradient = slope(cost, point)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient.square()
        point = point - PACE * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
    return point
