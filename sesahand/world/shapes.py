"""Meshes of the small world's objects and of a sleeve: plain arrays, y down as in the camera's frame."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Shape:
    """A mesh that is seen from outside only.

    Attributes:
        vertices: `[V, 3]` float32; metres once the shape stands in the camera's frame, of about unit radius before.
        normals: Unit normals of the vertices `[V, 3]`; a vertex on a sharp edge is there once per face.
        faces: Vertex ids `[T, 3]` int64, counter-clockwise seen from outside.
        shade: Factor on the colour of each vertex `[V]`.
    """

    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    shade: np.ndarray

    def turned(self, rotation: np.ndarray, scale: float, centre: np.ndarray) -> "Shape":
        """Return the shape scaled, turned by `rotation` `[3, 3]` and moved to `centre` `[3]`."""
        vertices = scale * self.vertices @ rotation.T + centre
        return Shape(
            vertices.astype(np.float32), (self.normals @ rotation.T).astype(np.float32), self.faces, self.shade
        )


def object_shape(kind: str) -> Shape:
    """Return an object of about unit radius around the origin: "ball", "cube", "cup" or "cone"."""
    return {"ball": ball, "cube": cube, "cup": cup, "cone": cone}[kind]()


def lathe(profile: list[tuple[float, float]], segments: int = 24) -> Shape:
    """Turn a profile of (radius, y) points, outside on its right when followed, about the y axis; edges are sharp."""
    angles = np.linspace(0, 2 * np.pi, segments + 1)
    around = np.stack([np.cos(angles), np.zeros_like(angles), np.sin(angles)], 1)
    vertices: list[np.ndarray] = []
    normals: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    for (r0, y0), (r1, y1) in zip(profile, profile[1:], strict=False):
        base = sum(len(ring) for ring in vertices)
        outward = np.array([y0 - y1, r1 - r0]) / np.hypot(r1 - r0, y1 - y0)
        for radius, y in ((r0, y0), (r1, y1)):
            vertices.append(radius * around + [0, y, 0])
            normals.append(outward[0] * around + [0, outward[1], 0])
        low, high = base + np.arange(segments), base + segments + 1 + np.arange(segments)
        faces += [np.stack([low, low + 1, high], 1), np.stack([low + 1, high + 1, high], 1)]
    return wound(np.concatenate(vertices), np.concatenate(normals), np.concatenate(faces))


def wound(vertices: np.ndarray, normals: np.ndarray, faces: np.ndarray) -> Shape:
    """Return the shape with each face turned so that it agrees with its normals; faces without area are left out.

    Args:
        vertices: `[V, 3]`, any unit of length.
        normals: Unit normals of the vertices `[V, 3]`.
        faces: Vertex ids `[T, 3]`.
    """
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    agrees = (across * normals[faces].sum(1)).sum(1)
    faces = np.where((agrees < 0)[:, None], faces[:, [0, 2, 1]], faces)
    faces = faces[np.linalg.norm(across, axis=1) > 1e-9]
    return Shape(vertices.astype(np.float32), normals.astype(np.float32), faces, np.ones(len(vertices), np.float32))


def ball(rows: int = 12, segments: int = 24) -> Shape:
    polar, around = np.meshgrid(np.linspace(0, np.pi, rows + 1), np.linspace(0, 2 * np.pi, segments + 1), indexing="ij")
    points = np.stack([np.sin(polar) * np.cos(around), np.cos(polar), np.sin(polar) * np.sin(around)], -1).reshape(
        -1, 3
    )
    row, column = (each.ravel() for each in np.meshgrid(np.arange(rows), np.arange(segments), indexing="ij"))
    first = row * (segments + 1) + column
    below = first + segments + 1
    faces = np.concatenate([np.stack([first, first + 1, below], 1), np.stack([first + 1, below + 1, below], 1)])
    return wound(points, points, faces)


def cube() -> Shape:
    vertices: list[np.ndarray] = []
    normals: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            corners = np.array([[sign, u, v] for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1))]) * 0.78
            base = 4 * len(faces)
            vertices.append(np.roll(corners, axis, 1))
            normals.append(np.roll(np.array([[sign, 0, 0]] * 4), axis, 1))
            faces.append(np.array([[0, 1, 2], [0, 2, 3]]) + base)
    return wound(np.concatenate(vertices), np.concatenate(normals), np.concatenate(faces))


def cone() -> Shape:
    return lathe([(0.0, 0.9), (0.95, 0.9), (0.01, -1.1)])


def cup() -> Shape:
    """Return an open mug with a handle."""
    body = lathe([(0.0, 1.0), (0.72, 1.0), (0.82, -0.95), (0.7, -0.95), (0.62, 0.3), (0.0, 0.3)])
    inside = (np.abs(body.normals[:, 1]) < 0.99) & ((body.normals * body.vertices).sum(1) < 0)
    shade = np.where(inside | (body.vertices[:, 1] == np.float32(0.3)), 0.55, 1.0).astype(np.float32)
    handle = torus_arc(centre=0.8, ring=0.5, tube=0.12)
    faces = np.concatenate([body.faces, handle.faces + len(body.vertices)])
    return Shape(
        np.concatenate([body.vertices, handle.vertices]),
        np.concatenate([body.normals, handle.normals]),
        faces,
        np.concatenate([shade, handle.shade]),
    )


def torus_arc(centre: float, ring: float, tube: float, rows: int = 12, segments: int = 8) -> Shape:
    """Return half a torus in the x-y plane that begins and ends at x = `centre`."""
    along, around = np.meshgrid(
        np.linspace(-np.pi / 2, np.pi / 2, rows + 1), np.linspace(0, 2 * np.pi, segments + 1), indexing="ij"
    )
    out = np.stack([np.cos(along), np.sin(along), np.zeros_like(along)], -1)
    side = np.array([0.0, 0.0, 1.0])
    normals = np.cos(around)[..., None] * out + np.sin(around)[..., None] * side
    points = ring * out + tube * normals + [centre - 0.06, 0, 0]
    row, column = (each.ravel() for each in np.meshgrid(np.arange(rows), np.arange(segments), indexing="ij"))
    first = row * (segments + 1) + column
    below = first + segments + 1
    faces = np.concatenate([np.stack([first, first + 1, below], 1), np.stack([first + 1, below + 1, below], 1)])
    return wound(points.reshape(-1, 3), normals.reshape(-1, 3), faces)


def tube(centres: np.ndarray, radii: np.ndarray, shade: np.ndarray, segments: int = 20) -> Shape:
    """Return an elliptic tube along x.

    Args:
        centres: `[R, 3]`, x growing or equal.
        radii: Half widths in y and z `[R, 2]`.
        shade: `[R]`.
        segments: Vertices of each ring.
    """
    angles = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    around = np.stack([np.zeros_like(angles), np.cos(angles), np.sin(angles)], 1)
    scale = np.concatenate([np.ones((len(radii), 1)), radii], 1)
    points = centres[:, None] + around * scale[:, None]
    normals = around / scale[:, None]
    normals /= np.sqrt((normals**2).sum(-1, keepdims=True))
    return Shape(
        points.reshape(-1, 3).astype(np.float32),
        normals.reshape(-1, 3).astype(np.float32),
        tube_faces(len(radii), segments),
        np.repeat(shade, segments).astype(np.float32),
    )


def tube_faces(rings: int, segments: int) -> np.ndarray:
    """Return the outward faces `[T, 3]` of a tube along x whose rings run from y to z."""
    ring = segments * np.arange(rings - 1)[:, None]
    first = (ring + np.arange(segments)).ravel()
    beside = (ring + (np.arange(segments) + 1) % segments).ravel()
    pairs = [np.stack([first, beside, first + segments], 1), np.stack([beside, beside + segments, first + segments], 1)]
    return np.concatenate(pairs)
