"""Boxes as ComfyUI's core and its detectors exchange them (BOUNDING_BOX): x, y, width and height in pixels.

A value is one box for all pictures, a list of boxes for all pictures, or a list for each picture. Other keys may stand
beside the four: detectors write "label" and "score". What a person types is left, top, right and bottom instead.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import SesaHandError, quote
from .hand_scene import SIDES

MAX_BOXES = 4096
LARGEST_COORDINATE = 1e6
KEYS = ("x", "y", "width", "height")
# Less than what Python takes for a number: no 1_0, nan or digits of other scripts.
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
BRACKETS = ("[]", "()")


@dataclass(frozen=True)
class Box:
    """A box in a picture.

    Attributes:
        edges: Left, top, right, bottom in pixels.
        side: "right" or "left" if its label says so, else None.
    """

    edges: tuple[float, float, float, float]
    side: str | None = None


def parse_box(text: str, width: float = math.inf, height: float = math.inf) -> tuple[float, float, float, float]:
    """Read a box that a person typed: left, top, right, bottom in pixels, with or without commas and brackets.

    Args:
        text: Such as "100, 60, 400, 480".
        width: Of the picture that it must have a part of, in pixels; any, if it is not known.
        height: Likewise.

    Raises:
        SesaHandError: If it is no such text, or no box in the picture.
    """
    inner = text.strip()
    inner = inner[1:-1] if inner[:1] + inner[-1:] in BRACKETS else inner
    parts = inner.replace(",", " ").split()
    if len(parts) != 4 or not all(NUMBER.fullmatch(part) for part in parts):
        raise SesaHandError(f"box is {quote(text)}, expected four numbers in pixels: left, top, right, bottom.")
    left, top, right, bottom = map(float, parts)
    if max(map(abs, (left, top, right, bottom))) > LARGEST_COORDINATE:
        raise SesaHandError(f"box is {quote(text)}, expected numbers of at most {LARGEST_COORDINATE:.0f} pixels.")
    check_box((left, top, right, bottom), width, height, f"box, {quote(text)},")
    return left, top, right, bottom


def check_box(edges: Sequence[float], width: float, height: float, named: str) -> None:
    """Refuse a box that is none, or has no part in a picture.

    Args:
        edges: Left, top, right, bottom in pixels.
        width: Of the picture, in pixels.
        height: Likewise.
        named: How the message begins.

    Raises:
        SesaHandError: If it is refused.
    """
    left, top, right, bottom = edges
    if not all(map(math.isfinite, edges)) or right <= left or bottom <= top:
        raise SesaHandError(f"{named} is no box: it needs left < right and top < bottom, in pixels.")
    if right - left < 1 or bottom - top < 1:
        raise SesaHandError(f"{named} is smaller than a pixel: choose a larger size, box or picture.")
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        size = f" of {width}x{height} pixels" if math.isfinite(width) else ""
        raise SesaHandError(f"{named} lies outside the picture{size}: move it, or choose a larger picture.")


def is_bounding_boxes(value, depth: int = 2) -> bool:
    """Return whether a value has the form of BOUNDING_BOX, rather than of a list of numbers or of our own entries.

    Args:
        value: Anything.
        depth: How many lists may stand in each other: boxes of pictures are two deep, and what is endless is none.
    """
    if isinstance(value, dict):
        return "x" in value
    if not isinstance(value, list) or not value or not depth:
        return False
    return all(entry == [] or is_bounding_boxes(entry, depth - 1) for entry in value)


def read_bounding_boxes(value, num_frames: int = 1) -> list[list[Box]]:
    """Read BOUNDING_BOX.

    Args:
        value: One box, a list of boxes, or a list of lists. One list counts for every picture, as core has it.
        num_frames: How many pictures there are; 0 takes as many as there are lists.

    Returns:
        The boxes of each picture; boxes without area, which detectors write for nothing found, are left out.

    Raises:
        SesaHandError: If it is something else, or has lists for another number of pictures.
    """
    if isinstance(value, dict):
        lists = [[value]]
    elif isinstance(value, list) and value and all(isinstance(entry, list) for entry in value):
        lists = value
    elif isinstance(value, list):
        lists = [value]
    else:
        raise _wrong(value)
    if num_frames and len(lists) not in (1, num_frames):
        raise SesaHandError(
            f"There are boxes for {len(lists)} pictures, but {num_frames} pictures; give one list for all, or one for "
            "each."
        )
    if sum(len(entries) for entries in lists) > MAX_BOXES:
        raise SesaHandError(f"There are more than {MAX_BOXES} boxes; give those of hands alone.")
    read = [[box for box in map(_read, entries) if box is not None] for entries in lists]
    return read * num_frames if len(read) == 1 and num_frames else read


def _read(entry) -> Box | None:
    numbers: list[Any] = [entry.get(key) for key in KEYS] if isinstance(entry, dict) else [None]
    if not all(type(n) in (int, float) and abs(n) <= LARGEST_COORDINATE for n in numbers):
        raise _wrong(entry)
    x, y, width, height = (float(number) for number in numbers)
    if width < 0 or height < 0:
        raise SesaHandError(
            f"The box {quote(entry)} has a negative width or height; x and y are its upper left corner."
        )
    if width < 1 or height < 1:
        return None
    label = entry.get("label")
    side = next((side for side in SIDES if label in (side, f"{side} hand")), None)
    return Box((x, y, x + width, y + height), side)


def _wrong(entry) -> SesaHandError:
    return SesaHandError(
        f'The bounding boxes have {quote(entry)}, expected {{"x": ..., "y": ..., "width": ..., "height": ...}} in '
        "pixels, a list of such boxes, or a list for each picture."
    )


def write_bounding_boxes(
    frames: Iterable[int],
    sides: Sequence[str],
    boxes: Tensor,
    num_frames: int,
    size: tuple[int, int],
    scores: Tensor | None = None,
) -> list[list[dict]]:
    """Return BOUNDING_BOX: for each picture the boxes of its hands, in whole pixels that cover them.

    Args:
        frames: The picture of each of N boxes.
        sides: "right" or "left" of each; it becomes the label "right hand" or "left hand".
        boxes: Left, top, right, bottom in pixels `[N, 4]`. They are cut at the picture's edge; what lies beyond, and a
            box of zeros for a hand that is not seen, is left out.
        num_frames: How many pictures there are.
        size: Width and height of the pictures.
        scores: Confidence of each `[N]`, if there is one.
    """
    lists: list[list[dict]] = [[] for _ in range(num_frames)]
    limit = torch.tensor([*size, *size], dtype=torch.float64)
    for index, (frame, side) in enumerate(zip(frames, sides, strict=True)):
        box = boxes[index].detach().cpu().double()
        if not torch.isfinite(box).all():
            continue
        cut = torch.minimum(torch.cat([box[:2].floor(), box[2:].ceil()]).clamp(min=0), limit)
        x0, y0, x1, y1 = (int(edge) for edge in cut.tolist())
        if x1 <= x0 or y1 <= y0:
            continue
        entry = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0, "label": f"{side} hand"}
        lists[frame].append(entry if scores is None else entry | {"score": float(scores[index])})
    return lists


def mask_of_boxes(boxes: Sequence[Sequence[Box]], width: int, height: int) -> Tensor:
    """Return float32 `[F, H, W]`, 1 in every pixel that a box of the picture touches."""
    masks = torch.zeros(len(boxes), height, width)
    for mask, own in zip(masks, boxes, strict=True):
        for box in own:
            x0, y0 = (max(0, math.floor(edge)) for edge in box.edges[:2])
            x1, y1 = (max(0, math.ceil(edge)) for edge in box.edges[2:])
            mask[y0:y1, x0:x1] = 1
    return masks
