"""The small model that comes with the package."""

from pathlib import Path

from ..errors import SesaHandError

EMBEDDED = "embedded"
FOLDER = Path(__file__).parents[1] / "assets"
FILE = "sesahand_mini.safetensors"


def has_embedded() -> bool:
    """Tell whether this package came with weights."""
    return (FOLDER / FILE).is_file()


def embedded_path() -> Path:
    """Where the model's file is; its ControlNets are beside it.

    Raises:
        SesaHandError: If this package came without weights.
    """
    if not has_embedded():
        raise SesaHandError(
            "This copy of SesaHand holds no small model. Train one with `python -m sesahand train --config mini`, and "
            "put the three files it makes into ComfyUI's models/sesahand_mini, or name them to the command."
        )
    return FOLDER / FILE
