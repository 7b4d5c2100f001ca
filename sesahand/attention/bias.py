"""The additive bias that draws cross-attention to the hand tokens: softmax(Q K^T / sqrt(d) + B)."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ..errors import SesaHandError

BLOCKS = ("output", "input", "middle", "all")
MAX_ALPHA = 8.0

# One row of a cross-attention batch: the hand-token columns of its prompt, and the number of keys that prompt fills.
# A shorter prompt is repeated until it is as long as the longest prompt of the batch, and so are its columns.
RowColumns = tuple[Sequence[int], int]


def check_settings(alpha: float, blocks: str, start: float, end: float) -> None:
    """Refuse settings of an attention bias that mean nothing.

    Raises:
        SesaHandError: One of them is out of its range; the message says which.
    """
    if not 0.0 <= alpha <= MAX_ALPHA:
        raise SesaHandError(f"alpha must lie in 0..{MAX_ALPHA:g}, got {alpha}. The paper's value is 2.")
    if blocks not in BLOCKS:
        raise SesaHandError(f"blocks must be one of {', '.join(BLOCKS)}, got '{blocks}'.")
    if not (0.0 <= start <= 1.0 and 0.0 <= end <= 1.0):
        raise SesaHandError(f"start and end are fractions of the sampling in 0..1, got {start} and {end}.")


def needed_alpha(share: float, wanted: float) -> float:
    """How much more `alpha` turns one share of the attention into another: softmax(a + alpha) on the hand words.

    Args:
        share: What the hand words get, in 0..1.
        wanted: What they shall get, in 0..1.
    """
    share, wanted = (min(max(value, 1e-6), 1 - 1e-6) for value in (share, wanted))
    return math.log(wanted / (1 - wanted)) - math.log(share / (1 - share))


def in_blocks(place: str, blocks: str) -> bool:
    """Whether a block at `place` ("input", "middle" or "output") belongs to the chosen `blocks`."""
    return blocks in ("all", place)


def column_bias(
    rows: Sequence[RowColumns],
    keys: int,
    alpha: float = 1.0,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """Put `alpha` on the hand-token columns of each row, and 0 elsewhere.

    Args:
        rows: For each of the B rows, its columns and the number of keys after which its prompt repeats.
        keys: Number K of keys of the attention.
        alpha: Value added to the logits of those columns.
        dtype: Type of the result, the one of the queries.
        device: Device of the result.

    Returns:
        `[B, K]`.

    Raises:
        SesaHandError: A prompt does not fill the keys in whole repeats, or a column lies outside its prompt.

    Source:
        SesaHand (ICLR 2026), attention enhancement.
    """
    bias = torch.zeros(len(rows), keys, dtype=dtype)
    for row, (columns, period) in enumerate(rows):
        if period < 1 or keys % period:
            raise SesaHandError(
                f"A prompt of {period} tokens cannot fill {keys} keys of a cross-attention, expected a whole number of "
                "repeats. Encode the prompt with the text encoder of the model that samples."
            )
        outside = [column for column in columns if not 0 <= column < period]
        if outside:
            raise SesaHandError(
                f"Hand-token columns {outside} lie outside their prompt of {period} tokens. "
                "Encode the prompt again with the text encoder of the model that samples."
            )
        bias[row].view(-1, period)[:, list(columns)] = alpha
    return moved(bias, bias.new_empty(0, device=device))


def moved(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Give `values`, of any shape, the device and dtype of `like`; the result has the same shape.

    On CUDA it does not wait for the work that is queued there.

    Args:
        values: Of any shape.
        like: Of any shape; only its device and dtype count.
    """
    return values.to(like, non_blocking=like.device.type == "cuda")


def check_mask(mask: torch.Tensor) -> None:
    """Refuse what is no mask `[B, H, W]` of values in 0..1.

    Raises:
        SesaHandError: It has another number of dimensions, nothing in it, or values that are not numbers.
    """
    if mask.ndim != 3 or 0 in mask.shape:
        raise SesaHandError(
            f"A mask is [batch, height, width], got the shape {list(mask.shape)}. Give a single one as [1, height, "
            "width]."
        )
    if not bool(torch.isfinite(mask.float()).all()):
        wrong = [k + 1 for k, one in enumerate(mask) if not bool(torch.isfinite(one.float()).all())]
        raise SesaHandError(
            f"Mask {wrong[0]} of the {len(mask)} of the attention bias holds values that are not numbers (NaN or "
            "infinity), which would make the whole picture black. Look at the node that made the mask."
        )


def check_mask_count(masks: int, pictures: int) -> None:
    """Refuse a batch of masks that cannot be repeated in order to give each picture one, as ComfyUI repeats masks.

    Raises:
        SesaHandError: The pictures are no multiple of the masks.
    """
    if pictures % masks:
        raise SesaHandError(
            f"The mask of the attention bias has {masks} pictures, and {pictures} are sampled. Give one mask for all, "
            "one for each, or a number that divides theirs."
        )


def feathered_mask(mask: torch.Tensor, height: int, width: int, feather: float = 0.0) -> torch.Tensor:
    """Bring a mask to the size of the latent, and let it fade out around what it covers.

    The inside keeps its value. Outside, a Gaussian falls off with a standard deviation of half the feather, scaled so
    that it starts at 1 on a straight edge.

    Args:
        mask: `[B, H, W]` in 0..1.
        height: Rows of the latent.
        width: Columns of the latent.
        feather: Reach of the fade, in latent cells (8 pixels of the picture each); 0 for none.

    Returns:
        `[B, height, width]` float32 in 0..1.

    Raises:
        SesaHandError: The mask has another number of dimensions.
    """
    check_mask(mask)
    mask = on_grid(mask.float().clamp(0.0, 1.0), height, width)
    if feather <= 0:
        return mask
    reach = max(1, round(1.5 * feather))
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32, device=mask.device)
    kernel = torch.exp(-0.5 * (steps / (0.5 * feather)) ** 2)
    kernel = kernel / kernel.sum()
    blurred = F.pad(mask[:, None], (reach,) * 4, mode="constant")
    blurred = F.conv2d(F.conv2d(blurred, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))[:, 0]
    return torch.maximum(mask, (2.0 * blurred).clamp(max=1.0))


def on_grid(values: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Resize `[B, H, W]` to `[B, height, width]`: the mean over each cell when it shrinks, linear when it grows."""
    if values.shape[-2:] == (height, width):
        return values
    if values.shape[-2] >= height and values.shape[-1] >= width:
        return F.adaptive_avg_pool2d(values[:, None], (height, width))[:, 0]
    return F.interpolate(values[:, None], size=(height, width), mode="bilinear", align_corners=False)[:, 0]
