"""The hand that ships with this library: CC0 data from the MakeHuman project, in MANO's joints and rest frame."""

from pathlib import Path

from safetensors import safe_open

from ..errors import InvalidFileError
from .model import HandModel

ASSET = Path(__file__).resolve().parents[1] / "assets" / "hand.safetensors"


def load_builtin_hand() -> HandModel:
    """Read the built-in right hand, float32, with about 100 mm of forearm that can be left out.

    Its wrist joint is the origin for every shape. `assets/hand.md` says where the data comes from and how it was made.

    Raises:
        InvalidFileError: If the asset is missing or damaged, which means that the installation is.
    """
    try:
        with safe_open(ASSET, "pt") as file:
            metadata = file.metadata()
            stored = {name: file.get_tensor(name) for name in file.keys()}
    except Exception as error:
        raise InvalidFileError(f"{ASSET} cannot be read ({error}). Reinstall SesaHand to get it back.") from error
    weights = stored["weights"].float()
    return HandModel(
        name=metadata["name"],
        licence=metadata["licence"],
        template=stored["template"],
        faces=stored["faces"].long(),
        shapedirs=stored["shapedirs"].float(),
        joint_template=stored["joint_template"],
        joint_shapedirs=stored["joint_shapedirs"],
        # Half precision rounds: make the rows sum to one again.
        weights=weights / weights.sum(1, keepdim=True),
        tips=tuple(stored["tips"].tolist()),
        part_ids=stored["part_ids"].long(),
        num_hand_vertices=int(metadata["num_hand_vertices"]),
        num_hand_faces=int(metadata["num_hand_faces"]),
        uv=stored["uv"],
        uv_faces=stored["uv_faces"].long(),
    )
