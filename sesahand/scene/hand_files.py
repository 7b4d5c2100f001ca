"""Reading a file of hands without knowing which program wrote it."""

from pathlib import Path

from ..files.arrays import read_npz
from ..files.reading import parse_json, read_bytes
from ..hands.loading import load_hand_model
from ..hands.model import HandModel
from .hand_scene import HandScene
from .mano_parameters import MEAN_POSES, read_mano_parameters
from .scene_files import MAX_JSON_BYTES, load_scene


def load_hands(
    path: str | Path,
    model: HandModel | None = None,
    lefts: str = "mirrored",
    image_size: tuple[int, int] | None = None,
    mean_pose: str = MEAN_POSES[0],
) -> HandScene:
    """Read a hand scene, or the MANO parameters that HaMeR, WiLoR and their wrappers write.

    Args:
        path: A ".json" or ".npz" file.
        model: The hand model of the file; None takes the built-in hand.
        lefts: How left hands are stored in MANO parameters, see `read_mano_parameters`.
        image_size: Width and height in pixels for MANO parameters that do not tell.
        mean_pose: Whether MANO's mean pose is in MANO parameters, see `read_mano_parameters`.

    Raises:
        InvalidFileError: If the file is neither, or what it holds cannot be used.
        SesaHandError: If the hands belong to another model.
    """
    if is_scene(path):
        return load_scene(path, model)
    return read_mano_parameters(path, load_hand_model() if model is None else model, lefts, image_size, mean_pose)


def is_scene(path: str | Path) -> bool:
    """Return whether a file says of itself that it is a hand scene; other files are tried as MANO parameters."""
    suffix = Path(path).suffix.lower()
    if suffix == ".npz":
        return "header" in read_npz(path)
    if suffix == ".json":
        data = parse_json(read_bytes(path, MAX_JSON_BYTES), str(path))
        return isinstance(data, dict) and "format" in data
    return True
