"""MANO parameters as the hand reconstructors of the field write them.

HaMeR and WiLoR predict every hand as a right hand: the picture of a left hand is mirrored before the network sees it,
and the vertices are mirrored back afterwards. What they call a left hand's `global_orient` and `hand_pose` is therefore
the mirror image of that hand's own rotations. WiLoR-mini and data sets such as InterHand2.6M store left hands' own
rotations instead. Which of the two cannot be told from the numbers, so the reader asks.

Source: demo.py and renderer.py of HaMeR and WiLoR; the file layouts are what their demos and wrappers save.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InvalidFileError, SesaHandError, quote
from ..files.arrays import read_npz
from ..files.reading import parse_json, read_bytes
from ..hands.model import NUM_BETAS, NUM_JOINTS, HandModel
from ..hands.rotations import axis_angle_to_matrix, matrix_to_axis_angle, mirror_rotation
from .camera import MAX_SIZE, Camera
from .hand_scene import MAX_FRAMES, MAX_HANDS, SIDES, HandScene
from .scene_files import MAX_JSON_BYTES, check_rotations

# Our name, and the names that go for it, the most specific first.
NAMES = {
    "global_orient": ("global_orient",),
    "hand_pose": ("hand_pose", "mano_pose", "pose"),
    "betas": ("betas", "shape"),
    "translation": ("pred_cam_t_full", "cam_t_full", "cam_t", "pred_cam_t", "transl", "trans"),
    "is_right": ("is_right", "right"),
    "focal_length": ("scaled_focal_length", "focal_length", "focal"),
    "image_size": ("img_size", "image_size"),
    "frame": ("frame",),
    "score": ("score", "conf"),
}
NESTED = ("pred_mano_params", "wilor_preds", "mano_params")
LEFT_CONVENTIONS = ("mirrored", "own")
MEAN_POSES = ("included", "left out")
# Of the picture of no hands, where nothing tells it.
NO_SIZE = (512, 512)


def read_mano_parameters(
    source: str | Path | Mapping[str, Any] | Sequence[Mapping[str, Any]],
    model: HandModel,
    lefts: str = "mirrored",
    image_size: tuple[int, int] | None = None,
    mean_pose: str = MEAN_POSES[0],
) -> HandScene:
    """Read the output of HaMeR, WiLoR or a wrapper around them as a hand scene.

    Args:
        source: An ".npz" or ".json" file, a dictionary, or a list of dictionaries with one hand each. Read are
            `global_orient` and `hand_pose` (matrices or axis-angle; 48 numbers hold both), `betas`, `is_right` (or
            `right`), the translation in the whole picture's camera (`pred_cam_t_full` or `cam_t`), its focal length in
            pixels (`scaled_focal_length` or `focal_length`) and the picture's `img_size` (width, height); also inside
            `pred_mano_params` or `wilor_preds`. `frame` and `score` are optional.
        model: The hand the parameters are for. Betas only mean the same hand with MANO itself.
        lefts: How left hands are stored: "mirrored" as the right hands that HaMeR's and WiLoR's networks predict, or
            "own" as MANO_LEFT takes them (WiLoR-mini, most data sets).
        image_size: Width and height in pixels where the source does not tell.
        mean_pose: "included" if zero rotations are the flat hand, as HaMeR and WiLoR write them; "left out" if they are
            MANO's mean pose, which is to be added (smplx's default, InterHand2.6M and other data sets): about 12 mm at
            the finger tips. Numbers alone do not tell which.

    Returns:
        A scene whose left hands have their own rotations, as everywhere in this library. A source that lists no hands
        gives a scene of one frame without any.

    Raises:
        InvalidFileError: If something is missing or has a shape that none of these programs write.
        SesaHandError: If `lefts` or `mean_pose` is not one of the two, or the model has no mean pose to be added.
    """
    if mean_pose not in MEAN_POSES:
        raise SesaHandError(f"mean_pose must be 'included' or 'left out', got {quote(mean_pose)}.")
    if mean_pose != MEAN_POSES[0] and not bool(model.pose_mean.any()):
        raise SesaHandError(
            f"The mean pose that the file leaves out is MANO's, and the hand model {model.name!r} has none: take MANO, "
            "from Load MANO Hand Model."
        )
    if lefts not in LEFT_CONVENTIONS:
        raise SesaHandError(f"lefts must be 'mirrored' or 'own', got {lefts!r}.")
    label, data = _load(source)
    if _is_empty(data):
        width, height = image_size or NO_SIZE
        return HandScene.empty(model, Camera.hamer(width, height))
    values = _columns(data, label)
    pose = _rotations(values, label)
    count = len(pose)
    is_right = torch.from_numpy(_ranged(_sized(values, "is_right", count, (), label), 0, 1, f"{label}: is_right")) > 0.5
    left = ~is_right[:, None, None, None]
    if mean_pose != MEAN_POSES[0]:
        # It is that of a right hand; a left hand that has its own rotations is mirrored for it, and back.
        pose = torch.where(left, mirror_rotation(pose), pose) if lefts == "own" else pose
        pose = _with_mean(pose, model)
        pose = torch.where(left, mirror_rotation(pose), pose) if lefts == "own" else pose
    if lefts == "mirrored":
        pose = torch.where(left, mirror_rotation(pose), pose)
    frame = torch.from_numpy(_whole(_sized(values, "frame", count, (), label, 0), 0, MAX_FRAMES, f"{label}: frame"))
    score = torch.from_numpy(_ranged(_sized(values, "score", count, (), label, 1), 0, 1, f"{label}: score"))
    try:
        return HandScene(
            model=model,
            camera=_camera(values, image_size, label),
            num_frames=int(frame.max()) + 1,
            frame=frame,
            side=tuple(SIDES[0] if right else SIDES[1] for right in is_right.tolist()),
            global_orient=pose[:, 0].float(),
            hand_pose=pose[:, 1:].float(),
            betas=torch.from_numpy(_sized(values, "betas", count, (NUM_BETAS,), label)).float(),
            translation=torch.from_numpy(_sized(values, "translation", count, (3,), label)).float(),
            score=score.float(),
        )
    except InvalidFileError:
        raise
    except SesaHandError as error:
        raise InvalidFileError(f"{label}: {error}") from error


def _with_mean(pose: Tensor, model: HandModel) -> Tensor:
    """Return rotations `[N, 16, 3, 3]` of right hands with MANO's mean pose added to the joints, as MANO adds it."""
    mean = model.pose_mean.to(pose).unflatten(-1, (NUM_JOINTS - 1, 3))
    joints = axis_angle_to_matrix(matrix_to_axis_angle(pose[:, 1:]) + mean)
    return torch.cat([pose[:, :1], joints], 1)


def _is_empty(data: Any) -> bool:
    """Tell whether a source says that there are no hands: an empty list, or arrays over none."""
    if isinstance(data, Mapping):
        values = [data[name] for name in ("betas", "hand_pose") if name in data]
        return bool(values) and all(_is_nothing(value) for value in values)
    return _is_nothing(data)


def _is_nothing(value: Any) -> bool:
    if isinstance(value, np.ndarray | Tensor):
        return tuple(value.shape[:1]) == (0,)
    return isinstance(value, Sequence) and not isinstance(value, str | bytes) and not len(value)


def _load(source) -> tuple[str, Any]:
    if not isinstance(source, str | Path):
        return "The MANO parameters", source
    path = Path(source)
    if path.suffix.lower() == ".npz":
        return str(path), read_npz(path)
    if path.suffix.lower() == ".json":
        return str(path), parse_json(read_bytes(path, MAX_JSON_BYTES), str(path))
    raise InvalidFileError(f"{path!s:.200} is not a file of MANO parameters by its name: expected .npz or .json.")


def _columns(data: Any, label: str) -> dict[str, np.ndarray]:
    """Return the quantities under our names; a list of hands becomes one array per quantity."""
    if isinstance(data, Mapping):
        return _named(data, label)
    if not isinstance(data, Sequence) or isinstance(data, str | bytes) or len(data) > MAX_HANDS:
        raise InvalidFileError(f"{label} holds a {type(data).__name__}, expected a dictionary or a list of them.")
    rows = [_named(row, f"{label}: hand {index}") for index, row in enumerate(data)]
    if any(row.keys() != rows[0].keys() for row in rows):
        raise InvalidFileError(
            f"{label}: the hands of the list do not have the same fields: give each what the others have."
        )
    for name in rows[0]:
        if len({row[name].size for row in rows}) > 1:
            raise InvalidFileError(
                f"{label}: {name} differs in size between the hands of the list: give each as many numbers."
            )
    return {name: np.stack([row[name].ravel() for row in rows]) for name in rows[0]}


def _named(data: Any, label: str) -> dict[str, np.ndarray]:
    if not isinstance(data, Mapping):
        raise InvalidFileError(f"{label} is a {type(data).__name__}, expected a dictionary.")
    flat = {key: value for key, value in data.items() if key not in NESTED}
    for key in NESTED:
        if isinstance(data.get(key), Mapping):
            flat.update(data[key])
    found = {}
    for name, aliases in NAMES.items():
        alias = next((alias for alias in aliases if flat.get(alias) is not None), None)
        if alias is not None:
            found[name] = _numeric(flat[alias], f"{label}: {alias}")
    return found


def _numeric(value: Any, label: str) -> np.ndarray:
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    try:
        given = np.asarray(value)
        array = given.astype(np.float64) if given.dtype.kind in "fiub" else None
    except (ValueError, TypeError, OverflowError):
        array = None
    if array is None or not np.isfinite(array).all():
        raise InvalidFileError(f"{label} does not hold finite numbers: leave that hand out, or save it again.")
    return array


def _rotations(values: dict[str, np.ndarray], label: str) -> Tensor:
    """Return the root's and the joints' rotations together, `[N, 16, 3, 3]`."""
    if "hand_pose" not in values:
        raise InvalidFileError(
            f"{label} has no 'hand_pose' and is no hand scene either. MANO parameters are hand_pose, betas, is_right, "
            "cam_t and, beside hand_pose, global_orient; save them as HaMeR's or WiLoR's demo names them."
        )
    sizes = {3: "axis-angle", 9: "matrices"}
    count = _count(values, label)
    parts = [values[name].reshape(count, -1) for name in ("global_orient", "hand_pose") if name in values]
    joined = []
    for part, name in zip(parts, ("global_orient", "hand_pose")[-len(parts) :], strict=True):
        joints = 1 if name == "global_orient" else NUM_JOINTS - 1 + (len(parts) == 1)
        size = part.shape[1] // joints
        if size not in sizes or part.shape[1] != joints * size:
            raise InvalidFileError(
                f"{label}: {name} has {part.shape[1]} numbers per hand, expected {3 * joints} (axis-angle) or "
                f"{9 * joints} (matrices){'' if len(parts) > 1 else ' with the global orientation first'}."
            )
        rotation = torch.from_numpy(part.copy()).unflatten(1, (joints, *((3, 3) if size == 9 else (3,))))
        joined.append(rotation if size == 9 else axis_angle_to_matrix(rotation))
    rotations = torch.cat(joined, 1)
    check_rotations(rotations, f"{label}: 'hand_pose' or 'global_orient'")
    return rotations


def _count(values: dict[str, np.ndarray], label: str) -> int:
    """Return the number of hands, which the betas tell without doubt: ten numbers a hand."""
    betas = values.get("betas")
    if betas is None or not betas.size or betas.size % NUM_BETAS or betas.size > MAX_HANDS * NUM_BETAS:
        raise InvalidFileError(
            f"{label}: 'betas' must hold {NUM_BETAS} numbers per hand, of 1 to {MAX_HANDS} hands, got "
            f"{0 if betas is None else betas.size}."
        )
    count = betas.size // NUM_BETAS
    for name in ("global_orient", "hand_pose"):
        if name in values and values[name].size % count:
            raise InvalidFileError(
                f"{label}: {name} has shape {values[name].shape}, which does not fit {count} hands, as many as its "
                "betas are of."
            )
    return count


def _sized(
    values: dict[str, np.ndarray], name: str, count: int, shape: tuple[int, ...], label: str,
    default: float | None = None,
) -> np.ndarray:  # fmt: skip
    if name not in values:
        if default is None:
            raise InvalidFileError(f"{label} has none of the fields {', '.join(NAMES[name])}.")
        return np.full((count, *shape), float(default))
    if values[name].size != count * int(np.prod(shape)):
        raise InvalidFileError(
            f"{label}: {name} has shape {values[name].shape}, expected {list((count, *shape))} for {count} hands."
        )
    return values[name].reshape(count, *shape)


def _ranged(array: np.ndarray, low: float, high: float, label: str) -> np.ndarray:
    wrong = array[(array < low) | (array > high)]
    if wrong.size:
        raise InvalidFileError(f"{label} is {wrong.flat[0]:.15g}, expected {low} to {high}.")
    return array


def _whole(array: np.ndarray, low: int, high: int, label: str) -> np.ndarray:
    wrong = array[(array < low) | (array > high) | (array != np.round(array))]
    if wrong.size:
        raise InvalidFileError(f"{label} is {wrong.flat[0]:.15g}, expected a whole number from {low} to {high}.")
    return array.astype(np.int64)


def _camera(values: dict[str, np.ndarray], image_size: tuple[int, int] | None, label: str) -> Camera:
    """Return the one camera that all hands were seen by."""
    if image_size is None:
        sizes = values.get("image_size", np.zeros(0)).reshape(-1)
        if sizes.size < 2 or sizes.size % 2 or (sizes.reshape(-1, 2) != sizes[:2]).any():
            raise InvalidFileError(
                f"{label} does not tell one picture size. Give the width and height of the picture that was analysed: "
                "Load Hands' width and height, or image_size in Python."
            )
        image_size = tuple(_whole(sizes[:2], 1, MAX_SIZE, f"{label}: image size").tolist())
    width, height = image_size
    if "focal_length" not in values:
        return Camera.hamer(width, height)
    focal = values["focal_length"].ravel()
    if not focal.size or (np.abs(focal - focal[0]) > 1e-3 * np.abs(focal[0])).any():
        raise InvalidFileError(
            f"{label}: the focal length differs between hands: {focal[:4].tolist()}; hands of one scene share a "
            "camera. Save each picture on its own."
        )
    return Camera(float(focal[0]), (width / 2, height / 2), width, height)
