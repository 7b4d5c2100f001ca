"""Posed hands as meshes for other 3D programs."""

import torch
from torch import Tensor

from ..scene.camera import TO_Y_UP
from ..scene.hand_scene import HandScene


def scene_mesh(scene: HandScene, forearm: bool = False) -> tuple[Tensor, Tensor]:
    """Return the surface of each hand in the frame of glTF and most 3D programs: x right, y up, z towards the viewer.

    Args:
        scene: The hands; the camera of the scene is at the origin and looks along -z.
        forearm: Include the forearm of a hand model that has one.

    Returns:
        Vertices `[N, V, 3]` in metres and faces `[N, T, 3]` of closed surfaces, counter-clockwise seen from outside for
        both sides.
    """
    vertices = scene.pose(forearm).vertices
    vertices = vertices * torch.tensor(TO_Y_UP).to(vertices)
    faces = {side: scene.model.faces_for(side, forearm, closed=True) for side in ("right", "left")}
    empty = faces["right"].new_zeros(0, *faces["right"].shape)
    return vertices, torch.stack([faces[side] for side in scene.side]) if len(scene) else empty
