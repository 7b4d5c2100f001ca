"""Hands as annotations of a COCO file: keypoints in the picture, and joints in the camera's frame where they are told.

Read are `keypoints` of 21 points (COCO's x, y, v; v of 0 says unknown), or COCO-WholeBody's `lefthand_kpts` and
`righthand_kpts`; the side as `is_right` (this project's export) or `hand_type` (MMPose's RHD and InterHand files); and
`joint_cam`, in millimetres as there, or in metres as this project's and InterWild's files have it. A hand without any
known point is not annotated, and is none.

Source: the COCO data format, COCO-WholeBody, and MMPose's data sets of hands.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InvalidFileError, SesaHandError, quote
from ...files.folders import inside, is_file
from ...files.names import to_file_name
from ...reconstruct.landmarks import NUM_KEYPOINTS
from ...scene.camera import MAX_SIZE
from .conventions import PointConvention
from .hand_set import UNKNOWN_SIDE, HandSet, SeenPicture

# Of what a file becomes in memory.
MAX_COCO_BYTES = 2 << 30
LONGEST_NAME, MOST_FOLDERS = 1024, 16
# The two hands of COCO-WholeBody's people.
BOTH = (("left", "lefthand_kpts"), ("right", "righthand_kpts"))
# No hand spans a metre, and none ten millimetres only.
LONGEST_METRES = 1.0
FARTHEST_PIXEL = 1e7


def is_coco(data: Any) -> bool:
    """Return whether parsed JSON is a COCO file."""
    return isinstance(data, dict) and isinstance(data.get("images"), list) and isinstance(data.get("annotations"), list)


def hands_of_coco(data: dict, path: Path, convention: PointConvention) -> HandSet:
    """Return the hands of a COCO file.

    Args:
        data: What the file holds, parsed.
        path: The file; pictures are looked for beside it, and in `images` beside it.
        convention: Order of the joints and direction of the axes.

    Raises:
        InvalidFileError: If something is missing, or is of another shape or kind.
    """
    pictures, numbers = _pictures(data["images"], path)
    rows = []
    for index, annotation in enumerate(data["annotations"]):
        label = f"{path}: annotation {index}"
        frame = numbers.get(_id(annotation, "image_id", label))
        if frame is None:
            raise InvalidFileError(
                f"{label} is of the picture {quote(annotation['image_id'])}, which is not in images."
            )
        rows += [(frame, *hand) for hand in _hands(annotation, label)]
    known = [row for row in rows if not bool(row[2].isnan().all() and row[3].isnan().all())]
    empty = torch.zeros(0, NUM_KEYPOINTS, 3, dtype=torch.float64)
    return HandSet(
        source=str(path),
        pictures=pictures,
        frame=torch.tensor([row[0] for row in known], dtype=torch.long),
        side=tuple(row[1] for row in known),
        score=torch.tensor([row[4] for row in known], dtype=torch.float64),
        keypoints_2d=convention.keypoints(torch.stack([row[2] for row in known]) if known else empty[..., :2]),
        keypoints_3d=convention.keypoints(torch.stack([row[3] for row in known]) if known else empty),
    )


def _pictures(images: list, path: Path) -> tuple[tuple[SeenPicture, ...], dict[Any, int]]:
    """Return the pictures, and the place of each id."""
    pictures, numbers = [], {}
    for index, image in enumerate(images):
        label = f"{path}: picture {index}"
        number = _id(image, "id", label)
        name = image.get("file_name")
        if not isinstance(name, str) or not name or number in numbers:
            raise InvalidFileError(
                f"{label}: file_name is {quote(name)} and id {quote(number)}; expected a name, and an id of its own."
            )
        numbers[number] = index
        pictures.append(SeenPicture(to_file_name(Path(name).stem), _size(image, label), _file(path.parent, name)))
    return tuple(pictures), numbers


def _id(value: Any, name: str, label: str) -> int | str:
    if not isinstance(value, dict) or type(value.get(name)) not in (int, str):
        raise InvalidFileError(f"{label} has no {name}; expected COCO's objects with a whole number or a text there.")
    return value[name]


def _size(image: dict, label: str) -> tuple[int, int] | None:
    size: Any = (image.get("width"), image.get("height"))
    if size == (None, None):
        return None
    if not all(type(side) is int and 1 <= side <= MAX_SIZE for side in size):
        raise InvalidFileError(f"{label}: width and height are {quote(size)}, expected pixels from 1 to {MAX_SIZE}.")
    return size


def _file(folder: Path, name: str) -> Path | None:
    """Return where a picture is, beside the file or in `images`, or None: names that lead elsewhere lead nowhere."""
    if len(name) > LONGEST_NAME or name.count("/") > MOST_FOLDERS:
        return None
    for parts in (name.split("/"), ["images", *name.split("/")]):
        try:
            found = inside(folder, *parts)
        except SesaHandError:
            return None
        if is_file(found):
            return found
    return None


def _hands(annotation: dict, label: str) -> Iterator[tuple[str, Tensor, Tensor, float]]:
    """Yield side, pixels `[21, 2]`, joints `[21, 3]` in metres and score of the hands of an annotation."""
    score = annotation.get("score", 1.0)
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise InvalidFileError(f"{label}: score is {quote(score)}, expected 0 to 1.")
    points = _numbers(annotation.get("keypoints"), f"{label}: keypoints")
    if points is not None and points.size == 3 * NUM_KEYPOINTS:
        joints = _metres(annotation.get("joint_cam"), f"{label}: joint_cam")
        yield _side(annotation), _pixels(points, label), joints, float(score)
        return
    sides = [(side, _numbers(annotation.get(name), f"{label}: {name}")) for side, name in BOTH]
    if all(points is None for _, points in sides):
        raise InvalidFileError(
            f"{label} has no hand: expected keypoints of {NUM_KEYPOINTS} points, or lefthand_kpts and righthand_kpts."
        )
    for side, points in sides:
        if points is not None:
            yield side, _pixels(points, label), _metres(None, label), float(score)


def _side(annotation: dict) -> str:
    if annotation.get("is_right") in (0, 1):
        return "right" if annotation["is_right"] else "left"
    named = annotation.get("hand_type")
    return named if named in ("right", "left") else UNKNOWN_SIDE


def _numbers(value: Any, label: str) -> np.ndarray | None:
    if value is None:
        return None
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, OverflowError):
        array = np.array("")
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise InvalidFileError(f"{label} is {quote(value)}, expected finite numbers.")
    return array.astype(np.float64)


def _pixels(points: np.ndarray, label: str) -> Tensor:
    if points.size != 3 * NUM_KEYPOINTS or np.abs(points).max() > FARTHEST_PIXEL:
        raise InvalidFileError(
            f"{label}: a hand has {points.size} numbers, expected {3 * NUM_KEYPOINTS}: x, y in pixels, and v, each."
        )
    points = points.reshape(NUM_KEYPOINTS, 3)
    return torch.from_numpy(np.where(points[:, 2:] > 0, points[:, :2], np.nan))


def _metres(value: Any, label: str) -> Tensor:
    joints = _numbers(value, label)
    if joints is None:
        return torch.full((NUM_KEYPOINTS, 3), math.nan, dtype=torch.float64)
    if joints.shape != (NUM_KEYPOINTS, 3):
        raise InvalidFileError(f"{label} has the shape {list(joints.shape)}, expected [{NUM_KEYPOINTS}, 3].")
    longest = float(np.ptp(joints, axis=0).max())
    return torch.from_numpy(joints if longest < LONGEST_METRES else joints / 1000)
