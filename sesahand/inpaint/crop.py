"""Cutting a masked region out of a picture with some surroundings, and laying what was painted back over it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..attention.bias import feathered_mask
from ..callbacks import Progress
from ..errors import SesaHandError
from ..render.room import check_pixels, check_shape
from ..scene.camera import Camera
from ..scene.hand_scene import HandScene, hands_of_frames
from ..scene.mask_regions import find_regions, is_painted_photograph, white_threshold

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True, eq=False)
class Crop:
    """Where the crops of some pictures come from.

    Attributes:
        pictures: The whole pictures `[B, H, W, C]` in 0..1.
        boxes: Left, top, right and bottom of each crop, pixels `[B, 4]`, int64; they may reach over the edges.
        masks: What is to be repainted, in the crops' own size `[B, height, width]` in 0..1.
    """

    pictures: Tensor
    boxes: Tensor
    masks: Tensor


def crop_to_mask(
    pictures: Tensor,
    masks: Tensor,
    width: int,
    height: int,
    context: float,
    hands: HandScene | None = None,
    on_picture: Progress = lambda done, total: None,
) -> tuple[Tensor, Crop]:
    """Cut out the white region of each mask with its surroundings, all at one size.

    Args:
        pictures: `[B, H, W, C]` in 0..1.
        masks: White where something is to be repainted, one for each picture or one for all: `[B, H, W]` or `[H, W]` in
            0..1, or a picture with a region painted white. Soft edges stay soft.
        width: Of the crops, pixels.
        height: Likewise.
        context: Longer side of what is cut out over that of the white region's box, at least 1. It is less where the
            picture ends before. A box whose shape does not fit into the picture goes on beyond it as its edge does.
        hands: Hands in the pictures that have to be in the crops, too: a mask may cover a finger, but what comes of it
            is judged by the whole hand. One frame counts for every picture.
        on_picture: As of `paste_back`.

    Returns:
        The crops `[B, height, width, C]`, and where they come from. An empty mask among others cuts out all that fits.

    Raises:
        SesaHandError: If no mask has a white region, or sizes and numbers do not fit.
    """
    masks = masks[None] if masks.ndim == 2 else masks
    if masks.ndim != 3 or pictures.ndim != 4 or len(masks) not in (1, len(pictures)):
        raise SesaHandError(
            f"The masks have the shape {list(masks.shape)} and the pictures {list(pictures.shape)}; give one mask, or "
            "one for each picture."
        )
    if not len(pictures) or 0 in pictures.shape[1:]:
        raise SesaHandError(
            f"There is nothing to cut out of: the pictures have the shape {list(pictures.shape)}, expected at least "
            "one picture with pixels; connect it."
        )
    if not bool(torch.isfinite(masks.float()).all()):
        raise SesaHandError("The mask holds values that are not numbers (NaN or infinity); look at what made it.")
    shares, white = (torch.stack(parts) for parts in zip(*map(_soft_and_white, masks), strict=True))
    if not white.any():
        raise SesaHandError(
            "The mask is empty. Paint the place of the hand white: right-click Load Image, Open in MaskEditor."
        )
    if white.shape[1:] != pictures.shape[1:3]:
        raise SesaHandError(
            f"The mask is of {masks.shape[2]}x{masks.shape[1]} pixels and the picture of "
            f"{pictures.shape[2]}x{pictures.shape[1]}; they must be of the same size."
        )
    # Each crop before and after it is scaled, and its mask.
    check_pixels(len(pictures), width, height, 8 * pictures.shape[-1] + 8, "crop fewer at a time, or smaller")
    white, shares = (values.expand(len(pictures), -1, -1) for values in (white, shares))
    held = _boxes_of(hands, pictures) if hands is not None else [[] for _ in pictures]
    boxes = torch.tensor(
        [box_around(region, width / height, context, own) for region, own in zip(white, held, strict=True)]
    )
    crops, inside = [], []
    for picture, share, box in zip(pictures, shares, boxes, strict=True):
        crops.append(resized(look_into(picture, box), width, height))
        inside.append(resized(look_into(share[..., None], box, outside=0.0), width, height)[..., 0])
        on_picture(len(crops), len(pictures))
    return torch.stack(crops), Crop(pictures, boxes, torch.stack(inside))


def _soft_and_white(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is to be repainted of a mask, float32 `[H, W]`, and which pixels of it count for its place, bool."""
    values = mask.detach().cpu().double().numpy()
    white = mask > white_threshold(values)
    return (white if is_painted_photograph(values) else mask).float().clamp(0, 1), white


def _boxes_of(hands: HandScene, pictures: Tensor) -> list[list[Box]]:
    """Return the boxes of the hands of each picture, within it."""
    high, wide = pictures.shape[1:3]
    if hands.num_frames not in (1, len(pictures)):
        raise SesaHandError(
            f"There are hands for {hands.num_frames} pictures, but {len(pictures)} to crop: give hands for one frame, "
            "or for each picture."
        )
    hands = hands.resized(wide, high)
    seen = hands.camera.project(hands.pose().vertices.double().cpu())
    edge = seen.new_tensor([wide, high])
    corners = torch.cat([seen.amin(1).clamp(min=0), torch.minimum(seen.amax(1), edge)], -1).tolist()
    boxes = [(x0, y0, x1, y1) for x0, y0, x1, y1 in corners]
    of_frame = {
        frame: [boxes[n] for n in own if boxes[n][0] < boxes[n][2] and boxes[n][1] < boxes[n][3]]
        for frame, own in hands_of_frames(hands.frame).items()
    }
    return [of_frame.get(number if hands.num_frames > 1 else 0, []) for number in range(len(pictures))]


def box_around(white: Tensor, aspect: float, context: float, others: Sequence[Box] = ()) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of a box of width over height `aspect` around white regions.

    Args:
        white: The regions, bool `[H, W]`; specks beside large ones do not count, none means the whole picture.
        aspect: Width over height of the box.
        context: See `crop_to_mask`.
        others: Boxes that have to be in it, too.
    """
    high, wide = white.shape
    found = [region.box for region in find_regions(white, "each", 0.5)] or [(0, 0, wide, high)]
    found += others
    x0, y0 = (math.floor(min(box[k] for box in found)) for k in (0, 1))
    x1, y1 = (math.ceil(max(box[k] for box in found)) for k in (2, 3))
    needed = max(y1 - y0, (x1 - x0) / aspect)
    # Surroundings that the picture does not have are not made up.
    height = max(needed, min(needed * context, high, wide / aspect))
    size = math.ceil(height * aspect - 1e-6), math.ceil(height - 1e-6)
    left = _start((x0 + x1) / 2, size[0], wide)
    top = _start((y0 + y1) / 2, size[1], high)
    return left, top, left + size[0], top + size[1]


def _start(middle: float, size: int, limit: int) -> int:
    """Return where a stretch around `middle` starts, moved into 0..limit as far as it fits."""
    least, most = sorted((0, limit - size))
    return min(max(round(middle - size / 2), least), most)


def look_into(picture: Tensor, box: Tensor, outside: float | None = None) -> Tensor:
    """Return what a box shows of a picture.

    Args:
        picture: `[H, W, C]` in any range.
        box: Left, top, right, bottom in whole pixels, `[4]`; it may reach beyond the picture.
        outside: Value beyond the picture's edges; the edges go on there if None.

    Returns:
        `[bottom - top, right - left, C]`.

    Raises:
        SesaHandError: If a thin picture would become a very large one.
    """
    left, top, right, bottom = box.tolist()
    check_shape(
        right - left, bottom - top, picture.shape[0] * picture.shape[1],
        f"Of a picture of {picture.shape[1]}x{picture.shape[0]} pixels, {right - left}x{bottom - top} would be shown",
    )  # fmt: skip
    check_pixels(1, right - left, bottom - top, 8 * picture.shape[2], "cut out a part of about the picture's shape")
    rows, columns = torch.arange(top, bottom), torch.arange(left, right)
    high, wide = picture.shape[:2]
    shown = picture[rows.clamp(0, high - 1)][:, columns.clamp(0, wide - 1)]
    if outside is None:
        return shown
    seen = ((rows >= 0) & (rows < high))[:, None] & ((columns >= 0) & (columns < wide))
    return torch.where(seen[..., None].to(shown.device), shown, torch.full_like(shown, outside))


def resized(picture: Tensor, width: int, height: int) -> Tensor:
    """Return a picture `[H, W, C]` of 0..1 at another size, `[height, width, C]`; at its own size, as it is."""
    if picture.shape[:2] == (height, width):
        return picture
    planes = picture.movedim(-1, 0)[None].float()
    return F.interpolate(planes, (height, width), mode="bicubic", antialias=True)[0].movedim(0, -1).clamp(0, 1)


def hands_in_crop(hands: HandScene, crop: Crop) -> HandScene:
    """Return hands as the crops see them: the same hands before a camera that takes the crop alone.

    Args:
        hands: As they are in the whole pictures.
        crop: Where the crops come from.

    Raises:
        SesaHandError: If the crops of several pictures lie at different places, which one camera does not see.
    """
    high, wide = crop.pictures.shape[1:3]
    if not bool((crop.boxes == crop.boxes[0]).all()):
        raise SesaHandError(
            f"The crops of {len(crop.boxes)} pictures lie at different places, and hands are seen by one camera: crop "
            "one picture at a time."
        )
    whole = hands.resized(wide, high).camera
    left, top, right, _ = crop.boxes[0].tolist()
    height, width = crop.masks.shape[1:]
    scale = width / (right - left)
    x, y = whole.principal_point
    camera = Camera(whole.focal_length * scale, ((x - left) * scale, (y - top) * scale), width, height)
    return replace(hands, camera=camera)


def paste_back(
    crop: Crop,
    painted: Tensor,
    feather: float,
    masks: Tensor | None = None,
    on_picture: Progress = lambda done, total: None,
) -> Tensor:
    """Lay painted crops over the pictures that they were cut out of.

    Args:
        crop: Where they come from.
        painted: `[N, h, w, C]` of 0..1, of any size, N a multiple of the number of pictures: crop k goes to picture
            k modulo their number, which is the order in which Repeat Latent Batch repeats.
        feather: How far what is laid over fades out beyond the mask, pixels of the picture.
        masks: What is laid over, `[1 or N, h, w]` or `[h, w]` of 0..1 in the crops' view; None takes what was white.
        on_picture: Called after each with how many are done and how many there are; what it raises ends the work.

    Returns:
        `[N, H, W, C]`; beyond the masks and their fading, the pictures to the last bit.

    Raises:
        SesaHandError: If numbers or channels do not fit.
    """
    count = len(crop.pictures)
    masks = masks[None] if masks is not None and masks.ndim == 2 else masks
    if painted.ndim != 4 or not len(painted) or len(painted) % count or painted.shape[-1] != crop.pictures.shape[-1]:
        raise SesaHandError(
            f"The crops have the shape {list(painted.shape)}, but {count} pictures of the shape "
            f"{list(crop.pictures.shape)} were cropped. Repaint every crop once, or each of them equally often."
        )
    if masks is not None and (masks.ndim != 3 or len(masks) not in (1, len(painted))):
        raise SesaHandError(
            f"The mask has the shape {list(masks.shape)} for {len(painted)} crops; give one mask, or one for each crop."
        )
    high, wide, channels = crop.pictures.shape[1:]
    # Each whole picture, and all of them joined.
    check_pixels(len(painted), wide, high, 8 * channels, "paste fewer at a time, into smaller pictures")
    for what, values in (("crops", painted), ("mask", masks)):
        if values is not None and not bool(torch.isfinite(values.float()).all()):
            raise SesaHandError(
                f"The {what} hold values that are not numbers (NaN or infinity). A VAE that overflows in half "
                "precision does this: start ComfyUI with --fp32-vae, or look at the node that made them."
            )
    whole = []
    for k, patch in enumerate(painted):
        picture, box = crop.pictures[k % count], crop.boxes[k % count]
        mask = crop.masks[k % count] if masks is None else masks[k % len(masks)]
        whole.append(_laid_over(picture, box, patch.to(picture), mask.to(picture), feather))
        on_picture(len(whole), len(painted))
    return torch.stack(whole)


def _laid_over(picture: Tensor, box: Tensor, patch: Tensor, mask: Tensor, feather: float) -> Tensor:
    left, top, right, bottom = box.tolist()
    patch = resized(patch, right - left, bottom - top).to(picture)
    share = feathered_mask(mask[None], bottom - top, right - left, feather)[0, ..., None].to(picture)
    high, wide = picture.shape[:2]
    rows, columns = slice(max(top, 0), min(bottom, high)), slice(max(left, 0), min(right, wide))
    within = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    result = picture.clone()
    result[rows, columns] += share[within] * (patch[within] - result[rows, columns])
    return result
