"""The hands that were predicted worst, as a picture: predicted and true skeleton beside each other."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...files.folders import is_file
from ...files.pictures import read_picture
from ...render.contact_sheet import captioned_pictures, to_pil
from ...render.keypoints import draw_keypoints
from .hand_errors import FIGURES
from .hand_set import UNKNOWN_SIDE, SeenPicture
from .pairing import hand_size, sides_differ
from .report import HandEvaluation, worst_pairs

WORST = 20
COLUMNS = 4
TILE = 192
# Part of a tile that the true hand takes.
FILLED = 0.6
EMPTY = (24, 25, 28)


def draw_worst_hands(evaluation: HandEvaluation, count: int = WORST) -> Tensor | None:
    """Draw the worst pairs, to the left as predicted and to the right as they are.

    Over the picture, if it is at hand and both places in it are known; else as seen along the camera's axis, the wrists
    on each other.

    Args:
        evaluation: What was measured.
        count: How many at most.

    Returns:
        The sheet `[1, H, W, 3]`, float32, 0..1, or None if nothing was measured.

    Raises:
        InvalidFileError: If a picture is there and cannot be read.
    """
    by, rows = worst_pairs(evaluation, count)
    if not rows:
        return None
    tiles = torch.stack([torch.from_numpy(_tile(evaluation, row)) for row in rows]).float() / 255
    figure = FIGURES[by]
    title = f"The {len(rows)} largest {figure.title}: predicted first, then as it is"
    return captioned_pictures(tiles, [_caption(evaluation, row, by) for row in rows], COLUMNS, title)


def _caption(evaluation: HandEvaluation, row: int, by: str) -> str:
    pairs, figure = evaluation.pairs, FIGURES[by]
    i, j = pairs.pairs[row]
    side = pairs.truth.side[j]
    said = f"{side}, predicted {pairs.found.side[i]}" if sides_differ(pairs.found.side[i], side) else side
    value = f"{evaluation.errors[by][row]:.{figure.decimals}f} {figure.unit}".strip()
    name = pairs.truth.pictures[int(pairs.truth.frame[j])].key
    return f"{name[:40]}\n{f'{said}: ' if said != UNKNOWN_SIDE else ''}{value}"


def _tile(evaluation: HandEvaluation, row: int) -> np.ndarray:
    """Return uint8 `[TILE, 2 * TILE, 3]`."""
    pairs = evaluation.pairs
    i, j = pairs.pairs[row]
    found, wanted = pairs.found.keypoints_2d[i], pairs.truth.keypoints_2d[j]
    picture = pairs.truth.pictures[int(pairs.truth.frame[j])]
    if hand_size(wanted) is None or not bool(found.isfinite().any()):
        found, wanted = (
            (points - points[:1])[:, :2] for points in (pairs.found.keypoints_3d[i], pairs.truth.keypoints_3d[j])
        )
        picture = SeenPicture(picture.key)
    # Joints that all coincide have no size; any will do.
    size = hand_size(wanted) or 1.0
    known = wanted[wanted.isfinite().all(-1)]
    corner = (known.amin(0) + known.amax(0)) / 2 - size / FILLED / 2
    scale = TILE * FILLED / size
    ground = _ground(picture, corner.tolist(), scale)
    halves = []
    for points in (found, wanted):
        canvas = ground.copy()
        draw_keypoints(canvas, ((points - corner) * scale)[None].numpy(), 1.0)
        halves.append(canvas)
    return np.concatenate(halves, 1)


def _ground(picture: SeenPicture, corner: list[float], scale: float) -> np.ndarray:
    """Return the part of a picture that a tile shows, darkened so that skeletons stand out; uint8 `[TILE, TILE, 3]`."""
    plain = np.full((TILE, TILE, 3), EMPTY, np.uint8)
    if picture.file is None or not is_file(picture.file):
        return plain
    shown = to_pil(read_picture(picture.file)[0, ..., :3])
    across, down = (
        (1.0, 1.0) if picture.size is None else (shown.width / picture.size[0], shown.height / picture.size[1])
    )
    # Only the tile's own pixels are computed, wherever its corner is.
    place = (across / scale, 0.0, corner[0] * across, 0.0, down / scale, corner[1] * down)
    part = shown.transform((TILE, TILE), Image.Transform.AFFINE, place, Image.Resampling.BICUBIC)
    return (np.asarray(part) * 0.75).astype(np.uint8)
