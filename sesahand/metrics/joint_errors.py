"""Mean distances of joints and vertices: MPJPE and MPVPE, aligned at the wrist or by Procrustes."""

from torch import Tensor

from ..errors import SesaHandError
from .procrustes import align
from .shapes import check_known, check_pairs

MILLIMETRES = 1000.0


def mean_distance(found: Tensor, reference: Tensor) -> Tensor:
    """Return the mean distance `[N]` in millimetres of points as they are.

    Args:
        found: `[N, P, 3]`, metres.
        reference: Likewise.

    Raises:
        SesaHandError: If shapes differ or are none of point sets, or a value is not finite: a mean of unknown points
            would be NaN, and so would every mean that it goes into.
    """
    check_known(found, reference)
    return MILLIMETRES * (found - reference).norm(dim=-1).mean(-1)


def mpjpe(found: Tensor, reference: Tensor, root: int = 0) -> Tensor:
    """Mean per-joint position error: what is left after shifting both hands so that their roots coincide.

    Args:
        found: Keypoints `[N, 21, 3]`, metres.
        reference: Likewise.
        root: The keypoint that is aligned; 0 is the wrist. It counts in the mean, with its error of zero.

    Returns:
        Millimetres, `[N]`.

    Source: Ionescu et al., "Human3.6M" (2014).
    """
    check_pairs(found, reference)
    return mean_distance(found - found[:, root, None], reference - reference[:, root, None])


def mpvpe(found: Tensor, reference: Tensor, found_wrist: Tensor, reference_wrist: Tensor) -> Tensor:
    """Mean per-vertex position error: shifted so that the wrists coincide, neither turned nor scaled.

    Args:
        found: Vertices of one hand `[N, V, 3]`, metres.
        reference: Likewise, same topology.
        found_wrist: Its wrist joint `[N, 3]`, metres.
        reference_wrist: Likewise.

    Returns:
        Millimetres, `[N]`. In InterHand2.6M's and HIC's tables the two hands of a picture are two samples.

    Source: Moon, "Bringing Inputs to Shared Domains for 3D Interacting Hands Recovery in the Wild" (InterWild, 2023).
    """
    check_pairs(found, reference)
    for wrist in (found_wrist, reference_wrist):
        if wrist.shape != (len(found), 3):
            raise SesaHandError(f"Wrists have the shape {list(wrist.shape)}, expected {[len(found), 3]}.")
    return mean_distance(found - found_wrist[:, None], reference - reference_wrist[:, None])


def pa_mpjpe(found: Tensor, reference: Tensor, reflect: bool = False) -> Tensor:
    """MPJPE after the best shift, rotation and scale of every sample: the error of the pose alone.

    Args:
        found: Keypoints `[N, 21, 3]`, metres.
        reference: Likewise.
        reflect: Also allow mirror images, as FreiHAND's script does; HaMeR's and most others' do not.

    Returns:
        Millimetres, `[N]`.

    Source: Zhou et al., "Sparseness Meets Deepness" (2016), as in the evaluation of HaMeR.
    """
    return mean_distance(align(found, reference, reflect), reference)


def pa_mpvpe(found: Tensor, reference: Tensor, reflect: bool = False) -> Tensor:
    """Return `pa_mpjpe` of vertices, which are aligned by themselves and not by the joints.

    Args:
        found: Vertices `[N, V, 3]`, metres.
        reference: Likewise, same topology.
        reflect: Allow a mirror image.

    Returns:
        Millimetres, `[N]`.
    """
    return pa_mpjpe(found, reference, reflect)
