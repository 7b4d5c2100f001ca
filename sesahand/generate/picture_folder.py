"""The files of generated pictures: each picture's own, numbered on from what is there, and a sheet of all."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torch import Tensor

from ..data.picture_files import encode, to_levels
from ..errors import SesaHandError
from ..files.pictures import save_picture
from ..files.writing import claim, write_bytes
from ..models.small.embedded import EMBEDDED
from ..reconstruct.scoring.picture_scorer import PictureScore
from ..render.contact_sheet import contact_sheet, to_pil
from ..render.overlay import draw_hands
from ..scene.scene_files import save_scene
from .record import PictureRecord

SHEET = "contact_sheet.png"
LABEL_LETTERS = 34
LABEL_LINES = 6
TILE = 192
MAX_ROWS = 400
OPACITY = 0.7


@dataclass(frozen=True, eq=False)
class Finished:
    """A picture that has been made.

    Attributes:
        name: What the names of its files begin with.
        record: What it was made from.
        picture: `[H, W, 3]` of 0..1.
        map: The condition map, likewise.
        scored: Its score and the hands in it, or None.
    """

    name: str
    record: PictureRecord
    picture: Tensor
    map: Tensor
    scored: PictureScore | None = None


class PictureFolder:
    """A folder that pictures are added to.

    Args:
        path: The folder, made if it is missing.

    Raises:
        SesaHandError: If it cannot be made.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            starts = {match[1] for file in path.iterdir() if (match := re.match(r"(\d{4,})_", file.name))}
        except OSError as error:
            raise SesaHandError(
                f"The folder {path!s:.200} cannot be made ({error}). Choose another with --out."
            ) from error
        # Longer numbers are no pictures' of this program; they are not counted on from, but stay as they are.
        self._last = max((int(start) for start in starts if len(start) < 10), default=0)
        self._foreign = {start for start in starts if len(start) >= 10}

    def next_name(self) -> str:
        """The beginning of the next picture's file names, which nobody else has.

        Its first file is there from then on, still empty, so that another process that writes into the folder counts
        on behind it.

        Raises:
            SesaHandError: If the folder cannot be written to.
        """
        try:
            while True:
                self._last += 1
                name = f"{self._last:04d}"
                if name not in self._foreign and claim(self._file(name, "map.png")):
                    return name
        except OSError as error:
            raise SesaHandError(f"{self.path!s:.200} cannot be written to ({error}). Choose another folder.") from error

    def _file(self, name: str, ending: str) -> Path:
        return self.path / f"{name}_{ending}"

    def write(self, done: Finished) -> Path:
        """Write a picture, its map, hands, parameters and, if it was judged, overlay; return the picture's path."""
        write_bytes(self._file(done.name, "map.png"), encode(to_levels(done.map, "The map"), "png"))
        save_scene(done.record.scene, self._file(done.name, "hands.json"))
        if done.scored is not None:
            write_bytes(self._file(done.name, "found.png"), encode(to_levels(overlay(done), "The overlay"), "png"))
            write_bytes(self._file(done.name, "score.json"), done.scored.scores.to_json().encode())
        write_bytes(self._file(done.name, "parameters.json"), done.record.to_json().encode())
        path = self._file(done.name, "picture.png")
        write_bytes(path, encode(to_levels(done.picture, "The picture"), "png"))
        return path

    def write_sheet(self, finished: Sequence[Finished]) -> Path:
        """Write the contact sheet of several pictures and return its path; only the first `MAX_ROWS` are on it."""
        rows = [(label_of(done), tiles_of(done)) for done in finished[:MAX_ROWS]]
        heads = ["asked for", "picture"] + ["found"] * (finished[0].scored is not None)
        base = finished[0].record.base
        note = f"{len(finished)} pictures, made with {'the small model' if base == EMBEDDED else Path(base).name}"
        scores = [done.scored.score for done in finished if done.scored is not None]
        note += f"; mean score {sum(scores) / len(scores):.2f}" if scores else ""
        sheet = contact_sheet(rows, heads, "SesaHand", note, blocks=2 if len(rows) > 3 else 1)
        path = self.path / SHEET
        try:
            save_picture(sheet, path)
        except OSError as error:
            raise SesaHandError(
                f"{path!s:.200} cannot be written ({error}). Choose another folder with --out."
            ) from error
        return path


def overlay(done: Finished) -> Tensor:
    """The hands that were found drawn over the picture, `[H, W, 3]`; the picture itself if there are none."""
    if done.scored is None or not len(done.scored.found):
        return done.picture
    return draw_hands(done.scored.found, done.picture[None], "both", OPACITY)[0]


def label_of(done: Finished) -> str:
    """What stands beside a picture: sentence, gesture and score, and a side that is read as the other one."""
    head = [done.record.gesture.replace("_", " ")] if done.record.gesture else []
    if done.scored is not None:
        scores = done.scored.scores
        misread = {scores.found.side[pair.found] for pair in scores.pairs if not pair.right_side}
        head += [f"score {done.scored.score:.2f}", *(f"read as a {side} hand" for side in sorted(misread))]
    words = done.record.semantics.caption or done.record.semantics.prompt
    lines = textwrap.wrap(words, LABEL_LETTERS, max_lines=LABEL_LINES, placeholder=" ...")
    return "\n".join([*lines, ", ".join(head)])


def tiles_of(done: Finished) -> list[Image.Image]:
    """The map, the picture and the overlay, as tiles of one size on the colour of the sheet."""
    shown = [done.map, done.picture] + ([overlay(done)] if done.scored is not None else [])
    return [_tile(to_pil(picture)) for picture in shown]


def _tile(picture: Image.Image) -> Image.Image:
    scale = TILE / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    tile = Image.new("RGB", (TILE, TILE))
    tile.paste(
        picture.convert("RGB").resize(size, Image.Resampling.BICUBIC), ((TILE - size[0]) // 2, (TILE - size[1]) // 2)
    )
    return tile
