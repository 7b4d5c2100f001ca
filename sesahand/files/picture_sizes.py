"""How large the pictures may be that a model's processor makes, by what the loaded one says of sizes.

A folder of a few lines can have it enlarge each picture to gigabytes, or cut one into millions of tiles. What it says
stands in any of its files and under many names, so it is looked at when all of them have been read.
"""

import math
import re
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from ..errors import InvalidFileError
from .model_configs import all_entries

MOST_SIDE = 8192
MOST_SHORT_SIDE = 2048
"""Of a size whose longer side follows the picture, which may be sixteen times as long."""
MOST_AREA = 4096**2
"""That a picture is enlarged to where a processor counts pixels; models of that kind read as many at most."""
MOST_TILED = 1 << 28
"""Pixels of all the tiles of one picture."""
MOST_BLOCK = 2048
"""Pixels that sides are made multiples of: patches, and how many of them become one."""
LEAST_CROP = 0.1
MOST_FRAMES = 64
"""That a picture is repeated as, for a model that sees films."""

_SIDES = re.compile(r"(?!vocab_)(\w+_)?(size|size_divisor|resolutions?|pinpoints)|(max_|min_)?(height|width)")
_TILES = ("size", "crop_size", "max_image_size", "image_size", "tile_size")
_TILE_COUNTS = ("max_image_tiles", "max_tiles", "max_num_tiles", "max_dynamic_patch", "num_crops")
_BLOCKS = ("merge_size", "spatial_merge_size", "downsample_factor")


def check_picture_sizes(folder: str | Path, image_processor: Any, *others: Any) -> None:
    """Refuse a processor that would make larger pictures, or more of them, than that of any model.

    Args:
        folder: Where it was loaded from, for messages.
        image_processor: Of transformers.
        others: What else says how pictures are made: the processor around it, a tokenizer's settings.

    Raises:
        InvalidFileError: If it is so.
    """
    said = [_plain(vars(one) if hasattr(one, "__dict__") else one) for one in (image_processor, *others)]
    entries = [(key.lstrip("_"), value) for key, value in all_entries(said)]
    counts_pixels = _counts_pixels(image_processor)
    for key, value in entries:
        _check_side(folder, key, value, counts_pixels)
    _check_blocks(folder, entries)
    if not counts_pixels:
        _check_tiles(folder, entries, image_processor)


def _counts_pixels(image_processor: Any) -> bool:
    """Whether sizes of one are numbers of pixels, as Qwen2-VL and its like keep them under the names of edges."""
    return any(hasattr(sys.modules.get(kind.__module__), "smart_resize") for kind in type(image_processor).__mro__)


def _check_side(folder: str | Path, key: str, value: Any, counts_pixels: bool) -> None:
    if key == "crop_pct" and any(not number >= LEAST_CROP for number in _numbers(value)):
        raise _fault(folder, f"{key} = {value}, expected at least {LEAST_CROP}")
    most: float = math.inf
    if key == "temporal_patch_size":
        most = MOST_FRAMES
    elif key == "min_pixels" or (key == "shortest_edge" and counts_pixels):
        most = MOST_AREA
    elif key == "shortest_edge" or (key == "size" and isinstance(value, int | float)):
        most = MOST_SHORT_SIDE
    elif (key == "longest_edge" and not counts_pixels) or _SIDES.fullmatch(key):
        most = MOST_SIDE
    # What stands in an object has its own names.
    found = max((abs(number) for number in _numbers(value)), default=0) if not isinstance(value, dict) else 0
    if not found <= most:
        raise _fault(folder, f"{key} = {found:.0f}, expected at most {most:.0f}")


def _check_blocks(folder: str | Path, entries: list[tuple[str, Any]]) -> None:
    patch = max([1, *(number for key, value in entries if key.endswith("patch_size") for number in _numbers(value))])
    merged = max([1, *(number for key, value in entries if key in _BLOCKS for number in _numbers(value))])
    if patch * merged > MOST_BLOCK:
        raise _fault(folder, f"patches of {patch:.0f} pixels and {merged:.0f} of them as one, expected {MOST_BLOCK}")


def _check_tiles(folder: str | Path, entries: list[tuple[str, Any]], image_processor: Any) -> None:
    """Refuse more pixels in all the tiles of a picture, as small as some and as large as the largest may be."""
    sides = [number for key, value in entries if _is_side(key) for number in _numbers(value) if number > 0]
    # Those of Idefics' family have a name of their own for tiles; the class says so, not the file.
    kinds = _TILES[1:] if hasattr(type(image_processor), "max_image_size") else _TILES
    tiles = [number for key, value in entries if key in kinds for number in _numbers(value) if number > 0]
    if not tiles:
        return
    cuts = getattr(image_processor, "crop_to_patches", None) is not None
    counts = (*_TILE_COUNTS, "max_patches") if cuts else _TILE_COUNTS
    many = [number for key, value in entries if key in counts for number in _numbers(value)]
    together = max([(max(sides) / min(tiles)) ** 2, *many]) * max(tiles) ** 2
    if together > MOST_TILED:
        raise _fault(folder, f"tiles of {together:.0f} pixels for one picture, expected at most {MOST_TILED}")


def _is_side(key: str) -> bool:
    return bool(_SIDES.fullmatch(key)) or key in ("shortest_edge", "longest_edge")


def _numbers(value: Any) -> Iterator[float]:
    """The numbers in lists and objects at any depth."""
    open_ones = [value]
    while open_ones:
        one = open_ones.pop()
        if isinstance(one, int | float) and not isinstance(one, bool):
            yield one
        elif isinstance(one, list):
            open_ones += one
        elif isinstance(one, dict):
            open_ones += one.values()


def _plain(value: Any, depth: int = 0) -> Any:
    """The settings of an object as JSON has them; the parts of a processor are no settings."""
    if depth > 20:
        return None
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, depth + 1) for one in value]
    return value if isinstance(value, int | float | str) else None


def _fault(folder: str | Path, what: str) -> InvalidFileError:
    return InvalidFileError(
        f"The processor of {folder!s:.200} cannot be used: it says {what}, more than that of any model makes of a "
        "picture. Copy all of the model's files again, or choose another model."
    )
