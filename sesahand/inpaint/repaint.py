"""What of a crop is painted anew: what was marked, and where the hand that is wanted differs from the one there was."""

import numpy as np
import torch
from torch import Tensor

from ..errors import SesaHandError
from ..render.maps import render_maps
from ..scene.hand_scene import HandScene
from ..scene.mask_regions import LEAST_SHARE
from .crop import Crop, hands_in_crop, look_into, resized


def mask_to_repaint(
    crop: Crop, hands: HandScene, before: HandScene | None = None, grow: float = 0.0, keep: Tensor | None = None
) -> Tensor:
    """Join the mask of a crop with all that a hand takes up or leaves that was edited.

    A mask over one finger stays one over this finger, as long as the rest of the hand stays as it was found. A hand
    that was not found is wanted whole.

    Args:
        crop: Where the crops come from, with what is to be repainted.
        hands: The hands that are wanted, as they are in the whole pictures.
        before: The hands as they were found there; None or no hands: there were none.
        grow: By how much the mask is widened on all sides, as a share of the crop's longer side.
        keep: What stays as it is in the whole pictures, such as an object that is held, one for each or one for all,
            `[B, H, W]` of 0..1. It comes before all else.

    Returns:
        `[B, height, width]` of 0..1, in the crops' view.

    Raises:
        SesaHandError: If `grow` is not a number from 0 to 1, or hands, what is kept and crops do not belong together.
    """
    if not 0 <= grow <= 1:
        raise SesaHandError(f"grow is {grow}, expected a share of the crop's longer side, 0 to 1.")
    changed = _outline(hands, crop)
    if before is not None and len(before):
        changed = changed ^ _outline(before, crop)
    marked = torch.stack([_without_specks(mask) for mask in crop.masks.float()])
    masks = torch.maximum(marked, changed.to(crop.masks.device).float())
    masks = _grown(masks, round(grow * max(masks.shape[1:])))
    return masks if keep is None else masks * (1 - _seen_in_crops(keep, crop).to(masks))


def _seen_in_crops(keep: Tensor, crop: Crop) -> Tensor:
    """Return masks of the whole pictures `[1 or B, H, W]` of 0..1 as the crops see them, `[B, height, width]`."""
    keep = keep[None] if keep.ndim == 2 else keep
    count, (high, wide) = len(crop.pictures), crop.pictures.shape[1:3]
    if keep.ndim != 3 or len(keep) not in (1, count) or tuple(keep.shape[1:]) != (high, wide):
        raise SesaHandError(
            f"What is kept has the shape {list(keep.shape)}, expected {count} masks, or one for all, of {high} rows "
            f"and {wide} columns as the whole pictures have."
        )
    keep = keep.float().nan_to_num().clamp(0, 1).expand(count, -1, -1)
    height, width = crop.masks.shape[1:]
    seen = [look_into(mask[..., None], box, outside=0.0) for mask, box in zip(keep, crop.boxes, strict=True)]
    return torch.stack([resized(mask, width, height)[..., 0] for mask in seen])


def _without_specks(mask: Tensor) -> Tensor:
    """Return a mask `[H, W]` without what is too small to be meant, and would grow: noise of a painted photograph."""
    import cv2

    _, labels, statistics, _ = cv2.connectedComponentsWithStats((mask.cpu().numpy() > 0).astype(np.uint8))
    areas = statistics[:, cv2.CC_STAT_AREA]
    kept = areas >= LEAST_SHARE * areas[1:].max(initial=0)
    return mask * torch.from_numpy(kept[labels]).to(mask)


def _outline(hands: HandScene, crop: Crop) -> Tensor:
    """Return where hands are seen in the crops, bool `[1 or B, height, width]`."""
    return render_maps(hands_in_crop(hands, crop), maps=()).mask > 0.5


def _grown(masks: Tensor, pixels: int) -> Tensor:
    """Return masks `[B, H, W]` whose white reaches further by a number of pixels, round at corners."""
    import cv2

    if not pixels:
        return masks
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return torch.stack([torch.from_numpy(cv2.dilate(mask.cpu().numpy(), disc)) for mask in masks]).to(masks)
