"""What a generated picture was made from, complete: the file by which it can be made again."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, field
from pathlib import Path

from .. import __version__
from ..errors import InvalidFileError, SesaHandError, quote
from ..files.reading import parse_json, read_bytes
from ..hands.model import HandModel
from ..render.maps import ALL_MAPS
from ..scene.hand_scene import HandScene
from ..scene.scene_files import scene_from_json
from ..semantics.behavior import ImageSemantics, SemanticsBatch
from .pipeline import DTYPES, check_seeds
from .sampling import SamplingSettings

FORMAT, VERSION = "sesahand-picture", 1
MAX_BYTES = 64 << 20
FIELDS = ("format", "version", "base", "controlnet", "map", "seed", "dtype", "settings", "semantics", "scene")
OPTIONAL = ("gesture", "made_with", "score", "caption_style")


@dataclass(frozen=True, eq=False)
class PictureRecord:
    """One generated picture.

    Attributes:
        base: Path of the base, or "embedded".
        controlnet: Path of the ControlNet, or "sf", "plain" or "held" of the small model.
        map: The condition map that it saw.
        seed: Of the noise.
        dtype: Of the weights.
        settings: How it was sampled.
        semantics: What was said, and the prompt.
        scene: The hands, one frame, at the picture's size.
        gesture: Name of the gesture, or empty.
        score: How well the hands were met, 0 to 1, or None.
        made_with: Versions and device, which decide on rounding.
        caption_style: Of the prompt, one of `variety.STYLES`; empty unless it varies.
    """

    base: str
    controlnet: str
    map: str
    seed: int
    dtype: str
    settings: SamplingSettings
    semantics: ImageSemantics
    scene: HandScene
    gesture: str = ""
    score: float | None = None
    made_with: dict = field(default_factory=dict)
    caption_style: str = ""

    def to_json(self) -> str:
        """The record as JSON text."""
        return json.dumps(
            {
                "format": FORMAT,
                "version": VERSION,
                "prompt": self.semantics.prompt,
                "gesture": self.gesture,
                "seed": self.seed,
                "score": self.score,
                "base": self.base,
                "controlnet": self.controlnet,
                "map": self.map,
                "dtype": self.dtype,
                "settings": self.settings.to_dict(),
                "made_with": self.made_with,
                **({"caption_style": self.caption_style} if self.caption_style else {}),
                "semantics": json.loads(SemanticsBatch((self.semantics,)).to_json())[0],
                "scene": json.loads(self.scene.to_json()),
            },
            ensure_ascii=False,
            indent=1,
        )


def read_record(path: str | Path, model: HandModel | None = None) -> PictureRecord:
    """Read what `PictureRecord.to_json` wrote.

    Args:
        path: The file.
        model: The hand model that it names; None loads the built-in hand.

    Raises:
        InvalidFileError: If it is something else, or damaged.
        SesaHandError: If the hands belong to another model.
    """
    data = parse_json(read_bytes(path, MAX_BYTES), str(path))
    missing = [name for name in FIELDS if name not in data] if isinstance(data, dict) else list(FIELDS)
    if missing or data["format"] != FORMAT:
        raise InvalidFileError(
            f"{path} is no record of a generated picture: it lacks {', '.join(missing) or f'the format {FORMAT}'}. "
            "Name a *_parameters.json that `sesahand generate` wrote."
        )
    if data["version"] != VERSION:
        raise InvalidFileError(
            f"{path} has version {quote(data['version'])}; this SesaHand reads version {VERSION}. Update SesaHand."
        )
    try:
        for name in ("base", "controlnet", "map", "dtype"):
            if not isinstance(data[name], str):
                raise InvalidFileError(f"{name} is {quote(data[name])}, expected text.")
        if data["map"] not in ALL_MAPS or data["dtype"] not in DTYPES:
            raise InvalidFileError(
                f"map is {quote(data['map'])} and dtype {quote(data['dtype'])}, expected one of {', '.join(ALL_MAPS)} "
                f"and one of {', '.join(DTYPES)}."
            )
        check_seeds([data["seed"]])
        return PictureRecord(
            data["base"],
            data["controlnet"],
            data["map"],
            data["seed"],
            data["dtype"],
            SamplingSettings.from_dict(data["settings"]),
            SemanticsBatch.from_json(json.dumps([data["semantics"]])).images[0],
            scene_from_json(json.dumps(data["scene"]), model, "scene"),
            str(data.get("gesture", "")),
            caption_style=str(data.get("caption_style", "")),
        )
    except InvalidFileError as error:
        raise InvalidFileError(f"{path}: {error}") from error
    except SesaHandError as error:
        raise SesaHandError(f"{path}: {error}") from error


def made_with(device: str) -> dict:
    """Versions and device, as a record names them."""
    import diffusers
    import torch

    return {
        "sesahand": __version__,
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "device": device,
        "machine": platform.machine(),
    }
