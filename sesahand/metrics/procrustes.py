"""The similarity transform that brings one set of points closest to another."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SesaHandError
from .shapes import check_known


@dataclass(frozen=True, eq=False)
class Similarity:
    """Scaling, rotation and shift of N point sets: `scale * rotation @ point + translation`.

    Attributes:
        scale: `[N]`.
        rotation: `[N, 3, 3]`; with `reflect` its determinant may be -1.
        translation: `[N, 3]`, in the unit of the points.
    """

    scale: Tensor
    rotation: Tensor
    translation: Tensor

    def __call__(self, points: Tensor) -> Tensor:
        """Return points `[N, P, 3]` moved, `[N, P, 3]`, in the unit of those that it was fitted to."""
        return self.scale[:, None, None] * points @ self.rotation.mT + self.translation[:, None]


def fit_similarity(found: Tensor, reference: Tensor, reflect: bool = False) -> Similarity:
    """Return the transform of `found` that leaves the least squared distance to `reference`.

    Args:
        found: Points `[N, P, 3]`, any unit of length; computed in their dtype, on their device.
        reference: The points they belong to, likewise.
        reflect: Allow a mirror image, as FreiHAND's own script does. A left hand then fits a right one.

    Returns:
        The transform, differentiable where the singular values differ. Where all found points coincide, scale is 0 and
        everything moves to the reference's middle. Where the points lie on a line or in a plane, several rotations are
        equally good and one of them is returned.

    Raises:
        SesaHandError: If shapes differ or are none of point sets, or a value or its square is not finite.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns" (1991); it is
    Kabsch's rotation with the best scale.
    """
    check_known(found, reference)
    middle, target = found.mean(1), reference.mean(1)
    source, aim = found - middle[:, None], reference - target[:, None]
    spread = source.square().sum((1, 2))
    products = aim.mT @ source
    if not (products.isfinite().all() and spread.isfinite().all()):
        raise SesaHandError("Points lie so far apart that their squares are no numbers; check their unit.")
    u, values, vt = torch.linalg.svd(products)
    signs = torch.ones_like(values)
    if not reflect:
        signs[:, -1] = torch.linalg.det(u @ vt).sign()
    rotation = u * signs[:, None] @ vt
    tiny = torch.finfo(spread.dtype).tiny
    scale = torch.where(spread > tiny, (values * signs).sum(1) / spread.clamp(min=tiny), 0.0)
    moved = scale[:, None] * torch.einsum("nij,nj->ni", rotation, middle)
    return Similarity(scale, rotation, target - moved)


def align(found: Tensor, reference: Tensor, reflect: bool = False) -> Tensor:
    """Return `found` `[N, P, 3]` moved, turned and scaled onto `reference` `[N, P, 3]`; see `fit_similarity`."""
    return fit_similarity(found, reference, reflect)(found)
