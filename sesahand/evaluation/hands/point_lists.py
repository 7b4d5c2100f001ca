"""Hands as FreiHAND's and HO-3D's evaluations take them: one right hand a picture, points as lists in JSON.

A prediction is `[xyz, verts]`: 21 joints and the vertices of each picture, metres, in the camera's frame. The truth is
a folder with `evaluation_xyz.json`, and beside it, if they are there, `evaluation_verts.json`, `evaluation_K.json`
(camera matrices) and `evaluation/rgb/00000000.jpg`; or the same with `training`. A file of joints alone is read too.

Source: pred.py and eval.py of the repositories lmb-freiburg/freihand and shreyashampali/ho3d.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...errors import InvalidFileError
from ...files.folders import inside, is_file
from ...files.reading import read_bytes
from ...hands.mano import MANO_NAME
from ...reconstruct.landmarks import NUM_KEYPOINTS
from ...render.rasterizer import NEAR
from .conventions import PointConvention
from .hand_set import FARTHEST_METRES, HandSet, SeenPicture
from .number_lists import read_number_lists

# HO-3D's twenty thousand meshes of three times 778 numbers are the largest of these files.
MAX_LIST_BYTES = 1 << 30
PARTS = ("evaluation", "training")
NUM_MANO_VERTICES = 778


def hands_of_lists(data: bytes, source: str, convention: PointConvention) -> HandSet:
    """Return the hands of JSON: `[xyz, verts]`, or `xyz` alone.

    Args:
        data: The text of the lists.
        source: Name of their file.
        convention: Of the joints and axes.

    Raises:
        InvalidFileError: If the lists are of another shape or hold anything but finite numbers.
    """
    xyz, *others = read_number_lists(data, source)
    keypoints = _points(xyz, f"{source}: xyz")
    if keypoints.shape[1:] != (NUM_KEYPOINTS, 3):
        raise InvalidFileError(
            f"{source}: xyz has the shape {list(keypoints.shape)}, expected [pictures, {NUM_KEYPOINTS}, 3]."
        )
    vertices = _points(others[0], f"{source}: verts") if others and len(others[0]) else None
    return _hand_set(source, convention, keypoints, vertices, None, [None] * len(keypoints), named=False)


def hands_of_list_folder(folder: Path, convention: PointConvention) -> HandSet:
    """Return the hands of a folder as FreiHAND unpacks its annotations.

    Raises:
        InvalidFileError: If a file is missing, too large, or holds something else.
    """
    part = list_part(folder)
    keypoints = _points(_read(folder, f"{part}_xyz.json"), f"{folder / part}_xyz.json")
    vertices = cameras = None
    if is_file(folder / f"{part}_verts.json"):
        vertices = _points(_read(folder, f"{part}_verts.json"), f"{folder / part}_verts.json")
    if is_file(folder / f"{part}_K.json"):
        cameras = _points(_read(folder, f"{part}_K.json"), f"{folder / part}_K.json")
        if cameras.shape != (len(keypoints), 3, 3):
            raise InvalidFileError(f"{folder / part}_K.json has the shape {list(cameras.shape)}, expected [N, 3, 3].")
    files = [_picture(folder, part, number) for number in range(len(keypoints))]
    return _hand_set(str(folder), convention, keypoints, vertices, cameras, files, named=True)


def _picture(folder: Path, part: str, number: int) -> Path | None:
    """Return where a picture should be, or None where a link leads elsewhere, as of pictures of COCO files."""
    try:
        return inside(folder, part, "rgb", f"{number:08d}.jpg")
    except InvalidFileError:
        return None


def list_part(folder: Path) -> str:
    """Return which of FreiHAND's parts a folder holds the joints of; an empty text if none."""
    return next((part for part in PARTS if is_file(folder / f"{part}_xyz.json")), "")


def _hand_set(source, convention: PointConvention, keypoints, vertices, cameras, files, named: bool) -> HandSet:
    count = len(keypoints)
    if keypoints.shape[1:] != (NUM_KEYPOINTS, 3):
        raise InvalidFileError(f"{source}: joints have the shape {list(keypoints.shape)}, expected [pictures, 21, 3].")
    if vertices is not None and (len(vertices) != count or vertices.shape[2] != 3):
        raise InvalidFileError(
            f"{source}: vertices have the shape {list(vertices.shape)}, expected [{count}, vertices, 3]: those of as "
            "many pictures as there are joints of."
        )
    points = convention.keypoints(keypoints)
    number = 0 if vertices is None else vertices.shape[1]
    return HandSet(
        source=source,
        pictures=tuple(SeenPicture(f"{number:08d}", None, file) for number, file in enumerate(files)),
        frame=torch.arange(count),
        side=("right",) * count,
        score=torch.ones(count, dtype=torch.float64),
        keypoints_3d=points,
        keypoints_2d=_project(points, cameras),
        vertices=None if vertices is None else convention.points(vertices).float(),
        mesh={0: "", NUM_MANO_VERTICES: MANO_NAME}.get(number, f"{number} vertices"),
        named=named,
    )


def _project(points: Tensor, cameras: Tensor | None) -> Tensor:
    """Return pixels `[N, 21, 2]` of points `[N, 21, 3]` by camera matrices `[N, 3, 3]`, NaN without a camera."""
    if cameras is None:
        return torch.full((*points.shape[:2], 2), torch.nan, dtype=points.dtype)
    seen = points @ cameras.mT
    return torch.where(points[..., 2:] > NEAR, seen[..., :2] / seen[..., 2:], torch.nan)


def _read(folder: Path, name: str) -> np.ndarray:
    path = inside(folder, name)
    array, *others = read_number_lists(read_bytes(path, MAX_LIST_BYTES), str(path))
    if others:
        raise InvalidFileError(f"{path} holds two lists of hands; expected numbers [pictures, points, 3].")
    return array


def _points(array: np.ndarray, label: str) -> Tensor:
    """Return an array as float64 `[N, P, C]` of finite numbers."""
    array = array if len(array) else np.zeros((0, NUM_KEYPOINTS, 3))
    # Written so that NaN, which no comparison is true of, is refused.
    if not (np.abs(array) < (FARTHEST_METRES if array.shape[1:] != (3, 3) else np.inf)).all():
        raise InvalidFileError(f"{label} holds points farther than {FARTHEST_METRES:g} metres; expected metres.")
    return torch.from_numpy(array)
