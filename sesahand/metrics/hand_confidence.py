"""How sure a detector is that there are hands in generated pictures."""

from torch import Tensor

from ..errors import SesaHandError


def hand_confidence(score: Tensor, frame: Tensor, num_frames: int) -> Tensor:
    """Mean over pictures of the detector's confidence in the surest hand; a picture without hands counts as 0.

    Args:
        score: Confidence in each of N hands, 0 to 1, `[N]`.
        frame: The picture each is in, int64 `[N]`.
        num_frames: How many pictures there are, at least 1.

    Returns:
        0 to 1, a tensor without dimensions.

    Source: the "hand confidence" of AttentionHand (Park et al., 2024), which does not say what several hands of a
    picture count; ours is the surest.
    """
    if num_frames < 1 or score.shape != frame.shape or score.ndim != 1:
        raise SesaHandError(
            f"Expected score and picture of each hand and at least one picture, got the shapes {list(score.shape)} and "
            f"{list(frame.shape)} and {num_frames} pictures."
        )
    best = score.new_zeros(num_frames).scatter_reduce(0, frame, score, "amax")
    return best.mean()
