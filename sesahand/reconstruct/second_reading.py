"""A second reading of a hand: fingers that are straight seen one way and bent seen another."""

import torch
from torch import Tensor

from ..hands.skeleton import FINGERS
from .landmarks import HandLandmarks

# Degrees by which two readings of a finger differ at least, its joints together.
APART = 60.0


def bends(points: Tensor) -> Tensor:
    """Return by how much each finger is bent, thumb first: the angles between its bones, from the wrist on, together.

    Args:
        points: `[..., 21, 3]` of hands, any unit.

    Returns:
        `[..., 5]` degrees.
    """
    fingers = points[..., 1:, :].unflatten(-2, (len(FINGERS), 4))
    wrist = points[..., None, :1, :].expand_as(fingers[..., :1, :])
    bones = torch.nn.functional.normalize(torch.cat([wrist, fingers], -2).diff(dim=-2), dim=-1)
    cosine = (bones[..., 1:, :] * bones[..., :-1, :]).sum(-1)
    return torch.rad2deg(cosine.clamp(-1, 1).acos()).sum(-1)


def other_fingers(pixels: Tensor, metres: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Return the fingers that other looks agree to be bent otherwise than the chosen reading says.

    Args:
        pixels: Landmarks in L other looks at K hands, `[L, K, 21, 2]`.
        metres: The same in space, `[L, K, 21, 3]`.
        chosen: The reading that is taken, `[K, 21, 3]` metres.

    Returns:
        Means over the looks, `[K, 21, 2]` and `[K, 21, 3]`, in space on the chosen reading's knuckles; NaN for the
        wrist and for fingers of one reading.
    """
    differs = bends(metres) - bends(chosen)
    agreed = (differs >= APART).all(0) | (differs <= -APART).all(0)
    known = torch.cat([torch.zeros_like(agreed[:, :1]), agreed.repeat_interleave(4, 1)], 1)
    pixels, metres = pixels.mean(0), metres.mean(0)
    knuckles = (chosen - metres)[:, 1::4].repeat_interleave(4, 1)
    metres = torch.cat([metres[:, :1], metres[:, 1:] + knuckles], 1)
    return pixels.masked_fill(~known[..., None], torch.nan), metres.masked_fill(~known[..., None], torch.nan)


def describe_taken(landmarks: HandLandmarks) -> str:
    """Return which fingers the second reading of landmarks has otherwise, in words, or that none is.

    Args:
        landmarks: As they were found, before `HandLandmarks.second_reading`.
    """
    told = zip(landmarks.frame.tolist(), landmarks.side, describe_second_readings(landmarks), strict=True)
    taken = [f"picture {frame}, {side} hand: {text.replace(' may be ', ' ')}" for frame, side, text in told if text]
    return f"second reading: {'; '.join(taken) or 'no finger has one'}"


def describe_second_readings(landmarks: HandLandmarks) -> list[str]:
    """Return for each hand which of its fingers may be bent otherwise than taken, in words; empty if none."""
    second = landmarks.second_reading()
    straighter = bends(second.keypoints_3d) < bends(landmarks.keypoints_3d)
    return [
        ", ".join(
            f"{finger} may be {'straight' if straight else 'bent'}"
            for finger, other, straight in zip(FINGERS, others, straights, strict=True)
            if other
        )
        for others, straights in zip(landmarks.has_second.tolist(), straighter.tolist(), strict=True)
    ]
