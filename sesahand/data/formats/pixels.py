"""Pictures and maps of a pair as the files that other formats take."""

import numpy as np

from ...files.reading import read_bytes
from ...render.map_table import COLOR_MAPS
from ...render.maps import render_maps
from ..pair_set import Pair
from ..picture_files import MAX_PICTURE_BYTES, encode, to_levels


def picture_bytes(pair: Pair, suffix: str) -> bytes:
    """Return the picture as the bytes of a "png" or "jpg" file; one of that kind is taken as it is."""
    levels = pair.levels(pair.record.picture)
    if suffix == pair.record.picture:
        return read_bytes(pair.path("picture"), MAX_PICTURE_BYTES)
    return encode(levels, suffix)


def map_levels(pair: Pair, name: str) -> np.ndarray:
    """Return a map as uint8 `[H, W, 3]`, or `[H, W]` for a mask: the stored one, or drawn again from the hands.

    Raises:
        SesaHandError: If it is not stored and the hand model is not at hand.
    """
    if name in pair.record.maps:
        levels = pair.levels(name)
        return levels if levels.ndim == (3 if name in COLOR_MAPS else 2) else _of_kind(levels, name)
    drawn = getattr(render_maps(pair.scene, maps=(name,)), name)[0]
    return to_levels(drawn, f"The map {name!r}")


def _of_kind(levels: np.ndarray, name: str) -> np.ndarray:
    """Return a mask that was written with channels without them, or the other way round."""
    return np.stack([levels] * 3, -1) if name in COLOR_MAPS else levels.max(-1)
