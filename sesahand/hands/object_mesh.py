"""A mesh of the user's in the place of one of the objects, held as that one is.

Its sides go where that object's sides of the same rank lie, so that a bottle stands in the hand as a cylinder does
however its file turns it. It is kept in few enough faces that scenes can carry it.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..errors import SesaHandError
from .distance_grid import DistanceGrid
from .objects import object_mesh

MAX_FACES = 6000
"""Of a mesh that a scene carries."""
SHORTEST, LONGEST = 0.005, 1.0
"""Least and most of the longest side of what is held, metres."""
MAX_NAME = 80
# Edges between faces that meet at a sharper angle, in degrees, are drawn as edges.
CREASE = 40.0
# How much coarser a mesh is made at a time, until it has few enough faces.
COARSER = 1.2


@dataclass(frozen=True, eq=False)
class ObjectMesh:
    """A surface of triangles in the frame of the object that it stands for.

    Attributes:
        name: What it is called, for example its file's name.
        vertices: `[V, 3]`, float32, metres; corners that meet are one vertex.
        faces: Vertex ids `[T, 3]`, int64, counter-clockwise seen from outside.
    """

    name: str
    vertices: Tensor
    faces: Tensor

    def __post_init__(self):
        if not isinstance(self.name, str) or not 0 < len(self.name) <= MAX_NAME or not self.name.isprintable():
            raise SesaHandError(f"The name of a mesh is {self.name!r:.100}, expected 1 to {MAX_NAME} letters.")
        vertices, faces = self.vertices, self.faces
        if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
            raise SesaHandError(
                f"The mesh {self.name!r} has vertices {tuple(vertices.shape)} and faces {tuple(faces.shape)}, expected "
                "three columns of each."
            )
        if not 0 < len(faces) <= MAX_FACES or not 0 < len(vertices) <= 3 * MAX_FACES:
            raise SesaHandError(
                f"The mesh {self.name!r} has {len(vertices)} vertices and {len(faces)} faces, expected 1 to "
                f"{MAX_FACES} faces."
            )
        if faces.min() < 0 or faces.max() >= len(vertices):
            raise SesaHandError(f"The mesh {self.name!r} has faces of vertices that it does not hold.")
        if not torch.isfinite(vertices).all() or not SHORTEST <= self.longest_side <= 2 * LONGEST:
            raise SesaHandError(
                f"The mesh {self.name!r} is {self.longest_side:.3g} m long, expected {SHORTEST} to {2 * LONGEST:g} m."
            )

    @property
    def longest_side(self) -> float:
        """The longest side of its box, metres."""
        return float((self.vertices.amax(0) - self.vertices.amin(0)).max())

    @cached_property
    def digest(self) -> str:
        """What tells it from other meshes."""
        hashed = hashlib.sha256(self.name.encode())
        for array in (self.vertices.numpy().astype("<f4"), self.faces.numpy().astype("<i4")):
            hashed.update(np.ascontiguousarray(array).data)
        return hashed.hexdigest()

    @cached_property
    def is_closed(self) -> bool:
        """Whether every edge runs once each way, so that it has an inside."""
        edges = torch.cat([self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]])
        size = len(self.vertices)
        forward, backward = edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0]
        return torch.equal(forward.sort().values, backward.sort().values)

    @cached_property
    def _grid(self) -> DistanceGrid:
        return DistanceGrid.of(self.vertices[self.faces])

    def distance(self, points: Tensor) -> Tensor:
        """Return the signed distance `[...]` in metres from points `[..., 3]`, metres in its frame; negative inside."""
        return self._grid.distance(points)

    @cached_property
    def drawn(self) -> tuple[Tensor, Tensor]:
        """Its surface as it is drawn: vertices `[W, 3]` and faces `[T, 3]`; along sharp edges, one for each side.

        Of a mesh that is not closed both sides are drawn.
        """
        vertices, faces = split_at_creases(self.vertices, self.faces)
        if self.is_closed:
            return vertices, faces
        return torch.cat([vertices, vertices]), torch.cat([faces, faces.flip(1) + len(vertices)])

    def mirrored(self) -> "ObjectMesh":
        """Return its mirror image in x, as the other hand holds it in a mirror."""
        flip = self.vertices.new_tensor([-1.0, 1.0, 1.0])
        return ObjectMesh(self.name, self.vertices * flip, self.faces.flip(1))


def stand_in(name: str, vertices: np.ndarray, faces: np.ndarray, kind: str, length: float | None = None) -> ObjectMesh:
    """Return a mesh in the place of an object: centred, turned as that one lies, and with few enough faces.

    Args:
        name: What it is called.
        vertices: `[V, 3]`, metres, or any unit if `length` is given.
        faces: Vertex ids `[T, 3]`.
        kind: The object that it stands for, a name of `objects.OBJECTS`.
        length: Of its longest side, metres; None takes the vertices for metres.

    Raises:
        SesaHandError: If it has no extent, or is too small or too large to be held.
    """
    points, triangles = welded(torch.from_numpy(np.asarray(vertices)).double(), torch.from_numpy(np.asarray(faces)))
    if not len(triangles):
        raise SesaHandError(f"{name!r:.90} has no surface: all its faces are points or lines.")
    sides = points.amax(0) - points.amin(0)
    longest = float(sides.max())
    if length is not None and longest > 0:
        points = points * (length / longest)
        longest = length
    if not SHORTEST <= longest <= LONGEST:
        raise SesaHandError(
            f"{name!r:.90} is {longest:.3g} m long, and what is held is {SHORTEST} to {LONGEST:g} m long. Files are "
            "taken to be in metres: give the length of its longest side instead."
        )
    middle = (points.amax(0) + points.amin(0)) / 2
    own, _ = object_mesh(kind)
    place = (own.amax(0) + own.amin(0)).double() / 2
    turned = (points - middle) @ _turn_by_rank(sides, (own.amax(0) - own.amin(0)).double()).mT + place
    points, triangles = simplified(turned.float(), triangles)
    mesh = ObjectMesh(name[:MAX_NAME], points, triangles)
    # Of a closed surface, the volume says which side is out.
    return ObjectMesh(mesh.name, points, triangles.flip(1)) if mesh.is_closed and volume(mesh) < 0 else mesh


def _turn_by_rank(sides: Tensor, wanted: Tensor) -> Tensor:
    """Return the rotation `[3, 3]` that lays sides `[3]` along those of the same rank among the wanted ones `[3]`.

    Both in any unit of length.
    """
    # Of sides as good as equal, the order is the frame's.
    from_axes, to_axes = ((1000 * each / each.max()).round().argsort(stable=True) for each in (sides, wanted))
    turn = torch.zeros(3, 3, dtype=torch.float64)
    turn[to_axes, from_axes] = 1.0
    if torch.linalg.det(turn) < 0:
        turn[int(to_axes[0])] *= -1
    return turn


def volume(mesh: ObjectMesh) -> float:
    """Return the volume that a closed mesh encloses, cubic metres; negative if its faces are inside out."""
    a, b, c = mesh.vertices.double()[mesh.faces].unbind(1)
    return float((a * torch.linalg.cross(b, c)).sum() / 6)


def welded(vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Join the corners of a surface that lie in one place.

    Args:
        vertices: `[V, 3]`, any unit of length.
        faces: Vertex ids `[T, 3]`.

    Returns:
        Vertices `[W, 3]` in the same unit, and those faces `[U, 3]`, vertex ids, that have three different ones.
    """
    size = (vertices.amax(0) - vertices.amin(0)).max().clamp(min=1e-12)
    _, ids = (1e6 * (vertices - vertices.amin(0)) / size).round().unique(dim=0, return_inverse=True)
    return _joined(vertices, faces, ids)


def simplified(vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Return a surface of at most `MAX_FACES` faces: vertices in one cell of a grid are joined in their middle.

    Args:
        vertices: `[V, 3]`, metres.
        faces: Vertex ids `[T, 3]`.

    Returns:
        Vertices `[W, 3]`, metres, and faces `[U, 3]`, vertex ids.
    """
    low, size = vertices.amin(0), float((vertices.amax(0) - vertices.amin(0)).max())
    cell, points, triangles = size / 256, vertices, faces
    while len(triangles) > MAX_FACES:
        _, ids = ((vertices - low) / cell).floor().unique(dim=0, return_inverse=True)
        points, triangles = _joined(vertices, faces, ids)
        cell *= COARSER
    return points, triangles


def _joined(vertices: Tensor, faces: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Join vertices `[V, 3]`, any unit, of the same id `[V]` in their middle; faces that become a line are dropped."""
    count = int(ids.max()) + 1
    points = vertices.new_zeros(count, 3).index_add_(0, ids, vertices)
    points = points / vertices.new_zeros(count).index_add_(0, ids, vertices.new_ones(len(vertices)))[:, None]
    triangles = ids[faces]
    triangles = triangles[(triangles != triangles.roll(1, 1)).all(1)]
    # The same face twice is one; a face and its back, which close a sheet, are two.
    first = triangles.argmin(1, keepdim=True)
    triangles = triangles.gather(1, (first + torch.arange(3)) % 3).unique(dim=0)
    used, renamed = triangles.unique(return_inverse=True)
    return points[used], renamed


def split_at_creases(vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
    """Return a surface whose vertices are there once for each smooth patch around them.

    Args:
        vertices: `[V, 3]`, metres.
        faces: Vertex ids `[T, 3]`.

    Returns:
        Vertices `[W, 3]` and faces `[T, 3]` of them.
    """
    a, b, c = vertices.double()[faces].unbind(1)
    normals = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    count, size = len(faces), len(vertices)
    ends = torch.stack([faces, faces.roll(-1, 1)], -1)
    keys = (ends.amin(-1) * size + ends.amax(-1)).flatten()
    order = keys.argsort(stable=True)
    same = (keys[order[1:]] == keys[order[:-1]]).nonzero()[:, 0]
    first, second = order[same], order[same + 1]
    smooth = (normals[first // 3] * normals[second // 3]).sum(-1) > np.cos(np.radians(CREASE))
    first, second = first[smooth], second[smooth]
    # Corners of both faces at either end of a smooth edge are one vertex.
    pairs = []
    for face, edge, other in ((first // 3, first % 3, second // 3), (first // 3, (first % 3 + 1) % 3, second // 3)):
        corner = faces[face, edge]
        there = (faces[other] == corner[:, None]).int().argmax(1)
        pairs.append(torch.stack([3 * face + edge, 3 * other + there], -1))
    joined = torch.cat(pairs)
    labels = torch.arange(3 * count)
    while True:
        least = labels.clone()
        low = torch.minimum(labels[joined[:, 0]], labels[joined[:, 1]])
        for side in (0, 1):
            least.scatter_reduce_(0, joined[:, side], low, "amin")
        least = least[least]
        if torch.equal(least, labels):
            break
        labels = least
    patches, renamed = labels.unique(return_inverse=True)
    return vertices[faces.flatten()[patches]], renamed.view(-1, 3)
