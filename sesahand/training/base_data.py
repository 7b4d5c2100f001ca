"""What a training on a frozen base learns from, and what it holds out, as its configuration says."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SesaHandError
from ..files.folders import inside
from ..models.networks import Networks
from .config import ControlNetConfig, Data, LoraConfig
from .known_sets import KnownSets
from .latents import KeptLatents
from .mixture import Mixture, Subset
from .reconstructor_settings import HandSource
from .samples import Samples, TrainingSample, open_samples

logger = logging.getLogger(__name__)

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
        known: What the sets hold, for checkpoints.
    """

    learnt: Samples
    held_out: Samples | None
    shown: list[TrainingSample]
    kept: KeptLatents | None
    count: int
    known: KnownSets


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

    def opened(source: HandSource) -> Any:
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
    parts: list[Any] = [opened(source) for source in data.sources]
    apart: list[Any] = [opened(source) for source in data.held_out_sources]
    known = KnownSets(
        tuple((source.path, part.names) for source, part in zip(data.sources, parts, strict=True)),
        tuple((source.path, part.names) for source, part in zip(data.held_out_sources, apart, strict=True)),
        may_grow=bool(data.held_out_sources) or not data.held_out,
    )
    if not data.held_out_sources:
        counts = [
            _held_out(source.path, len(part), data.held_out) for source, part in zip(data.sources, parts, strict=True)
        ]
        apart = [Subset(part, len(part) - count, len(part)) for part, count in zip(parts, counts, strict=True)]
        parts = [Subset(part, 0, len(part) - count) for part, count in zip(parts, counts, strict=True)]
    lengths = [len(part) for part in parts]
    learnt = Mixture(parts, [source.share for source in data.sources] if data.sets else lengths)
    apart = [part for part in apart if len(part)]
    held_out = Mixture(apart, [len(part) for part in apart]) if apart else None
    if held_out is None and data.is_measured:
        raise SesaHandError("data.held_out leaves no sample apart: every set has one alone. Name a set to hold out.")
    shown = [held_out[index] for index in range(min(SHOWN, len(held_out)))] if held_out else []
    return BaseData(learnt, held_out, shown, kept, sum(lengths), known)


def _held_out(path: str, length: int, wanted: Any) -> int:
    """How many samples of a set are held out: at least one of a share, and never all."""
    count = wanted if isinstance(wanted, int) else max(1, round(wanted * length))
    if isinstance(wanted, int) and count >= length:
        said = f"data.held_out is {count}, and {path!s:.200} has {length} samples"
        # The default has always been taken for sets of any size.
        if count != Data.held_out:
            raise SesaHandError(f"{said}: hold fewer out, a share such as 0.05, or another set.")
        logger.warning("%s: one alone is learnt from. Set it to 0 to learn from all.", said)
    return min(count, length - 1)
