"""What to do with scores: which pictures to repair, and which to keep."""

from torch import Tensor

from ...errors import SesaHandError
from .score import HandScores


def bad_pictures(score: float | HandScores, threshold: float) -> list[int] | None:
    """Return the numbers of the pictures that score less than the threshold, or None for all of them.

    Args:
        score: The scores of each picture, or a number for all of them together: then it is all or nothing.
        threshold: 0 to 1. A score that is not a number is below it.

    Raises:
        SesaHandError: If `score` is neither.
    """
    if isinstance(score, HandScores):
        return [picture for picture, value in enumerate(score.pictures) if not value >= threshold]
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise SesaHandError(
            f"The score is of the type {type(score).__name__}, expected a number or the scores that Score Hands gives."
        )
    return [] if score >= threshold else None


def replace_bad_pictures(
    pictures: Tensor, repaired: Tensor | None, score: float | HandScores, threshold: float
) -> Tensor:
    """Return the pictures with those below the threshold taken from the repaired batch.

    Args:
        pictures: `[F, H, W, C]` in 0..1.
        repaired: Likewise; the same pictures in the same order, or only the bad ones, of the same size. Where one
            number judges all pictures it may be any batch. None will do if no picture is bad.
        score: See `bad_pictures`.
        threshold: Likewise.

    Returns:
        `[F, H, W, C]`: a new tensor if pictures are replaced one by one, else one of the two batches itself.

    Raises:
        SesaHandError: If a repaired picture is needed and lacks, or pictures, scores and repaired ones do not fit.
    """
    if isinstance(score, HandScores):
        check_count(pictures, score)
    bad = bad_pictures(score, threshold)
    if bad == []:
        return pictures
    if repaired is None:
        raise SesaHandError("Pictures are to be repaired, but none came in at repaired; connect the repaired ones.")
    if bad is None:
        return repaired
    if len(repaired) not in (len(pictures), len(bad)) or repaired.shape[1:] != pictures.shape[1:]:
        raise SesaHandError(
            f"The repaired pictures have the shape {list(repaired.shape)}, but those they are to replace have "
            f"{list(pictures.shape)}, of which {len(bad)} are bad. Repair the whole batch and keep its size."
        )
    result = pictures.clone()
    result[bad] = (repaired if len(repaired) == len(bad) else repaired[bad]).to(result)
    return result


def best_pictures(scores: HandScores, count: int) -> list[int]:
    """Return the numbers of the best pictures, best first, as many as `count` or as there are.

    Raises:
        SesaHandError: If `count` is below one.
    """
    if count < 1:
        raise SesaHandError(f"The best {count} pictures were asked for; ask for at least one.")
    return scores.ranking()[:count]


def check_count(pictures: Tensor, scores: HandScores) -> None:
    """Raise a SesaHandError unless there are as many pictures `[F, H, W, C]`, any range, as scores."""
    if pictures.ndim != 4 or len(pictures) != len(scores.pictures):
        raise SesaHandError(
            f"There are scores of {len(scores.pictures)} pictures, but the pictures have the shape "
            f"{list(pictures.shape)}; connect the batch that the hands were found in."
        )
