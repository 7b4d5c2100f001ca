"""A plan: what a set of pairs is made of, written down so that each pair is a function of the plan and its number."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from ..data.layout import PICTURE_SUFFIXES, SAMPLES_PER_FOLDER
from ..data.record import MAX_TEXT, PairFacts
from ..data.shards import Shards
from ..errors import InvalidFileError, SesaHandError, quote
from ..files.folders import inside
from ..files.names import check_file_name
from ..files.settings import read_settings
from ..hands.loading import load_hand_model
from ..hands.model import HandModel
from ..models.small.embedded import EMBEDDED
from ..render.map_table import ALL_MAPS
from ..scene.camera import check_fov
from ..scene.placement import Placement
from ..semantics.captions import read_caption_lines
from ..semantics.composer import as_typed
from .canvas import LARGEST_SIDE
from .order import Job, Order, Said
from .pipeline import DTYPES, HandGenerator, check_seeds, choose_fusion
from .sampling import OPTIONS, SamplingSettings
from .variety import KINDS, check_kinds

MAX_PLAN_BYTES = 1 << 20
SHARD, BATCH = 960, 8
MAX_PAIRS = 10**9
MOST_PIXELS = 1 << 27
"""Of a batch, whose pictures and maps are in memory at a time."""
READ_AT_ONCE = 4096
"""Captions whose words are kept, so that short lists are read once and long ones take no memory."""


@dataclass(frozen=True)
class Plan:
    """What a set of pairs is made of; names are those of `generate`'s options.

    Pair i has caption `i % len(captions)`, the noise of seed `seed + i`, and the variation of `seed` and i. Pictures
    are made in groups of `batch_size` that begin at its multiples, always whole: rounding depends on a batch's size.

    Attributes:
        captions: One sentence each.
        pairs: How many.
        seed: Of all that is drawn.
        vary: What differs from pair to pair, of `variety.KINDS`.
        gesture: Of all hands; None takes the one that each caption names.
        side: "right", "left" or "both"; None takes what each caption says.
        size: Width and height in pixels; None is the model's own.
        fov: Degrees across the longer side.
        verbatim: Let captions be the prompts as they are.
        prefix: Goes in front of each prompt.
        style: Goes behind it.
        base: A diffusers folder or `.safetensors`, or "embedded".
        controlnet: A folder or file; of the small model also "sf", "plain" or "held".
        dtype: Of the weights.
        map: What the ControlNet is shown; None takes what it was trained on.
        pair_maps: Maps that pairs get besides.
        forearm: Draw the forearm in the maps too.
        sampling: What of the model's own settings is replaced, by the names in `sampling.OPTIONS`.
        fusion: lambda, 0 to 1; None is as the ControlNet was trained.
        score: Look for the hands in the pictures.
        batch_size: Pictures made at a time.
        shard_size: Pairs in one shard, a multiple of `batch_size`.
        picture_format: "png" or "jpg".
        hold: Put what captions let a hand hold into it.
    """

    captions: tuple[str, ...]
    pairs: int
    seed: int = 0
    vary: tuple[str, ...] = KINDS
    gesture: str | None = None
    side: str | None = None
    size: tuple[int, int] | None = None
    fov: float | None = None
    verbatim: bool = False
    prefix: str = ""
    style: str = ""
    base: str = EMBEDDED
    controlnet: str | None = None
    dtype: str = "auto"
    map: str | None = None
    pair_maps: tuple[str, ...] = ()
    forearm: bool = False
    sampling: dict[str, Any] = field(default_factory=dict)
    fusion: float | None = None
    score: bool = True
    batch_size: int = BATCH
    shard_size: int = SHARD
    picture_format: str = "png"
    hold: bool = False

    def __post_init__(self):
        for name, most in (("pairs", MAX_PAIRS), ("batch_size", 4096), ("shard_size", SAMPLES_PER_FOLDER)):
            _check_count(name, getattr(self, name), most)
        if self.shard_size % self.batch_size:
            raise SesaHandError(
                f"shard_size is {self.shard_size} and batch_size {self.batch_size}, expected a multiple of it: choose "
                f"{max(1, self.shard_size // self.batch_size) * self.batch_size}."
            )
        if not self.captions:
            raise SesaHandError("The plan has no captions: give a text file with one a line, or a list of sentences.")
        if self.picture_format not in PICTURE_SUFFIXES:
            raise SesaHandError(f"picture_format is {quote(self.picture_format)}, expected png or jpg.")
        for name in (self.map or ALL_MAPS[0], *self.pair_maps):
            if name not in ALL_MAPS:
                raise SesaHandError(f"There is no map {quote(name)}; maps are {', '.join(ALL_MAPS)}.")
        if self.side not in (None, "right", "left", "both"):
            raise SesaHandError(f"side is {quote(self.side)}, expected right, left or both.")
        if self.fusion is not None and not 0 <= self.fusion <= 1:
            raise SesaHandError(f"lambda is {quote(self.fusion)}, expected a number from 0 to 1.")
        if self.dtype not in ("auto", *DTYPES):
            raise SesaHandError(f"dtype is {quote(self.dtype)}, expected auto, {', '.join(DTYPES)}.")
        if self.fov is not None:
            check_fov(self.fov)
        if self.size is not None:
            if not all(0 < side <= LARGEST_SIDE for side in self.size):
                raise SesaHandError(f"size is {quote(self.size)}, expected sides of 1 to {LARGEST_SIDE} pixels.")
            self.check_batch(self.size)
        if len(self.prefix) + len(self.style) > MAX_TEXT:
            raise SesaHandError(
                f"prefix and style have {len(self.prefix) + len(self.style)} characters, but a prompt at most "
                f"{MAX_TEXT}: shorten them."
            )
        object.__setattr__(self, "vary", check_kinds(self.vary))
        object.__setattr__(self, "pair_maps", tuple(dict.fromkeys(self.pair_maps)))
        check_seeds([self.seed, self.seed + self.pairs])
        SamplingSettings(**self._sampling())
        # What cannot vary together is known there.
        _ = self.order()

    def to_dict(self) -> dict:
        """What decides on a pair, as JSON knows it; the captions by number and hash."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        digest = hashlib.sha256("\n".join(self.captions).encode("utf-8", "surrogatepass")).hexdigest()
        values["captions"] = {"count": len(self.captions), "sha256": digest}
        # How many are planned, and in what they lie, decides on no pair; nor does what sets of before could not say.
        unsaid = ("pairs", "shard_size", *(() if self.hold else ("hold",)))
        left = {name: value for name, value in values.items() if name not in unsaid}
        return json.loads(json.dumps(left))

    def shards(self, root: str | Path) -> Shards:
        """Return the shards of a set that this plan makes in a folder."""
        return Shards(Path(root), self.pairs, self.shard_size, self.to_dict())

    def order(self, model: HandModel | None = None) -> Order:
        """Return the order that reads captions and makes jobs, of the built-in hand if there is no model."""
        return Order(
            (),
            gesture=self.gesture,
            side=self.side,
            placement=Placement() if self.fov is None else Placement(fov=float(self.fov)),
            size=self.size,
            hand_model=model,
            verbatim=self.verbatim,
            prefix=self.prefix,
            style=self.style,
            seed=self.seed,
            vary=self.vary,
            hold=self.hold,
        )

    def settings(self, generator: HandGenerator) -> SamplingSettings:
        """Return how a generator samples."""
        chosen = dataclasses.replace(generator.default_settings(), **self._sampling())
        return dataclasses.replace(chosen, fusion=choose_fusion(generator, self.fusion))

    def check_batch(self, size: tuple[int, int]) -> None:
        """Raise a SesaHandError if a batch of pictures of a width and height is larger than is made at a time."""
        most = MOST_PIXELS // (size[0] * size[1])
        if self.batch_size > most:
            raise SesaHandError(
                f"batch_size is {self.batch_size}, but at most {most} pictures are made at a time of "
                f"{size[0]}x{size[1]} pixels."
            )

    def groups(self, numbers: list[int]) -> Iterator[range]:
        """Yield the whole groups of pictures that some pairs, given in order, are made in."""
        firsts = dict.fromkeys(number - number % self.batch_size for number in numbers)
        return (range(first, first + self.batch_size) for first in firsts)

    def _sampling(self) -> dict[str, Any]:
        return {OPTIONS[name]: value for name, value in self.sampling.items()}


@dataclass(frozen=True, eq=False)
class PlannedJobs:
    """The jobs of a plan by their numbers.

    Attributes:
        plan: The plan.
        size: Width and height of the pictures, pixels.
        in_small: Whether prompts are put into words that the small model knows.
    """

    plan: Plan
    size: tuple[int, int]
    in_small: bool

    def __call__(self, number: int) -> Job:
        """Return job `number`."""
        return self._jobs(number)

    @cached_property
    def _order(self) -> Order:
        # The hand is loaded once: pictures of one model can be scored together.
        return self.plan.order(load_hand_model())

    @cached_property
    def _said(self) -> Callable[[int], Said]:
        return lru_cache(READ_AT_ONCE)(lambda place: read_planned(self._order, self.plan, place))

    @cached_property
    def _jobs(self) -> Callable[[int], Job]:
        return lru_cache(2 * self.plan.batch_size)(self._make)

    def _make(self, number: int) -> Job:
        said = self._said(number % len(self.plan.captions))
        return self._order.job(said, number, self.size, self.in_small)


def read_planned(order: Order, plan: Plan, place: int) -> Said:
    """Return what a caption of a plan says.

    Raises:
        SesaHandError: If it names no gesture where one is needed, or makes a prompt that no record holds; the message
            says which caption it is.
    """
    try:
        said = order.read(plan.captions[place])
        # What no record holds is told before a picture is painted.
        raw = [as_typed(said.image, said.image.caption, plan.prefix, plan.style)] if "caption" in plan.vary else []
        for image in (said.image, *raw):
            PairFacts(image.prompt, image.behavior)
        return said
    except SesaHandError as error:
        raise SesaHandError(f"Caption {place + 1} of the plan, {quote(plan.captions[place], 60)}: {error}") from error


def describe_jobs(numbers: Sequence[int], jobs: Sequence[Job]) -> str:
    """Return a line for each pair of a plan: its number, seed, gesture and prompt."""
    return "\n".join(
        f"pair {number}: seed {job.seed}, {job.request.gesture or 'no gesture'}: {job.request.semantics.prompt}"
        for number, job in zip(numbers, jobs, strict=True)
    )


def read_plan(path: str | Path) -> Plan:
    """Read a plan from a `.toml` or `.json` file.

    Its keys are the fields of `Plan` and the names in `sampling.OPTIONS`; `lambda` stands for `fusion`. `captions` is a
    list, or the name of a text file with one a line, beside the plan: a plan from elsewhere must not make captions of
    other files. `vary` is a list or "all".

    Raises:
        InvalidFileError: If a file cannot be read, or the captions are a link.
        SesaHandError: If a key or a value is not known.
    """
    path = Path(path)
    values = read_settings(path, MAX_PLAN_BYTES)
    known = {item.name for item in dataclasses.fields(Plan)} - {"sampling", "fusion"} | {*OPTIONS, "lambda"}
    for name in values:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(sorted(known))}."
            raise SesaHandError(f"{path.name}: {quote(name)} is nothing that a plan says. {hint}")
    missing = [name for name in ("captions", "pairs") if name not in values]
    if missing:
        raise SesaHandError(
            f"{path.name} lacks {' and '.join(missing)}: a plan says which captions, and how many pairs."
        )
    sampling = {name: values.pop(name) for name in OPTIONS if name in values}
    if "lambda" in values:
        values["fusion"] = values.pop("lambda")
    try:
        return Plan(**{name: _value(name, value, path) for name, value in values.items()}, sampling=sampling)
    except InvalidFileError:
        raise
    except SesaHandError as error:
        raise SesaHandError(f"{path.name}: {error}") from error


def _value(name: str, value: Any, path: Path) -> Any:
    """Return a value as `Plan` has it, of the kind that its field has."""
    if name == "captions" and isinstance(value, str):
        return read_caption_lines(inside(path.parent, check_file_name(value)))
    if name == "vary" and value == "all":
        return KINDS
    if name in ("captions", "vary", "pair_maps"):
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise SesaHandError(f"{name} is {quote(value)}, expected a list of texts.")
        return tuple(value)
    if name == "size":
        if not isinstance(value, list) or len(value) != 2 or any(type(side) is not int for side in value):
            raise SesaHandError(f"size is {quote(value)}, expected width and height in pixels, such as [512, 512].")
        return tuple(value)
    kinds: dict[str, Any] = {
        **dict.fromkeys(("pairs", "seed", "batch_size", "shard_size"), int),
        **dict.fromkeys(("verbatim", "forearm", "score", "hold"), bool),
        **dict.fromkeys(("fov", "fusion"), (int, float)),
    }
    wanted = kinds.get(name, str)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        said = {bool: "true or false", int: "a whole number", str: "text"}.get(wanted, "a number")
        raise SesaHandError(f"{name} is {quote(value)}, expected {said}.")
    return value


def _check_count(name: str, value: Any, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise SesaHandError(f"{name} is {quote(value)}, expected a whole number from 1 to {most}.")
