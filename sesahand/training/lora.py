"""Train a LoRA of a frozen Stable Diffusion base on pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from ..models.checkpoints import load_base
from ..models.low_rank import attach_lora, load_lora, write_lora
from .base_data import open_data
from .config import Fusion, LoraConfig
from .controlnet import facts_of, validation
from .diffusion import DiffusionTask
from .loop import TrainingOutcome, Watcher, main_process_first, seeded, train
from .validation import draw_samples, save_sheet, true_pictures

MODEL_FILE, BEST_FILE = "lora.safetensors", "lora_best.safetensors"


def train_lora(
    config: LoraConfig, stop: Callable[[], bool] = lambda: False, report: Callable[[dict], None] = lambda e: None
) -> tuple[TrainingOutcome, Path | None]:
    """Run a configuration from its newest checkpoint to the end.

    Returns:
        What it came to, and the exported file; None if it was stopped before its end.

    Raises:
        SesaHandError: If the base, the start or the samples cannot be read, or the training diverges.
    """
    out = Path(config.out)
    networks = load_base(config.base, getattr(torch, config.frozen_dtype))
    data = open_data(config, networks, "")
    with seeded(config.seed):
        lora = attach_lora(networks.unet, config.lora.rank, config.lora.alpha, config.lora.layers)
    if config.start:
        load_lora(config.start, lora)
    networks.lora = lora
    task = DiffusionTask(networks, ["lora"], config.noise, Fusion(enabled=False), kept=data.kept)
    if config.gradient_checkpointing:
        networks.unet.enable_gradient_checkpointing()
        # Only a network in training mode makes use of it; without dropout the mode changes nothing else.
        networks.unet.train()

    def write_best(entry: dict) -> None:
        outcome = TrainingOutcome(False, entry["step"], 0.0)
        write_lora(out / BEST_FILE, lora, facts_of(config, outcome, data.count) | {"held_out": entry})

    def draw(step: int) -> None:
        drawn = draw_samples(networks, data.shown, config.validation_steps, config.guidance, config.seed)
        save_sheet(out / "pictures" / f"{step:08d}.png", [true_pictures(data.shown), drawn])

    watcher = Watcher(stop, report, validation(task, data, config, draw, write_best, report))
    outcome = train(task, data.learnt, config.training, config, out, watcher, known=data.known)
    if not outcome.finished:
        return outcome, None
    path = out / MODEL_FILE
    with main_process_first() as is_main:
        if is_main:
            write_lora(path, lora, facts_of(config, outcome, data.count))
    return outcome, path
