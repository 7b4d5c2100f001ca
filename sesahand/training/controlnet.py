"""Train a ControlNet, with structural fusion, on a frozen Stable Diffusion 1.5 base."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable
from pathlib import Path

import torch

from ..models.checkpoints import load_base
from ..models.controlnet_files import read_controlnet_weights
from ..models.ldm_names import load_ldm
from ..models.networks import Networks
from ..models.small.model_files import write_controlnet
from .config import ControlNetConfig, to_dict
from .diffusion import ALWAYS, NEVER, DiffusionTask
from .loop import TrainingOutcome, Watcher, main_process_first, seeded, train
from .samples import Samples, open_samples
from .validation import control_pictures, draw_samples, save_sheet, true_pictures


class Subset:
    """A stretch of some samples."""

    def __init__(self, samples: Samples, start: int, end: int):
        self.samples, self.range = samples, range(start, end)

    def __len__(self) -> int:
        return len(self.range)

    def __getitem__(self, index: int):
        return self.samples[self.range[index]]


def train_controlnet(
    config: ControlNetConfig, stop: Callable[[], bool] = lambda: False, report: Callable[[dict], None] = lambda e: None
) -> tuple[TrainingOutcome, Path | None]:
    """Run a configuration from its newest checkpoint to the end.

    Returns:
        What it came to, and the exported file; None if it was stopped before its end.

    Raises:
        SesaHandError: If the base or the samples cannot be read, or the training diverges.
    """
    out = Path(config.out)
    every = open_samples(config.data.path, config.data.size, config.data.control)
    held_out = min(config.data.held_out, len(every) - 1)
    learnt = Subset(every, 0, len(every) - held_out)
    shown = [every[index] for index in range(len(every) - held_out, len(every))][:8]
    networks = load_base(config.base, getattr(torch, config.frozen_dtype))
    with seeded(config.seed):
        networks.controlnet = start_controlnet(networks, config.start)
    if config.gradient_checkpointing:
        networks.controlnet.enable_gradient_checkpointing()
        networks.unet.enable_gradient_checkpointing()
        # Only a network in training mode makes use of it; without dropout the mode changes nothing else.
        networks.unet.train()
    fused = ALWAYS if config.fusion.enabled else NEVER
    task = DiffusionTask(networks, ["controlnet"], config.noise, config.fusion, fused)
    if config.gradient_checkpointing:
        networks.unet.train()

    def validate(step: int) -> None:
        task.fuse(config.fusion.enabled)
        drawn = draw_samples(networks, shown, config.validation_steps, config.guidance, config.seed)
        rows = [control_pictures(shown), true_pictures(shown), drawn]
        save_sheet(out / "pictures" / f"{step:08d}.png", rows)

    watcher = Watcher(stop, report, validate if shown else None)
    outcome = train(task, learnt, config.training, config, out, watcher)
    if not outcome.finished:
        return outcome, None
    path = out / "controlnet.safetensors"
    with main_process_first() as is_main:
        if is_main:
            write_controlnet(path, networks.controlnet, task.learnt_fusion, facts_of(config, outcome, len(learnt)))
    return outcome, path


def start_controlnet(networks: Networks, path: str = ""):
    """A ControlNet that starts as the base's encoder with silent residuals, or as a file's."""
    from diffusers import ControlNetModel

    controlnet = ControlNetModel.from_unet(
        networks.unet, conditioning_channels=3, conditioning_embedding_out_channels=(16, 32, 96, 256)
    ).float()
    if path:
        weights = read_controlnet_weights(path)
        state = weights.state
        if weights.layout == "diffusers":
            controlnet.load_state_dict({name: value.float() for name, value in state.items()})
        else:
            load_ldm(controlnet, {name: value.float() for name, value in state.items()}, Path(path).name)
    return controlnet


def facts_of(config, outcome: TrainingOutcome, samples: int) -> dict:
    """What a file's header says of its training."""
    return {
        "kind": config.kind,
        "steps": outcome.step,
        "samples": samples,
        "hours": round(outcome.seconds / 3600, 3),
        "hardware": hardware(),
        "torch": torch.__version__,
        "final_loss": round(outcome.loss, 5) if outcome.loss == outcome.loss else None,
        **({"extended": list(outcome.extended)} if outcome.extended else {}),
        # Paths say where somebody keeps his files, and nothing of the weights.
        "config": _without_paths(to_dict(dataclasses.replace(config, out="training"))),
    }


def hardware() -> str:
    """The device, in words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def _without_paths(config: dict) -> dict:
    if config["kind"] != "controlnet":
        return {**config, "data": {**config["data"], "folder": ""}}
    data = {**config["data"], "path": Path(config["data"]["path"]).name}
    return {**config, "data": data, **{name: Path(config[name]).name for name in ("base", "start")}}
