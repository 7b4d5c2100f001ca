"""Rendered samples on disk as memory-mapped arrays: drawn once, by as many processes as one likes, read at random."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..callbacks import Progress
from ..errors import InvalidFileError, SesaHandError, quote
from ..files.arrays import create_array, map_array
from ..files.folders import delete_file, inside
from ..files.locks import WriterLock
from ..files.reading import read_json
from ..files.writing import write_whole
from .synthetic import WORLD, Description, SyntheticHands

MAX_HANDS = 2
ABOUT, LOCK = "about.json", "samples.lock"
MOST = 10_000_000


@dataclass(frozen=True, eq=False)
class SampleCache:
    """The first samples of a split, drawn; N of them with S x S pixels.

    Attributes:
        source: The sequence that they come from; its `describe(i)` gives the words of sample `i`.
        pictures: uint8 `[N, S, S, 3]`.
        conditions: Gray mesh maps, uint8 `[N, S, S]`.
        silhouettes: uint8 `[N, S, S]`, see `Sample`.
        masks: uint8 `[N, S, S]`, see `Sample`.
        keypoints: Pixels, float32 `[N, 2, 21, 2]`; NaN for a second hand that is not there.
        done: 1 for samples that have been drawn, uint8 `[N]`.
    """

    source: SyntheticHands
    pictures: np.ndarray
    conditions: np.ndarray
    silhouettes: np.ndarray
    masks: np.ndarray
    keypoints: np.ndarray
    done: np.ndarray

    def __len__(self) -> int:
        return len(self.done)

    def first(self, count: int) -> "SampleCache":
        """Return the first `count` samples alone.

        Raises:
            SesaHandError: If there are fewer, or some of them have not been drawn.
        """
        if not 1 <= count <= len(self) or not self.done[:count].all():
            raise SesaHandError(
                f"{int(self.done[:count].sum())} of the {count} samples asked for have been drawn: draw the others "
                "first, or take fewer."
            )
        return SampleCache(
            self.source, **{name: getattr(self, name)[:count] for name in array_shapes(count, self.source.size)}
        )

    def describe(self, index: int) -> Description:
        """Return what sample `index` shows and what is said of it."""
        return self.source.describe(index)


def array_shapes(count: int, size: int) -> dict[str, tuple[type, tuple[int, ...]]]:
    """Return type and shape of each array of a cache."""
    plane = (count, size, size)
    return {
        "pictures": (np.uint8, (*plane, 3)),
        "conditions": (np.uint8, plane),
        "silhouettes": (np.uint8, plane),
        "masks": (np.uint8, plane),
        "keypoints": (np.float32, (count, MAX_HANDS, 21, 2)),
        "done": (np.uint8, (count,)),
    }


def render_samples(
    folder: Path,
    count: int,
    split: str = "train",
    seed: int = 0,
    size: int = 128,
    part: tuple[int, int] = (0, 1),
    progress: Progress | None = None,
) -> SampleCache:
    """Draw the first samples of a split into a folder, or go on where that was interrupted.

    Args:
        folder: Made if it is not there; about 6 S^2 bytes a sample.
        count: How many samples.
        split: "train" or "heldout".
        seed: Of the sequence.
        size: Side of the pictures.
        part: (k, n) draws every n-th sample from the k-th on: n processes with k = 0 to n - 1 share the work. Let the
            first of them make the folder before the others start.
        progress: Called with how many samples of this part are done, and of how many.

    Returns:
        The samples, mapped for reading.

    Raises:
        SesaHandError: If the folder holds other samples, or numbers make no sense.
    """
    folder, source = Path(folder), SyntheticHands(split, seed, size)
    about = {"world": WORLD, "split": split, "seed": seed, "size": size, "count": count}
    which, parts = part
    if not 1 <= count <= MOST or not 0 <= which < parts:
        raise SesaHandError(f"Cannot draw part {which} of {parts} of {count} samples: at least one, at most {MOST}.")
    arrays = create_arrays(folder, about)
    mine = range(which, count, parts)
    for number, index in enumerate(mine):
        if not arrays["done"][index]:
            sample = source[index]
            arrays["pictures"][index], arrays["conditions"][index] = sample.picture, sample.condition
            arrays["silhouettes"][index], arrays["masks"][index] = sample.silhouette, sample.mask
            arrays["keypoints"][index] = np.nan
            arrays["keypoints"][index, : len(sample.keypoints)] = sample.keypoints
            arrays["done"][index] = 1
        if progress is not None:
            progress(number + 1, len(mine))
    for array in arrays.values():
        array.flush()
    return open_samples(folder)


def create_arrays(folder: Path, about: dict) -> dict[str, np.memmap]:
    """Make the files of a cache, or open those that are there for writing.

    Args:
        folder: Made if it is not there.
        about: What `about.json` says of the cache.

    Raises:
        SesaHandError: If the folder holds other samples, or files of such names that are no cache's.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_other_files(folder, about)
        # Of several processes that start together, one makes the files, and the others wait for it.
        with WriterLock(folder / LOCK, "folder", wait=60):
            if os.path.lexists(folder / ABOUT):
                found = read_json(folder / ABOUT, follow=False)
                if found != about:
                    raise SesaHandError(
                        f"{folder} holds other samples, {quote(found)}, not {about}: choose another folder."
                    )
            else:
                _create_new(folder, array_shapes(about["count"], about["size"]))
                write_whole(folder / ABOUT, json.dumps(about).encode() + b"\n")
        return map_arrays(folder, about, "r+")
    except (OSError, ValueError) as error:
        raise SesaHandError(f"Samples cannot be written to {folder} ({error}); choose another folder.") from error


def _create_new(folder: Path, shapes: dict[str, tuple[type, tuple[int, ...]]]) -> None:
    """Make the arrays' files, all of them or, where the disk has no room for all, none."""
    made: list[str] = []
    try:
        for name, (kind, shape) in shapes.items():
            create_array(folder, f"{name}.npy", kind, shape).flush()
            made.append(f"{name}.npy")
    except BaseException:
        for name in made:
            delete_file(folder, name)
        raise


def _refuse_other_files(folder: Path, about: dict) -> None:
    """Refuse a folder whose files would be lost: arrays of these names where nobody has begun to draw."""
    if os.path.lexists(folder / LOCK) or os.path.lexists(folder / ABOUT):
        return
    for name in array_shapes(about["count"], about["size"]):
        path = inside(folder, f"{name}.npy")
        if os.path.lexists(path):
            raise SesaHandError(
                f"{folder!s:.200} holds {path.name}, but no drawn samples; it would be lost. Choose a new folder."
            )


def open_samples(folder: Path) -> SampleCache:
    """Map what `render_samples` has drawn, for reading.

    Raises:
        InvalidFileError: If the folder holds no samples, or samples of another version of the small world.
    """
    folder = Path(folder)
    try:
        about = read_json(folder / ABOUT, follow=False)
        if about["world"] != WORLD:
            raise InvalidFileError(
                f"{folder} was drawn by version {about['world']} of the small world, this is {WORLD}: draw it again."
            )
        try:
            arrays = map_arrays(folder, about, "r")
        except InvalidFileError as error:
            raise ValueError(error) from error
        return SampleCache(SyntheticHands(about["split"], about["seed"], about["size"]), **arrays)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidFileError(f"{folder} holds no rendered samples ({error}); draw them there first.") from error


def map_arrays(folder: Path, about: dict, mode: Literal["r", "r+"]) -> dict[str, np.memmap]:
    """Map the arrays of a cache and check that they are what `about` says."""
    arrays = {}
    for name, (kind, shape) in array_shapes(about["count"], about["size"]).items():
        arrays[name] = map_array(folder, f"{name}.npy", kind, shape, mode)
    return arrays
