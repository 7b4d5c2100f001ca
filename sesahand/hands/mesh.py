"""Open and closed triangle meshes."""

import torch
from torch import Tensor

from ..errors import SesaHandError


def open_edges(faces: Tensor) -> list[list[int]]:
    """Return the edges of faces `[T, 3]` that only one face has, as pairs of vertex ids in that face's direction."""
    if not len(faces):
        return []
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).long()
    start, end = edges.unbind(1)
    code, order = torch.sort(torch.minimum(start, end) * (int(faces.max()) + 1) + torch.maximum(start, end))
    differs = torch.nn.functional.pad(code[1:] != code[:-1], (1, 1), value=True)
    return edges[order[differs[1:] & differs[:-1]]].tolist()


def boundary_loops(faces: Tensor) -> list[list[int]]:
    """Return the vertex ids along each hole of a mesh, in the direction that its faces `[T, 3]` run."""
    following: dict[int, int] = {}
    for a, b in sorted(open_edges(faces)):
        if a in following:
            raise SesaHandError(
                f"Two holes of the mesh meet in vertex {a}; only separate holes can be followed: part them, or take "
                "the hand as it was published."
            )
        following[a] = b
    if set(following) != set(following.values()):
        raise SesaHandError(
            "The edges of the mesh's holes do not close to loops; its faces are not wound consistently: turn them all "
            "counter-clockwise seen from outside."
        )
    loops = []
    while following:
        loop = [min(following)]
        while (after := following.pop(loop[-1])) != loop[0]:
            loop.append(after)
        loops.append(loop)
    return loops


def close_boundary(faces: Tensor) -> Tensor:
    """Close every hole of a mesh with a fan of triangles between its own vertices, as HaMeR closes MANO's wrist.

    Args:
        faces: Vertex ids `[T, 3]`.

    Returns:
        The faces followed by the fans' `[T + K, 3]`, wound as their neighbours are; `faces` itself if there is no hole.
    """
    fans = [[loop[0], loop[k + 1], loop[k]] for loop in boundary_loops(faces) for k in range(1, len(loop) - 1)]
    return torch.cat([faces, faces.new_tensor(fans)]) if fans else faces
