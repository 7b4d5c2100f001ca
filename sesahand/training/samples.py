"""What a training learns from: pictures with the map of their hands and words, rendered or out of files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import InvalidFileError, SesaHandError, quote

CLEAN, VERBOSE = "clean", "verbose"
MAX_PROMPT = 4000
MAX_PIXELS = 1 << 26


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """One picture.

    Attributes:
        picture: uint8 `[S, S, 3]`.
        control: The map that the ControlNet sees, uint8 `[S, S]` or `[S, S, 3]`.
        hand: Which part of each pixel the hands cover, uint8 `[S, S]`.
        captions: What is said of it, by style; "clean" is always there.
    """

    picture: np.ndarray
    control: np.ndarray
    hand: np.ndarray
    captions: dict[str, str]


class Samples(Protocol):
    """A sequence of samples; the same number always gives the same sample."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> TrainingSample: ...


class RenderedSamples:
    """The small model's world, see `synthetic`.

    Args:
        split: "train" or "heldout".
        seed: Which sequence of it.
        size: Of the pictures, pixels.
        count: How many samples.
    """

    def __init__(self, split: str, seed: int, size: int, count: int):
        from .synthetic import SyntheticHands

        self.world, self.count = SyntheticHands(split, seed, size), count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> TrainingSample:
        sample = self.world[index]
        captions = {CLEAN: sample.description.composition.prompt, VERBOSE: sample.description.rambling}
        return TrainingSample(sample.picture, sample.condition, sample.mask, captions)


class FileSamples:
    """Pictures, maps and prompts out of files.

    Args:
        rows: Paths of the picture and of the map, and the prompt.
        size: Pictures are cut to a square around their middle and brought to this size, pixels.
    """

    def __init__(self, rows: Sequence[tuple[Path, Path, str]], size: int):
        self.rows, self.size = list(rows), size

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> TrainingSample:
        picture_path, control_path, prompt = self.rows[index]
        picture = read_square(picture_path, self.size)
        control = read_square(control_path, self.size)
        hand = np.where(control.max(-1) > 0, np.uint8(255), np.uint8(0))
        return TrainingSample(picture, control, hand, {CLEAN: prompt})


def open_samples(path: str | Path, size: int) -> Samples:
    """Open a data set for a ControlNet's training.

    Args:
        path: AttentionHand's `modalities.json`, a folder that holds one, or a folder of SesaHand's image-mesh pairs.
        size: Of the pictures, pixels.

    Raises:
        InvalidFileError: If there is no such data set, or it is empty or damaged.
    """
    path = Path(path)
    listing = path / "modalities.json" if path.is_dir() else path
    if not listing.is_file():
        raise InvalidFileError(
            f"{path} is neither a modalities.json nor a folder with image-mesh pairs. Save pairs with the node Save "
            "Pair (SesaHand), or convert a set with `sesahand dataset convert`."
        )
    return FileSamples(list(read_modalities(listing)), size)


def read_modalities(path: Path) -> Iterator[tuple[Path, Path, str]]:
    """Yield the rows of AttentionHand's list: one JSON object a line with the files `rgb`, `mesh` and `text`.

    Args:
        path: The list. Its paths are relative to its folder, or names in the folders rgb, mesh and text beside it.

    Raises:
        InvalidFileError: If a line is not such an object, or a file is missing.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InvalidFileError(f"{path} cannot be read ({error!s:.200}).") from error
    rows = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise InvalidFileError(f"{path} lists no samples.")
    for number, line in rows:
        try:
            entry = json.loads(line)
            names = [entry[kind] for kind in ("rgb", "mesh", "text")]
            if not all(isinstance(name, str) and name for name in names):
                raise TypeError("rgb, mesh and text must be text")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise InvalidFileError(
                f'{path.name}, line {number}: expected {{"rgb": ..., "mesh": ..., "text": ...}}, got {quote(line)} '
                f"({error!s:.80})."
            ) from error
        picture, control, text = (
            _beside(path, kind, name, number) for kind, name in zip(("rgb", "mesh", "text"), names, strict=True)
        )
        yield picture, control, _first_line(text)


def read_square(path: Path, size: int) -> np.ndarray:
    """Read a picture, cut it to the largest square around its middle, and return it as uint8 `[size, size, 3]`."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise InvalidFileError(f"{path} has {picture.width} x {picture.height} pixels, more than is read.")
            side = min(picture.size)
            left, top = (picture.width - side) // 2, (picture.height - side) // 2
            cut = picture.convert("RGB").crop((left, top, left + side, top + side))
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidFileError(f"{path} cannot be read as a picture ({error!s:.200}).") from error
    return np.asarray(cut.resize((size, size), Image.Resampling.LANCZOS if side > size else Image.Resampling.BICUBIC))


class Batches:
    """Batches of samples in an order that is a function of the seed alone, from any step on.

    Args:
        samples: Any number of them, of one size.
        seed: Of the order.
        per_step: Samples that all devices together take in one step.
        workers: Threads that fetch samples.

    Raises:
        SesaHandError: If there are no samples.
    """

    def __init__(self, samples: Samples, seed: int, per_step: int, workers: int = 1):
        if not len(samples):
            raise SesaHandError("There are no samples to train on. Check data.path, and data.held_out.")
        self.samples, self.seed, self.per_step = samples, seed, per_step
        self._epoch, self._order = -1, np.empty(0, np.int64)
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None

    def indices(self, step: int) -> list[int]:
        """The numbers of the samples of a step; every sample comes once before any comes again."""
        start = step * self.per_step
        return [int(self._shuffled(p // len(self.samples))[p % len(self.samples)]) for p in self._range(start)]

    def get(self, indices: Sequence[int]) -> list[TrainingSample]:
        """The samples of these numbers, in this order."""
        return list((self._pool.map if self._pool else map)(self.samples.__getitem__, indices))

    def close(self) -> None:
        """End the threads."""
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _range(self, start: int) -> range:
        return range(start, start + self.per_step)

    def _shuffled(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng([self.seed, epoch]).permutation(len(self.samples))
        return self._order


class StoredSamples:
    """Samples that are rendered once and then read from the disk, each number at its place in a few arrays.

    What was stored before an interruption is kept; the rest is rendered by `store`.

    Args:
        folder: Where the arrays are.
        count: How many samples.
        size: Of the pictures, pixels.
    """

    def __init__(self, folder: Path, count: int, size: int):
        self.folder, self.count, self.size = folder, count, size
        self._pictures = self._array("pictures", (count, size, size, 3))
        self._controls = self._array("controls", (count, size, size))
        self._hands = self._array("hands", (count, size // 8, size // 8))
        self._captions = self._read_captions()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> TrainingSample:
        hand = np.kron(self._hands[index], np.ones((8, 8), np.uint8))
        return TrainingSample(self._pictures[index], self._controls[index], hand, self._captions[index])

    @property
    def stored(self) -> int:
        """How many samples are there already."""
        return len(self._captions)

    @property
    def captions(self) -> list[dict[str, str]]:
        """What is said of each stored sample, by style."""
        return self._captions

    def store(self, start: int, samples: Sequence[TrainingSample]) -> None:
        """Append samples, of which `start` must be the next number."""
        if start != self.stored:
            raise SesaHandError(f"Sample {start} was to be stored where {self.stored} comes next.")
        for index, sample in enumerate(samples, start):
            control = sample.control if sample.control.ndim == 2 else sample.control[..., 0]
            self._pictures[index], self._controls[index] = sample.picture, control
            cells = sample.hand.reshape(self.size // 8, 8, self.size // 8, 8)
            self._hands[index] = cells.mean(axis=(1, 3)).astype(np.uint8)
        for array in (self._pictures, self._controls, self._hands):
            array.flush()
        # The captions come last: what they count is complete.
        with self._captions_path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(sample.captions) + "\n" for sample in samples)
        self._captions += [sample.captions for sample in samples]

    @property
    def _captions_path(self) -> Path:
        return self.folder / "captions.jsonl"

    def _read_captions(self) -> list[dict[str, str]]:
        if not self._captions_path.exists():
            return []
        text = self._captions_path.read_text(encoding="utf-8")
        # An interruption in the middle of a line leaves a part of it, which is rendered again.
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            self._captions_path.write_text(whole, encoding="utf-8")
        return [json.loads(line) for line in whole.splitlines()]

    def _array(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        path = self.folder / f"{name}.npy"
        self.folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            return np.lib.format.open_memmap(path, "w+", np.uint8, shape)
        array = np.lib.format.open_memmap(path, "r+")
        if array.shape != shape or array.dtype != np.uint8:
            raise InvalidFileError(
                f"{path} holds {array.dtype} {array.shape}, expected uint8 {shape}: it belongs to another training. "
                "Choose another folder with --out, or delete it."
            )
        return array


def store_all(samples: Samples, stored: StoredSamples, workers: int = 1, chunk: int = 64) -> Iterator[int]:
    """Render what is missing into `stored`, in `workers` processes; yields how many there are after each chunk."""
    import multiprocessing

    starts = range(stored.stored, len(stored), chunk)
    jobs = ((samples, start, min(start + chunk, len(stored))) for start in starts)
    if workers == 1 or len(starts) < 2:
        rendered = map(_render, jobs)
        yield from _keep(stored, rendered)
        return
    # A fresh interpreter in each process: a fork of one whose torch has threads may never come back.
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from _keep(stored, pool.imap(_render, jobs))


def _keep(stored: StoredSamples, rendered: Iterator[tuple[int, list[TrainingSample]]]) -> Iterator[int]:
    for start, samples in rendered:
        stored.store(start, samples)
        yield stored.stored


def _render(job: tuple[Samples, int, int]) -> tuple[int, list[TrainingSample]]:
    samples, start, end = job
    return start, [samples[index] for index in range(start, end)]


def _beside(listing: Path, kind: str, name: str, number: int) -> Path:
    for path in (listing.parent / name, listing.parent / kind / name):
        if path.is_file():
            return path
    raise InvalidFileError(f"{listing.name}, line {number}: the file {quote(name)} of {kind} does not exist.")


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.readline(MAX_PROMPT).strip()
    except OSError as error:
        raise InvalidFileError(f"{path} cannot be read ({error!s:.200}).") from error
