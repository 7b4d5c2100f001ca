"""What Edit Hands tells its editor in the browser after a run: hands that came in and went out, and the picture."""

import hashlib
import logging
import os
from typing import Any

import torch
from torch.nn.functional import interpolate

import folder_paths

from ..sesahand.errors import SesaHandError
from ..sesahand.files.folders import make_folder
from ..sesahand.files.pictures import save_picture
from ..sesahand.scene.hand_scene import HandScene
from .input_fingerprint import fingerprint_of_input

logger = logging.getLogger(__name__)

FOLDER = "sesahand_editor"
MAX_SIDE = 1024
# One more than the editor reads: it then says so itself, and a file of many thousand hands is not sent.
MOST_HANDS = 65
MOST_TEXT = 2**21


def editor_answer(
    found: HandScene | None, edited: HandScene | None, image: torch.Tensor | None, hidden=None
) -> dict[str, list]:
    """Return the node's ui output; each value is a list, because ComfyUI joins them over batches.

    Args:
        found: Hands of the input; None if it is not connected or was not asked for.
        edited: Hands that went out; None if what comes after waits for an edit.
        image: `[B, H, W, C]` of 0..1, of which the first is sent; None if there is none.
        hidden: The node's `cls.hidden`, with prompt and unique_id.
    """
    name = None
    if hidden is not None and isinstance(hidden.prompt, dict):
        name = fingerprint_of_input(hidden.prompt, str(hidden.unique_id), "hands")
    told: dict[str, Any] = {
        "sesahand_waits": edited is None,
        "sesahand_found": None if found is None else _text(found),
        "sesahand_scene": None if edited is None else _text(edited),
        "sesahand_background": None if image is None else save_background(image),
        "sesahand_input": name,
    }
    return {key: [value] for key, value in told.items() if value is not None}


def _text(hands: HandScene) -> str:
    shown = hands if len(hands) <= MOST_HANDS else hands.select(list(range(MOST_HANDS)))
    text = shown.to_json()
    # Meshes in the hands may make it longer than the editor reads: then the first hands are shown.
    while len(text) > MOST_TEXT and len(shown) > 1:
        shown = shown.select(list(range(len(shown) // 2)))
        text = shown.to_json()
    return text


def save_background(image: torch.Tensor) -> dict[str, Any] | None:
    """Write a batch's first picture, small, into ComfyUI's temporary folder, and return how the browser asks for it.

    It is named after what it shows, so that a run that changes nothing writes nothing and the browser keeps it. Without
    it the editor works, too: None if it could not be written, which the log says.

    Args:
        image: `[B, H, W, C]` of 0..1.

    Returns:
        `filename`, `subfolder` and `type` as ComfyUI's /view takes them; `width` and `height` of the picture in pixels
        before it was made small.
    """
    from PIL import Image

    levels = _small(image[0]).mul(255).round().to(torch.uint8).cpu().numpy()
    name = f"{hashlib.sha256(repr(levels.shape).encode() + levels.tobytes()).hexdigest()[:32]}.jpg"
    try:
        temporary = folder_paths.get_temp_directory()
        os.makedirs(temporary, exist_ok=True)
        path = make_folder(temporary, FOLDER) / name
        if not path.is_file():
            save_picture(Image.fromarray(levels), path)
    except (OSError, SesaHandError) as error:
        logger.warning("Edit Hands cannot show its picture in the editor: %s", error)
        return None
    height, width = image.shape[1:3]
    return {"filename": name, "subfolder": FOLDER, "type": "temp", "width": width, "height": height}


def _small(picture: torch.Tensor) -> torch.Tensor:
    """Return a picture `[H, W, C]` with no side above `MAX_SIDE`, as `[H, W, 3]` of 0..1."""
    height, width, channels = picture.shape
    colours = picture[..., :3] if channels >= 3 else picture[..., :1].expand(-1, -1, 3)
    scale = min(1.0, MAX_SIDE / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    planes = colours.permute(2, 0, 1)[None].float()
    planes = planes if size == (height, width) else interpolate(planes, size, mode="area")
    return planes[0].permute(1, 2, 0).nan_to_num().clamp(0, 1)
