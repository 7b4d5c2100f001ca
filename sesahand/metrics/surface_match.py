"""How much of two surfaces lies close together: the F-score of FreiHAND, F@5 and F@15."""

import torch
from torch import Tensor

from ..errors import SesaHandError

# Rows of the distance matrix are taken in pieces of this many entries, for memory.
MOST_DISTANCES = 1 << 24


def nearest_distances(points: Tensor, others: Tensor) -> Tensor:
    """Return the distance `[P]` from points `[P, 3]` to the nearest of the others `[Q, 3]`, all in one unit."""
    rows = max(1, MOST_DISTANCES // len(others))
    # Without the matrix product, which cancels digits where hands are far from the origin.
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cat([torch.cdist(part, others, compute_mode=exact).amin(1) for part in points.split(rows)])


def f_score(found: Tensor, reference: Tensor, millimetres: float = 5.0) -> Tensor:
    """Harmonic mean of precision and recall of a surface's vertices within a distance.

    Precision is the share of found vertices that have a reference vertex nearer than the distance, recall the share of
    reference vertices that have a found one. Vertices are points here: the topologies may differ. Nothing is aligned:
    FreiHAND's and HaMeR's F@5 and F@15 are of vertices after `procrustes.align`.

    Args:
        found: Vertices `[N, V, 3]`, metres.
        reference: Vertices `[N, W, 3]`, metres.
        millimetres: The distance; 5 and 15 are in use.

    Returns:
        0 to 1, `[N]`; 0 where nothing is near.

    Raises:
        SesaHandError: If shapes are none of surfaces of the same samples.

    Source: Knapitsch et al., "Tanks and Temples" (2017); for hands Zimmermann et al., "FreiHAND" (2019), whose script
    swaps the names of precision and recall, which their harmonic mean does not see.
    """
    flat = [points.ndim == 3 and points.shape[1] > 0 and points.shape[2] == 3 for points in (found, reference)]
    if not all(flat) or len(found) != len(reference):
        raise SesaHandError(
            f"Vertices have the shapes {list(found.shape)} and {list(reference.shape)}; expected [samples, vertices, "
            "3] for as many samples."
        )
    limit = millimetres / 1000.0
    precision, recall = (
        torch.stack([(nearest_distances(p, q) < limit).to(found.dtype).mean() for p, q in zip(a, b, strict=True)])
        if len(found)
        else found.new_zeros(0)
        for a, b in ((found, reference), (reference, found))
    )
    return 2 * precision * recall / (precision + recall).clamp(min=torch.finfo(found.dtype).tiny)
