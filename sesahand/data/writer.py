"""Writing a set of pairs so that it can be stopped at any moment, and goes on where it was."""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from ..errors import SesaHandError, quote
from ..files.folders import delete_file, is_file, list_folder, make_folder
from ..files.locks import ANOTHER_SET, WriterLock
from ..files.reading import MAX_FILE_BYTES, open_regular, read_bytes
from ..files.writing import write_whole
from ..render.map_table import ALL_MAPS
from ..scene.hand_scene import HandScene
from .hand_arrays import PosedScene, frame_scene, pose_scene
from .index import MAX_LINE, read_index
from .layout import (
    FORMAT,
    HEADER,
    INDEX,
    LOCK,
    PICTURE_SUFFIXES,
    SAMPLES_PER_FOLDER,
    UNFINISHED,
    VERSION,
    check_header,
    check_key,
    folder_name,
    numbered_key,
    sample_file,
)
from .pair_set import Pair
from .picture_files import MAX_PICTURE_BYTES, encode, to_levels
from .record import ObjectSummary, PairFacts, PairRecord


@dataclass(frozen=True)
class EncodedPair:
    """A pair as it will be in a set.

    Attributes:
        record: Of the index; the writer settles its folder.
        files: The bytes of each file, by "png" or "jpg", "npz", and the names of maps.
    """

    record: PairRecord
    files: dict[str, bytes]


def encode_pair(
    picture: Tensor,
    scene: HandScene,
    facts: PairFacts | None,
    maps: Mapping[str, Tensor] | None,
    key: str,
    frame: int = 0,
    picture_format: str = "png",
) -> EncodedPair:
    """Return a pair as `PairWriter.append` takes it; arguments and errors as of `PairWriter.add`."""
    record, levels, posed = _prepare(picture, scene, facts, maps, check_key(key), frame, picture_format)
    files = {kind: encode(shown, kind if kind in PICTURE_SUFFIXES else "png") for kind, shown in levels.items()}
    return EncodedPair(record, {**files, "npz": _numbers_of(posed)})


class PairWriter:
    """Appends pairs to a set, which it makes if there is none. One writer at a time; use it as a context manager.

    A sample's files are written under other names, renamed, and only then named in the index, each step brought to the
    disk before the next: whatever happens, a sample is in the set whole or not at all. Files of a sample that did not
    make it are written over when it comes again.

    Args:
        root: Folder of the set.
        picture_format: "png", exact, or "jpg" of quality 95 without colour subsampling, a quarter of the size.
        wait: Seconds to wait for another writer to end.
        instead: What else to write to while there is one, for the error that says so.

    Raises:
        SesaHandError: If somebody else writes to the set, or the folder holds something else.
    """

    def __init__(self, root: str | Path, picture_format: str = "png", wait: float = 0.0, instead: str = ANOTHER_SET):
        if picture_format not in PICTURE_SUFFIXES:
            raise SesaHandError(f"picture_format is {quote(picture_format)}, expected png or jpg.")
        self.root, self.picture_format = Path(root), picture_format
        self._make_folder()
        self._lock = WriterLock(self.root / LOCK, instead, wait)
        try:
            self._begin()
        except OSError as error:
            self._lock.release()
            raise SesaHandError(
                f"{self.root!s:.200} cannot be written to: {error!s:.200}. Choose another folder with room, in which "
                "you may write."
            ) from error
        except SesaHandError:
            self._lock.release()
            raise

    def __enter__(self) -> "PairWriter":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._found) + len(self._added)

    def __contains__(self, key: str) -> bool:
        """Whether a sample is in the set already, so that its making can be skipped."""
        return key in self._added or self._found.find(key) is not None

    def close(self) -> None:
        """Let others write. Nothing is pending: every sample was on the disk when `add` returned."""
        if not self._index.closed:
            self._index.close()
            self._lock.release()

    def add(
        self,
        picture: Tensor,
        scene: HandScene,
        facts: PairFacts | None = None,
        maps: Mapping[str, Tensor] | None = None,
        key: str | None = None,
        frame: int = 0,
    ) -> str:
        """Append one pair.

        Args:
            picture: `[H, W, C]` in 0..1, C one of 1, 3, 4; alpha is composited on white.
            scene: The hands; those of `frame` are in the picture. Its camera's proportions must be the picture's.
            facts: What else is known.
            maps: Condition maps by a name of `ALL_MAPS`, `[H, W, 3]` or `[H, W]` of the picture's size.
            key: Of the sample; None numbers it. A key is never written twice: ask `key in writer` first.
            frame: Of the scene.

        Returns:
            The key.

        Raises:
            SesaHandError: If the key is taken, anything cannot be stored, or the disk is full; the set is as before.
        """
        key = self._next_key() if key is None else check_key(key)
        self._refuse_taken(key)
        self.append(encode_pair(picture, scene, facts, maps, key, frame, self.picture_format))
        return key

    def append(self, pair: EncodedPair) -> None:
        """Append a pair that `encode_pair` encoded, here or in another process.

        Raises:
            SesaHandError: If its key is taken, or the disk is full; the set is as before.
        """
        self._refuse_taken(pair.record.key)
        self._append(replace(pair.record, folder=len(self) // SAMPLES_PER_FOLDER), pair.files)

    def adopt(self, pair: Pair) -> str:
        """Append a pair of another set under its key there, its files byte by byte.

        Returns:
            The key.

        Raises:
            SesaHandError: If the key is taken, a file is missing or too large, or the disk is full; the set is as
                before. What is in the files is not looked at.
        """
        key = check_key(pair.key)
        self._refuse_taken(key)
        record = replace(pair.record, key=key, folder=len(self) // SAMPLES_PER_FOLDER)
        kinds = (record.picture, *record.maps, "npz")
        self._append(record, {kind: read_bytes(pair.path(kind), MAX_PICTURE_BYTES) for kind in kinds})
        return key

    def check(
        self,
        picture: Tensor,
        scene: HandScene,
        facts: PairFacts | None = None,
        maps: Mapping[str, Tensor] | None = None,
        frame: int = 0,
    ) -> None:
        """Raise what `add` would raise over a pair that cannot be stored, and store nothing; arguments as of `add`."""
        _numbers_of(_prepare(picture, scene, facts, maps, self._next_key(), frame, self.picture_format)[2])

    def _refuse_taken(self, key: str) -> None:
        if key in self:
            raise SesaHandError(
                f"The set {self.root} has a pair {key!r} already; pairs are never replaced. Choose another key, or "
                "none to have it numbered."
            )

    def _append(self, record: PairRecord, files: dict[str, bytes]) -> None:
        line = record.to_line()
        if self._index.closed:
            raise SesaHandError("This writer is closed; open another.")
        try:
            make_folder(self.root, folder_name(record.folder))
            for kind, data in files.items():
                write_whole(sample_file(self.root, record.folder, record.key, kind), data)
            # Nothing is buffered: a record reaches the file in one piece or is cut off again.
            if self._index.write(line) != len(line):
                raise OSError("the disk took only a part of it")
            os.fsync(self._index.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                self._index.truncate(self._end)
            raise SesaHandError(
                f"{record.key!r} cannot be written to {self.root!s:.200}: {error!s:.200}. Make room, or choose another "
                "folder."
            ) from error
        self._end += len(line)
        self._added.add(record.key)

    def _make_folder(self) -> None:
        """Make the folder of the set and its header, if there is none."""
        header = self.root / HEADER
        try:
            if not header.exists():
                if self.root.is_dir() and any(entry.name not in (LOCK, INDEX) for entry in self._others()):
                    raise SesaHandError(
                        f"{self.root!s:.200} holds other files and is no set of pairs; choose a new or empty folder."
                    )
                self.root.mkdir(parents=True, exist_ok=True)
                write_whole(header, json.dumps({"format": FORMAT, "version": VERSION}).encode() + b"\n")
        except (OSError, ValueError) as error:
            raise SesaHandError(
                f"{self.root!s:.200} cannot be made a set of pairs: {error!s:.200}. Choose another folder."
            ) from error

    def _others(self) -> list[Path]:
        return [entry for entry in self.root.iterdir() if not UNFINISHED.fullmatch(entry.name)]

    def _begin(self) -> None:
        check_header(self.root)
        self._found = found = read_index(self.root)
        self._added: set[str] = set()
        self._end = found.end
        for parts in ((), (folder_name(len(self) // SAMPLES_PER_FOLDER),)):
            for leftover in list_folder(self.root, *parts):
                if UNFINISHED.fullmatch(leftover.name) and is_file(leftover):
                    delete_file(self.root, *parts, leftover.name)
        self._index = open_regular(self.root / INDEX, "ab", follow=False, buffering=0)
        if found.torn:
            self._index.truncate(found.end)

    def _next_key(self) -> str:
        number = len(self)
        while numbered_key(number) in self:
            number += 1
        return numbered_key(number)


def _numbers_of(posed: PosedScene) -> bytes:
    """Return the npz of the hands of a pair, unless it is larger than is read."""
    numbers = posed.to_npz()
    if len(numbers) > MAX_FILE_BYTES:
        raise SesaHandError(
            f"The hands and what they hold take {len(numbers) >> 20} MiB, more than the {MAX_FILE_BYTES >> 20} that "
            "are read of a pair: leave hands out, or simplify the meshes."
        )
    return numbers


def _prepare(
    picture: Tensor, scene: HandScene, facts: PairFacts | None, maps, key: str, frame: int, picture_format: str
) -> tuple[PairRecord, dict[str, np.ndarray], PosedScene]:
    """Return the record of a pair, the pixels of its pictures by kind, and its hands."""
    levels = to_levels(picture, "The picture")
    if levels.ndim == 2:
        raise SesaHandError(f"The picture has the shape {list(picture.shape)}, expected height, width, channels.")
    height, width = levels.shape[:2]
    pixels = {picture_format: levels}
    maps = dict(maps or {})
    for name in [*maps]:
        if name not in ALL_MAPS:
            raise SesaHandError(f"There is no map {quote(name)}; maps are {', '.join(ALL_MAPS)}.")
        shown = to_levels(maps[name], f"The map {name!r}")
        if shown.shape[:2] != (height, width):
            raise SesaHandError(
                f"The map {name!r} has {shown.shape[1]}x{shown.shape[0]} pixels, but the picture {width}x{height}: "
                "draw it at that size."
            )
        pixels[name] = shown
    hands = frame_scene(scene, frame, width, height)
    posed = pose_scene(hands)
    facts = facts or PairFacts()
    # Of hands that were read from a picture, the scene itself knows how surely.
    doubt = hands.largest_doubt if facts.doubt is None else facts.doubt
    record = PairRecord(
        key=key,
        folder=0,
        picture=picture_format,
        width=width,
        height=height,
        maps=tuple(name for name in ALL_MAPS if name in maps),
        hand_model=scene.model.name,
        hand_licence=scene.model.licence,
        flat_hand=True,
        vertices_sha256=posed.vertices_sha256,
        hands=posed.summaries,
        facts=replace(facts, doubt=doubt),
        objects=tuple(ObjectSummary(held.name, held.kind, held.hand) for held in hands.objects),
    )
    size = len(record.to_line())
    if size > MAX_LINE:
        raise SesaHandError(
            f"What is known of {record.key!r} takes {size} bytes, more than {MAX_LINE}: shorten its texts."
        )
    return record, pixels, posed
