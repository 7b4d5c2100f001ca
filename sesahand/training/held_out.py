"""How well samples that are not learnt from are denoised, always from the same times and the same noise."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import torch

from ..files.folders import inside, is_file
from ..files.writing import append_line, write_whole
from .config import ControlNetConfig, LoraConfig
from .diffusion import DiffusionTask
from .loop import checkpoints, read_log, set_aside
from .samples import Samples, TrainingSample

HELD_OUT_LOG = "held_out.jsonl"
TIMES = 4
"""Of the noise schedule, in the middles of as many equal parts."""


class HeldOutLoss:
    """The denoising loss of held-out samples, logged, and which step's weights had the least.

    Args:
        task: What is trained.
        samples: What it does not learn from; not empty.
        config: Its seed is that of the noise.
    """

    def __init__(self, task: DiffusionTask, samples: Samples, config: ControlNetConfig | LoraConfig):
        self.task, self.seed, self.folder = task, config.seed, Path(config.out)
        self.together = config.training.batch_size
        # Samples are read anew each time: they may be many, and large.
        count = min(config.data.measured, len(samples))
        self.samples, self.numbers = samples, np.linspace(0, len(samples) - 1, count).round().astype(int)
        # What no checkpoint belongs to may be anybody's. The loop alone asks accelerate who is who, once it is set up.
        is_first = os.environ.get("RANK", "0") == "0"
        if is_first and is_file(self.folder / HELD_OUT_LOG) and not checkpoints(self.folder):
            set_aside(self.folder, HELD_OUT_LOG, "held_out_{}.jsonl")

    def measure(self, step: int) -> dict:
        """Take the loss of the task's weights as they are, and log it.

        Args:
            step: After which they are what they are.

        Returns:
            The entry of the log: the step, "loss", the loss from each time, and "best", whether none before was less.
        """
        times = [int((2 * part + 1) * len(self.task.alphas) / (2 * TIMES)) for part in range(TIMES)]
        sums = dict.fromkeys(times, 0.0)
        for start in range(0, len(self.numbers), self.together):
            numbers = self.numbers[start : start + self.together]
            samples = [self.samples[int(number)] for number in numbers]
            for time in times:
                sums[time] += len(samples) * self._error(samples, time, numbers)
        losses = {f"loss from {time}": total / len(self.numbers) for time, total in sums.items()}
        entry = {"step": step, "loss": sum(losses.values()) / len(losses), **losses}
        return self._log(entry)

    @torch.no_grad()
    def _error(self, samples: list[TrainingSample], time: int, numbers: np.ndarray) -> float:
        seeds = [int(np.random.SeedSequence([self.seed, time, int(n)]).generate_state(1)[0]) for n in numbers]
        batch = self.task.steady_batch(samples, time, seeds)
        device = next(self.task.parameters()).device
        return float(self.task({name: value.to(device) for name, value in batch.items()})["error"])

    def _log(self, entry: dict) -> dict:
        path = inside(self.folder, HELD_OUT_LOG)
        # What comes after the checkpoint that was gone on from is measured again.
        before = read_log(path, entry["step"] - 1) if is_file(path) else []
        entry["best"] = all(entry["loss"] < earlier["loss"] for earlier in before)
        write_whole(path, "".join(json.dumps(each) + "\n" for each in before).encode())
        append_line(path, json.dumps(entry).encode() + b"\n")
        return entry
