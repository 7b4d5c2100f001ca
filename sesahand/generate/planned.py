"""Making the pairs of a plan: painting, looking at the pictures and writing, as stages that can run anywhere.

Pictures go from stage to stage in the levels of their files, so that a score is that of the picture in the set, whether
one process does all or each stage runs on a machine of its own.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from ..data.layout import numbered_key
from ..data.picture_files import to_levels
from ..data.shards import Shards
from ..data.writer import EncodedPair, PairWriter, encode_pair
from ..errors import InvalidFileError, SesaHandError
from ..reconstruct.scoring.picture_scorer import PictureScore, PictureScorer
from .maps import control_map
from .order import Job
from .picture_folder import Finished
from .pipeline import HandGenerator, controlnet_for
from .plan import Plan, PlannedJobs, read_planned
from .record import PictureRecord
from .sampling import SamplingSettings
from .workshop import facts_of, maps_of

LOCK_WAIT = 30.0
"""Seconds that a writer waits for one before it that was killed to be gone."""
ANOTHER_PART = "part: --part gives each process shards of its own"


@dataclass(frozen=True)
class Sampled:
    """What the pictures of a plan have in common, once it is known by which model.

    Attributes:
        size: Width and height in pixels.
        in_small: Whether prompts are in words that the small model knows.
        map: Which condition map the ControlNet was shown.
        settings: How they were sampled.
    """

    size: tuple[int, int]
    in_small: bool
    map: str
    settings: SamplingSettings

    def to_json(self) -> str:
        """Return it as JSON text."""
        return json.dumps([self.size, self.in_small, self.map, self.settings.to_dict()])

    @classmethod
    def from_json(cls, text: str) -> Sampled:
        """Read what `to_json` gave."""
        size, in_small, name, settings = json.loads(text)
        return cls(tuple(size), in_small, name, SamplingSettings.from_dict(settings))


@dataclass(frozen=True, eq=False)
class Painter:
    """Makes the pictures of a plan.

    Attributes:
        plan: The plan.
        device: "auto", "cpu", "cuda", "mps", or one such as "cuda:1".
    """

    plan: Plan
    device: str = "auto"

    @cached_property
    def generator(self) -> HandGenerator:
        """The model, loaded when it is first asked for."""
        plan = self.plan
        controlnet = controlnet_for(plan.base, plan.controlnet, None, plan.hold)
        return HandGenerator.load(plan.base, controlnet, self.device, plan.dtype)

    @cached_property
    def sampled(self) -> Sampled:
        """What the pictures have in common."""
        base = self.generator.base
        name = self.plan.map or self.generator.controlnet.map
        size = self.plan.order().size_with(base)
        self.plan.check_batch(size)
        return Sampled(size, base.is_mini, name, self.plan.settings(self.generator))

    @cached_property
    def jobs(self) -> PlannedJobs:
        """What is asked of each pair."""
        return PlannedJobs(self.plan, self.sampled.size, self.sampled.in_small)

    def __call__(self, group: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Make the pictures of a group at a time.

        Returns:
            The pictures and the maps that they were painted from, both uint8 `[N, H, W, 3]`.
        """
        jobs = [self.jobs(number) for number in group]
        maps = torch.stack([control_map(job.request.scene, self.sampled.map, self.plan.forearm) for job in jobs])
        semantics, seeds = [job.request.semantics for job in jobs], [job.seed for job in jobs]
        pictures = self.generator(semantics, maps, seeds, self.sampled.settings, batch_size=len(jobs))
        return _levels(pictures), _levels(maps)


@dataclass(frozen=True, eq=False)
class Examiner:
    """Looks for the hands in pictures of a plan and makes pairs of them.

    Attributes:
        plan: The plan.
        sampled: What the pictures have in common.
        scorer: Looks for the hands; None leaves pairs without a score.
        jobs: What is asked of each pair.
    """

    plan: Plan
    sampled: Sampled
    scorer: PictureScorer | None
    jobs: PlannedJobs

    def __call__(
        self, group: Sequence[int], pictures: np.ndarray, maps: np.ndarray, wanted: Container[int]
    ) -> Iterator[EncodedPair]:
        """Yield the pairs of a group that are wanted.

        All of its pictures are scored, whichever are wanted: hands are fitted together, and rounding depends on how
        many these are.

        Args:
            group: Numbers of the pairs.
            pictures: uint8 `[N, H, W, 3]`.
            maps: The maps that they were painted from, likewise.
            wanted: Numbers of the pairs to yield.
        """
        jobs = [self.jobs(number) for number in group]
        shown = [torch.from_numpy(np.array(picture)).float() / 255 for picture in pictures]
        scores: Sequence[PictureScore | None] = [None] * len(jobs)
        if self.scorer is not None:
            scores = self.scorer.score_all(shown, [job.request.scene for job in jobs])
        for number, job, picture, drawn, scored in zip(group, jobs, shown, maps, scores, strict=True):
            if number in wanted:
                yield self._encode(number, job, picture, torch.from_numpy(np.array(drawn)).float() / 255, scored)

    def _encode(
        self, number: int, job: Job, picture: torch.Tensor, shown: torch.Tensor, scored: PictureScore | None
    ) -> EncodedPair:
        plan, scene = self.plan, job.request.scene
        record = PictureRecord(
            plan.base,
            plan.controlnet or "",
            self.sampled.map,
            job.seed,
            plan.dtype,
            self.sampled.settings,
            job.request.semantics,
            scene,
            job.request.gesture,
            None if scored is None else scored.score,
            caption_style=job.style,
        )
        done = Finished("", record, picture, shown, scored)
        more = {name: control_map(scene, name, plan.forearm) for name in plan.pair_maps}
        key = numbered_key(number)
        return encode_pair(picture, scene, facts_of(done), maps_of(done, more), key, 0, plan.picture_format)


def open_scorer(plan: Plan, detector: str | Path | None = None) -> PictureScorer | None:
    """Return what scores the pictures of a plan, or None if it says that nothing does.

    Raises:
        SesaHandError: If the detector's files are missing.
    """
    if not plan.score:
        return None
    try:
        return PictureScorer(detector)
    except InvalidFileError as error:
        raise SesaHandError(f"{error} Or let the plan say score = false.") from error


def make_pairs(painter: Painter, examine: Examiner, numbers: list[int]) -> Iterator[EncodedPair]:
    """Yield some pairs of a plan, given in order."""
    wanted = set(numbers)
    for group in painter.plan.groups(numbers):
        yield from examine(group, *painter(group), wanted)


def make_part(
    painter: Painter, shards: Shards, part: tuple[int, int] = (0, 1), scorer: PictureScorer | None = None
) -> Iterator[int]:
    """Make what is missing of one part of a planned set; yields the number of each pair once it is on the disk.

    Args:
        painter: Makes the pictures.
        shards: Of the set.
        part: Which one, from 0, of how many: part k of n has the shards k, k + n, k + 2 n and so on.
        scorer: From `open_scorer`.

    Raises:
        SesaHandError: If a model or file cannot be read, somebody else writes to a shard of this part, or a file cannot
            be written.
    """
    for shard in range(part[0], len(shards), part[1]):
        if not shards.missing(shard):
            continue
        examine = Examiner(painter.plan, painter.sampled, scorer, painter.jobs)
        with PairWriter(shards.path(shard), painter.plan.picture_format, LOCK_WAIT, ANOTHER_PART) as writer:
            # Whoever held the lock until now has written what it had.
            for pair in make_pairs(painter, examine, shards.missing(shard)):
                writer.append(pair)
                yield int(pair.record.key)


def check_captions(plan: Plan) -> Iterator[int]:
    """Read each caption of a plan once, and yield how many have been read: what cannot be meant is told at first.

    Raises:
        SesaHandError: If one names no gesture where one is needed.
    """
    order = plan.order()
    for place in range(len(plan.captions)):
        read_planned(order, plan, place)
        yield place + 1


def _levels(pictures: torch.Tensor) -> np.ndarray:
    return np.stack([to_levels(picture, "The picture") for picture in pictures])
