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
from .base_data import BaseData, open_data
from .config import ControlNetConfig, LoraConfig, to_dict
from .diffusion import ALWAYS, NEVER, DiffusionTask
from .held_out import HeldOutLoss
from .loop import TrainingOutcome, Watcher, main_process_first, seeded, train
from .validation import control_pictures, draw_samples, save_sheet, true_pictures

MODEL_FILE, BEST_FILE = "controlnet.safetensors", "controlnet_best.safetensors"


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
    networks = load_base(config.base, getattr(torch, config.frozen_dtype))
    data = open_data(config, networks, config.data.control)
    with seeded(config.seed):
        networks.controlnet = controlnet = start_controlnet(networks, config.start)
    if config.gradient_checkpointing:
        controlnet.enable_gradient_checkpointing()
        networks.unet.enable_gradient_checkpointing()
        # Only a network in training mode makes use of it; without dropout the mode changes nothing else.
        networks.unet.train()
    fused = ALWAYS if config.fusion.enabled else NEVER
    task = DiffusionTask(networks, ["controlnet"], config.noise, config.fusion, fused, kept=data.kept)
    if config.gradient_checkpointing:
        networks.unet.train()
    path, best = out / MODEL_FILE, out / BEST_FILE

    def write(to: Path, facts: dict) -> None:
        write_controlnet(to, controlnet, task.learnt_fusion, facts)

    def write_best(entry: dict) -> None:
        write(best, facts_of(config, TrainingOutcome(False, entry["step"], 0.0), data.count) | {"held_out": entry})

    def draw(step: int) -> None:
        task.fuse(config.fusion.enabled)
        drawn = draw_samples(networks, data.shown, config.validation_steps, config.guidance, config.seed)
        rows = [control_pictures(data.shown), true_pictures(data.shown), drawn]
        save_sheet(out / "pictures" / f"{step:08d}.png", rows)

    watcher = Watcher(stop, report, validation(task, data, config, draw, write_best, report))
    outcome = train(task, data.learnt, config.training, config, out, watcher, known=data.known)
    if not outcome.finished:
        return outcome, None
    with main_process_first() as is_main:
        if is_main:
            write(path, facts_of(config, outcome, data.count))
    return outcome, path


def validation(
    task: DiffusionTask,
    data: BaseData,
    config: ControlNetConfig | LoraConfig,
    draw: Callable[[int], None],
    write_best: Callable[[dict], None],
    report: Callable[[dict], None],
) -> Callable[[int], None] | None:
    """Return what is done when it is time for validation: pictures and the held-out loss, or None if there is nothing.

    Args:
        task: What is trained.
        data: What it learns from, and does not.
        config: What to do.
        draw: Draws validation pictures of a step.
        write_best: Writes the weights, of which the held-out loss's entry is given, where none before had less.
        report: Told the entries of the held-out loss.
    """
    if data.held_out is None:
        return None
    loss = HeldOutLoss(task, data.held_out, config) if config.data.is_measured else None

    def validate(step: int) -> None:
        draw(step)
        if loss is not None:
            entry = loss.measure(step)
            if entry["best"]:
                write_best(entry)
            report({"step": step, "held-out loss": entry["loss"], "best": entry["best"]})

    return validate


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
    if config["kind"] not in ("controlnet", "lora"):
        return {**config, "data": {**config["data"], "folder": ""}}
    data = {**config["data"], "latents_folder": ""}
    data["path"] = _name(data["path"]) if isinstance(data["path"], str) else [_name(path) for path in data["path"]]
    data["sets"] = [{**source, "path": _name(source["path"])} for source in data["sets"]]
    if isinstance(data["held_out"], str):
        data["held_out"] = _name(data["held_out"])
    elif isinstance(data["held_out"], list):
        data["held_out"] = [{**source, "path": _name(source["path"])} for source in data["held_out"]]
    return {**config, "data": data, **{name: Path(config[name]).name for name in ("base", "start")}}


def _name(path: str) -> str:
    return Path(path).name
