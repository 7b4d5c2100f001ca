"""What a training learns from: pictures with the map of their hands and words, rendered or out of files."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..callbacks import Progress
from ..data.layout import HEADER
from ..data.pair_set import PairSet
from ..data.several_sets import PairSets
from ..data.shards import SHARDS
from ..errors import InvalidFileError, SesaHandError, quote
from ..files.reading import open_regular, parse_json, read_lines
from .picture_crops import Box, Crops, Square, draw_square, drawn_box, read_square

if TYPE_CHECKING:
    from ..world.cache import SampleCache
    from .latents import KeptLatents

STYLES = CLEAN, SHORT, VERBOSE = "clean", "short", "verbose"
MAX_PROMPT = 4000
# What is kept of a list in memory: its bytes, its prompts' letters, and its rows.
MAX_LIST_BYTES = 1 << 28
MAX_ROWS = 1 << 21


@dataclass(frozen=True, eq=False)
class TrainingSample:
    """One picture.

    Attributes:
        picture: uint8 `[S, S, 3]`.
        control: The map that the ControlNet sees, uint8 `[S, S]` or `[S, S, 3]`.
        hand: Which part of each pixel the hands cover, uint8 `[S, S]`.
        captions: What is said of it, by style; "clean" is always there.
        latents: Of the picture, float16 `[4, s, s]`, where they are kept; the picture may then be missing.
        latents_key: What they are kept by, or "".
    """

    picture: np.ndarray
    control: np.ndarray
    hand: np.ndarray
    captions: dict[str, str]
    latents: np.ndarray | None = None
    latents_key: str = ""


class Samples(Protocol):
    """A sequence of samples; the same number always gives the same sample."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> TrainingSample: ...


class WorldSamples:
    """The small model's world as `cache` has drawn it.

    Args:
        rendered: The drawn samples.
        held_in_map: Whether maps show what hands hold.
    """

    def __init__(self, rendered: SampleCache, held_in_map: bool = False):
        self.rendered, self.held_in_map = rendered, held_in_map
        # Describing a sample takes a millisecond, in which a GPU trains on several.
        self._captions: dict[int, dict[str, str]] = {}
        self._held: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.rendered)

    def __getitem__(self, index: int) -> TrainingSample:
        rendered = self.rendered
        if index not in self._captions:
            words = rendered.describe(index)
            self._captions[index] = {CLEAN: words.composition.prompt, SHORT: words.short, VERBOSE: words.rambling}
            if self.held_in_map and words.attributes.held is not None:
                self._held[index] = rendered.source.map_with_held(index)
        control = self._held.get(index, rendered.conditions[index])
        return TrainingSample(rendered.pictures[index], control, rendered.masks[index], self._captions[index])


@dataclass(frozen=True)
class Look:
    """How pictures are looked at.

    Attributes:
        size: Width and height that the square out of each picture is brought to, pixels.
        control: Which map of SesaHand's pairs the ControlNet sees; "" for none.
        crops: Which square is taken.
        latents: Where pictures' latents are kept, or None.
    """

    size: int
    control: str = "mesh"
    crops: Crops = field(default_factory=Crops)
    latents: KeptLatents | None = None

    def square(
        self, width: int, height: int, boxes: Callable[[], Sequence[Box]], draw: tuple[int, ...] | None
    ) -> Square | None:
        """Return the square of one draw; None for the middle one."""
        if not self.crops.smallest:
            return None
        generator = None if draw is None else np.random.default_rng(draw)
        return draw_square(width, height, boxes(), self.crops.smallest, self.crops.margin, generator)

    def picture(self, path: Path, square: Square | None, learns: bool) -> dict[str, Any]:
        """Return the picture of a sample, or its latents if they are kept."""
        if self.latents is None or not learns:
            return {"picture": read_square(path, self.size, square)}
        key = self.latents.key(path, self.size)
        kept = self.latents.read(key, self.size)
        picture = NO_PICTURE if kept is not None else read_square(path, self.size, square)
        return {"picture": picture, "latents": kept, "latents_key": key}


NO_PICTURE = np.zeros((0, 0, 3), np.uint8)


class FileSamples:
    """Pictures, maps and prompts out of files.

    Args:
        rows: Paths of the picture and of the map, and the prompt.
        look: How they are looked at.
    """

    def __init__(self, rows: Sequence[tuple[Path, Path, str]], look: Look):
        self.rows, self.look = list(rows), look

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> TrainingSample:
        return self._sample(index, None)

    def at(self, index: int, draw: tuple[int, int]) -> TrainingSample:
        """Return a sample as it is in one draw, see `Batches`."""
        return self._sample(index, (*draw, index))

    def names(self) -> Iterator[str]:
        """Yield what each sample is called: its picture, its map and its prompt."""
        return (f"{picture.name}/{control.name}/{prompt}" for picture, control, prompt in self.rows)

    def _sample(self, index: int, draw: tuple[int, ...] | None) -> TrainingSample:
        picture_path, control_path, prompt = self.rows[index]
        square = None
        if self.look.crops.smallest:
            # Nothing but the map says where the hands are.
            (width, height), boxes = drawn_box(control_path)
            square = self.look.square(width, height, lambda: boxes, draw)
        control = read_square(control_path, self.look.size, square)
        hand = np.where(control.max(-1) > 0, np.uint8(255), np.uint8(0))
        picture = self.look.picture(picture_path, square, draw is not None)
        return TrainingSample(control=control, hand=hand, captions={CLEAN: prompt}, **picture)


class PairSamples:
    """SesaHand's image-mesh pairs.

    Args:
        pairs: The set.
        look: How they are looked at.
        numbers: Which of them; all if None.
    """

    def __init__(self, pairs: PairSet | PairSets, look: Look, numbers: Sequence[int] | None = None):
        self.pairs, self.look = pairs, look
        self.numbers = range(len(pairs)) if numbers is None else numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> TrainingSample:
        return self._sample(index, None)

    def at(self, index: int, draw: tuple[int, int]) -> TrainingSample:
        """Return a sample as it is in one draw, see `Batches`."""
        return self._sample(index, (*draw, index))

    def names(self) -> Iterator[str]:
        """Yield what each sample is called: the key of its pair."""
        sets = [self.pairs] if isinstance(self.pairs, PairSet) else self.pairs.sets
        keys = (key for each in sets for key in each.index.keys())
        wanted = None if isinstance(self.numbers, range) else set(self.numbers)
        return (key for number, key in enumerate(keys) if wanted is None or number in wanted)

    def _sample(self, index: int, draw: tuple[int, ...] | None) -> TrainingSample:
        pair, look = self.pairs[self.numbers[index]], self.look
        record = pair.record
        square = look.square(record.width, record.height, lambda: [hand.box for hand in record.hands], draw)
        mask = read_square(pair.path("mask"), look.size, square) if "mask" in record.maps else None
        if look.control:
            control = read_square(pair.path(look.control), look.size, square)
        else:
            control = np.zeros((look.size, look.size), np.uint8) if mask is None else mask
        hand = np.where((control if mask is None else mask).reshape(look.size, look.size, -1).max(-1) > 0, 255, 0)
        # A prompt that is the caption itself is no clean one, but the only one there is.
        raw = {VERBOSE: pair.facts.caption} if pair.facts.caption else {}
        return TrainingSample(
            control=control,
            hand=hand.astype(np.uint8),
            captions={CLEAN: pair.prompt, **raw},
            **look.picture(pair.path("picture"), square, draw is not None),
        )


def open_samples(
    path: str | Path,
    size: int,
    control: str = "mesh",
    crops: Crops | None = None,
    latents: KeptLatents | None = None,
    minimum_score: float = 0.0,
    count: int = 0,
) -> Samples:
    """Open a data set for a training on a frozen base.

    Args:
        path: A folder of SesaHand's image-mesh pairs, planned or not, AttentionHand's `modalities.json`, or a folder
            that holds one itself or in its `data`.
        size: Of the pictures, pixels.
        control: Which map of SesaHand's pairs the ControlNet sees; "" for none.
        crops: Which part of a picture is seen; the middle if None.
        latents: Where pictures' latents are kept, or None.
        minimum_score: Pairs with a lower score, or with none, are left out; 0 takes all.
        count: Only so many, from the first on; 0 takes all.

    Raises:
        InvalidFileError: If there is no such data set, or it is empty or damaged.
        SesaHandError: If none of its pairs is left, or a list is asked for scores, which it has not.
    """
    path, look = Path(path), Look(size, control, crops or Crops(), latents)
    if (path / HEADER).is_file() or (path / SHARDS).is_file():
        pairs = PairSets([path])
        numbers = _chosen(pairs, minimum_score, count) if minimum_score or count else None
        if numbers is not None and not numbers:
            raise SesaHandError(f"{path!s:.200} has no pair of a score of {minimum_score:g}; ask for less.")
        return PairSamples(pairs, look, numbers)
    listings = [path / "modalities.json", path / "data" / "modalities.json"] if path.is_dir() else [path]
    listing = next((each for each in listings if each.is_file()), path)
    if not listing.is_file():
        raise InvalidFileError(
            f"{path} is neither a modalities.json nor a folder with image-mesh pairs. Save pairs with the node Save "
            "Pair (SesaHand)."
        )
    if minimum_score:
        raise SesaHandError(f"{listing!s:.200} holds no scores; leave minimum_score out.")
    return FileSamples(list(read_modalities(listing))[: count or None], look)


def _chosen(pairs: PairSets, minimum_score: float, count: int) -> list[int]:
    """The numbers of the first `count` pairs, without those of a lower score."""
    numbers = []
    for number, pair in enumerate(pairs):
        if count and number >= count:
            break
        if not minimum_score or (pair.facts.score is not None and pair.facts.score >= minimum_score):
            numbers.append(number)
    return numbers


def read_modalities(path: Path) -> Iterator[tuple[Path, Path, str]]:
    """Yield the rows of AttentionHand's list: one JSON object a line with the files `rgb`, `mesh` and `text`.

    Args:
        path: The list. Its paths start at its folder, at the one above as in AttentionHand's own data, or are names in
            the folders rgb, mesh and text beside it; all files are below its folder.

    Raises:
        InvalidFileError: If a line is not such an object, a file is missing, or there are more than are kept in memory.
    """
    if path.is_file() and path.stat().st_size > MAX_LIST_BYTES:
        raise _too_long(path, f"{MAX_LIST_BYTES} bytes")
    rows = letters = 0
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        rows += 1
        if rows > MAX_ROWS:
            raise _too_long(path, f"{MAX_ROWS} rows")
        try:
            entry = parse_json(line, "it")
            names = [entry[kind] for kind in ("rgb", "mesh", "text")]
            if not all(isinstance(name, str) and name for name in names):
                raise TypeError("rgb, mesh and text must be text")
        except (InvalidFileError, TypeError, KeyError) as error:
            shown = quote(line.decode("utf-8", "replace").strip())
            raise InvalidFileError(
                f'{path.name}, line {number}: expected {{"rgb": ..., "mesh": ..., "text": ...}}, got {shown} '
                f"({error!s:.80})."
            ) from error
        picture, control, text = (
            _beside(path, kind, name, number) for kind, name in zip(("rgb", "mesh", "text"), names, strict=True)
        )
        prompt = _first_line(text)
        letters += len(prompt)
        if letters > MAX_LIST_BYTES:
            raise _too_long(path, f"{MAX_LIST_BYTES} letters of prompts")
        yield picture, control, prompt
    if not rows:
        raise InvalidFileError(f"{path} lists no samples. Write a line of JSON for each, with rgb, mesh and text.")


def _too_long(path: Path, bound: str) -> InvalidFileError:
    return InvalidFileError(
        f"{path!s:.200} holds more than {bound}, more than is kept in memory; share it out among several lists."
    )


class Batches:
    """Batches of samples in an order that is a function of the seed alone, from any step on.

    Samples with a method `at` are another cut of themselves in each draw, which is the seed and the step.

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

    def get(self, indices: Sequence[int], step: int) -> list[TrainingSample]:
        """The samples of these numbers as they are in a step, in this order."""
        samples: Any = self.samples
        fetch = (lambda index: samples.at(index, (self.seed, step))) if hasattr(samples, "at") else samples.__getitem__
        return list((self._pool.map if self._pool else map)(fetch, indices))

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


def render_world(
    folder: Path,
    split: str,
    count: int,
    size: int,
    seed: int = 0,
    workers: int = 1,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[int], None] = lambda done: None,
) -> WorldSamples | None:
    """Draw the small model's world into a folder, or what is missing of it there, in `workers` processes.

    Args:
        folder: Of the drawn samples.
        split: "train" or "heldout".
        count: How many samples.
        size: Of the pictures, pixels.
        seed: Which sequence of the split.
        workers: Processes.
        stop: Asked after each sample, or twice a second with several processes; true ends it, and what is drawn stays.
        report: Told how many samples are there.

    Returns:
        The samples; None if it was stopped.
    """
    from ..world.cache import ABOUT, create_arrays, open_samples
    from ..world.synthetic import WORLD

    there = open_samples(folder) if (folder / ABOUT).exists() else ()
    about = {"world": WORLD, "split": split, "seed": seed, "size": size, "count": max(count, len(there))}
    # Of a larger set that somebody else has drawn, or draws, the first ones are enough.
    done = create_arrays(folder, about)["done"][:count]
    if done.all():
        return WorldSamples(open_samples(folder).first(count))
    draw = _draw_in_processes if workers > 1 else _draw_here
    if not draw(folder, about, done, workers, stop, report):
        return None
    if not done.all():
        raise SesaHandError(
            f"Drawing the samples ended after {int(done.sum())} of {count}: a process was killed, or the disk is full. "
            "The same command goes on."
        )
    return WorldSamples(open_samples(folder).first(count))


class _Stopped(Exception):
    """Ends the drawing from within."""


def _draw_here(folder: Path, about: dict, done: np.ndarray, workers: int, stop, report) -> bool:
    def tell(*_) -> None:
        report(int(done.sum()))
        if stop():
            raise _Stopped

    try:
        _draw(folder, about, (0, 1), tell)
    except _Stopped:
        return False
    return True


def _draw_in_processes(folder: Path, about: dict, done: np.ndarray, workers: int, stop, report) -> bool:
    import multiprocessing

    # What is drawn does not depend on how many draw, so that no configuration starts more than the machine can feed.
    workers = min(workers, os.cpu_count() or 1)
    # Fresh interpreters: a fork of one whose torch has threads may never come back. They end with this one.
    context = multiprocessing.get_context("spawn")
    parts = [(folder.absolute(), about, (part, workers)) for part in range(workers)]
    processes = [context.Process(target=_draw, args=each, daemon=True) for each in parts]
    with _out_of_the_current_folder():
        for process in processes:
            process.start()
    try:
        while any(process.is_alive() for process in processes) and not done.all():
            processes[0].join(0.5)
            report(int(done.sum()))
            if stop():
                return False
    finally:
        for process in processes:
            process.terminate()
            process.join()
    return True


@contextmanager
def _out_of_the_current_folder() -> Iterator[None]:
    """Leave the current folder while interpreters start, which look for modules there first: it may be a stranger's.

    They go to the folder that this process began in before they do their work.
    """
    current = os.getcwd()
    os.chdir(sys.prefix)
    try:
        yield
    finally:
        os.chdir(current)


def _draw(folder: Path, about: dict, part: tuple[int, int], progress: Progress | None = None) -> None:
    from ..world.cache import render_samples

    render_samples(folder, about["count"], about["split"], about["seed"], about["size"], part, progress)


def _beside(listing: Path, kind: str, name: str, number: int) -> Path:
    folder = listing.resolve().parent
    for path in (folder / name, folder.parent / name, folder / kind / name):
        try:
            # A list from elsewhere must not make a prompt of a file of somebody's own.
            if path.resolve().is_relative_to(folder) and path.is_file():
                return path
        except (OSError, ValueError):
            continue
    raise InvalidFileError(
        f"{listing.name}, line {number}: the file {quote(name)} of {kind} does not exist; put it there, or remove that "
        "line."
    )


def _first_line(path: Path) -> str:
    try:
        with io.TextIOWrapper(open_regular(path), encoding="utf-8-sig", errors="replace") as file:
            return file.readline(MAX_PROMPT).strip()
    except OSError as error:
        raise InvalidFileError(f"{path} cannot be read ({error!s:.200}). Check that you may read it.") from error
