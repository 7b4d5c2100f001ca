"""Which side of a hand its viewer sees: the palm, the back, or an edge."""

import torch
from torch import Tensor

from ...hands.rotations import axis_angle_to_matrix

WRIST, INDEX, PINKY = 0, 5, 17
# Below this cosine, 17 degrees from the edge, a hand is seen from its edge: palm and back are then much the same.
EDGE = 0.3


def palm_towards_viewer(keypoints: Tensor, is_right: Tensor) -> Tensor:
    """Return the cosine between where each palm faces and where the camera is: 1 shows the palm, -1 the back.

    Args:
        keypoints: `[N, 21, 3]` in the camera's frame, metres.
        is_right: bool `[N]`.

    Returns:
        `[N]`, -1..1.
    """
    wrist = keypoints[:, WRIST]
    index, pinky = keypoints[:, INDEX] - wrist, keypoints[:, PINKY] - wrist
    normal = index.cross(pinky, dim=-1)
    normal = normal.where(is_right[:, None], -normal)
    viewer = -keypoints[:, [WRIST, INDEX, PINKY]].mean(1)
    return (normal * viewer).sum(-1) / (normal.norm(dim=-1) * viewer.norm(dim=-1)).clamp(min=1e-12)


def same_face(one: Tensor, other: Tensor) -> Tensor:
    """Tell which hands do not show the palm here and the back there.

    Args:
        one: Cosines of `palm_towards_viewer`, `[N]`.
        other: Likewise, `[N]`.

    Returns:
        bool `[N]`; True also where one of them is seen from its edge.
    """
    return (one * other > 0) | (one.abs() < EDGE) | (other.abs() < EDGE)


def seen_straight_on(keypoints: Tensor) -> Tensor:
    """Turn hands about the camera until each is straight ahead.

    A crop out of a picture's corner sees its hands at an angle, of which what is reconstructed from the crop alone
    knows nothing. How a hand is turned is then told from the ray on which it is seen.

    Args:
        keypoints: `[N, 21, 3]` in the camera's frame, metres.

    Returns:
        Likewise.
    """
    ray = keypoints.mean(1)
    ahead = torch.zeros_like(ray)
    ahead[:, 2] = 1
    axis = ray.cross(ahead, dim=-1)
    sine, angle = axis.norm(dim=-1, keepdim=True), torch.atan2(axis.norm(dim=-1), ray[:, 2])
    turn = axis_angle_to_matrix(axis / sine.clamp(min=1e-12) * angle[:, None])
    return torch.einsum("nab,nkb->nka", turn, keypoints)


def describe_face(cosine: float) -> str:
    """Return which side is seen, in a word."""
    if abs(cosine) < EDGE:
        return "edge"
    return "palm" if cosine > 0 else "back"
