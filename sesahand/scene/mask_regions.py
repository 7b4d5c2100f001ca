"""White regions of a mask, and how a hand would lie in each."""

import logging
import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..errors import SesaHandError

logger = logging.getLogger(__name__)

REGIONS = ("largest", "all", "each")
# A picture that is mostly between these is a photograph with a region painted white, not a mask with soft edges.
DARK, BRIGHT = 0.1, 0.9
PHOTOGRAPH_SHARE = 0.5
HALF, NEAR_WHITE = 0.5, 0.98
# With "each", specks smaller than this share of the largest region, or of the picture, are no hands.
LEAST_SHARE, LEAST_OF_PICTURE = 0.05, 5e-5
# Nobody wants more hands in a picture; a mask with more regions is noisy.
MOST_REGIONS = 64
# A mask that is nowhere brighter is black.
BLACK = 0.02
# Below this, the main axis of a region is chance.
LEAST_ELONGATION = 0.35
# How much a wrist near the picture's edge counts against fingers that point up, where the region touches no edge.
TOWARDS_CENTRE = 0.3


@dataclass(frozen=True)
class Region:
    """A white region.

    Attributes:
        box: x0, y0, x1, y1 in pixels, edges of the outermost pixels.
        fingers: Where a hand's fingers would point, in degrees clockwise from up.
        elongation: 0 for a round region, towards 1 for a thin one.
    """

    box: tuple[float, float, float, float]
    fingers: float
    elongation: float


def find_regions(mask: Tensor, which: str, threshold: float | None = None) -> list[Region]:
    """Find the white regions of one mask; none in a black one.

    Args:
        mask: `[H, W]`; values 0 to 1, or bool.
        which: "largest", "all" (everything white as one region) or "each".
        threshold: Brighter pixels are white; None takes `white_threshold`.

    Raises:
        SesaHandError: If the mask holds values that are not numbers, or `which` is unknown.
    """
    import cv2

    if which not in REGIONS:
        raise SesaHandError(f"region must be one of {', '.join(REGIONS)}, got {which!r}.")
    values = mask.detach().cpu().double().numpy()
    if not np.isfinite(values).all():
        raise SesaHandError("The mask holds NaN or infinite values; look at the node that made it.")
    white = (values > (white_threshold(values) if threshold is None else threshold)).astype(np.uint8)
    if not white.any():
        return []
    if which == "all":
        return [_measure(white > 0)]
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(white, connectivity=8)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    least = areas.max() if which == "largest" else max(LEAST_SHARE * areas.max(), 1)
    if which == "largest":
        return [_measure(labels == np.flatnonzero(areas >= least)[0] + 1)]
    least = max(least, LEAST_OF_PICTURE * white.size)
    chosen = np.flatnonzero(areas >= least)
    if len(chosen) > MOST_REGIONS:
        chosen = np.sort(np.argsort(-areas, kind="stable")[:MOST_REGIONS])
    left_out = np.delete(areas, chosen)
    if len(left_out):
        logger.warning(
            "%d of the mask's %d white regions are left out, the largest of them %d pixels: at most %d count, and none "
            "below %d pixels here. Remove noise from the mask if hands were meant.",
            len(left_out), len(areas), left_out.max(), MOST_REGIONS, math.ceil(least),
        )  # fmt: skip
    return [_measure(labels == index + 1) for index in chosen]


def white_threshold(values: np.ndarray) -> float:
    """Return above which brightness a mask is white: half, or nearly 1 in a photograph with a region painted white.

    Of a mask that nowhere reaches half, but is not black, it is half of its brightest.

    Args:
        values: The mask, `[H, W]`; values 0 to 1.
    """
    if not is_painted_photograph(values):
        brightest = values.max(initial=0)
        return HALF if brightest > HALF or brightest <= BLACK else brightest / 2
    logger.warning(
        "The mask is a photograph rather than black and white: only what is brighter than %g in it counts as white.",
        NEAR_WHITE,
    )
    return NEAR_WHITE


def is_painted_photograph(values: np.ndarray) -> bool:
    """Tell a photograph with a region painted white from a mask, whose soft edges may be as wide as the picture.

    Paint ends within a pixel or two: what touches it is as dark as photographs are. Around the brightest part of a
    gradient it is nearly as bright.

    Args:
        values: `[H, W]`; 0 to 1.
    """
    import cv2

    if np.mean((values > DARK) & (values < BRIGHT)) < PHOTOGRAPH_SHARE:
        return False
    white = (values > NEAR_WHITE).astype(np.uint8)
    around = (cv2.dilate(white, np.ones((3, 3), np.uint8)) > 0) & (white == 0)
    return bool(around.any()) and float(np.median(values[around])) < BRIGHT


def _measure(white: np.ndarray) -> Region:
    rows, columns = np.nonzero(white)
    box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    points = np.stack([columns, rows], 1) + 0.5
    centre = points.mean(0)
    # A pixel is a square, not a point: its own second moment keeps thin regions regular.
    moments = np.cov(points.T, bias=True) + np.eye(2) / 12 if len(points) > 1 else np.eye(2)
    spread, axes = np.linalg.eigh(moments)
    elongation = float(1 - spread[0] / spread[1])
    direction = axes[:, 1] if elongation >= LEAST_ELONGATION else np.array([0.0, -1.0])
    height, width = white.shape
    edge = (columns == 0) | (rows == 0) | (columns == width - 1) | (rows == height - 1)
    away = centre - points[edge].mean(0) if edge.any() else np.zeros(2)
    along = float(away @ direction)
    if abs(along) > 0.25 * math.sqrt(spread[1]):
        direction = direction * np.sign(along)
    elif elongation >= LEAST_ELONGATION:
        inwards = (np.array([width, height]) / 2 - centre) / max(width, height)
        pull = np.array([0.0, -1.0]) + TOWARDS_CENTRE * inwards
        direction = direction * (1.0 if direction @ pull >= 0 else -1.0)
    return Region(box, math.degrees(math.atan2(direction[0], -direction[1])), elongation)
