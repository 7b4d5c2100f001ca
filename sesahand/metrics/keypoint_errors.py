"""MSE-2D and MSE-3D: how far the hand that is found in a generated picture is from the one that was asked for.

AttentionHand and SesaHand report these. The crop, the estimator and the units behind their figures are not known to us,
so that ours must not be set beside them. Ours: pixels are divided by the longer side of the reference hand's box;
metres are taken relative to the wrist and given in square millimetres; both are means over the keypoints of squared
distances.
"""

from torch import Tensor

from ..errors import SesaHandError
from .joint_errors import MILLIMETRES
from .shapes import check_pairs


def mse_2d(found: Tensor, reference: Tensor, size: Tensor) -> Tensor:
    """Mean squared distance of keypoints in the picture, in units of the hand's size there.

    Args:
        found: Keypoints `[N, K, 2]`, pixels.
        reference: Likewise.
        size: Longer side of the reference hand's box `[N]`, pixels; above zero.

    Returns:
        `[N]`, without a unit: 0.01 is a root-mean-square distance of a tenth of the hand.
    """
    check_pairs(found, reference, last=2)
    if size.shape != found.shape[:1] or not (size > 0).all():
        raise SesaHandError(f"size must be a positive number of pixels for each of {len(found)} hands, got {size}.")
    return ((found - reference) / size[:, None, None]).square().sum(-1).mean(-1)


def mse_3d(found: Tensor, reference: Tensor, root: int = 0) -> Tensor:
    """Mean squared distance of keypoints after a shift that lets the roots coincide; neither turned nor scaled.

    Args:
        found: Keypoints `[N, K, 3]`, metres.
        reference: Likewise.
        root: The keypoint that is aligned; 0 is the wrist. It counts in the mean, with its error of zero.

    Returns:
        Square millimetres, `[N]`.
    """
    check_pairs(found, reference)
    apart = (found - found[:, root, None]) - (reference - reference[:, root, None])
    return (MILLIMETRES * apart).square().sum(-1).mean(-1)
