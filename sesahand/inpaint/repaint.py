"""What of a crop is painted anew: what was marked, and where the hand that is wanted differs from the one there was."""

import numpy as np
import torch
from torch import Tensor

from ..errors import SesaHandError
from ..render.maps import render_maps
from ..scene.hand_scene import HandScene
from ..scene.mask_regions import LEAST_SHARE
from .crop import Crop, hands_in_crop


def mask_to_repaint(crop: Crop, hands: HandScene, before: HandScene | None = None, grow: float = 0.0) -> Tensor:
    """Join the mask of a crop with all that a hand takes up or leaves that was edited.

    A mask over one finger stays one over this finger, as long as the rest of the hand stays as it was found. A hand
    that was not found is wanted whole.

    Args:
        crop: Where the crops come from, with what is to be repainted.
        hands: The hands that are wanted, as they are in the whole pictures.
        before: The hands as they were found there; None or no hands: there were none.
        grow: By how much the mask is widened on all sides, as a share of the crop's longer side.

    Returns:
        `[B, height, width]` of 0..1, in the crops' view.

    Raises:
        SesaHandError: If `grow` is not a number from 0 to 1, or hands and crops do not belong together.
    """
    if not 0 <= grow <= 1:
        raise SesaHandError(f"grow is {grow}, expected a share of the crop's longer side, 0 to 1.")
    changed = _outline(hands, crop)
    if before is not None and len(before):
        changed = changed ^ _outline(before, crop)
    marked = torch.stack([_without_specks(mask) for mask in crop.masks.float()])
    masks = torch.maximum(marked, changed.to(crop.masks.device).float())
    return _grown(masks, round(grow * max(masks.shape[1:])))


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
