"""Closing the hole that a hand's mesh has at the wrist."""

import torch
from torch import Tensor

from ..errors import SesaHandError


def boundary_loops(faces: Tensor) -> list[list[int]]:
    """Return the vertex ids around each hole of a mesh, in the direction in which the mesh's faces run along it.

    Args:
        faces: `[T, 3]` vertex ids of an orientable surface.

    Raises:
        SesaHandError: If a boundary does not close to simple loops.
    """
    if not len(faces):
        return []
    size = int(faces.max()) + 1
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).long()
    open_edges = edges[~torch.isin(edges[:, 0] * size + edges[:, 1], edges[:, 1] * size + edges[:, 0])].tolist()
    following = dict(open_edges)
    if len(following) != len(open_edges) or set(following) != set(following.values()):
        raise SesaHandError("The mesh's boundary is not made of simple loops; repair the hand's mesh.")
    loops = []
    while following:
        start, vertex = following.popitem()
        loop = [start]
        while vertex != start:
            loop.append(vertex)
            vertex = following.pop(vertex)
        loops.append(loop)
    return loops


def close_boundary(faces: Tensor, num_vertices: int) -> tuple[Tensor, list[list[int]]]:
    """Close every hole of a mesh by a fan of faces around a new vertex in the middle of the hole.

    Args:
        faces: `[T, 3]` vertex ids, wound outwards.
        num_vertices: Vertices of the mesh; the new one of hole k has the id `num_vertices + k`.

    Returns:
        The new faces `[K, 3]`, wound outwards, and the loop of each hole; a new vertex is the mean of its loop's.
    """
    loops = boundary_loops(faces)
    fan = [
        (loop[(k + 1) % len(loop)], loop[k], num_vertices + hole)
        for hole, loop in enumerate(loops)
        for k in range(len(loop))
    ]
    return torch.tensor(fan, dtype=faces.dtype, device=faces.device).reshape(-1, 3), loops


def fan_boundary(faces: Tensor) -> Tensor:
    """Close every hole of a mesh with a fan of triangles between its own vertices, as HaMeR closes MANO's wrist.

    Args:
        faces: Vertex ids `[T, 3]`.

    Returns:
        The faces followed by the fans' `[T + K, 3]`, wound as their neighbours are; `faces` itself if there is no hole.
    """
    fans = [[loop[0], loop[k + 1], loop[k]] for loop in boundary_loops(faces) for k in range(1, len(loop) - 1)]
    return torch.cat([faces, faces.new_tensor(fans)]) if fans else faces
