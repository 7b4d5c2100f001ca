"""How much of two surfaces lies close together: the F-score of FreiHAND, F@5 and F@15."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import SesaHandError

# Rows of the distance matrix are taken in pieces of this many entries, for memory.
MOST_DISTANCES = 1 << 24


def nearest_distances(points: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far each point is from the other set.

    Args:
        points: `[P, 3]`, P at least 1, any unit of length.
        others: `[Q, 3]`, Q at least 1.

    Returns:
        The distance `[P]` from each of the points to the nearest of the others, and `[Q]` the other way round.
    """
    rows = max(1, MOST_DISTANCES // len(others))
    # Without the matrix product, which cancels digits where hands are far from the origin.
    exact = "donot_use_mm_for_euclid_dist"
    there, back = [], others.new_full((len(others),), torch.inf)
    for part in points.split(rows):
        distances = torch.cdist(part, others, compute_mode=exact)
        there.append(distances.amin(1))
        back = torch.minimum(back, distances.amin(0))
    return torch.cat(there), back


def f_scores(found: Tensor, reference: Tensor, millimetres: Sequence[float] = (5.0, 15.0)) -> Tensor:
    """Harmonic means of precision and recall of a surface's vertices within distances.

    Precision is the share of found vertices that have a reference vertex nearer than a distance, recall the share of
    reference vertices that have a found one. Vertices are points here: the topologies may differ. Nothing is aligned:
    FreiHAND's and HaMeR's F@5 and F@15 are of vertices after `procrustes.align`.

    Args:
        found: Vertices `[N, V, 3]`, metres.
        reference: Vertices `[N, W, 3]`, metres.
        millimetres: The distances, T of them; 5 and 15 are in use.

    Returns:
        0 to 1, `[T, N]`; 0 where nothing is near.

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
    scores = found.new_zeros(len(millimetres), len(found))
    for sample, (points, others) in enumerate(zip(found, reference, strict=True)):
        there, back = nearest_distances(points, others)
        for row, limit in enumerate(millimetres):
            precision, recall = ((each < limit / 1000.0).to(found.dtype).mean() for each in (there, back))
            scores[row, sample] = 2 * precision * recall / (precision + recall).clamp(min=torch.finfo(found.dtype).tiny)
    return scores
