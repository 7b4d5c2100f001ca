"""One way in to every hand model."""

from pathlib import Path

from ..errors import InvalidFileError, quote
from .builtin import load_builtin_hand
from .mano import MANO_PAGE, load_mano
from .model import HandModel

BUILTIN = "builtin"
MANO_FILES = tuple(f"MANO_{side}.{kind}" for side in ("RIGHT", "LEFT") for kind in ("safetensors", "npz", "pkl"))


def load_hand_model(spec: str | Path = BUILTIN, tips: str = "smplx") -> HandModel:
    """Load the built-in hand, or MANO from the user's file.

    Args:
        spec: "builtin", the path of a MANO file, or a folder that holds one; of several, the right hand's is taken.
        tips: Fingertip vertices of MANO, see `load_mano`; the built-in hand has one set.

    Raises:
        InvalidFileError: If the file is missing or cannot be used.
    """
    if spec == BUILTIN:
        return load_builtin_hand()
    path = Path(spec)
    if not str(spec).strip() or not path.exists():
        raise InvalidFileError(
            f"The hand model {quote(str(spec))} does not exist; give 'builtin', or the path of a MANO file or of "
            "the folder that holds it."
        )
    if path.is_dir():
        found = next((path / name for name in MANO_FILES if (path / name).is_file()), None)
        if found is None:
            raise InvalidFileError(
                f"The folder {spec} holds no MANO file. Download MANO_RIGHT.pkl from {MANO_PAGE} (registration, "
                "non-commercial licence) and put it there."
            )
        path = found
    return load_mano(path, tips)
