"""What a training on a frozen base learns from, and what it holds out, as its configuration says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SesaHandError
from ..files.folders import inside
from ..models.networks import Networks
from .config import ControlNetConfig, LoraConfig
from .latents import KeptLatents
from .mixture import Mixture, Subset
from .reconstructor_settings import HandSource
from .samples import Samples, TrainingSample, open_samples

SHOWN = 8
LATENTS = "latents"


@dataclass(frozen=True)
class BaseData:
    """The samples of a training.

    Attributes:
        learnt: What is learnt from.
        held_out: What is not, or None.
        shown: Some of what is not, for validation pictures.
        kept: Where the pictures' latents are kept, or None.
        count: How many samples there are to learn from, each counted once.
    """

    learnt: Samples
    held_out: Samples | None
    shown: list[TrainingSample]
    kept: KeptLatents | None
    count: int


def open_data(config: ControlNetConfig | LoraConfig, networks: Networks, control: str) -> BaseData:
    """Open the samples of a configuration.

    Args:
        config: Says which.
        networks: Their autoencoder is the one whose latents are kept.
        control: Which map of pairs is seen; "" for none.

    Raises:
        SesaHandError: If a set cannot be read, or has nothing to learn from.
    """
    data, kept = config.data, None
    if data.keep_latents:
        folder = Path(data.latents_folder) if data.latents_folder else inside(config.out, LATENTS)
        processes = int(os.environ.get("WORLD_SIZE", "1"))
        kept = KeptLatents(folder, networks.autoencoder, data.latents_gigabytes, processes)

    def opened(source: HandSource) -> Samples:
        found = open_samples(
            source.path, data.size, control, config.crops, kept, source.minimum_score, source.count
        )  # fmt: skip
        if not len(found):
            raise SesaHandError(f"{source.path!s:.200} has no samples; leave it out, or add some.")
        return found

    learnt_paths = {os.path.realpath(source.path) for source in data.sources}
    for source in data.held_out_sources:
        if os.path.realpath(source.path) in learnt_paths:
            raise SesaHandError(
                f"{source.path!s:.200} is learnt from and held out. Hold a share of it out, such as "
                "data.held_out=0.05, or name another set."
            )
    parts = [opened(source) for source in data.sources]
    apart: list[Any] = [opened(source) for source in data.held_out_sources]
    if not data.held_out_sources:
        counts = [_held_out(len(part), data.held_out) for part in parts]
        apart = [Subset(part, len(part) - count, len(part)) for part, count in zip(parts, counts, strict=True)]
        parts = [Subset(part, 0, len(part) - count) for part, count in zip(parts, counts, strict=True)]
    lengths = [len(part) for part in parts]
    learnt = Mixture(parts, [source.share for source in data.sources] if data.sets else lengths)
    apart = [part for part in apart if len(part)]
    held_out = Mixture(apart, [len(part) for part in apart]) if apart else None
    if held_out is None and data.is_measured:
        raise SesaHandError("data.held_out leaves no sample apart: every set has one alone. Name a set to hold out.")
    shown = [held_out[index] for index in range(min(SHOWN, len(held_out)))] if held_out else []
    return BaseData(learnt, held_out, shown, kept, sum(lengths))


def _held_out(length: int, wanted: Any) -> int:
    """How many samples of a set are held out: at least one of a share, and never all."""
    count = wanted if isinstance(wanted, int) else max(1, round(wanted * length))
    return min(count, length - 1)
