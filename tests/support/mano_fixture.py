"""A file shaped like MANO's, without MANO: official keys, sizes and pickle layout around this project's own CC0 hand.

The official files are pickles of chumpy and scipy objects. The classes below only borrow those names, so that the
pickles name exactly what official ones name, while neither library needs to be installed.
"""

import copyreg
import functools
import io
import pickle
from pathlib import Path

import numpy as np

HAND = Path(__file__).resolve().parents[1] / "data" / "mano_shaped_hand.npz"
PARENTS = (4294967295, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
# The official hands are not centred on the wrist joint.
OFFSET = np.array([0.095, 0.006, 0.006])


def mano_arrays(side: str = "right", sign_error: bool = False) -> dict[str, np.ndarray]:
    """Return dense arrays under MANO's official keys.

    Args:
        side: "right" or "left"; the left hand is the exact mirror image.
        sign_error: Give the left hand's shape directions the wrong sign in x that the official left file has.
    """
    with np.load(HAND) as stored:
        hand = {name: stored[name] for name in stored.files}
    random = np.random.default_rng(7)
    weights = hand["weights"].astype(np.float64)
    weights /= weights.sum(1, keepdims=True)
    template = hand["template"].astype(np.float64) + OFFSET
    joints = hand["joints"].astype(np.float64) + OFFSET
    mean = np.zeros((15, 3))
    mean[:, 2] = random.uniform(0.05, 0.4, 15)
    data = {
        "hands_components": np.linalg.qr(random.normal(size=(45, 45)))[0].T,
        "f": hand["faces"].astype(np.uint32),
        "J_regressor": fit_regressor(template, joints),
        "kintree_table": np.array([PARENTS, range(16)], np.int64),
        "J": joints,
        "hands_coeffs": random.normal(size=(32, 45)),
        "weights": weights,
        "posedirs": pose_correctives(weights, random),
        "hands_mean": mean.ravel(),
        "v_template": template,
        "shapedirs": hand["shapedirs"].astype(np.float64),
    }
    if side == "left":
        data = mirrored(data)
        if sign_error:
            data["shapedirs"] = data["shapedirs"] * [[-1.0], [1.0], [1.0]]
    return data


def mirrored(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of the mirror image at x = 0, one entry after the other and by the definition."""
    flip = np.diag([-1.0, 1.0, 1.0])
    turn = np.kron(np.eye(15), np.diag([1.0, -1.0, -1.0]))
    correctives = data["posedirs"].reshape(778, 3, 15, 3, 3)
    return {
        **data,
        "v_template": data["v_template"] @ flip,
        "J": data["J"] @ flip,
        "shapedirs": np.einsum("ac,vcb->vab", flip, data["shapedirs"]),
        "posedirs": np.einsum("xc,vcjab,am,bn->vxjmn", flip, correctives, flip, flip).reshape(778, 3, 135),
        "hands_mean": turn @ data["hands_mean"],
        "hands_components": data["hands_components"] @ turn,
        "f": data["f"][:, ::-1].copy(),
    }


def fit_regressor(vertices: np.ndarray, joints: np.ndarray, neighbours: int = 24) -> np.ndarray:
    """Return `[16, 778]` weights over each joint's nearest vertices that sum to one and yield the joint exactly."""
    regressor = np.zeros((len(joints), len(vertices)))
    for row, joint in zip(regressor, joints, strict=True):
        near = np.argsort(((vertices - joint) ** 2).sum(1))[:neighbours]
        system = np.vstack([vertices[near].T, np.ones(neighbours)])
        row[near] = np.linalg.lstsq(system, np.append(joint, 1.0), rcond=None)[0]
    return regressor


def pose_correctives(weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return small random displacements `[778, 3, 135]` that stay near the joint that causes them."""
    return 2e-3 * random.normal(size=(3, 135)) * np.repeat(weights[:, 1:], 9, axis=1)[:, None]


class Ch:
    """Borrows the name of chumpy's array."""

    def __init__(self, x):
        self.__dict__.update(x=x, _dirty_vars=set(), _itr=None, _depends_on_deps=True)


class Select:
    """Borrows the name of chumpy's picked array: `a.ravel()[idxs].reshape(preferred_shape)`."""

    def __init__(self, a, idxs, preferred_shape):
        self.__dict__.update(a=Ch(a), idxs=idxs, preferred_shape=preferred_shape, _dirty_vars=set())


class csc_matrix:  # noqa: N801
    """Borrows the name and state of scipy's sparse matrix."""

    def __init__(self, dense, old_scipy: bool):
        rows, columns = np.nonzero(dense.T)[::-1]
        indptr = np.searchsorted(columns, np.arange(dense.shape[1] + 1)).astype(np.int32)
        self.__dict__.update(
            {"shape" if old_scipy else "_shape": dense.shape, "maxprint": 50, "_has_sorted_indices": True},
            data=dense[rows, columns], indices=rows.astype(np.int32), indptr=indptr,
        )  # fmt: skip


class _Pickler(pickle._Pickler):
    """Python's own pickler, writing the borrowed names, and byte strings as Python 2 wrote them if asked."""

    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(self, file, protocol: int, old: bool):
        super().__init__(file, protocol)
        self.old = old
        self.names = {
            Ch: ("chumpy.ch", "Ch"),
            Select: ("chumpy.reordering", "Select"),
            csc_matrix: ("scipy.sparse.csc" if old else "scipy.sparse._csc", "csc_matrix"),
            np.ndarray: ("numpy", "ndarray"),
            np.dtype: ("numpy", "dtype"),
            set: ("__builtin__", "set"),
            object: ("__builtin__", "object"),
            copyreg._reconstructor: ("copy_reg", "_reconstructor"),
        }
        self.package = "numpy.core" if old else "numpy._core"

    def save_global(self, obj, name=None):
        if getattr(obj, "__name__", "") == "_reconstruct":
            module, name = f"{self.package}.multiarray", "_reconstruct"
        elif obj in self.names:
            module, name = self.names[obj]
        else:
            return super().save_global(obj, name)
        self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
        self.memoize(obj)

    def save_bytes(self, obj):
        if not self.old:
            return super().save_bytes(obj)
        if self.proto == 0:
            escaped = "".join(f"\\x{byte:02x}" for byte in obj)
            self.write(b"S'" + escaped.encode() + b"'\n")
        else:
            self.write(pickle.BINSTRING + len(obj).to_bytes(4, "little") + obj)
        self.memoize(obj)

    dispatch[bytes] = save_bytes
    dispatch[type] = save_global


def pickled(objects: dict, protocol: int = 2, old: bool = False) -> bytes:
    """Pickle a dictionary of arrays and the stand-ins above.

    Args:
        objects: What to pickle.
        protocol: 0 and 2 are what MANO files come in.
        old: Write what Python 2 with its numpy and scipy wrote, instead of today's.
    """
    buffer = io.BytesIO()
    _Pickler(buffer, protocol, old).dump(objects)
    return buffer.getvalue()


def official_layout(arrays: dict[str, np.ndarray], old: bool = False) -> dict:
    """Return the dictionary of an official file: shape directions a chumpy selection, the regressor sparse."""
    wide = np.concatenate([arrays["shapedirs"], np.zeros((778, 3, 10))], 2)
    picked = np.arange(wide.size).reshape(wide.shape)[:, :, :10].ravel()
    return {
        **arrays,
        "shapedirs": Select(wide, picked, (778, 3, 10)),
        "J_regressor": csc_matrix(arrays["J_regressor"], old),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def write_mano(
    folder: Path, side: str = "right", protocol: int = 2, old: bool = False, sign_error: bool = False
) -> Path:
    """Write `MANO_RIGHT.pkl` or `MANO_LEFT.pkl` in the official layout into a folder and return its path."""
    path = Path(folder) / f"MANO_{side.upper()}.pkl"
    path.write_bytes(_official_bytes(side, protocol, old, sign_error))
    return path


@functools.cache
def _official_bytes(side: str, protocol: int, old: bool, sign_error: bool) -> bytes:
    return pickled(official_layout(mano_arrays(side, sign_error), old), protocol, old)
