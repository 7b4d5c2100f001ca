"""Hands that take the place of those that were not found."""

import torch

from ..errors import SesaHandError
from .hand_scene import HandScene, combine


def frames_without_hands(scene: HandScene) -> list[int]:
    """Return the numbers of the frames in which there is no hand."""
    return sorted(set(range(scene.num_frames)) - set(scene.frame.tolist()))


def hands_or_else(scene: HandScene, otherwise: HandScene) -> HandScene:
    """Fill the frames of a scene that have no hands with those of another.

    Args:
        scene: Comes first.
        otherwise: The other hands; one frame of them counts for every frame.

    Raises:
        SesaHandError: If the frames do not fit, or hands of both belong to different cameras or models.
    """
    lacking = frames_without_hands(scene)
    if otherwise.num_frames not in (1, scene.num_frames):
        raise SesaHandError(
            f"There are {scene.num_frames} frames, and other hands for {otherwise.num_frames}: give other hands for "
            "one frame, or for each."
        )
    if not lacking:
        return scene
    if otherwise.num_frames != scene.num_frames:
        otherwise = otherwise.select_frames([0] * scene.num_frames)
    if not len(scene):
        return otherwise
    return combine([scene, otherwise.select(torch.isin(otherwise.frame.cpu(), torch.tensor(lacking)))])
