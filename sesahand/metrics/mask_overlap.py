"""How much two silhouettes cover each other."""

from torch import Tensor

from ..errors import SesaHandError


def mask_iou(found: Tensor, reference: Tensor) -> Tensor:
    """Intersection over union of masks.

    Args:
        found: `[..., H, W]`, bool or 0..1; soft masks count by the smaller and the larger value of each pixel.
        reference: Likewise.

    Returns:
        0 to 1, `[...]`; 1 where both masks are empty, which agree.

    Source: Jaccard (1912); for soft masks Ruzicka's similarity.
    """
    if found.shape != reference.shape or found.ndim < 2:
        raise SesaHandError(
            f"Masks of the shapes {list(found.shape)} and {list(reference.shape)} cannot be compared; expected [..., "
            "height, width] for both; bring them to one size."
        )
    found, reference = found.float(), reference.float()
    both, either = found.minimum(reference).sum((-2, -1)), found.maximum(reference).sum((-2, -1))
    return (both / either.clamp(min=1e-12)).where(either > 0, 1.0)
