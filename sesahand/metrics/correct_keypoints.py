"""The share of points that are close enough, over all thresholds: PCK and its area, AUC."""

import torch
from torch import Tensor

from ..errors import SesaHandError

# DexYCB's and FreiHAND's evaluation: a hundred thresholds from 0 to 50 mm, both ends included.
AUC_MILLIMETRES, AUC_STEPS = 50.0, 100


def pck(distances: Tensor, thresholds: Tensor) -> Tensor:
    """Return for each point the share of samples in which it is at most a threshold away from where it should be.

    Args:
        distances: Of each point in each sample, `[N, P]`; NaN for a point that is not annotated.
        thresholds: `[T]`, in the unit of the distances.

    Returns:
        `[T, P]`; NaN for a point that is annotated in no sample.
    """
    known = ~distances.isnan()
    hits = (distances <= thresholds[:, None, None]) & known
    return hits.sum(1) / known.sum(0).to(distances.dtype)


def auc(found: Tensor, reference: Tensor) -> Tensor:
    """Area under the PCK curve: AUC_J of keypoints, AUC_V of vertices.

    The curve is taken for each point over all samples at a hundred thresholds from 0 to 50 mm, its area by trapezoids
    and divided by 50 mm; the result is the mean over the points. Nothing is aligned here: FreiHAND's and HaMeR's tables
    are of points after `procrustes.align`.

    Args:
        found: Points `[N, P, 3]`, metres.
        reference: Likewise; NaN for points that are not annotated.

    Returns:
        0 to 1, a tensor without dimensions.

    Raises:
        SesaHandError: If shapes differ or no point is annotated.

    Source: Zimmermann and Brox, "Learning to Estimate 3D Hand Pose from Single RGB Images" (2017), with the range and
    steps of the evaluations of FreiHAND and DexYCB.
    """
    if found.ndim != 3 or found.shape != reference.shape:
        raise SesaHandError(
            f"Points have the shapes {list(found.shape)} and {list(reference.shape)}, which differ; expected [samples, "
            "points, 3] for both."
        )
    distances = 1000.0 * (found - reference).norm(dim=-1)
    if not len(distances) or distances.isnan().all():
        raise SesaHandError(
            "There is no annotated point, so there is no share of points that are right; give at least one without NaN."
        )
    thresholds = torch.linspace(0, AUC_MILLIMETRES, AUC_STEPS, dtype=distances.dtype, device=distances.device)
    areas = torch.trapezoid(pck(distances, thresholds), thresholds, dim=0) / AUC_MILLIMETRES
    return areas.nanmean()
