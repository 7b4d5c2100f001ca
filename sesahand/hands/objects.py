"""Things that a hand can hold: each made of a few solids, whose distance is known everywhere and which can be drawn.

An object stands in a frame of its own, in metres: its length along z, and its mirror image in x is itself, so that what
a right hand holds a left one can hold as in a mirror.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ..errors import SesaHandError

SIZES = (0.5, 2.0)
"""Least and most of an object's size, in times its usual one."""

# Sides of a round solid. A face lies within 0.1 mm of a cylinder as thick as a can.
AROUND = 48


@dataclass(frozen=True)
class Ball:
    """A ball around `centre`, metres."""

    radius: float
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Frustum:
    """A round solid along z, `below` wide at its lower end and `above` at its upper one (radii), metres."""

    below: float
    above: float
    half_length: float
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Cuboid:
    """A box with half its sides in metres."""

    half_sides: tuple[float, float, float]
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Vessel:
    """A round vessel along z, open at its upper end; its inside is as slanted as its outside.

    Attributes:
        below: Radius at the lower end, metres.
        above: Radius at the upper end, metres.
        half_length: Metres.
        wall: How thick it is around, metres.
        floor: How thick it is at the lower end, metres.
        centre: Metres.
    """

    below: float
    above: float
    half_length: float
    wall: float
    floor: float
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def filled(self) -> Frustum:
        """The vessel with what is in it."""
        return Frustum(self.below, self.above, self.half_length, self.centre)

    @property
    def profile(self) -> list[tuple[float, float]]:
        """Corners (radius, z) in metres from the middle of the lower end over the rim to that of the floor."""
        low, high, floor = -self.half_length, self.half_length, self.floor - self.half_length
        at_floor = self.below + (self.above - self.below) * self.floor / (2 * self.half_length) - self.wall
        outside = [(0.0, low), (self.below, low), (self.above, high)]
        return [*outside, (self.above - self.wall, high), (at_floor, floor), (0.0, floor)]


Solid = Ball | Frustum | Cuboid | Vessel

OBJECTS: dict[str, tuple[Solid, ...]] = {
    "sphere": (Ball(0.036),),
    "cylinder": (Frustum(0.032, 0.032, 0.060),),
    "box": (Cuboid((0.028, 0.022, 0.060)),),
    "cup": (Vessel(0.029, 0.038, 0.050, 0.0025, 0.006),),
    "phone": (Cuboid((0.036, 0.0045, 0.073)),),
    "pen": (Frustum(0.004, 0.004, 0.062), Frustum(0.0008, 0.004, 0.008, (0.0, 0.0, -0.070))),
    "tool": (
        Frustum(0.015, 0.015, 0.102, (0.0, 0.0, 0.032)),
        Cuboid((0.016, 0.050, 0.016), (0.0, 0.0, 0.150)),
    ),
}
"""Objects by name, each the union of its solids at its usual size. New ones go last."""


def object_solids(kind: str) -> tuple[Solid, ...]:
    """Return the solids of an object at its usual size.

    Raises:
        SesaHandError: If there is no such object; the message lists them.
    """
    if kind not in OBJECTS:
        raise SesaHandError(f"There is no object {kind!r:.40} to hold; objects are {', '.join(OBJECTS)}.")
    return OBJECTS[kind]


def object_distance(kind: str, points: Tensor, filled: bool = False) -> Tensor:
    """Return the signed distance to an object of usual size, negative inside.

    Args:
        kind: A name of `OBJECTS`.
        points: `[..., 3]`, metres in the object's frame.
        filled: Take vessels for full ones, which fingers keep out of.

    Returns:
        `[...]`, metres; where solids touch, the surface between them counts.
    """
    solids = [solid.filled if filled and isinstance(solid, Vessel) else solid for solid in object_solids(kind)]
    distances = [_distance(solid, points - points.new_tensor(solid.centre)) for solid in solids]
    return torch.stack(distances).amin(0)


def _distance(solid: Solid, points: Tensor) -> Tensor:
    if isinstance(solid, Ball):
        return points.norm(dim=-1) - solid.radius
    if isinstance(solid, Cuboid):
        outside = points.abs() - points.new_tensor(solid.half_sides)
        return outside.clamp(min=0).norm(dim=-1) + outside.amax(-1).clamp(max=0)
    if isinstance(solid, Vessel):
        return _distance_to_profile(solid.profile, torch.stack([points[..., :2].norm(dim=-1), points[..., 2]], -1))
    radius, height = points[..., :2].norm(dim=-1), points[..., 2]
    half = solid.half_length
    rim = torch.where(height < 0, solid.below, solid.above)
    to_cap = torch.stack([(radius - rim).clamp(min=0), height.abs() - half], -1)
    # The nearest point of the slanted side, in the half-plane through the axis.
    side = points.new_tensor([solid.above - solid.below, 2 * half])
    from_low = torch.stack([radius - solid.below, height + half], -1)
    share = ((from_low * side).sum(-1) / (side * side).sum()).clamp(0, 1)
    to_side = from_low - share[..., None] * side
    middle = solid.below + (height + half) / (2 * half) * (solid.above - solid.below)
    inside = (height.abs() < half) & (radius < middle)
    distance = torch.minimum(to_cap.square().sum(-1), to_side.square().sum(-1)).sqrt()
    return torch.where(inside, -distance, distance)


def _distance_to_profile(profile: list[tuple[float, float]], points: Tensor) -> Tensor:
    """Return the signed distance `[...]` of points (radius, z) `[..., 2]` to what a profile encloses with the axis."""
    least, crossings = points.new_full(points.shape[:-1], torch.inf), torch.zeros(points.shape[:-1], dtype=torch.bool)
    for first, second in pairwise(profile):
        start, side = points.new_tensor(first), points.new_tensor(second) - points.new_tensor(first)
        offset = points - start
        share = ((offset * side).sum(-1) / (side * side).sum()).clamp(0, 1)
        least = torch.minimum(least, (offset - share[..., None] * side).square().sum(-1))
        # Even and odd: which sides a ray away from the axis meets.
        between = (points[..., 1] < first[1]) != (points[..., 1] < second[1])
        if second[1] != first[1]:
            crossings ^= between & (offset[..., 0] < offset[..., 1] / side[1] * side[0])
    return torch.where(crossings, -1.0, 1.0) * least.sqrt()


def object_mesh(kind: str) -> tuple[Tensor, Tensor]:
    """Return the surface of an object of usual size.

    Returns:
        Vertices `[V, 3]` in metres and faces `[T, 3]`, vertex ids, counter-clockwise seen from outside. Vertices on a
        sharp edge are there once for each side of it, so that normals of vertices shade it as it is.
    """
    vertices, faces, count = [], [], 0
    for solid in object_solids(kind):
        corners, triangles = _mesh(solid)
        vertices.append(corners + torch.tensor(solid.centre))
        faces.append(triangles + count)
        count += len(corners)
    return torch.cat(vertices), torch.cat(faces)


def _mesh(solid: Solid) -> tuple[Tensor, Tensor]:
    if isinstance(solid, Ball):
        angles = torch.linspace(-math.pi / 2, math.pi / 2, AROUND // 2 + 1).tolist()
        return _lathe([[(solid.radius * math.cos(angle), solid.radius * math.sin(angle)) for angle in angles]])
    if isinstance(solid, Frustum):
        low, high = (solid.below, -solid.half_length), (solid.above, solid.half_length)
        return _lathe([[(0.0, low[1]), low], [low, high], [high, (0.0, high[1])]])
    if isinstance(solid, Vessel):
        return _lathe([list(side) for side in pairwise(solid.profile)])
    return _cuboid_mesh(solid)


def _lathe(profiles: list[list[tuple[float, float]]]) -> tuple[Tensor, Tensor]:
    """Turn profiles of (radius, z), with what is inside on their left, about the z axis."""
    angles = 2 * math.pi * torch.arange(AROUND) / AROUND
    around = torch.stack([angles.cos(), angles.sin(), torch.zeros(AROUND)], -1)
    near = torch.arange(AROUND)
    far = (near + 1) % AROUND
    vertices, faces, count = [], [], 0
    for profile in profiles:
        for ring, (radius, height) in enumerate(profile):
            vertices.append(radius * around + torch.tensor([0.0, 0.0, height]))
            if ring:
                low, high = count - AROUND, count
                if profile[ring - 1][0] > 0:
                    faces.append(torch.stack([low + near, low + far, high + far], -1))
                if radius > 0:
                    faces.append(torch.stack([low + near, high + far, high + near], -1))
                elif profile[ring - 1][0] > 0:
                    faces[-1] = torch.stack([low + near, low + far, high + near], -1)
            count += AROUND
    return torch.cat(vertices), torch.cat(faces)


def _cuboid_mesh(cuboid: Cuboid) -> tuple[Tensor, Tensor]:
    vertices: list[Tensor] = []
    faces: list[list[int]] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            corners = torch.zeros(4, 3)
            corners[:, axis] = sign
            corners[:, (axis + 1) % 3] = torch.tensor([-1.0, 1.0, 1.0, -1.0])
            corners[:, (axis + 2) % 3] = sign * torch.tensor([-1.0, -1.0, 1.0, 1.0])
            count = 4 * len(vertices)
            vertices.append(corners * torch.tensor(cuboid.half_sides))
            faces += [[count, count + 1, count + 2], [count, count + 2, count + 3]]
    return torch.cat(vertices), torch.tensor(faces)
