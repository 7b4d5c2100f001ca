"""KID: the distance between two sets of pictures by a kernel on a network's features, unbiased for small sets."""

import torch
from torch import Tensor

from ..errors import SesaHandError
from .shapes import check_features


def squared_mmd(found: Tensor, reference: Tensor) -> Tensor:
    """Unbiased estimate of the squared maximum mean discrepancy with the kernel `(x . y / D + 1)^3`.

    Args:
        found: Features `[n, D]`, n at least 2; computed in float64.
        reference: Likewise, `[m, D]`.

    Returns:
        A tensor without dimensions. Unbiased: it may be below zero where the sets hardly differ.

    Source: Gretton et al., "A Kernel Two-Sample Test" (2012), the estimate without the diagonal; the kernel is that of
    Binkowski et al., "Demystifying MMD GANs" (2018).
    """
    check_features(found, reference)
    found, reference = found.double(), reference.double()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(features: Tensor) -> Tensor:
        values = kernel(features, features)
        return (values.sum() - values.diagonal().sum()) / (len(features) * (len(features) - 1))

    return within(found) + within(reference) - 2 * kernel(found, reference).mean()


def kid(
    found: Tensor, reference: Tensor, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Kernel Inception distance: the mean of `squared_mmd` over random subsets, and its standard deviation.

    Args:
        found: Features `[n, D]`, n at least 2.
        reference: Likewise, `[m, D]`.
        subsets: How many random subsets.
        subset_size: Pictures in each, drawn without repetition from both sets; sets that are smaller are taken as far
            as the smaller one goes, as clean-fid does.
        seed: Which subsets. torch's global generator is not touched.

    Returns:
        Mean and standard deviation over the subsets, not multiplied by the 1000 of some tables. With two sets of no
        more than `subset_size` pictures each there is but one subset: all of the pictures, and a deviation of 0.

    Raises:
        SesaHandError: If shapes do not fit, there are fewer than two pictures, or a value is not finite.

    Source: Binkowski et al., "Demystifying MMD GANs" (2018).
    """
    check_features(found, reference)
    if subsets < 1 or subset_size < 2:
        raise SesaHandError(f"KID needs at least one subset of at least two pictures, got {subsets} of {subset_size}.")
    if max(len(found), len(reference)) <= subset_size:
        return float(squared_mmd(found, reference)), 0.0
    generator = torch.Generator().manual_seed(seed)
    size = min(subset_size, len(found), len(reference))

    def draw(features: Tensor) -> Tensor:
        return features[torch.randperm(len(features), generator=generator)[:size].to(features.device)]

    values = torch.stack([squared_mmd(draw(found), draw(reference)) for _ in range(subsets)])
    return float(values.mean()), float(values.std(correction=0))
