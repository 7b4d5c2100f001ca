"""Hands that something else found: boxes, masks and keypoints in the forms in which other nodes and tools give them."""

import json
import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...errors import SesaHandError, quote
from ...files.reading import MAX_PARSED_BYTES, parsed_size
from ...scene.bounding_boxes import is_bounding_boxes, read_bounding_boxes
from ...scene.hand_scene import SIDES
from ...scene.mask_regions import find_regions
from ..landmarks import NUM_KEYPOINTS, HandLandmarks

MAX_HANDS = 4096
MAX_TEXT = 16 * 2**20
LARGEST_COORDINATE = 1e6
# OpenPose's names, seen from the person.
OPENPOSE_HANDS = {"right": "hand_right_keypoints_2d", "left": "hand_left_keypoints_2d"}
# Of OpenPose's body points, 18 or 25, and by how much (in sizes of the hand) a hand must be nearer to one of them
# than to the other.
BODY_WRISTS = {"right": 4, "left": 7}
CLEARLY_NEARER = 0.25
BODY_POINTS = 18
FACE_POINTS = 70
FACE_SIZES = (68, FACE_POINTS)
# Points of a face among OpenPose's 68 or 70, and among the body's 18 or 25, whose ears and eyes have other numbers.
FACE_NAMES = {"right jaw": 0, "left jaw": 16, "chin": 8, "nose root": 27}
HEAD_NAMES = {
    18: {"right eye": 14, "left eye": 15, "right ear": 16, "left ear": 17},
    25: {"right eye": 15, "left eye": 16, "right ear": 17, "left ear": 18},
}
# DWPose drops points it is less sure of; SDPose hands them on.
LEAST_CONFIDENCE = 0.3
# A hand of which fewer points than these are sure is none.
LEAST_SURE = 4
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


def read_boxes(value, num_frames: int = 1) -> list[HandBox]:
    """Read boxes as Render Hand Depth & Maps writes them, plain ones, or core's BOUNDING_BOX.

    Args:
        value: JSON, or what it stands for: a list of {"frame", "side", "box"} of which only "box" must be there, or of
            [x0, y0, x1, y1], or one such box. Boxes of only zeros stand for hands that are not seen and are left out.
            Or {"x", "y", "width", "height"}, a list of these, or such a list for each picture.
        num_frames: How many pictures there are; BOUNDING_BOX that does not say which picture it is for is for all.

    Raises:
        SesaHandError: If it is something else.
    """
    entries = _from_json(value, "boxes")
    if is_bounding_boxes(entries):
        lists = read_bounding_boxes(entries, num_frames)
        return [HandBox(frame, box.edges, box.side) for frame, own in enumerate(lists) for box in own]
    if _is_numbers(entries, 4):
        entries = [entries]
    if not isinstance(entries, list) or len(entries) > MAX_HANDS:
        raise _wrong_boxes(entries)
    boxes = [_read_box(entry) for entry in entries]
    return [box for box in boxes if any(box.box)]


def _read_box(entry) -> HandBox:
    record = entry if isinstance(entry, dict) else {"box": entry}
    box: Any = record.get("box")
    frame, side = record.get("frame", 0), record.get("side")
    if not _is_numbers(box, 4) or not _is_frame(frame) or side not in (None, *SIDES):
        raise _wrong_boxes(entry)
    if any(box) and not (box[0] + 1 <= box[2] and box[1] + 1 <= box[3]):
        raise SesaHandError(f"The box {quote(box)} is smaller than a pixel; expected left, top, right, bottom.")
    left, top, right, bottom = (float(number) for number in box)
    return HandBox(frame, (left, top, right, bottom), side)


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


def read_keypoints(
    value, width: int, height: int, num_frames: int = 1, least_confidence: float = LEAST_CONFIDENCE
) -> HandLandmarks:
    """Read the keypoints of hands that something else found.

    Whether a hand of POSE_KEYPOINT is the right or the left one is not taken from its name: of the nodes in use, some
    call the left hand right. The wrist of the body that it is at decides. Hands that are at none follow those that
    are, since a node errs always or never; if no hand is, the name stands with a side_score of 0.5, and `settle_sides`
    looks at the points.

    Args:
        value: JSON, or what it stands for. POSE_KEYPOINT as the nodes of controlnet_aux give it: one dictionary per
            picture with "people" (pixels of "canvas_width" by "canvas_height", or parts of it); or a list of hands
            with "keypoints" ([x, y] or [x, y, confidence], 21 of them, in pixels), and if known "frame", "side" and
            "score"; or 21 points, a hand in the first picture. An unknown side counts as right, with a side_score of
            0.5. Points of confidence 0 are unknown; hands without any known point are left out.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        num_frames: How many pictures there are.
        least_confidence: Points of less confidence are unknown, too, and a hand that keeps fewer than `LEAST_SURE` of
            them is left out.

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
    found: list[_Hand | None]
    if is_pose_keypoints(entries):
        named = [
            hand
            for frame, entry in enumerate(entries)
            for hand in _openpose_hands(entry, frame, width, height, least_confidence)
        ]
        found = [*_follow_the_others(named)]
    elif len(entries) == NUM_KEYPOINTS and not any(isinstance(entry, dict) for entry in entries):
        found = [_hand_of(entries, 0, None, 1.0, least_confidence)]
    else:
        found = [_read_hand(entry, least_confidence) for entry in entries]
    return _to_landmarks([hand for hand in found if hand is not None], width, height, num_frames)


@dataclass(frozen=True, eq=False)
class Face:
    """What is known of a face.

    Attributes:
        frame: The picture it is in, from 0.
        points: Known points `[2]` in pixels by their names in `FACE_NAMES` and `HEAD_NAMES`.
    """

    frame: int
    points: dict[str, Tensor]


def read_faces(value, width: int, height: int, least_confidence: float = LEAST_CONFIDENCE) -> list[Face]:
    """Read the faces of POSE_KEYPOINT: those points of face and head from which their size can be told.

    Args:
        value: POSE_KEYPOINT, see `read_keypoints`; what `is_pose_keypoints` says yes to.
        width: Width of the pictures in pixels.
        height: Height of the pictures in pixels.
        least_confidence: Points of less confidence are unknown.
    """
    faces = []
    for frame, entry in enumerate(pictures_of(value)):
        canvas = [entry.get("canvas_width", width), entry.get("canvas_height", height)]
        people = entry.get("people", [])
        if not isinstance(people, list) or len(people) > MAX_HANDS or not (_is_numbers(canvas, 2) and min(canvas) > 0):
            raise _wrong_keypoints(entry)
        for person in people:
            body = _sure_points(person, "pose_keypoints_2d", canvas, width, height, least_confidence)
            face = _sure_points(person, "face_keypoints_2d", canvas, width, height, least_confidence)
            names = {name: body[index] for name, index in HEAD_NAMES.get(len(body), {}).items()}
            if len(face) in FACE_SIZES:
                names |= {name: face[index] for name, index in FACE_NAMES.items()}
            known = {name: point for name, point in names.items() if torch.isfinite(point).all()}
            if known:
                faces.append(Face(frame, known))
    return faces


def _sure_points(person, name: str, canvas: list[float], width: int, height: int, least_confidence: float) -> Tensor:
    """Return points `[K, 2]` of a person in pixels, NaN for unsure ones; none of what is not such a list."""
    numbers = person.get(name) if isinstance(person, dict) else None
    count = len(numbers) if isinstance(numbers, list | tuple) else 0
    if not count or count % 3 or not _is_numbers(numbers, count):
        return torch.zeros(0, 2)
    points = torch.tensor(numbers, dtype=torch.float32).view(-1, 3)
    sure = points[:, 2] >= max(least_confidence, 1e-6)
    return _in_pixels(torch.where(sure[:, None], points[:, :2], math.nan), canvas, width, height)


def pictures_of(value) -> list[dict]:
    """Return POSE_KEYPOINT as a list of pictures, also of one picture alone or of JSON text."""
    entries = _from_json(value, "keypoints")
    return [entries] if isinstance(entries, dict) else entries


def is_pose_keypoints(value) -> bool:
    """Return whether a value, or JSON text, is POSE_KEYPOINT: of pictures with people."""
    if isinstance(value, str):
        value = _from_json(value, "keypoints")
    entries = [value] if isinstance(value, dict) else value
    return (
        isinstance(entries, list)
        and bool(entries)
        and all(isinstance(entry, dict) and ("people" in entry or "animals" in entry) for entry in entries)
    )


@dataclass(frozen=True, eq=False)
class _Hand:
    frame: int
    side: str | None
    points: Tensor
    score: float
    side_score: float | None = None
    named: str | None = None


def _openpose_hands(entry: dict, frame: int, width: int, height: int, least_confidence: float) -> list[_Hand]:
    people, canvas = entry.get("people", []), [entry.get("canvas_width", width), entry.get("canvas_height", height)]
    if not isinstance(people, list) or len(people) > MAX_HANDS or not (_is_numbers(canvas, 2) and min(canvas) > 0):
        raise _wrong_keypoints(entry)
    hands = []
    for person in people:
        own = []
        for side, name in OPENPOSE_HANDS.items():
            numbers: Any = person.get(name) if isinstance(person, dict) else entry
            # Detectors leave out a hand that they did not see, or fill it with nulls.
            seen = any(number is not None for number in numbers) if isinstance(numbers, list | tuple) else numbers
            if seen:
                if not _is_numbers(numbers, 3 * NUM_KEYPOINTS):
                    raise _wrong_keypoints(numbers)
                triples = [numbers[3 * k : 3 * k + 3] for k in range(NUM_KEYPOINTS)]
                own.append(_scaled(_hand_of(triples, frame, side, None, least_confidence), canvas, width, height))
        wrists = _body_wrists(person, canvas, width, height, least_confidence)
        hands += _at_wrists([hand for hand in own if hand is not None], wrists)
    return hands


def _scaled(hand: _Hand | None, canvas: list[float], width: int, height: int) -> _Hand | None:
    if hand is None:
        return None
    return replace(hand, points=_in_pixels(hand.points, canvas, width, height))


def _in_pixels(points: Tensor, canvas: list[float], width: int, height: int) -> Tensor:
    parts = points.nan_to_num(0.0).abs().max() <= LARGEST_PART
    return points * (torch.tensor([width, height]) / (1.0 if parts else torch.tensor(canvas, dtype=torch.float32)))


def _body_wrists(person, canvas: list[float], width: int, height: int, least_confidence: float) -> dict[str, Tensor]:
    """Return the wrists `[2]` (pixels) of a person's body that are sure, by side; what is no body has none."""
    places = _sure_points(person, "pose_keypoints_2d", canvas, width, height, least_confidence)
    if len(places) < BODY_POINTS:
        return {}
    return {side: places[index] for side, index in BODY_WRISTS.items() if places[index].isfinite().all()}


def _at_wrists(hands: list[_Hand], wrists: dict[str, Tensor]) -> list[_Hand]:
    """Return a person's one or two hands with the sides of the wrists that they are at, where that is clear."""
    hands = [replace(hand, named=hand.side) for hand in hands]
    unsure = [replace(hand, side_score=0.5) for hand in hands]
    if len(wrists) < 2:
        return unsure
    # By how much (in sizes of the hand) each hand is nearer to the right wrist than to the left one.
    nearer = []
    for hand in hands:
        known = torch.isfinite(hand.points).all(-1)
        root = hand.points[0] if known[0] else hand.points[known].mean(0)
        size = (hand.points[known].amax(0) - hand.points[known].amin(0)).max().clamp(min=1.0)
        nearer.append(float(((root - wrists["left"]).norm() - (root - wrists["right"]).norm()) / size))
    # Two hands of one person are one of each.
    lead = nearer[0] - nearer[1] if len(hands) == 2 else sum(nearer)
    if abs(lead) < CLEARLY_NEARER:
        return unsure
    first = "right" if lead > 0 else "left"
    sides = (first, "left" if first == "right" else "right")
    return [replace(hand, side=side, side_score=1.0) for hand, side in zip(hands, sides, strict=False)]


def _follow_the_others(hands: list[_Hand]) -> list[_Hand]:
    """Return hands, those at no wrist named as the names of those at wrists turned out to be meant."""
    sure = [hand for hand in hands if hand.side_score == 1.0]
    if not sure:
        return hands
    swapped = sum(hand.side != hand.named for hand in sure) > len(sure) / 2
    other: dict[str | None, str] = {"right": "left", "left": "right"}
    return [
        hand
        if hand.side_score == 1.0
        else replace(hand, side=other[hand.named] if swapped else hand.named, side_score=0.9)
        for hand in hands
    ]


def _read_hand(entry, least_confidence: float) -> _Hand | None:
    if not isinstance(entry, dict):
        raise _wrong_keypoints(entry)
    frame, side, score = entry.get("frame", 0), entry.get("side"), entry.get("score", 1.0)
    if not _is_frame(frame) or side not in (None, *SIDES) or not (_is_numbers([score], 1) and 0 <= score <= 1):
        raise _wrong_keypoints(entry)
    return _hand_of(entry.get("keypoints"), frame, side, score, least_confidence)


def _hand_of(points, frame: int, side: str | None, score: float | None, least_confidence: float) -> _Hand | None:
    """Return a hand from 21 points; where no score is given it is the mean confidence of its known points."""
    fits = isinstance(points, list) and len(points) == NUM_KEYPOINTS
    if not fits or not all(_is_numbers(point, 2) or _is_numbers(point, 3) for point in points):
        raise _wrong_keypoints(points)
    confidence = torch.tensor([float(point[2]) if len(point) == 3 else 1.0 for point in points])
    located = torch.tensor([[float(point[0]), float(point[1])] for point in points])
    known = (confidence > 0) & (confidence >= least_confidence)
    dropped = (confidence > 0) & ~known
    if int(known.sum()) < (LEAST_SURE if dropped.any() else 1):
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
            f"keypoints has a hand in picture {int(frames.max())}, but there are {num_frames} (numbered from 0). "
            "Connect the image that the keypoints were found in."
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
        side_score=torch.tensor([_side_score(hand) for hand in hands]),
    )


def _side_score(hand: _Hand) -> float:
    return hand.side_score if hand.side_score is not None else (1.0 if hand.side else 0.5)


def write_keypoints(landmarks: HandLandmarks) -> list[dict]:
    """Return POSE_KEYPOINT of hands: for each picture its people, in pixels.

    A picture's only right and only left hand make one person; any others are a person each, as nobody knows whose they
    are. Confidences are 1 for known points and 0 for unknown ones: controlnet_aux drops every point below 1.

    Source: the JSON of OpenPose as controlnet_aux writes it, and ComfyUI's own SDPose nodes, which also ask for the
    points of body and face; they are all unknown here.
    """
    frames = []
    for frame in range(landmarks.num_frames):
        mine = [index for index, where in enumerate(landmarks.frame.tolist()) if where == frame]
        pair = sorted(landmarks.side[index] for index in mine) == ["left", "right"]
        people = [_person(landmarks, group) for group in ([mine] if pair else [[index] for index in mine])]
        frames.append({"people": people, "canvas_width": landmarks.width, "canvas_height": landmarks.height})
    return frames


def _person(landmarks: HandLandmarks, hands: list[int]) -> dict:
    person = {
        "pose_keypoints_2d": [0.0] * (3 * BODY_POINTS),
        "face_keypoints_2d": [0.0] * (3 * FACE_POINTS),
        **{name: [0.0] * (3 * NUM_KEYPOINTS) for name in OPENPOSE_HANDS.values()},
    }
    for hand in hands:
        points = landmarks.keypoints_2d[hand].detach().cpu().double()
        known = torch.isfinite(points).all(-1, keepdim=True)
        triples = torch.cat([torch.where(known, points, 0.0), known.double()], 1)
        person[OPENPOSE_HANDS[landmarks.side[hand]]] = triples.flatten().tolist()
    return person


def _wrong_keypoints(entry) -> SesaHandError:
    return SesaHandError(f"keypoints has {quote(entry)}, expected {FORMS}.")


def _from_json(value, name: str):
    if not isinstance(value, str):
        return value
    try:
        if len(value) > MAX_TEXT:
            raise ValueError(f"it has {len(value)} characters")
        if parsed_size(value) > MAX_PARSED_BYTES:
            raise ValueError("it holds too many values")
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise SesaHandError(
            f"{name} is {quote(value)}, which is no JSON ({error!s:.80}). Give text as a detector of hands or Render "
            "Hand Depth & Maps writes it."
        ) from error


def _is_numbers(value, count: int) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == count
        and all(type(number) in (int, float) and abs(number) <= LARGEST_COORDINATE for number in value)
    )


def _is_frame(value) -> bool:
    return type(value) is int and 0 <= value < MAX_HANDS
