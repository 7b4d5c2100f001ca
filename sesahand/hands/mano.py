"""MANO, from the file that the user brings: read safely, checked, and turned into a `HandModel`.

MANO's data are not part of this project. They are free for non-commercial research from https://mano.is.tue.mpg.de.

Source: Romero, Tzionas and Black, "Embodied Hands: Modeling and Capturing Hands and Bodies Together" (2017).
"""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InvalidFileError, SesaHandError, printable
from ..files.arrays import read_npz, read_safetensors
from ..files.pickle_reader import array_from, read_pickle
from ..files.reading import read_bytes
from ..files.writing import write_bytes
from .model import NUM_BETAS, NUM_JOINTS, HandModel
from .rotations import axis_angle_to_matrix, mirror_rotation
from .skeleton import MANO_PARENTS, MANO_TIP_VERTICES
from .unwrapping import unwrap

logger = logging.getLogger(__name__)

MANO_NAME = "mano"
MANO_PAGE = "https://mano.is.tue.mpg.de"
MANO_LICENCE = (
    f"MANO (c) Max-Planck-Gesellschaft: non-commercial research only, no redistribution; {MANO_PAGE}/license.html"
)
NUM_VERTICES = 778
NUM_FACES = 1538
NUM_POSE_FEATURES = 9 * (NUM_JOINTS - 1)

# The arrays of an official file that the hand needs; None matches any size of at least NUM_BETAS.
ARRAY_SHAPES = {
    "v_template": (NUM_VERTICES, 3),
    "shapedirs": (NUM_VERTICES, 3, None),
    "posedirs": (NUM_VERTICES, 3, NUM_POSE_FEATURES),
    "J_regressor": (NUM_JOINTS, NUM_VERTICES),
    "weights": (NUM_VERTICES, NUM_JOINTS),
    "hands_components": (45, 45),
    "hands_mean": (45,),
    "f": (NUM_FACES, 3),
    "kintree_table": (2, NUM_JOINTS),
}
INTEGER_ARRAYS = ("f", "kintree_table")
MIRROR = np.array([-1.0, 1.0, 1.0])


def load_mano(path: str | Path, tips: str = "smplx", dtype: torch.dtype = torch.float32) -> HandModel:
    """Load the user's MANO file as a hand model; the file of either side gives both hands.

    Args:
        path: `MANO_RIGHT.pkl` or `MANO_LEFT.pkl` as downloaded, or an npz or safetensors file with the same keys.
        tips: Which vertices are the fingertips: "smplx" (also HaMeR, WiLoR) or "manopth" (also MeshGraphormer,
            HandRefiner).
        dtype: Precision of the model's arrays.

    Returns:
        The right hand; the model mirrors it for left hands. A left file is mirrored into the right hand on loading.

    Raises:
        UnsafeFileError: If a pickle asks for anything but data.
        InvalidFileError: If the file is missing, truncated, or not MANO.
        SesaHandError: If `tips` is not a known set.
    """
    if tips not in MANO_TIP_VERTICES:
        raise SesaHandError(f"Unknown fingertip set {tips!r}, expected one of {', '.join(MANO_TIP_VERTICES)}.")
    arrays = read_mano_arrays(path)
    if is_left(arrays):
        arrays = mirror_arrays(arrays)
    return _hand_model(arrays, MANO_TIP_VERTICES[tips], dtype)


def convert_mano(source: str | Path, destination: str | Path) -> None:
    """Convert a MANO file to safetensors with the official keys, which this library and smplx both read.

    The hand keeps its side; a left file's shape directions are corrected if they have the known sign error. For
    smplx: `MANOLayer("MANO_RIGHT", data_struct=Struct(**safetensors.numpy.load_file(destination)))`.

    Args:
        source: File as for `load_mano`.
        destination: Path of the file to write, ending in ".safetensors".

    Raises:
        InvalidFileError: If the source cannot be used; nothing is written then.
        SesaHandError: If the destination cannot be written.
    """
    from safetensors.numpy import save

    _check_file(Path(source))
    if Path(destination).suffix != ".safetensors":
        raise SesaHandError(f"MANO is converted to a .safetensors file, got the name {Path(destination).name!r}.")
    arrays = read_mano_arrays(source)
    kept = {
        name: np.ascontiguousarray(array, np.int64 if name in INTEGER_ARRAYS else np.float32)
        for name, array in arrays.items()
    }
    metadata = {"side": "left" if is_left(arrays) else "right", "licence": MANO_LICENCE}
    write_bytes(destination, save(kept, metadata))


def read_mano_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read, check and if need be correct the arrays of a MANO file, under their official names and for its own side.

    Returns:
        Arrays as in `ARRAY_SHAPES`, float64 and int64, with 10 shape directions and -1 for the root's parent.

    Raises:
        InvalidFileError: As for `load_mano`.
    """
    path = Path(path)
    _check_file(path)
    if path.suffix.lower() == ".pkl":
        data = read_pickle(read_bytes(path), str(path))
        if not isinstance(data, dict):
            raise InvalidFileError(
                f"{path} holds a {type(data).__name__}, expected MANO's dictionary of arrays. Use MANO_RIGHT.pkl or "
                f"MANO_LEFT.pkl from {MANO_PAGE} as downloaded."
            )
        _check_skinning(data, path)
        arrays = {name: array_from(data[name], f"{path}: {name}") for name in ARRAY_SHAPES if name in data}
    elif path.suffix.lower() in (".npz", ".safetensors"):
        read = read_npz if path.suffix.lower() == ".npz" else read_safetensors
        arrays = read(path)
    else:
        raise InvalidFileError(
            f"{path} is not a MANO file by its name: expected MANO_RIGHT.pkl or MANO_LEFT.pkl from {MANO_PAGE}, or a "
            "converted .safetensors or .npz file."
        )
    arrays = {name: _checked(arrays, name, path) for name in ARRAY_SHAPES}
    _check_topology(arrays, path)
    if is_left(arrays) and shape_sign_is_wrong(arrays):
        name = printable(path.name)
        logger.info("The shape directions of %s have the known sign error of MANO_LEFT; corrected.", name)
        arrays["shapedirs"] = arrays["shapedirs"] * MIRROR[:, None]
    return arrays


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InvalidFileError(
            f"The file {str(path)[:200]!r} does not exist. Download MANO_RIGHT.pkl from {MANO_PAGE} (registration, "
            "non-commercial licence) and give its path."
        )


def is_left(arrays: dict[str, np.ndarray]) -> bool:
    """Tell whether the arrays are of a left hand, whose fingers point along +x from the wrist at rest."""
    joints = arrays["J_regressor"] @ arrays["v_template"]
    return bool(joints[4, 0] > joints[0, 0])


def shape_sign_is_wrong(arrays: dict[str, np.ndarray]) -> bool:
    """Tell whether the shape directions move a left hand's x coordinates the wrong way.

    The strongest direction of MANO's shape space is the size of the hand, which stretches all three axes together.
    Where it stretches y and z but shrinks x, the x displacements have the wrong sign.

    Source: the error is described in issue 48 of the smplx repository; this test needs no right hand to compare with.
    """
    energy = (arrays["shapedirs"] ** 2).sum((0, 1))
    direction = arrays["shapedirs"][:, :, energy.argmax()]
    centred = arrays["v_template"] - arrays["v_template"].mean(0)
    stretch = (centred * direction).sum(0) / (centred**2).sum(0)
    return bool(stretch[0] * (stretch[1] + stretch[2]) < 0)


def mirror_arrays(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Mirror a hand at the plane x = 0: a left hand's arrays become those of the right hand it is the image of."""
    rotation_sign = np.tile([1.0, -1.0, -1.0], NUM_JOINTS - 1)
    feature_sign = np.tile(np.outer(MIRROR, MIRROR).ravel(), NUM_JOINTS - 1)
    return {
        **arrays,
        "v_template": arrays["v_template"] * MIRROR,
        "shapedirs": arrays["shapedirs"] * MIRROR[:, None],
        "posedirs": arrays["posedirs"] * MIRROR[:, None] * feature_sign,
        "hands_mean": arrays["hands_mean"] * rotation_sign,
        "hands_components": arrays["hands_components"] * rotation_sign,
        "f": arrays["f"][:, [0, 2, 1]],
    }


def pose_from_pca(
    model: HandModel, coefficients: Tensor, flat_hand_mean: bool = False, is_right: Tensor | None = None
) -> Tensor:
    """Turn PCA coefficients of MANO's pose space into the absolute joint rotations that the library works on.

    Args:
        model: A model with a pose space, that is MANO.
        coefficients: `[N, K]`, K from 1 to 45.
        flat_hand_mean: False adds MANO's mean pose, as smplx does by default; True measures from the flat hand.
        is_right: Bool `[N]`; the pose of a left hand is the mirror image of the right hand's. All right if None.

    Returns:
        `hand_pose` `[N, 15, 3, 3]`.

    Raises:
        SesaHandError: If the model has no pose space or the coefficients do not fit it.
    """
    if model.pose_components is None:
        raise SesaHandError(f"The hand model {model.name!r} has no PCA pose space; use MANO, or give joint rotations.")
    shape = tuple(coefficients.shape)
    if len(shape) != 2 or not 1 <= shape[1] <= len(model.pose_components):
        raise SesaHandError(f"PCA coefficients have shape {shape}, expected [N, 1 to {len(model.pose_components)}].")
    if not torch.isfinite(coefficients).all():
        raise SesaHandError("PCA coefficients hold NaN or infinite values; check where they come from.")
    basis = model.pose_components
    pose = coefficients.to(basis) @ basis[: shape[1]]
    if not flat_hand_mean:
        pose = pose + model.pose_mean.to(pose)
    rotations = axis_angle_to_matrix(pose.unflatten(-1, (NUM_JOINTS - 1, 3)))
    if is_right is None:
        return rotations
    return torch.where(is_right[:, None, None, None], rotations, mirror_rotation(rotations))


def mean_pose(model: HandModel, is_right: bool = True) -> Tensor:
    """Return the model's mean pose as joint rotations `[15, 3, 3]` for a hand of the given side."""
    rotations = axis_angle_to_matrix(model.pose_mean.unflatten(-1, (NUM_JOINTS - 1, 3)))
    return rotations if is_right else mirror_rotation(rotations)


def part_ids_from_weights(faces: np.ndarray, weights: np.ndarray, rounds: int = 3) -> np.ndarray:
    """Assign each face to the joint that moves it most, with the borders smoothed.

    Skin weights alone give ragged borders, so they are first averaged over neighbouring vertices; then a face that its
    neighbours outvote goes over to them.

    Args:
        faces: `[T, 3]`.
        weights: Skin weights `[V, 16]`.
        rounds: How often to average; each round reaches one ring of vertices further.

    Returns:
        Joint ids `[T]`, int64.
    """
    edges = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0)
    both = np.concatenate([edges, edges[:, ::-1]])
    degree = np.bincount(both[:, 0], minlength=len(weights))[:, None]
    for _ in range(rounds):
        total = np.zeros_like(weights)
        np.add.at(total, both[:, 0], weights[both[:, 1]])
        weights = 0.5 * weights + 0.5 * total / np.maximum(degree, 1)
    return _outvote(faces, weights[faces].sum(1).argmax(1))


def _outvote(faces: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give each face the label that most of its neighbours across an edge have, which shortens borders, until none can
    be shortened further."""
    sides = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    order = np.lexsort(sides.T)
    same = (sides[order[1:]] == sides[order[:-1]]).all(1)
    around: list[list[int]] = [[] for _ in faces]
    for first, second in zip(order[1:][same] % len(faces), order[:-1][same] % len(faces), strict=True):
        around[first].append(second)
        around[second].append(first)
    labels = labels.copy()
    changed = True
    while changed:
        changed = False
        for face, neighbours in enumerate(around):
            votes = np.bincount(labels[neighbours], minlength=NUM_JOINTS)
            if votes.max() > votes[labels[face]]:
                labels[face] = votes.argmax()
                changed = True
    return labels


def _hand_model(arrays: dict[str, np.ndarray], tips: tuple[int, int, int, int, int], dtype: torch.dtype) -> HandModel:
    def tensor(array):
        return torch.from_numpy(np.ascontiguousarray(array, np.float64)).to(dtype)

    regressor, parts = arrays["J_regressor"], part_ids_from_weights(arrays["f"], arrays["weights"])
    # MANO has no texture coordinates.
    joints = regressor @ arrays["v_template"]
    chart = unwrap(arrays["v_template"], np.asarray(arrays["f"], np.int64), parts, joints, tips)
    return HandModel(
        name=MANO_NAME,
        licence=MANO_LICENCE,
        template=tensor(arrays["v_template"]),
        faces=torch.from_numpy(np.ascontiguousarray(arrays["f"], np.int64)),
        shapedirs=tensor(arrays["shapedirs"]),
        joint_template=tensor(joints),
        joint_shapedirs=tensor(np.einsum("jv,vcb->jcb", regressor, arrays["shapedirs"])),
        weights=tensor(arrays["weights"]),
        tips=tips,
        part_ids=torch.from_numpy(parts),
        num_hand_vertices=NUM_VERTICES,
        num_hand_faces=NUM_FACES,
        posedirs=tensor(arrays["posedirs"]),
        pose_mean=tensor(arrays["hands_mean"]),
        pose_components=tensor(arrays["hands_components"]),
        uv=None if chart is None else tensor(chart[0]).float(),
        uv_faces=None if chart is None else torch.from_numpy(chart[1]),
    )


def _check_skinning(data: dict, path: Path) -> None:
    for key, expected in (("bs_style", "lbs"), ("bs_type", "lrotmin")):
        if data.get(key, expected) not in (expected, expected.encode()):
            raise InvalidFileError(
                f"{path}: {key} is not {expected!r}; this is not a MANO hand. Use MANO_RIGHT.pkl or MANO_LEFT.pkl from "
                f"{MANO_PAGE} as downloaded."
            )


def _checked(arrays: dict[str, np.ndarray], name: str, path: Path) -> np.ndarray:
    """Return one array as float64 or int64, or raise an error that says what is wrong with it."""
    fix = f"Use MANO_RIGHT.pkl or MANO_LEFT.pkl from {MANO_PAGE} as downloaded."
    if name not in arrays:
        raise InvalidFileError(f"{path} has no {name!r}, so it is not a MANO hand. {fix}")
    array, expected = arrays[name], ARRAY_SHAPES[name]
    fits = array.ndim == len(expected) and all(
        got == want if want is not None else got >= NUM_BETAS for got, want in zip(array.shape, expected, strict=True)
    )
    if not fits:
        wanted = tuple(f"at least {NUM_BETAS}" if size is None else size for size in expected)
        raise InvalidFileError(f"{path}: {name} has shape {array.shape}, expected {wanted}. {fix}")
    if name in INTEGER_ARRAYS:
        if array.dtype.kind not in "iu":
            raise InvalidFileError(f"{path}: {name} holds {array.dtype}, expected whole numbers. {fix}")
        return array.astype(np.int64)
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all() or np.abs(array).max(initial=0) > 1e4:
        raise InvalidFileError(f"{path}: {name} holds NaN, infinite or absurd values. {fix}")
    return (array[..., :NUM_BETAS] if name == "shapedirs" else array).astype(np.float64)


def _check_topology(arrays: dict[str, np.ndarray], path: Path) -> None:
    if arrays["f"].min() < 0 or arrays["f"].max() >= NUM_VERTICES:
        raise InvalidFileError(
            f"{path}: f names vertices outside 0..{NUM_VERTICES - 1}. Use MANO_RIGHT.pkl or MANO_LEFT.pkl from "
            f"{MANO_PAGE} as downloaded."
        )
    # The root's parent is written as 2**32 - 1, the unsigned form of -1.
    parents = arrays["kintree_table"][0].copy()
    parents[0] = -1
    if tuple(parents.tolist()) != MANO_PARENTS:
        raise InvalidFileError(
            f"{path}: kintree_table is {parents.tolist()}, expected MANO's {list(MANO_PARENTS)}. Use MANO_RIGHT.pkl or "
            f"MANO_LEFT.pkl from {MANO_PAGE} as downloaded."
        )
    arrays["kintree_table"] = np.stack([parents, np.arange(NUM_JOINTS)])
    if np.abs(arrays["weights"].sum(1) - 1).max() > 1e-3:
        raise InvalidFileError(
            f"{path}: the skin weights of a vertex do not sum to one. Use MANO_RIGHT.pkl or MANO_LEFT.pkl from "
            f"{MANO_PAGE} as downloaded."
        )
