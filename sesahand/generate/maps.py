"""The condition map of one picture, as a ControlNet is shown it and as its file holds it."""

import torch
from torch import Tensor

from ..render.maps import COLOR_MAPS, render_maps
from ..scene.hand_scene import HandScene


def control_map(scene: HandScene, name: str, forearm: bool = False) -> Tensor:
    """Render a map of the hands of one frame, antialiased, in the 256 levels that its file has.

    Args:
        scene: One frame, at the picture's size.
        name: One of `ALL_MAPS`.
        forearm: Draw the forearm of a hand model that has one.

    Returns:
        `[H, W, 3]` in 0..1, float32 on the CPU.
    """
    colored = name in COLOR_MAPS
    maps = render_maps(scene, (name,) if colored else (), antialias=True, forearm=forearm)
    shown = getattr(maps, name)[0].cpu()
    shown = shown if colored else shown[..., None].expand(-1, -1, 3)
    return torch.round(shown * 255) / 255
