"""Hands as the mesh that ComfyUI's core passes on (MESH): one texture coordinate and one normal per vertex."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..scene.camera import TO_Y_UP
from ..scene.hand_scene import HandScene
from .surface import Surface


@dataclass(frozen=True, eq=False)
class SurfaceMesh:
    """The closed surfaces of N hands, in the frame of glTF: x right, y up, z towards the viewer, metres.

    Attributes:
        vertices: `[N, W, 3]`. The first are the model's own in their order; copies along seams follow.
        faces: Vertex ids `[N, T, 3]`, counter-clockwise seen from outside.
        uvs: Texture coordinates `[N, W, 2]` from the upper left as in glTF, or None for a hand without.
        normals: Unit normals `[N, W, 3]`.
    """

    vertices: Tensor
    faces: Tensor
    uvs: Tensor | None
    normals: Tensor


def surface_mesh(scene: HandScene, forearm: bool = False) -> SurfaceMesh:
    """Return the surface of each hand; the camera of the scene is at the origin and looks along -z.

    Args:
        scene: The hands.
        forearm: Include the forearm of a hand model that has one.
    """
    surfaces = {side: Surface.of(scene.model, side, forearm) for side in ("right", "left")}
    posed = scene.pose(forearm).vertices.detach().cpu()
    posed = posed * torch.tensor(TO_Y_UP, dtype=posed.dtype)
    own = [surfaces[side] for side in scene.side]
    size, count = len(surfaces["right"].source), len(surfaces["right"].faces)

    def stack(parts: list[Tensor], *shape: int) -> Tensor:
        return torch.stack(parts) if parts else posed.new_zeros(0, *shape)

    uvs = None
    if scene.model.uv is not None:
        uvs = stack([torch.stack([s.uv[:, 0], 1 - s.uv[:, 1]], 1).to(posed) for s in own if s.uv is not None], size, 2)
    return SurfaceMesh(
        vertices=stack([vertices[s.source] for vertices, s in zip(posed, own, strict=True)], size, 3),
        faces=stack([s.faces for s in own], count, 3).long(),
        uvs=uvs,
        normals=stack([s.normals(vertices) for vertices, s in zip(posed, own, strict=True)], size, 3),
    )
