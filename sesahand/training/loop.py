"""The training loop: mixed precision, several devices, checkpoints, and going on exactly where it was interrupted.

Everything random in a step (which samples, which noise) is a function of the seed and the step's number, and so is the
learning rate. An interrupted training that goes on therefore makes the same numbers as one that was not interrupted.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..data.layout import UNFINISHED
from ..errors import InvalidFileError, SesaHandError, printable, quote
from ..files.folders import delete_folder, inside, is_file, is_folder, list_folder, rename
from ..files.locks import WriterLock
from ..files.reading import read_json, read_json_lines
from ..files.writing import append_line, write_whole
from .average import WeightAverage
from .checkpoint_state import FACTS, TENSORS, load_checkpoint, save_checkpoint
from .config import Common, Steps, changed_since, to_dict
from .known_sets import KnownSets
from .optimizers import make_optimizer
from .samples import Batches, Samples

if TYPE_CHECKING:
    from accelerate import Accelerator

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint-"
CONFIG = "config.json"
LOG = "log.jsonl"
LOCK = "training.lock"
SETS = "sets"
# Of steps and seconds; JSON's whole numbers may have more digits than a float holds.
FAR = 1e18
MISSING = "Training needs accelerate: pip install accelerate"


class Task(Protocol):
    """What can be trained: a module whose forward pass is the loss of a batch."""

    def groups(self) -> list[tuple[list[nn.Parameter], float]]: ...

    def to_device(self, device: torch.device) -> None: ...

    def batch(self, indices, samples, generator: torch.Generator) -> dict[str, Tensor]: ...

    def __call__(self, batch: dict[str, Tensor]) -> dict[str, Tensor]: ...


@dataclass
class TrainingProgress:
    """How far a stage is; kept in its checkpoints."""

    step: int = 0
    seconds: float = 0.0
    passes: int = 0

    def state_dict(self) -> dict:
        return dict(vars(self))

    def load_state_dict(self, state: dict) -> None:
        vars(self).update(state)


@dataclass
class Watcher:
    """What a training tells and asks while it runs.

    Attributes:
        stop: Asked after every step; true ends the training with a checkpoint.
        report: Called with each entry of the log.
        validate: Called with the step when it is time for validation pictures, the averaged weights in place.
    """

    stop: Callable[[], bool] = lambda: False
    report: Callable[[dict], None] = lambda entry: None
    validate: Callable[[int], None] | None = None


@dataclass(frozen=True)
class TrainingOutcome:
    """What a stage came to.

    Attributes:
        finished: Whether all steps are done; false if it was stopped.
        step: Steps done.
        seconds: Time in the loop, over all its starts.
        loss: Mean over the last entries of the log.
        extended: Totals that its learning rate had already fallen towards before it was extended, if any.
    """

    finished: bool
    step: int
    seconds: float
    loss: float = field(default=float("nan"))
    extended: tuple[int, ...] = ()


def make_accelerator(config: Common, accumulation: int = 1) -> Accelerator:
    """accelerate's Accelerator for a configuration, or a SesaHandError that says how to install it."""
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError as error:
        raise SesaHandError(MISSING) from error
    if config.precision == "fp16" and not torch.cuda.is_available():
        raise SesaHandError("precision fp16 needs a CUDA device; choose bf16 or no.")
    # accelerate keeps one state for the whole process, and would refuse a second training in another precision.
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != config.precision:
        AcceleratorState._reset_state()
    try:
        return Accelerator(mixed_precision=config.precision, gradient_accumulation_steps=accumulation)
    except ImportError as error:
        raise SesaHandError(
            "accelerate was told by a variable of the environment, ACCELERATE_..., to use what is not installed "
            f"({error!s:.200}). Unset it, or install that."
        ) from error


def train(
    task: Task,
    samples: Samples,
    steps: Steps,
    config: Common,
    folder: Path,
    watcher: Watcher | None = None,
    identity: dict | None = None,
    known: KnownSets | None = None,
) -> TrainingOutcome:
    """Train a task, from its newest checkpoint in `folder` if there is one; its weights are the average at the end.

    Args:
        task: What is trained.
        samples: What it learns from.
        steps: How it is optimised.
        config: Seed, precision and intervals.
        folder: Of checkpoints and of the log.
        watcher: Who is told.
        identity: What makes it this training; a checkpoint that says otherwise is refused. The whole config if None.
        known: The sets that the samples are of; going on with others is refused. None does not look.

    Raises:
        SesaHandError: If accelerate is not installed, a checkpoint belongs to another training or to other samples, or
            the loss is no number any more.
    """
    watcher = watcher or Watcher()
    folder.mkdir(parents=True, exist_ok=True)
    accelerator = make_accelerator(config, steps.accumulation)
    # Two trainings in one folder would delete each other's checkpoints.
    with WriterLock(folder / LOCK, "folder with --out") if accelerator.is_main_process else nullcontext():
        run = _Run(task, samples, steps, config, folder, watcher, accelerator)
        run.identity = to_dict(config) if identity is None else identity
        run.known = known
        try:
            return run.go()
        except OSError as error:
            raise SesaHandError(
                f"{folder!s:.200} cannot be written to: {error!s:.200}. Choose another folder with --out, or make room."
            ) from error
        finally:
            run.close()


class _Run:
    identity: dict
    known: KnownSets | None = None

    def __init__(self, task, samples, steps, config, folder, watcher, accelerator):
        self.task, self.steps, self.config, self.folder = task, steps, config, folder
        self.watcher, self.accelerator = watcher, accelerator
        task.to_device(accelerator.device)
        groups = [{"params": parameters, "factor": factor} for parameters, factor in task.groups()]
        optimizer = make_optimizer(groups, steps, accelerator.device)
        self.wrapped, self.optimizer = accelerator.prepare(task, optimizer)
        self.progress = TrainingProgress()
        trained = [parameter for group in groups for parameter in group["params"]]
        self.trained = trained
        self.average = WeightAverage(trained, steps.average)
        together = steps.batch_size * steps.accumulation * accelerator.num_processes
        self.batches = Batches(samples, config.seed, together, config.workers)
        self.log: list[dict] = []
        self.extended: list[int] = []
        self.writer = _tensorboard(folder) if config.tensorboard and accelerator.is_main_process else None

    def go(self) -> TrainingOutcome:
        self._resume()
        progress, steps, config = self.progress, self.steps, self.config
        sums: dict[str, Tensor] = {}
        started, earlier, counted = time.monotonic(), progress.seconds, 0
        marked, stopped = time.monotonic(), False
        while progress.step < steps.steps and not stopped:
            for name, value in self._step().items():
                sums[name] = sums.get(name, 0) + value
            counted += 1
            progress.step += 1
            progress.seconds = earlier + time.monotonic() - started
            last = progress.step == steps.steps
            if progress.step % config.log_every == 0 or last:
                self._log(sums, counted, time.monotonic() - marked)
                sums, counted, marked = {}, 0, time.monotonic()
            stopped = self._is_stopped()
            if progress.step % config.checkpoint_every == 0 or last or stopped:
                self._save()
            validate = self.watcher.validate
            due = config.validate_every and (progress.step % config.validate_every == 0 or last)
            if validate is not None and due and self.accelerator.is_main_process:
                with self.average.applied() if steps.average else nullcontext(), torch.no_grad():
                    validate(progress.step)
        if not stopped or progress.step == steps.steps:
            self._finish()
        recent = [entry["loss"] for entry in self.log[-5:]]
        loss = sum(recent) / len(recent) if recent else float("nan")
        done = progress.step >= steps.steps
        return TrainingOutcome(done, progress.step, progress.seconds, loss, tuple(self.extended))

    def close(self) -> None:
        self.batches.close()
        if self.writer is not None:
            self.writer.close()

    def _step(self) -> dict[str, Tensor]:
        accelerator, steps, step = self.accelerator, self.steps, self.progress.step
        rate = steps.rate(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        indices = self.batches.indices(step)[accelerator.process_index :: accelerator.num_processes]
        sums: dict[str, Tensor] = {}
        for part in range(steps.accumulation):
            some = indices[part * steps.batch_size : (part + 1) * steps.batch_size]
            draws = generator_of(self.config.seed, step, part, accelerator.process_index)
            batch = self.task.batch(some, self.batches.get(some, step), draws)
            batch = {name: value.to(accelerator.device, non_blocking=True) for name, value in batch.items()}
            with accelerator.accumulate(self.wrapped):
                with accelerator.autocast():
                    losses = self.wrapped(batch)
                accelerator.backward(losses["loss"])
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(self.trained, steps.max_norm)
                self.optimizer.step()
                self.optimizer.zero_grad()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0) + value.detach() / steps.accumulation
        if steps.average:
            self.average.update()
        return sums

    def _is_stopped(self) -> bool:
        stopped = self.watcher.stop()
        if self.accelerator.num_processes == 1:
            return stopped
        # One process that ends would leave the others waiting for it.
        votes = torch.tensor(float(stopped), device=self.accelerator.device)
        return bool(self.accelerator.reduce(votes, "sum") > 0)

    def _log(self, sums: dict[str, Tensor], counted: int, seconds: float) -> None:
        entry = {name: float(value) / counted for name, value in sums.items()}
        if not np.isfinite(entry["loss"]):
            raise SesaHandError(
                f"The loss is {entry['loss']} at step {self.progress.step}: the training has diverged. Go on from the "
                "last checkpoint with a smaller learning rate or max_norm, or without fp16."
            )
        rate = counted * self.batches.per_step / max(seconds, 1e-9)
        entry = {"step": self.progress.step, **entry, "rate": self.steps.rate(self.progress.step - 1)}
        entry["samples_per_second"] = round(rate, 2)
        self.log.append(entry)
        if self.accelerator.is_main_process:
            append_line(inside(self.folder, LOG), json.dumps(entry).encode() + b"\n")
            if self.writer is not None:
                for name, value in entry.items():
                    self.writer.add_scalar(name, value, self.progress.step)
            self.watcher.report(entry)

    def _save(self) -> None:
        accelerator = self.accelerator
        self.progress.passes = getattr(self.task, "passes", 0)
        # Under another name until it is whole, so that an interruption leaves no half checkpoint behind.
        partial = self.folder / "checkpoint.partial"
        if accelerator.is_main_process:
            self._make_room(partial.name)
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            partial.mkdir()
            task = accelerator.unwrap_model(self.wrapped)
            save_checkpoint(partial, task, self.optimizer, self.average.averages, self._facts())
            write_whole(partial / CONFIG, json.dumps(self.identity).encode())
            whole = self.folder / f"{CHECKPOINT}{self.progress.step:08d}"
            self._make_room(whole.name)
            rename(self.folder, partial.name, whole.name)
            for old in checkpoints(self.folder)[: -self.config.keep_checkpoints]:
                if is_own(old) and old.name.removeprefix(CHECKPOINT).isdecimal():
                    delete_folder(self.folder, old.name)
        accelerator.wait_for_everyone()

    def _make_room(self, name: str) -> None:
        """Delete a folder of an earlier checkpoint; one that holds anything else, or a file, gets another name."""
        if is_own(self.folder / name):
            delete_folder(self.folder, name)
        elif os.path.lexists(inside(self.folder, name)):
            set_aside(self.folder, name, f"aside_{{}}_{name}")

    def _resume(self) -> None:
        found = checkpoints(self.folder)
        log = inside(self.folder, LOG)
        if not found:
            if self.accelerator.is_main_process:
                # A log that no checkpoint belongs to may be anybody's.
                if is_file(self.folder / LOG):
                    set_aside(self.folder, LOG, "log_{}.jsonl")
            return
        newest = found[-1]
        before = read_json(newest / CONFIG, follow=False)
        changes = changed_since(before, self.identity)
        if changes:
            raise SesaHandError(
                f"{newest} belongs to another training: {'; '.join(changes[:5])}. Set these back to go on, or choose "
                "another folder with --out to start anew."
            )
        task = self.accelerator.unwrap_model(self.wrapped)
        try:
            facts = load_checkpoint(newest, task, self.optimizer, self.average.averages)
            self._put(facts, newest)
        except InvalidFileError as error:
            raise _with_earlier(error, newest, found[:-1]) from error
        self._check_sets(facts.get(SETS), newest)
        self._note_extension(before)
        if hasattr(self.task, "passes"):
            self.task.passes = self.progress.passes
        self.log = read_log(log, self.progress.step)
        if self.accelerator.is_main_process:
            write_whole(log, "".join(json.dumps(entry) + "\n" for entry in self.log).encode())
        logger.info("Going on from %s, step %d.", printable(newest.name), self.progress.step)

    def _check_sets(self, before: Any, folder: Path) -> None:
        """Refuse to go on with samples that a checkpoint does not know, and tell those that have come behind them."""
        for grown in self.known.changes_since(before, folder) if self.known is not None else ():
            logger.warning(
                "%s since %s. All of them are learnt from now, in another order: the result is not the one of either "
                "set in one go.",
                grown, printable(folder.name),
            )  # fmt: skip

    def _note_extension(self, before: Any) -> None:
        """Remember that the steps so far had the rates of a shorter training, if they did."""
        earlier = before.get("training") if isinstance(before, dict) else None
        total = earlier.get("steps") if isinstance(earlier, dict) else None
        if type(total) is not int or total >= self.steps.steps:
            return
        step = self.progress.step
        if self.steps.fell_before(step, total):
            self.extended.append(total)
            logger.warning(
                "This training was to end at step %d, and its learning rate had begun to fall. From step %d on it has "
                "the rate of %d steps, %.3g: the result is not the one of %d steps in one go.",
                total, step, self.steps.steps, self.steps.rate(step), self.steps.steps,
            )  # fmt: skip

    def _facts(self) -> dict:
        scaler = self.accelerator.scaler
        facts: dict[str, Any] = {"progress": self.progress.state_dict(), "updates": self.average.updates}
        facts |= {"extended": self.extended} if self.extended else {}
        facts |= {SETS: self.known.facts} if self.known is not None else {}
        return facts | ({"scaler": scaler.state_dict()} if scaler is not None else {})

    def _put(self, facts: dict, folder: Path) -> None:
        """Take up the facts of a checkpoint."""
        progress: Any = facts.get("progress")
        updates: Any = facts.get("updates")
        scaler = facts.get("scaler")
        known = self.progress.state_dict()
        whole = isinstance(progress, dict) and progress.keys() == known.keys()
        whole = whole and all(isinstance(progress[name], int | float) and 0 <= progress[name] < FAR for name in known)
        counts = (updates, *(progress[name] for name in ("step", "passes"))) if whole else ()
        if not whole or not all(type(count) is int and 0 <= count < FAR for count in counts):
            raise InvalidFileError(f"{folder!s:.200} does not say how far its training is; remove it.")
        extended: Any = facts.get("extended", [])
        if not isinstance(extended, list) or not all(type(total) is int for total in extended):
            raise InvalidFileError(f"{folder!s:.200} does not say how it was extended; remove it.")
        self.progress.load_state_dict(progress)
        self.average.updates, self.extended = updates, extended
        if self.accelerator.scaler is not None and isinstance(scaler, dict):
            try:
                self.accelerator.scaler.load_state_dict(scaler)
            except (RuntimeError, KeyError, TypeError, ValueError) as error:
                raise InvalidFileError(f"{folder!s:.200} holds a loss scale that is none; remove it.") from error

    def _finish(self) -> None:
        """Leave the average in the model."""
        if self.steps.average:
            self.average.copy_from(self.average.averages)


@contextmanager
def main_process_first() -> Iterator[bool]:
    """Let the first process do what is to be done once, before the others find it done; tells whether this is it."""
    try:
        from accelerate import PartialState
    except ImportError as error:
        raise SesaHandError(MISSING) from error
    state = PartialState()
    with state.main_process_first():
        yield state.is_main_process


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw the first weights of a network from a seed, and leave the process's random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def generator_of(seed: int, step: int, part: int = 0, process: int = 0) -> torch.Generator:
    """A CPU generator of its own for each pass of each step on each device."""
    state = np.random.SeedSequence([seed, step, part, process]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)


def checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints of a stage, oldest first."""
    return [
        path for path in list_folder(folder)
        if path.name.startswith(CHECKPOINT) and is_folder(path) and is_file(path / CONFIG)
    ]  # fmt: skip


def _with_earlier(error: InvalidFileError, newest: Path, earlier: list[Path]) -> InvalidFileError:
    """Say of which checkpoint an error is, and from which other one the training can go on."""
    advice = f" Remove {newest!s:.200} to go on from {earlier[-1].name}, which is before it." if earlier else ""
    return InvalidFileError(f"{newest!s:.200}: {error}{advice}")


def set_aside(folder: Path, name: str, form: str) -> None:
    """Give what stands in a folder another name, with the first number that is free: it may be anybody's."""
    names = (form.format(number) for number in itertools.count(1))
    aside = next(each for each in names if not os.path.lexists(folder / each))
    rename(folder, name, aside)
    found = printable(str(folder / name))
    logger.warning("%s was there and is not this training's; it is %s now.", found, printable(aside))


def is_own(folder: Path) -> bool:
    """Tell whether a folder holds nothing but what a training writes into a checkpoint, whole or interrupted."""
    return is_folder(folder) and all(
        is_file(path) and (path.name in (TENSORS, FACTS, CONFIG) or UNFINISHED.fullmatch(path.name))
        for path in list_folder(folder)
    )


def read_log(path: Path, step: int) -> list[dict]:
    """The entries of a log up to a step. A last line that an interruption tore is left out, and said.

    Raises:
        InvalidFileError: If an earlier line is damaged, or one is no entry.
    """
    entries, torn = read_json_lines(path, follow=False)
    if torn:
        logger.warning("%s", torn)
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or type(entry.get("step")) is not int or type(entry.get("loss")) is not float:
            raise InvalidFileError(f"{path}, line {number} is {quote(entry)}, expected an entry with step and loss.")
    return [entry for entry in entries if entry["step"] <= step]


def _tensorboard(folder: Path):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise SesaHandError("TensorBoard is not installed: pip install tensorboard") from error
    return SummaryWriter(str(inside(folder, "tensorboard")))
