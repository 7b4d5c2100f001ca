"""How the two hands of a person lie to each other: RRVE and MRRPE. Only pictures in which both exist count."""

import torch
from torch import Tensor

from .joint_errors import MILLIMETRES, mean_distance
from .shapes import check_pairs


def rrve(
    found_right: Tensor, found_left: Tensor, reference_right: Tensor, reference_left: Tensor,
    found_wrist: Tensor, reference_wrist: Tensor,
) -> Tensor:  # fmt: skip
    """Right-root-relative vertex error: of both hands together, after the *right* wrists were shifted onto each other.

    Args:
        found_right: Vertices `[N, V, 3]`, metres.
        found_left: Likewise.
        reference_right: Likewise.
        reference_left: Likewise.
        found_wrist: Wrist joint of the found right hands `[N, 3]`, metres.
        reference_wrist: Wrist joint of the reference right hands `[N, 3]`, metres.

    Returns:
        Millimetres, `[N]`: the mean over the vertices of both hands.

    Source: Moon, "Bringing Inputs to Shared Domains for 3D Interacting Hands Recovery in the Wild" (InterWild, 2023).
    """
    check_pairs(found_right, reference_right)
    check_pairs(found_left, reference_left)
    found = torch.cat([found_right, found_left], 1) - found_wrist[:, None]
    reference = torch.cat([reference_right, reference_left], 1) - reference_wrist[:, None]
    return mean_distance(found, reference)


def mrrpe(found_right: Tensor, found_left: Tensor, reference_right: Tensor, reference_left: Tensor) -> Tensor:
    """Mean relative-root position error: how far off the left wrist is, as seen from the right one.

    Args:
        found_right: Wrist joints `[N, 3]`, metres.
        found_left: Likewise.
        reference_right: Likewise.
        reference_left: Likewise.

    Returns:
        Millimetres, `[N]`.

    Source: Moon et al., "InterHand2.6M" (2020).
    """
    apart, wanted = found_left - found_right, reference_left - reference_right
    check_pairs(apart[:, None], wanted[:, None])
    return MILLIMETRES * (apart - wanted).norm(dim=-1)
