"""The small model that comes with the package."""

from pathlib import Path

from ...errors import SesaHandError
from .model_files import CONTROLS, HELD, control_path

EMBEDDED = "embedded"
FOLDER = Path(__file__).parents[2] / "assets"
FILE = "sesahand_mini.safetensors"

# A file that a version control system left a pointer for is shorter.
LEAST_BYTES = 10_000


def has_embedded() -> bool:
    """Tell whether this package came with weights."""
    return not missing_files()


def missing_files() -> list[str]:
    """The names of the files of the model and its ControlNets that are not there, or are no weights."""
    model = FOLDER / FILE
    paths = [model, *(control_path(model, control) for control in (*CONTROLS, HELD))]
    return [path.name for path in paths if not path.is_file() or path.stat().st_size < LEAST_BYTES]


def embedded_path() -> Path:
    """Where the model's file is; its ControlNets are beside it.

    Raises:
        SesaHandError: If this package came without weights.
    """
    missing = missing_files()
    if missing:
        raise SesaHandError(
            f"The small model comes with SesaHand, but its folder sesahand/assets lacks {', '.join(missing)}. Update "
            "SesaHand or install it again. Or choose another model: one of your own, or in ComfyUI a checkpoint by "
            "Load Checkpoint and a ControlNet by Load ControlNet in place of Load Small Model."
        )
    return FOLDER / FILE
