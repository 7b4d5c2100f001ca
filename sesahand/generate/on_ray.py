"""A plan on Ray Data: painting, examining and writing as stages of actors that keep their models."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.record import PairRecord
from ..data.shards import Shards
from ..data.writer import EncodedPair, PairWriter
from ..errors import SesaHandError
from ..models.small.embedded import EMBEDDED
from ..models.small.model_files import CONTROLS, HELD
from .plan import Plan, PlannedJobs
from .planned import ANOTHER_PART, LOCK_WAIT, Examiner, Painter, Sampled, open_scorer

CONNECTION_WAIT = 10.0
"""Seconds."""
START = "Start one with `ray start --head`, give its address, or leave it out to run Ray on this machine."
OPEN_WRITERS = 16
"""Shards that are written to at a time, one writer each."""
MOST_BLOCKS = 20_000
"""Into so many pieces Ray is given the work; each is at least a group of pictures."""


class PaintStage:
    """Paints the groups of rows that name their first pair."""

    def __init__(self, plan: Plan, device: str):
        self.painter = Painter(plan, device)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Add a group's pictures and maps."""
        first = int(row["first"])
        pictures, maps = self.painter(range(first, first + self.painter.plan.batch_size))
        return {**row, "pictures": pictures, "maps": maps, "sampled": self.painter.sampled.to_json()}


class ExamineStage:
    """Makes encoded pairs of the rows of `PaintStage`."""

    def __init__(self, plan: Plan, detector: str | None):
        self.plan, self.scorer = plan, open_scorer(plan, detector)
        self.examiners: dict[str, Examiner] = {}

    def __call__(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """Return a row for each pair of a group that is missing."""
        said = str(row["sampled"])
        if said not in self.examiners:
            sampled = Sampled.from_json(said)
            jobs = PlannedJobs(self.plan, sampled.size, sampled.in_small)
            self.examiners[said] = Examiner(self.plan, sampled, self.scorer, jobs)
        first, wanted = int(row["first"]), {int(row["first"]) + int(place) for place in np.flatnonzero(row["wanted"])}
        group = range(first, first + self.plan.batch_size)
        pairs = self.examiners[said](group, row["pictures"], row["maps"], wanted)
        return [as_row(int(pair.record.key), pair) for pair in pairs]


class WriteStage:
    """Appends the rows of `ExamineStage` to their shards; there is one, so that each shard has one writer."""

    def __init__(self, shards: Shards, picture_format: str):
        self.shards, self.picture_format = shards, picture_format
        self.writers: dict[int, PairWriter] = {}

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Append a pair, unless an attempt before this one did."""
        pair = from_row(row)
        writer = self.writer(int(row["number"]) // self.shards.size)
        if pair.record.key not in writer:
            writer.append(pair)
        return {"number": row["number"]}

    def writer(self, shard: int) -> PairWriter:
        """Return the writer of a shard; the one that was asked for longest ago is closed if there are too many."""
        writer = self.writers.pop(shard, None)
        if writer is None:
            if len(self.writers) >= OPEN_WRITERS:
                self.writers.pop(next(iter(self.writers))).close()
            writer = PairWriter(self.shards.path(shard), self.picture_format, LOCK_WAIT, ANOTHER_PART)
        self.writers[shard] = writer
        return writer


def as_row(number: int, pair: EncodedPair) -> dict[str, Any]:
    """Return an encoded pair as bytes and texts, which travel between machines as they are."""
    return {"number": number, "record": pair.record.to_line(), "kinds": [*pair.files], "files": [*pair.files.values()]}


def from_row(row: dict[str, Any]) -> EncodedPair:
    """Return the pair that `as_row` took apart."""
    record = PairRecord.from_line(bytes(row["record"]), f"pair {row['number']}")
    return EncodedPair(record, {str(kind): bytes(data) for kind, data in zip(row["kinds"], row["files"], strict=True)})


def make_on_ray(
    plan: Plan, shards: Shards, address: str = "", device: str = "auto", detector: str | Path | None = None
) -> Iterator[int]:
    """Make what is missing of a planned set on Ray; yields the number of each pair once it is on the disk.

    What a machine or an actor that fails was at is made again, to the same bytes. The machine that writes must see the
    folder of the set under the same path.

    Args:
        plan: The plan.
        shards: Of the set, in an absolute path.
        address: Of a cluster that runs, or "auto"; empty starts Ray on this machine.
        device: As of `Painter`; "auto" gives each painter a GPU of its own where the cluster has some.
        detector: As of `open_scorer`.

    Raises:
        SesaHandError: If Ray is not installed, or there is no cluster at the address.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise SesaHandError(
            f"Ray Data cannot be imported ({error!s:.120}). Try pip install 'sesahand[ray]', or leave out --ray "
            "and share the plan out with --part."
        ) from error
    work = list(work_left(plan, shards))
    if not work:
        return
    plan, detector = _from_anywhere(plan), None if detector is None else Path(detector).absolute()
    started = not ray.is_initialized()
    if started:
        check_address(address)
        try:
            with _beside_the_package():
                ray.init(address=address or "local", log_to_driver=False, include_dashboard=None if address else False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise SesaHandError(
                f"Ray cannot be started at {address or 'this machine'!s:.80} ({error!s:.200}). {START}"
            ) from error
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        painters, examiners = stages_for(ray.cluster_resources(), device)
        pool = ray.data.ActorPoolStrategy
        rows = (
            ray.data.from_items(work, override_num_blocks=min(len(work), MOST_BLOCKS))
            .map(PaintStage, fn_constructor_args=(plan, device), compute=pool(**painters.pop("pool")), **painters)
            .flat_map(
                ExamineStage,
                fn_constructor_args=(plan, None if detector is None else str(detector)),
                compute=pool(**examiners.pop("pool")),
                **examiners,
            )
            .map(
                WriteStage, fn_constructor_args=(shards, plan.picture_format), compute=pool(size=1), num_cpus=0
            )
        )  # fmt: skip
        for row in rows.iter_rows():
            yield int(row["number"])
    finally:
        if started:
            ray.shutdown()


@contextmanager
def _beside_the_package() -> Iterator[None]:
    """Leave the current folder while Ray starts, which lets its workers look for modules there: it may be a stranger's.

    They look in the folder that this package lies in, and so find it as this process did.
    """
    current = os.getcwd()
    os.chdir(Path(__file__).resolve().parents[2])
    try:
        yield
    finally:
        os.chdir(current)


def _from_anywhere(plan: Plan) -> Plan:
    """Return a plan whose models are found from any folder: workers are not in this one."""

    def absolute(model: str | None) -> str | None:
        if model is None or model in (EMBEDDED, *CONTROLS, HELD) or not os.path.exists(model):
            return model
        return str(Path(model).absolute())

    return replace(plan, base=absolute(plan.base) or plan.base, controlnet=absolute(plan.controlnet))


def check_address(address: str) -> None:
    """Raise a SesaHandError if nothing answers at the address of a cluster; Ray itself would ask on for minutes."""
    place = re.fullmatch(r"(?:ray://)?\[?([^\[\]/]+)\]?:(\d{1,5})", address)
    if place is None or int(place[2]) > 65535:
        return
    try:
        socket.create_connection((place[1], int(place[2])), CONNECTION_WAIT).close()
    except OSError as error:
        raise SesaHandError(f"No Ray cluster answers at {address:.80} ({error!s:.120}). {START}") from error


def work_left(plan: Plan, shards: Shards) -> Iterator[dict[str, Any]]:
    """Yield a row for each group with pairs that are missing: its first number, and which of its pairs these are."""
    for shard in range(len(shards)):
        missing = shards.missing(shard)
        wanted = set(missing)
        for group in plan.groups(missing):
            yield {"first": group.start, "wanted": np.array([number in wanted for number in group])}


def stages_for(resources: dict[str, float], device: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what painters and examiners are given of a cluster: how many, and what each takes."""
    cpus, gpus = resources.get("CPU", 1.0), int(resources.get("GPU", 0))
    share = 1.0 if cpus >= 2 else 0.25
    if gpus and (device == "auto" or device.startswith("cuda")):
        paint = {"num_gpus": 1, "pool": {"min_size": 1, "max_size": gpus}}
        return paint, {"num_cpus": share, "pool": {"min_size": 1, "max_size": max(1, int(cpus) - gpus)}}
    most = {"min_size": 1, "max_size": max(1, int(cpus) - 1)}
    return {"num_cpus": share, "pool": dict(most)}, {"num_cpus": share, "pool": dict(most)}
