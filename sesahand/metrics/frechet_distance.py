"""FID: the distance between two sets of pictures as that of two Gaussians over a network's features."""

import torch
from torch import Tensor

from .shapes import check_features


def fid(found: Tensor, reference: Tensor) -> float:
    """Fréchet distance of two sets of features.

    `|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`, with means m and unbiased covariances C. With the centred features as
    rows, `C = A^T A`, the trace of the root is the sum of the singular values of `A1 A2^T`. That needs no matrix root,
    so that singular covariances, as fewer pictures than features always give, cost no accuracy and need no offset.

    Args:
        found: Features `[n, D]`, n at least 2; computed in float64.
        reference: Likewise, `[m, D]`.

    Returns:
        The distance, at least 0; 0 for equal sets. It is biased upwards for few pictures, the more the fewer: compare
        only sets of the same size. FID proper is of the 2048 features that the
        Inception network of 2015 has before its classifier; with another network, say so beside the number. FID-H is
        the same on crops of hands.

    Raises:
        SesaHandError: If shapes do not fit, there are fewer than two pictures, or a value is not finite.

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule" (2017).
    """
    check_features(found, reference)
    found, reference = found.double(), reference.double()
    shift = (found.mean(0) - reference.mean(0)).square().sum()
    first, second = _root_of_covariance(found), _root_of_covariance(reference)
    cross = torch.linalg.svdvals(first @ second.T).sum()
    return float((shift + first.square().sum() + second.square().sum() - 2 * cross).clamp(min=0))


def _root_of_covariance(features: Tensor) -> Tensor:
    """Return a matrix `[min(n, D), D]` with `root.T @ root` the covariance of features `[n, D]`."""
    centred = (features - features.mean(0)) / (len(features) - 1) ** 0.5
    # Rows in excess of D only turn the singular values' basis; QR drops them.
    return centred if len(centred) <= centred.shape[1] else torch.linalg.qr(centred, mode="r").R
