"""In which pixels hands and what they hold are seen in a picture, and the outlines of these."""

from dataclasses import dataclass

import numpy as np

from ...render.maps import see_picture
from ...render.rasterizer import VisiblePixels
from ..pair_set import Pair
from .pixels import map_levels

# Edges of a mask between pixels within and without, and its parts; what has more is noise and has no outline.
MOST_EDGES, MOST_PARTS = 1 << 20, 1000


@dataclass(frozen=True, eq=False)
class PixelRegion:
    """Pixels of a picture.

    Attributes:
        left: Of the box around them, pixels.
        top: Likewise.
        pixels: Which of the box's are meant, bool `[h, w]`.
    """

    left: int
    top: int
    pixels: np.ndarray

    @classmethod
    def of_view(cls, view: VisiblePixels) -> "PixelRegion":
        """Return the region in which something is seen."""
        x, y = view.x.cpu().numpy(), view.y.cpu().numpy()
        left, top = int(x.min()), int(y.min())
        pixels = np.zeros((int(y.max()) + 1 - top, int(x.max()) + 1 - left), bool)
        pixels[y - top, x - left] = True
        return cls(left, top, pixels)

    @classmethod
    def of_mask(cls, mask: np.ndarray) -> "PixelRegion | None":
        """Return the region of a mask, bool `[H, W]`; None if there is none, or none that has an outline."""
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows) or _edges(mask) > MOST_EDGES or _parts(mask) > MOST_PARTS:
            return None
        left, top = int(columns[0]), int(rows[0])
        return cls(left, top, mask[top : rows[-1] + 1, left : columns[-1] + 1])

    @property
    def box(self) -> list[int]:
        """Left, top, width and height, pixels."""
        return [self.left, self.top, self.pixels.shape[1], self.pixels.shape[0]]

    @property
    def area(self) -> float:
        """How many pixels there are."""
        return float(self.pixels.sum())

    def outlines(self) -> list[list[float]]:
        """Return the outer outlines: polygons x, y, x, y, ... that run along the pixels' edges."""
        import cv2

        # OpenCV joins centres of pixels, which would cost half a pixel all around; at twice the size it is a quarter.
        twice = self.pixels.astype(np.uint8).repeat(2, 0).repeat(2, 1)
        found, _ = cv2.findContours(twice, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        return [((outline[:, 0] + 0.5) / 2 + (self.left, self.top)).flatten().tolist() for outline in found]


@dataclass(frozen=True, eq=False)
class Seen:
    """What is seen in a picture.

    Attributes:
        hands: Where, by the numbers of the hands.
        objects: Where, by the numbers of the objects of the scene.
        depth: Of the nearest object where one is seen, metres `[H, W]`, infinite elsewhere; None without objects.
    """

    hands: dict[int, PixelRegion]
    objects: dict[int, PixelRegion]
    depth: np.ndarray | None = None


def look_at(pair: Pair) -> Seen | None:
    """Return what is seen of the hands of a pair and of what they hold, or None if that cannot be told."""
    record = pair.record
    if record.hands and record.hand_model in pair.models:
        hands, objects = see_picture(pair.scene)
        depth = None
        if objects:
            depth = np.full((record.height, record.width), np.inf, np.float32)
            for view in objects.values():
                depth[view.y.cpu().numpy(), view.x.cpu().numpy()] = view.depth.cpu().numpy()
        return Seen(_regions(hands), _regions(objects), depth)
    if len(record.hands) == 1 and "mask" in record.maps:
        region = PixelRegion.of_mask(map_levels(pair, "mask") > 127)
        return None if region is None else Seen({0: region}, {})
    return None


def _regions(views: dict[int, VisiblePixels]) -> dict[int, PixelRegion]:
    return {number: PixelRegion.of_view(view) for number, view in views.items()}


def _parts(mask: np.ndarray) -> int:
    """Return how many parts of a mask, bool `[H, W]`, do not touch one another."""
    import cv2

    return cv2.connectedComponents(mask.astype(np.uint8))[0] - 1


def _edges(mask: np.ndarray) -> int:
    """Return how many edges the pixels of a mask, bool `[H, W]`, have where it ends, within the picture."""
    return int(np.count_nonzero(mask[1:] != mask[:-1])) + int(np.count_nonzero(mask[:, 1:] != mask[:, :-1]))
