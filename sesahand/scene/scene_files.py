"""Hand scenes as files: JSON for people, npz for programs. Both keep every bit of the numbers.

JSON, version 1 (lengths in metres, angles in radians, picture sizes in pixels)::

    {"format": "sesahand-hands", "version": 1,
     "frame_of_reference": "camera: x right, y down, z forward", "units": "metres, radians, pixels",
     "hand_model": "sesahand-cc0", "dtype": "float32", "num_frames": 1,
     "camera": {"focal_length": 703.3, "principal_point": [256.0, 256.0], "width": 512, "height": 512},
     "hands": [{"frame": 0, "side": "right", "score": 1.0, "translation": [0.0, 0.0, 0.5],
                "global_orient": [[...], [...], [...]], "betas": [10 numbers], "hand_pose": [15 rotations]}]}

Rotations are written as 3x3 matrices, because axis-angle would not come back bit by bit; on reading, a rotation may be
a matrix or an axis-angle vector of three numbers. `frame`, `score` and `betas` may be left out (0, 1 and zeros).

Hands that hold something add `objects`, and only they::

     "objects": [{"kind": "sphere", "hand": 0, "size": 1.0, "position": [0.0, -0.05, 0.0], "orient": [[...], ...]}]

each in the hand of that number, one a hand at most, from its wrist joint and in the frame that its `global_orient`
turns. One with a surface of the user's in its place has a number `mesh`, which counts in a list of their own: vertices
float32 `[V, 3]` in metres and faces uint16 `[T, 3]`, little endian, in base64::

     "meshes": [{"name": "bottle.glb", "vertices": "...", "faces": "..."}]

An editor's text may also hold `taken_from`: at most 128 characters that say which hands the scene began as. It is the
editor's own note; nothing here reads more of it than that it is one, and scenes are written without it.
"""

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InvalidFileError, SesaHandError
from ..files.arrays import read_npz
from ..files.names import check_file_name
from ..files.reading import parse_json, read_bytes
from ..files.writing import write_bytes
from ..hands.loading import BUILTIN, load_hand_model
from ..hands.model import NUM_BETAS, NUM_JOINTS, HandModel
from ..hands.object_mesh import ObjectMesh
from ..hands.rotations import axis_angle_to_matrix
from .camera import MAX_SIZE, Camera
from .hand_scene import MAX_FRAMES, MAX_HANDS, SIDES, HandScene
from .held_object import HeldObject

FORMAT, VERSION = "sesahand-hands", 1
FRAME_OF_REFERENCE = "camera: x right, y down, z forward"
UNITS = "metres, radians, pixels"
DTYPES = {"float32": torch.float32, "float64": torch.float64}
# Parsed JSON takes some thirty times its size in memory.
MAX_JSON_BYTES = 16 * 2**20
# A hand takes a thousand letters at least.
MAX_HANDS_IN_JSON = MAX_JSON_BYTES // 1000
MAX_TAKEN_FROM = 128
ROTATION_TOLERANCE = 1e-3

HEADER_FIELDS = ("format", "version", "hand_model", "num_frames", "camera")
HEADER_OPTIONS = ("frame_of_reference", "units", "dtype", "objects", "meshes")
TEXT_OPTIONS = (*HEADER_OPTIONS, "taken_from")
HAND_FIELDS = ("side", "translation", "global_orient", "hand_pose")
HAND_OPTIONS = ("frame", "score", "betas")
SCENE_ARRAYS = ("header", "is_right", *HandScene.ARRAYS)
OBJECT_FIELDS = ("kind", "hand", "position", "orient")
OBJECT_OPTIONS = ("size", "mesh")
MESH_FIELDS = ("name", "vertices", "faces")
MAX_MESHES = 256
CAMERA_FIELDS = ("focal_length", "principal_point", "width", "height")


def save_scene(scene: HandScene, path: str | Path) -> None:
    """Write a scene to a ".json" or ".npz" file.

    Raises:
        SesaHandError: If the name is not a plain file name with one of these endings, or cannot be written.
    """
    path = Path(path)
    check_file_name(path.name)
    if path.suffix.lower() == ".json":
        write_bytes(path, scene_to_json(scene).encode(), MAX_JSON_BYTES)
    elif path.suffix.lower() == ".npz":
        write_bytes(path, scene_to_npz(scene))
    else:
        raise SesaHandError(f"Hands are saved as .json or .npz, got the name {path.name!r}.")


def load_scene(path: str | Path, model: HandModel | None = None) -> HandScene:
    """Read a scene from a ".json" or ".npz" file.

    Args:
        path: The file.
        model: The hand model that the file names; None loads the built-in hand.

    Raises:
        InvalidFileError: If the file is missing or wrong; the message names the field.
        SesaHandError: If the hands belong to another model.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        return scene_from_json(read_bytes(path, MAX_JSON_BYTES), model, str(path))
    if path.suffix.lower() == ".npz":
        return scene_from_arrays(read_npz(path), model, str(path))
    raise InvalidFileError(f"{path!s:.200} is not a hand scene by its name: expected a .json or .npz file.")


def scene_to_json(scene: HandScene) -> str:
    """Return the scene as JSON text with one line per quantity.

    Raises:
        SesaHandError: If it has more hands than a text that is read again can hold.
    """
    if len(scene) > MAX_HANDS_IN_JSON:
        raise SesaHandError(
            f"The scene has {len(scene)} hands, more than the {MAX_HANDS_IN_JSON} that a JSON text can hold; save its "
            "hands as .npz."
        )
    header = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in _header(scene).items()]
    hands = []
    for index in range(len(scene)):
        fields = {
            "frame": int(scene.frame[index]),
            "side": scene.side[index],
            "score": float(scene.score[index]),
            **{name: getattr(scene, name)[index].tolist() for name in ("translation", "global_orient", "betas")},
        }
        lines = [f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in fields.items()]
        rotations = ",\n".join(f"    {json.dumps(rotation)}" for rotation in scene.hand_pose[index].tolist())
        hands.append("  {\n" + ",\n".join([*lines, f'   "hand_pose": [\n{rotations}\n   ]']) + "\n  }")
    body = ' "hands": [' + ("\n" + ",\n".join(hands) + "\n ]" if hands else "]")
    return "{\n" + ",\n".join([*header, body]) + "\n}\n"


def scene_from_json(text: str | bytes, model: HandModel | None = None, label: str = "The scene") -> HandScene:
    """Read a scene from JSON text.

    Args:
        text: The JSON text or its UTF-8 bytes.
        model: The hand model that the text names; None loads the built-in hand.
        label: What to call the text in errors, for example its file name.

    Raises:
        InvalidFileError: If the text is not a scene; the message names the field.
        SesaHandError: If the hands belong to another model.
    """
    if len(text) > MAX_JSON_BYTES:
        raise InvalidFileError(
            f"{label} has {len(text)} characters, more than the {MAX_JSON_BYTES} that are read; save its hands as .npz."
        )
    data = _fields(parse_json(text, label), HEADER_FIELDS + ("hands",), TEXT_OPTIONS, label)
    dtype = _check_header(data, label)
    _check_taken_from(data.get("taken_from", ""), label)
    hands = data["hands"]
    if not isinstance(hands, list) or len(hands) > MAX_HANDS:
        raise InvalidFileError(
            f"{label}: 'hands' must be a list of at most {MAX_HANDS} hands, got "
            f"{len(hands) if isinstance(hands, list) else type(hands).__name__}."
        )
    columns: dict[str, list] = {
        name: [] for name in ("side", "frame", "score", "translation", "global_orient", "hand_pose", "betas")
    }
    for index, hand in enumerate(hands):
        for name, value in _read_hand(hand, f"{label}: hands[{index}]").items():
            columns[name].append(value)
    shapes = {"global_orient": (3, 3), "hand_pose": (NUM_JOINTS - 1, 3, 3), "betas": (NUM_BETAS,), "translation": (3,)}
    arrays = {
        name: torch.stack(columns[name]) if hands else torch.zeros(0, *shape, dtype=torch.float64)
        for name, shape in shapes.items()
    }
    arrays["score"] = torch.tensor(columns["score"], dtype=torch.float64)
    frame = torch.tensor(columns["frame"], dtype=torch.int64)
    return _assemble(data, model, tuple(columns["side"]), frame, arrays, dtype, label)


def scene_to_npz(scene: HandScene) -> bytes:
    """Return the scene as the bytes of an npz file with the arrays of `scene_to_arrays`."""
    buffer = io.BytesIO()
    # To numpy's types a name could also be that of savez's own option.
    arrays: dict[str, Any] = scene_to_arrays(scene)
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def scene_to_arrays(scene: HandScene) -> dict[str, np.ndarray]:
    """Return the arrays of `HandScene`, its sides as `is_right`, and the rest as JSON in `header`."""
    arrays = {name: getattr(scene, name).detach().cpu().numpy() for name in HandScene.ARRAYS}
    return {"header": np.array(json.dumps(_header(scene))), "is_right": scene.is_right.numpy(), **arrays}


def scene_from_arrays(arrays: dict[str, np.ndarray], model: HandModel | None, label: str) -> HandScene:
    """Return the scene that `scene_to_arrays` took apart.

    Args:
        arrays: Those and no others.
        model: The hand model that the header names; None loads the built-in hand.
        label: What to call them in errors, for example their file's name.

    Raises:
        InvalidFileError: If they are not a scene; the message names the array.
        SesaHandError: If the hands belong to another model.
    """
    stored = _fields(arrays, SCENE_ARRAYS, (), label)
    data = read_header(stored["header"], label)
    dtype = _check_header(data, label)
    is_right = stored["is_right"]
    if is_right.dtype != bool or is_right.ndim != 1 or len(is_right) > MAX_HANDS:
        raise InvalidFileError(
            f"{label}: 'is_right' must be a list of at most {MAX_HANDS} truth values, got {is_right.dtype} of shape "
            f"{is_right.shape}."
        )
    for name in HandScene.ARRAYS:
        if stored[name].dtype.kind not in ("iu" if name == "frame" else "f"):
            raise InvalidFileError(f"{label}: {name!r} holds {stored[name].dtype}, expected numbers.")
    tensors = {name: torch.from_numpy(stored[name].astype(np.float64)) for name in HandScene.ARRAYS if name != "frame"}
    frame = torch.from_numpy(stored["frame"].astype(np.int64))
    side = tuple(SIDES[0] if right else SIDES[1] for right in is_right.tolist())
    for name in ("global_orient", "hand_pose"):
        if tensors[name].shape[-2:] != (3, 3):
            raise InvalidFileError(f"{label}: {name!r} has shape {tuple(tensors[name].shape)}, expected 3x3 matrices.")
        check_rotations(tensors[name], f"{label}: {name!r}")
    return _assemble(data, model, side, frame, tensors, dtype, label)


def read_header(stored: np.ndarray, label: str) -> dict[str, Any]:
    """Return the fields of the array `header` that `scene_to_arrays` gives.

    Args:
        stored: A text, of shape `[]`.
        label: Names it in messages.

    Raises:
        InvalidFileError: If it is no text, or not of a scene.
    """
    if stored.dtype.kind != "U" or stored.shape != ():
        raise InvalidFileError(f"{label}: 'header' must be text, got {stored.dtype} of shape {stored.shape}.")
    return _fields(parse_json(str(stored), f"{label}: 'header'"), HEADER_FIELDS, HEADER_OPTIONS, f"{label}: 'header'")


def check_rotations(matrices: Tensor, label: str) -> None:
    """Raise an InvalidFileError unless matrices `[..., 3, 3]` are rotations to within `ROTATION_TOLERANCE`."""
    error = (matrices @ matrices.mT - torch.eye(3, dtype=matrices.dtype)).abs()
    proper = torch.linalg.det(matrices) > 0
    if not bool((error < ROTATION_TOLERANCE).all() and proper.all()):
        raise InvalidFileError(
            f"{label} holds a matrix that is not a rotation: its rows must be perpendicular, of length one, and "
            "right-handed."
        )


def numbers(value: Any, shapes: tuple[tuple[int, ...], ...], label: str) -> Tensor:
    """Return nested lists of numbers as a float64 tensor, of any shape among `shapes`; raise an error for others."""
    flat: list[float] = []
    shape = _shape_of(value, flat, label)
    if shape not in shapes:
        wanted = " or ".join(str(list(shape)) for shape in shapes)
        raise InvalidFileError(f"{label} has the shape {list(shape)}, expected {wanted}.")
    return torch.tensor(flat, dtype=torch.float64).reshape(shape)


def _shape_of(value: Any, flat: list[float], label: str, depth: int = 0) -> tuple[int, ...]:
    """Collect the numbers of nested lists into `flat` and return the lists' common shape."""
    if not isinstance(value, list):
        if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
            raise InvalidFileError(f"{label} holds {value!r:.40}, expected a finite number.")
        flat.append(float(value))
        return ()
    if depth > 3 or len(value) > 4 * NUM_JOINTS:
        raise InvalidFileError(
            f"{label} nests too deeply or is too long; it is no list of rotations or numbers of a hand."
        )
    inner = {_shape_of(item, flat, label, depth + 1) for item in value}
    if len(inner) > 1:
        raise InvalidFileError(f"{label} holds lists of different lengths; give each row as many numbers.")
    return (len(value), *(inner.pop() if inner else ()))


def _is_finite(value: int | float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _header(scene: HandScene) -> dict:
    camera = scene.camera
    meshes = {held.mesh.digest: held.mesh for held in scene.objects if held.mesh is not None}
    objects = {"objects": [_object_fields(held, list(meshes)) for held in scene.objects]} if scene.objects else {}
    if meshes:
        objects["meshes"] = [_mesh_fields(mesh) for mesh in meshes.values()]
    return {
        "format": FORMAT,
        "version": VERSION,
        "frame_of_reference": FRAME_OF_REFERENCE,
        "units": UNITS,
        "hand_model": scene.model.name,
        "dtype": "float64" if scene.global_orient.dtype == torch.float64 else "float32",
        "num_frames": scene.num_frames,
        "camera": {
            "focal_length": float(camera.focal_length),
            "principal_point": [float(value) for value in camera.principal_point],
            "width": camera.width,
            "height": camera.height,
        },
        **objects,
    }


def _object_fields(held: HeldObject, meshes: list[str]) -> dict:
    position, orient = held.position.tolist(), held.orient.tolist()
    fields = {"kind": held.kind, "hand": held.hand, "size": held.size, "position": position, "orient": orient}
    return fields if held.mesh is None else {**fields, "mesh": meshes.index(held.mesh.digest)}


def _mesh_fields(mesh: ObjectMesh) -> dict:
    arrays = {"vertices": mesh.vertices.numpy().astype("<f4"), "faces": mesh.faces.numpy().astype("<u2")}
    texts = {name: base64.b64encode(array.tobytes()).decode() for name, array in arrays.items()}
    return {"name": mesh.name, **texts}


def _read_meshes(value: Any, label: str) -> list[ObjectMesh]:
    if not isinstance(value, list) or len(value) > MAX_MESHES:
        raise InvalidFileError(f"{label}: 'meshes' must be a list of at most {MAX_MESHES} meshes.")
    return [_read_mesh(item, f"{label}: meshes[{index}]") for index, item in enumerate(value)]


def _read_mesh(value: Any, label: str) -> ObjectMesh:
    fields = _fields(value, MESH_FIELDS, (), label)
    arrays = {}
    for name, stored, kept in (("vertices", "<f4", np.float32), ("faces", "<u2", np.int64)):
        try:
            data = base64.b64decode(fields[name], validate=True)
            rows = np.frombuffer(data, stored).reshape(-1, 3)
            arrays[name] = torch.from_numpy(rows.astype(kept))
        except (TypeError, ValueError) as error:
            raise InvalidFileError(f"{label}.{name} is no base64 of rows of three numbers: {error!s:.80}.") from error
    try:
        return ObjectMesh(fields["name"], arrays["vertices"], arrays["faces"])
    except SesaHandError as error:
        raise InvalidFileError(f"{label}: {error}") from error


def _read_objects(value: Any, count: int, meshes: list[ObjectMesh], label: str) -> tuple[HeldObject, ...]:
    if not isinstance(value, list) or len(value) > count:
        raise InvalidFileError(f"{label}: 'objects' must be a list of at most one object for each of {count} hands.")
    return tuple(_read_object(item, count, meshes, f"{label}: objects[{index}]") for index, item in enumerate(value))


def _read_object(value: Any, count: int, meshes: list[ObjectMesh], label: str) -> HeldObject:
    fields = _fields(value, OBJECT_FIELDS, OBJECT_OPTIONS, label)
    kind, orient = fields["kind"], numbers(fields["orient"], ((3, 3),), f"{label}.orient")
    if not isinstance(kind, str):
        raise InvalidFileError(f"{label}.kind is {kind!r:.40}, expected the name of an object.")
    check_rotations(orient, f"{label}.orient")
    hand = whole_number(fields["hand"], 0, count - 1, f"{label}.hand")
    position = numbers(fields["position"], ((3,),), f"{label}.position")
    size = float(numbers(fields.get("size", 1), ((),), f"{label}.size"))
    mesh = meshes[whole_number(fields["mesh"], 0, len(meshes) - 1, f"{label}.mesh")] if "mesh" in fields else None
    try:
        return HeldObject(kind, hand, position.float(), orient.float(), size, mesh)
    except SesaHandError as error:
        raise InvalidFileError(f"{label}: {error}") from error


def _fields(value: Any, required: tuple[str, ...], optional: tuple[str, ...], label: str) -> dict:
    if not isinstance(value, dict):
        raise InvalidFileError(f"{label} holds a {type(value).__name__}, expected the fields {', '.join(required)}.")
    missing = [name for name in required if name not in value]
    unknown = [str(name) for name in value if name not in required + optional]
    if missing or unknown:
        problem = f"lacks {', '.join(missing)}" if missing else f"has the unknown field {unknown[0]!r:.40}"
        raise InvalidFileError(f"{label} {problem}; a hand scene has {', '.join(required + optional)}.")
    return value


def _check_header(data: dict, label: str) -> torch.dtype:
    if data["format"] != FORMAT:
        raise InvalidFileError(f"{label} is of the format {data['format']!r:.40}, expected {FORMAT!r}.")
    if type(data["version"]) is not int or data["version"] != VERSION:
        raise InvalidFileError(
            f"{label} has version {data['version']!r:.40}; this SesaHand reads version {VERSION}. Update SesaHand."
        )
    for name, expected in (("frame_of_reference", FRAME_OF_REFERENCE), ("units", UNITS)):
        if data.get(name, expected) != expected:
            raise InvalidFileError(f"{label}: {name!r} is {data[name]!r:.60}, expected {expected!r}.")
    dtype = data.get("dtype", "float32")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise InvalidFileError(f"{label}: 'dtype' is {dtype!r:.40}, expected float32 or float64.")
    return DTYPES[dtype]


def _check_taken_from(value: Any, label: str) -> None:
    if not isinstance(value, str) or len(value) > MAX_TAKEN_FROM:
        raise InvalidFileError(
            f"{label}: 'taken_from' is {value!r:.40}, expected a text of at most {MAX_TAKEN_FROM} characters."
        )


def whole_number(value: Any, low: int, high: int, label: str) -> int:
    """Return a whole number between two bounds, or raise an error."""
    if type(value) is not int or not low <= value <= high:
        raise InvalidFileError(f"{label} is {value!r:.40}, expected a whole number from {low} to {high}.")
    return value


def read_camera(value: Any, label: str) -> Camera:
    """Return the camera that a dictionary describes."""
    fields = _fields(value, CAMERA_FIELDS, (), label)
    focal = float(numbers(fields["focal_length"], ((),), f"{label}.focal_length"))
    x, y = numbers(fields["principal_point"], ((2,),), f"{label}.principal_point").tolist()
    width, height = (whole_number(fields[name], 1, MAX_SIZE, f"{label}.{name}") for name in ("width", "height"))
    try:
        return Camera(focal, (x, y), width, height)
    except SesaHandError as error:
        raise InvalidFileError(f"{label}: {error}") from error


def read_rotations(value: Any, count: int | None, label: str) -> Tensor:
    """Return matrices `[3, 3]` or `[count, 3, 3]`, float64, from nested lists of matrices or axis-angle vectors."""
    leading = () if count is None else (count,)
    flat = () if count is None else ((3 * count,),)
    rotation = numbers(value, ((*leading, 3, 3), (*leading, 3), *flat), label)
    if rotation.shape[-2:] == (3, 3) and rotation.ndim == len(leading) + 2:
        check_rotations(rotation, label)
        return rotation
    return axis_angle_to_matrix(rotation.reshape(*leading, 3))


def _read_hand(value: Any, label: str) -> dict:
    hand = _fields(value, HAND_FIELDS, HAND_OPTIONS, label)
    if hand["side"] not in SIDES:
        raise InvalidFileError(f"{label}.side is {hand['side']!r:.40}, expected 'right' or 'left'.")
    return {
        "side": hand["side"],
        "frame": whole_number(hand.get("frame", 0), 0, MAX_FRAMES, f"{label}.frame"),
        "score": float(numbers(hand.get("score", 1), ((),), f"{label}.score")),
        "translation": numbers(hand["translation"], ((3,),), f"{label}.translation"),
        "global_orient": read_rotations(hand["global_orient"], None, f"{label}.global_orient"),
        "hand_pose": read_rotations(hand["hand_pose"], NUM_JOINTS - 1, f"{label}.hand_pose"),
        "betas": numbers(hand.get("betas", [0] * NUM_BETAS), ((NUM_BETAS,),), f"{label}.betas"),
    }


def check_model(name: Any, model: HandModel | None, label: str) -> HandModel:
    """Return the model that a file's hands belong to: the given one, or the built-in hand where none is given."""
    given = load_hand_model(BUILTIN) if model is None else model
    if name != given.name:
        fix = "give the built-in hand" if name != "mano" else "load MANO_RIGHT.pkl and give that model"
        raise SesaHandError(
            f"{label} holds hands of the model {name!r:.40}, but the hand model given is {given.name!r}: {fix}."
        )
    return given


def _assemble(
    data: dict, model: HandModel | None, side: tuple[str, ...], frame: Tensor, arrays: dict[str, Tensor],
    dtype: torch.dtype, label: str,
) -> HandScene:  # fmt: skip
    camera = read_camera(data["camera"], f"{label}: camera")
    num_frames = whole_number(data["num_frames"], 1, MAX_FRAMES, f"{label}: num_frames")
    if not bool(((arrays["score"] >= 0) & (arrays["score"] <= 1)).all()):
        raise InvalidFileError(f"{label}: a score is {arrays['score'].tolist()!s:.40}, expected 0 to 1.")
    model = check_model(data["hand_model"], model, label)
    moved: dict[str, Any] = {name: array.to(dtype) for name, array in arrays.items()}
    try:
        meshes = _read_meshes(data.get("meshes", []), label)
        objects = _read_objects(data.get("objects", []), len(side), meshes, label)
        return HandScene(model, camera, num_frames, frame, side, objects=objects, **moved)
    except SesaHandError as error:
        raise InvalidFileError(f"{label}: {error}") from error
