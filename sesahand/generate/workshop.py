"""From jobs to pictures: rendering, sampling, scoring, and writing files and pairs, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..callbacks import Progress
from ..data.record import PairFacts, storable
from ..data.writer import PairWriter
from ..models.small.embedded import EMBEDDED
from ..models.small.model_files import CONTROLS, HELD, control_path
from ..reconstruct.scoring.picture_scorer import PictureScorer
from ..render.maps import COLOR_MAPS
from .maps import control_map
from .order import Job
from .picture_folder import Finished, PictureFolder
from .pipeline import DTYPES, HandGenerator
from .record import PictureRecord, made_with
from .sampling import SamplingSettings


@dataclass(frozen=True, eq=False)
class Workshop:
    """Makes pictures with one model and one way of sampling.

    Attributes:
        generator: The model.
        settings: How to sample; None takes the model's own.
        map: Which condition map the ControlNet is shown; None takes the one that it was trained on.
        forearm: Draw the forearm in the map too.
        scorer: Looks for the hands in the pictures; None leaves them without a score.
        folder: Where the pictures' files go; None keeps the pictures in memory alone.
        pairs: Also gets each picture as an image-mesh pair.
        base: What the records call the base; None takes its own path.
        controlnet: What they call the ControlNet, likewise.
        more_maps: Condition maps that the pairs get beside the one that the ControlNet is shown.
    """

    generator: HandGenerator
    settings: SamplingSettings | None = None
    map: str | None = None
    forearm: bool = False
    scorer: PictureScorer | None = None
    folder: PictureFolder | None = None
    pairs: PairWriter | None = None
    base: str | None = None
    controlnet: str | None = None
    more_maps: tuple[str, ...] = ()

    def make(self, jobs: Sequence[Job], batch_size: int = 1, progress: Progress | None = None) -> Iterator[Finished]:
        """Make pictures and yield each when it is written; one that is yielded is lost no more.

        Args:
            jobs: What is to be made.
            batch_size: Pictures made at a time.
            progress: Called with the steps of the sampler that are done, and all steps.

        Raises:
            SesaHandError: If sizes or settings do not fit the model, memory is short, or a file cannot be written.
        """
        settings = self.generator.default_settings() if self.settings is None else self.settings
        for start in range(0, len(jobs), batch_size):
            batch = jobs[start : start + batch_size]

            def tell(step: int, of: int, start: int = start, share: int = len(batch)) -> None:
                if progress is not None:
                    done = start * settings.steps + round(step * share * settings.steps / of)
                    progress(done, len(jobs) * settings.steps)

            yield from self._make_batch(batch, settings, tell)

    def _make_batch(self, batch: Sequence[Job], settings: SamplingSettings, progress: Progress) -> Iterator[Finished]:
        generator = self.generator
        name = self.map or generator.controlnet.map
        maps = torch.stack([control_map(job.request.scene, name, self.forearm) for job in batch])
        pictures = generator(
            [job.request.semantics for job in batch],
            maps,
            [job.seed for job in batch],
            settings,
            batch_size=len(batch),
            progress=progress,
        )
        for job, picture, shown in zip(batch, pictures, maps, strict=True):
            scored = None if self.scorer is None else self.scorer(picture, job.request.scene)
            record = self._record(job, name, settings, None if scored is None else scored.score)
            done = Finished("" if self.folder is None else self.folder.next_name(), record, picture, shown, scored)
            if self.folder is not None:
                self.folder.write(done)
            if self.pairs is not None:
                add_pair(self.pairs, done, self._more_maps(job))
            yield done

    def _more_maps(self, job: Job) -> dict[str, Tensor]:
        """The further maps of a picture's hands, by name."""
        scene = job.request.scene
        return {name: control_map(scene, name, self.forearm) for name in self.more_maps}

    def _record(self, job: Job, map_name: str, settings: SamplingSettings, score: float | None) -> PictureRecord:
        generator, request = self.generator, job.request
        return PictureRecord(
            self.base or names_of(generator)[0],
            self.controlnet or names_of(generator)[1],
            map_name,
            job.seed,
            next(name for name, kind in DTYPES.items() if kind == generator.dtype),
            settings,
            request.semantics,
            request.scene,
            request.gesture,
            score,
            made_with(str(generator.device)),
            job.style,
        )


def names_of(generator: HandGenerator) -> tuple[str, str]:
    """Return what a base and its ControlNet are loaded by: a path, or the short name of what comes with the package."""
    base, steered = generator.base, generator.controlnet
    own = (*CONTROLS, HELD) if base.is_mini else ()
    control = next((name for name in own if control_path(base.path, name) == steered.path), str(steered.path))
    return base.name if base.name == EMBEDDED else str(base.path), control


def add_pair(pairs: PairWriter, done: Finished, more_maps: Mapping[str, Tensor] | None = None) -> None:
    """Append a picture, its map, its hands and all that is known of it to a set of pairs.

    Args:
        pairs: The set.
        done: The picture.
        more_maps: Further maps of its hands by name, `[H, W, 3]` in 0..1.
    """
    pairs.add(done.picture, done.record.scene, facts_of(done), maps_of(done, more_maps))


def facts_of(done: Finished) -> PairFacts:
    """Return what a set of pairs keeps of a picture beside its hands."""
    record, settings, scored = done.record, done.record.settings, done.scored
    scales = {
        "strength": float(settings.strength),
        "alpha": float(settings.alpha),
        "lambda": 0.0 if settings.fusion is None else float(settings.fusion.strength),
    }
    measured = ("score", "detector_score", "mse_2d", "doubt")
    found = {} if scored is None else {name: getattr(scored, name) for name in measured}
    return PairFacts(
        prompt=record.semantics.prompt,
        semantics=record.semantics.behavior,
        gesture=record.gesture,
        seed=record.seed,
        control_scales=scales,
        source=Path(record.base).name,
        caption=storable(record.semantics.caption),
        caption_style=record.caption_style,
        **found,
    )


def maps_of(done: Finished, more_maps: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Return the maps that a picture's pair gets by name, `[H, W, 3]`, or `[H, W]` for masks, in 0..1."""
    maps = {**(more_maps or {}), done.record.map: done.map}
    return {name: shown[..., 0] if name not in COLOR_MAPS else shown for name, shown in maps.items()}
