"""Hands that something else found: boxes, masks and keypoints in the forms in which other nodes and tools give them."""

import json
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import SesaHandError, quote
from ...hands.mask_regions import find_regions
from ...hands.scene import SIDES
from ..landmarks import NUM_KEYPOINTS, HandLandmarks

MAX_HANDS = 4096
MAX_TEXT = 16 * 2**20
LARGEST_COORDINATE = 1e6
# OpenPose's names, seen from the person.
OPENPOSE_HANDS = {"right": "hand_right_keypoints_2d", "left": "hand_left_keypoints_2d"}
# Coordinates none of which is beyond this are parts of the picture rather than pixels.
LARGEST_PART = 2.0

FORMS = (
    "OpenPose's POSE_KEYPOINT, a list of 21 points, or a list of hands such as "
    '[{"frame": 0, "side": "left", "keypoints": [[x, y], ...]}]'
)


@dataclass(frozen=True)
class HandBox:
    """A box around a hand.

    Attributes:
        frame: The picture it is in, from 0.
        box: x0, y0, x1, y1 in pixels.
        side: "right", "left", or None if it is not known.
    """

    frame: int
    box: tuple[float, float, float, float]
    side: str | None = None


def read_boxes(value) -> list[HandBox]:
    """Read boxes as Render Hand Depth & Maps writes them, or plain ones.

    Args:
        value: JSON, or what it stands for: a list of {"frame", "side", "box"} of which only "box" must be there, or of
            [x0, y0, x1, y1], or one such box. Boxes of only zeros stand for hands that are not seen and are left out.

    Raises:
        SesaHandError: If it is something else.
    """
    entries = _from_json(value, "boxes")
    if _is_numbers(entries, 4):
        entries = [entries]
    if not isinstance(entries, list) or len(entries) > MAX_HANDS:
        raise _wrong_boxes(entries)
    boxes = [_read_box(entry) for entry in entries]
    return [box for box in boxes if any(box.box)]


def _read_box(entry) -> HandBox:
    record = entry if isinstance(entry, dict) else {"box": entry}
    box, frame, side = record.get("box"), record.get("frame", 0), record.get("side")
    if not _is_numbers(box, 4) or not _is_frame(frame) or side not in (None, *SIDES):
        raise _wrong_boxes(entry)
    if any(box) and not (box[0] + 1 <= box[2] and box[1] + 1 <= box[3]):
        raise SesaHandError(f"The box {quote(box)} is smaller than a pixel; expected left, top, right, bottom.")
    return HandBox(frame, tuple(float(number) for number in box), side)


def _wrong_boxes(entry) -> SesaHandError:
    return SesaHandError(
        f'boxes has {quote(entry)}, expected a list such as [{{"frame": 0, "side": "left", "box": [left, top, right, '
        "bottom]}], in pixels, as Render Hand Depth & Maps gives it."
    )


def boxes_of_masks(masks: Tensor, width: int, height: int, num_frames: int) -> list[HandBox]:
    """Return a box around each white region of masks.

    Args:
        masks: `[F, H, W]` of 0..1, one for each picture or one for all; another size is scaled to the pictures'.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        num_frames: How many pictures there are.

    Raises:
        SesaHandError: If there are other than 1 or `num_frames` masks, or one holds values that are not numbers.
    """
    if masks.ndim != 3 or 0 in masks.shape or len(masks) not in (1, num_frames):
        raise SesaHandError(
            f"The mask has shape {tuple(masks.shape)} for {num_frames} pictures; give one mask, or one for each."
        )
    x_scale, y_scale = width / masks.shape[2], height / masks.shape[1]
    boxes = []
    for frame in range(num_frames):
        for region in find_regions(masks[min(frame, len(masks) - 1)], "each"):
            x0, y0, x1, y1 = region.box
            boxes.append(HandBox(frame, (x0 * x_scale, y0 * y_scale, x1 * x_scale, y1 * y_scale)))
    return boxes


def read_keypoints(value, width: int, height: int, num_frames: int = 1) -> HandLandmarks:
    """Read the keypoints of hands that something else found.

    Args:
        value: JSON, or what it stands for. POSE_KEYPOINT as the nodes of controlnet_aux give it: one dictionary per
            picture with "people" (pixels of "canvas_width" by "canvas_height", or parts of it); or a list of hands
            with "keypoints" ([x, y] or [x, y, confidence], 21 of them, in pixels), and if known "frame", "side" and
            "score"; or 21 points, a hand in the first picture. An unknown side counts as right, with a side_score of
            0.5. Points of confidence 0 are unknown; hands without any known point are left out.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        num_frames: How many pictures there are.

    Returns:
        The hands, without 3D.

    Raises:
        SesaHandError: If it is something else, or speaks of more pictures than there are.
    """
    entries = _from_json(value, "keypoints")
    if isinstance(entries, dict):
        entries = [entries]
    if not isinstance(entries, list) or len(entries) > MAX_HANDS:
        raise _wrong_keypoints(entries)
    if entries and all(isinstance(entry, dict) and ("people" in entry or "animals" in entry) for entry in entries):
        hands = [hand for frame, entry in enumerate(entries) for hand in _openpose_hands(entry, frame, width, height)]
    elif len(entries) == NUM_KEYPOINTS and not any(isinstance(entry, dict) for entry in entries):
        hands = [_hand_of(entries, 0, None, 1.0)]
    else:
        hands = [_read_hand(entry) for entry in entries]
    return _to_landmarks([hand for hand in hands if hand is not None], width, height, num_frames)


@dataclass(frozen=True, eq=False)
class _Hand:
    frame: int
    side: str | None
    points: Tensor
    score: float


def _openpose_hands(entry: dict, frame: int, width: int, height: int) -> list[_Hand | None]:
    people, canvas = entry.get("people", []), [entry.get("canvas_width", width), entry.get("canvas_height", height)]
    if not isinstance(people, list) or len(people) > MAX_HANDS or not (_is_numbers(canvas, 2) and min(canvas) > 0):
        raise _wrong_keypoints(entry)
    hands = []
    for person in people:
        for side, name in OPENPOSE_HANDS.items():
            numbers = person.get(name) if isinstance(person, dict) else entry
            # Detectors leave out a hand that they did not see, or fill it with nulls.
            if numbers and any(number is not None for number in numbers):
                if not _is_numbers(numbers, 3 * NUM_KEYPOINTS):
                    raise _wrong_keypoints(numbers)
                triples = [numbers[3 * k : 3 * k + 3] for k in range(NUM_KEYPOINTS)]
                hands.append(_scaled(_hand_of(triples, frame, side, None), canvas, width, height))
    return hands


def _scaled(hand: _Hand | None, canvas: list[float], width: int, height: int) -> _Hand | None:
    if hand is None:
        return None
    parts = hand.points.nan_to_num(0.0).abs().max() <= LARGEST_PART
    scale = torch.tensor([width, height]) / (1.0 if parts else torch.tensor(canvas, dtype=torch.float32))
    return _Hand(hand.frame, hand.side, hand.points * scale, hand.score)


def _read_hand(entry) -> _Hand | None:
    if not isinstance(entry, dict):
        raise _wrong_keypoints(entry)
    frame, side, score = entry.get("frame", 0), entry.get("side"), entry.get("score", 1.0)
    if not _is_frame(frame) or side not in (None, *SIDES) or not (_is_numbers([score], 1) and 0 <= score <= 1):
        raise _wrong_keypoints(entry)
    return _hand_of(entry.get("keypoints"), frame, side, score)


def _hand_of(points, frame: int, side: str | None, score: float | None) -> _Hand | None:
    """Return a hand from 21 points; where no score is given it is the mean confidence of its known points."""
    fits = isinstance(points, list) and len(points) == NUM_KEYPOINTS
    if not fits or not all(_is_numbers(point, 2) or _is_numbers(point, 3) for point in points):
        raise _wrong_keypoints(points)
    confidence = torch.tensor([float(point[2]) if len(point) == 3 else 1.0 for point in points])
    located = torch.tensor([[float(point[0]), float(point[1])] for point in points])
    known = confidence > 0
    if not known.any():
        return None
    located[~known] = math.nan
    return _Hand(frame, side, located, float(confidence[known].mean().clamp(0, 1)) if score is None else float(score))


def _to_landmarks(hands: list[_Hand], width: int, height: int, num_frames: int) -> HandLandmarks:
    if not hands:
        return HandLandmarks.empty(width, height, num_frames)
    points = torch.stack([hand.points for hand in hands])
    known = torch.isfinite(points)
    low = torch.where(known, points, math.inf).amin(1)
    high = torch.where(known, points, -math.inf).amax(1)
    frames = torch.tensor([hand.frame for hand in hands])
    if int(frames.max()) >= num_frames:
        raise SesaHandError(
            f"keypoints has a hand in picture {int(frames.max())}, but there are {num_frames} (numbered from 0)."
        )
    return HandLandmarks(
        width=width,
        height=height,
        num_frames=num_frames,
        frame=frames,
        side=tuple(hand.side or "right" for hand in hands),
        keypoints_2d=points,
        keypoints_3d=torch.full((len(hands), NUM_KEYPOINTS, 3), math.nan),
        box=torch.cat([low, high], 1),
        score=torch.tensor([hand.score for hand in hands]),
        side_score=torch.tensor([1.0 if hand.side else 0.5 for hand in hands]),
    )


def _wrong_keypoints(entry) -> SesaHandError:
    return SesaHandError(f"keypoints has {quote(entry)}, expected {FORMS}.")


def _from_json(value, name: str):
    if not isinstance(value, str):
        return value
    try:
        if len(value) > MAX_TEXT:
            raise ValueError(f"it has {len(value)} characters")
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise SesaHandError(f"{name} is {quote(value)}, which is no JSON ({error!s:.80}).") from error


def _is_numbers(value, count: int) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == count
        and all(type(number) in (int, float) and abs(number) <= LARGEST_COORDINATE for number in value)
    )


def _is_frame(value) -> bool:
    return type(value) is int and 0 <= value < MAX_HANDS
