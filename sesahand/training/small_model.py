"""Train the small model from nothing: its world, its autoencoder, its base, and two ControlNets on that base."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ..errors import SesaHandError, quote
from ..files.arrays import create_array, map_array
from ..files.folders import inside, rename
from ..fusion.settings import FusionSettings
from ..models.networks import Networks
from ..models.small.embedded import EMBEDDED, embedded_path
from ..models.small.model_files import (
    CONTROLS,
    MiniModel,
    control_path,
    read_mini,
    read_mini_controlnet,
    write_controlnet,
    write_mini,
)
from ..models.small.token_embedding import ids_of
from ..models.small.tokenizer import load_tokenizer
from .autoencoding import AutoencoderTask, encode_all, measure_latents
from .config import MiniConfig, Steps, to_dict
from .controlnet import facts_of
from .diffusion import ALWAYS, EVERY_OTHER, NEVER, DiffusionTask, use_plain_attention
from .loop import TrainingOutcome, Watcher, main_process_first, seeded, train
from .samples import Samples, TrainingSample, WorldSamples, render_world
from .validation import control_pictures, draw_samples, reconstruct, save_sheet, true_pictures

if TYPE_CHECKING:
    from diffusers import ControlNetModel

logger = logging.getLogger(__name__)

UNFINISHED = ".sesahand_latents.partial"
"""What a stopped training left of this name is written over, so that it is one that nobody gives a file of theirs."""

MODEL_FILE = "sesahand_mini.safetensors"
SHOWN = 8
REPORT_SAMPLES = 200
VOCABULARY_SAMPLES = 4000
"""Of so many samples the words are taken: a closed world has said all of its words by then."""

MEASURED = 2048
"""Samples whose latents settle the latents' mean and deviation."""

INITIAL_ZERO_CONVOLUTION = 0.02
"""Deviation of the scaffold's zero convolutions: trained together with its base, it need not start silent."""


@dataclass
class _Stage:
    name: str
    outcome: TrainingOutcome


class MiniTraining:
    """All stages of a configuration; each goes on where it was, and is not done again once it is done.

    Args:
        config: What to train.
        stop: Asked after every step; true ends the training with a checkpoint.
        report: Called with the name of the stage and each entry of its log.
        make_samples: Gives the samples of a split ("train" or "heldout") and their number, or None if it was stopped;
            the rendered world if not given.
    """

    def __init__(
        self,
        config: MiniConfig,
        stop: Callable[[], bool] = lambda: False,
        report: Callable[[str, dict], None] = lambda stage, entry: None,
        make_samples: Callable[[str, int], Samples | None] | None = None,
    ):
        self.config, self.stop, self.report = config, stop, report
        self.out = Path(config.out)
        self.make_samples = make_samples or self._rendered
        self.tokenizer = load_tokenizer()
        self.stages: list[_Stage] = []
        self._learnt_fusion: FusionSettings | None = None

    def run(self) -> list[Path] | None:
        """Train what is missing and export it.

        Returns:
            The model's file and its ControlNets' files; None if it was stopped before.
        """
        with main_process_first():
            learnt = self.make_samples("train", self.config.data.samples)
            heldout = self.make_samples("heldout", self.config.data.held_out)
        if learnt is None or heldout is None:
            return None
        shown = [heldout[index] for index in range(min(SHOWN, len(heldout)))]
        given = self.config.base_of
        model = self._read_given(given, *to_dict(self.config)["layout"]) if given else self._start(learnt)
        if not given and not self._autoencoder(model, learnt, shown):
            return None
        with main_process_first():
            latents = self._latents(model, learnt)
        if latents is None:
            return None
        scaffold = self._scaffold()
        if not given:
            if not self._base(model, scaffold, learnt, latents, shown):
                return None
            model.facts = self._facts(learnt, "autoencoder", "base")
        paths = [self.out / MODEL_FILE]
        with main_process_first() as is_main:
            if is_main:
                write_mini(paths[0], model)
        # The ControlNets learn on the base as it is in the file.
        model = read_mini(paths[0])
        for control, fused in (("plain", NEVER), ("sf", ALWAYS)):
            if self.config.only not in ("", control):
                continue
            controlnet = self._control_start(model, scaffold)
            if not self._control(control, fused, model, controlnet, learnt, latents, shown):
                return None
            fusion = self._learnt_fusion
            paths.append(control_path(paths[0], control))
            with main_process_first() as is_main:
                if is_main:
                    write_controlnet(paths[-1], controlnet, fusion, self._facts(learnt, control))
        with main_process_first() as is_main:
            if is_main:
                self._compare(paths, shown)
        return paths

    def _rendered(self, split: str, count: int) -> Samples | None:
        data, size = self.config.data, self.config.layout.size
        told = -1

        def tell(done: int) -> None:
            nonlocal told
            if done // REPORT_SAMPLES != told:
                told = done // REPORT_SAMPLES
                self.report(split, {"drawn": done, "of": count})

        folder = inside(data.folder or self.out, f"{split}_{size}")
        drawn = render_world(folder, split, count, size, data.seed, self.config.workers, self.stop, tell)
        return WorldSamples(drawn.rendered, held_in_map=True) if drawn and self.config.held_in_map else drawn

    def _start(self, learnt: Samples) -> MiniModel:
        layout = self.config.layout
        some = range(0, len(learnt), max(1, len(learnt) // VOCABULARY_SAMPLES))
        texts = (text for index in some for text in learnt[index].captions.values())
        words = ids_of(self.tokenizer, _distinct_words(texts))
        with seeded(self.config.seed):
            text_encoder = layout.build_text_encoder(words)
            return MiniModel(layout, layout.build_unet(), text_encoder, layout.build_autoencoder(), {})

    def _scaffold(self) -> ControlNetModel:
        with seeded(self.config.seed + 1):
            scaffold = self.config.layout.build_controlnet()
            for convolution in [*scaffold.controlnet_down_blocks, scaffold.controlnet_mid_block]:
                nn.init.normal_(convolution.weight, std=INITIAL_ZERO_CONVOLUTION)
        return scaffold

    def _control_start(self, model: MiniModel, scaffold: ControlNetModel) -> ControlNetModel:
        if self.config.control_start == "scaffold":
            return copy.deepcopy(scaffold)
        if self.config.control_start == "plain":
            return read_mini_controlnet(control_path(_path_of(self.config.base_of), "plain"), model.layout)[0]
        from diffusers import ControlNetModel

        with seeded(self.config.seed + 2):
            return ControlNetModel.from_unet(
                model.unet, conditioning_embedding_out_channels=scaffold.config["conditioning_embedding_out_channels"]
            )

    def _autoencoder(self, model: MiniModel, learnt: Samples, shown: Sequence[TrainingSample]) -> bool:
        if self.config.autoencoder_of:
            model.autoencoder = self._read_given(self.config.autoencoder_of, "autoencoder_widths").autoencoder
            return True
        autoencoder = model.autoencoder
        autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's types
        task = AutoencoderTask(autoencoder)
        true = true_pictures(shown)

        def validate(step: int) -> None:
            self._sheet("autoencoder", step, [true, reconstruct(model.autoencoder, shown)])

        if not self._train("autoencoder", task, learnt, self.config.autoencoder, validate):
            return False
        model.autoencoder.eval().requires_grad_(False)
        some = range(0, min(MEASURED, len(learnt)), 64)
        chunks = ([learnt[k] for k in range(start, min(start + 64, len(learnt)))] for start in some)
        measure_latents(model.autoencoder, chunks)
        return True

    def _read_given(self, given: str, *names: str) -> MiniModel:
        """Read a model that is taken over, in whole or in part, if the layout's `names` are those of this training."""
        model = read_mini(_path_of(given))
        for name in names:
            found, wanted = getattr(model.layout, name), getattr(self.config.layout, name)
            if found != wanted:
                found = list(found) if isinstance(found, tuple) else found
                raise SesaHandError(f"{quote(given)} has other {name}: set layout.{name}={found}.")
        return model

    def _latents(self, model: MiniModel, learnt: Samples) -> np.ndarray | None:
        size = self.config.layout.latent_size
        self.out.mkdir(parents=True, exist_ok=True)
        shape = (len(learnt), 4, size, size)
        path = inside(self.out, "latents.npy")
        if not path.exists():
            try:
                array = create_array(self.out, UNFINISHED, np.float16, shape)
            except OSError as error:
                raise SesaHandError(
                    f"{self.out!s:.200} has no room for the latents ({error!s:.200}); make room, or choose another "
                    "folder with out."
                ) from error
            for done in encode_all(model.autoencoder, learnt, array):
                if self.stop():
                    return None
                self.report("latents", {"encoded": done, "of": len(learnt)})
            array.flush()
            rename(self.out, UNFINISHED, path.name)
        return map_array(self.out, path.name, np.float16, shape)

    def _base(self, model: MiniModel, scaffold, learnt, latents, shown) -> bool:
        config = self.config
        networks = self._networks(model, scaffold)
        task = DiffusionTask(
            networks,
            ["unet", "text_encoder", "controlnet"],
            config.noise,
            config.fusion,
            EVERY_OTHER if config.fusion.enabled else NEVER,
            {"text_encoder": config.text_rate},
            latents,
        )
        return self._train("base", task, learnt, config.base, self._drawer("base", task, shown))

    def _control(self, name, fused, model: MiniModel, controlnet, learnt, latents, shown) -> bool:
        config = self.config
        networks = self._networks(model, controlnet)
        task = DiffusionTask(networks, ["controlnet"], config.control_noise, config.fusion, fused, latents=latents)
        finished = self._train(name, task, learnt, config.controls, self._drawer(name, task, shown))
        self._learnt_fusion = task.learnt_fusion
        return finished

    def _networks(self, model: MiniModel, controlnet) -> Networks:
        parts = model.unet, model.text_encoder, self.tokenizer, model.autoencoder
        networks = Networks(*parts, model.layout.build_scheduler(), controlnet)
        if not torch.cuda.is_available():
            use_plain_attention(model.unet, controlnet)
        if self.config.gradient_checkpointing:
            model.unet.enable_gradient_checkpointing()
            controlnet.enable_gradient_checkpointing()
        return networks

    def _drawer(self, name: str, task: DiffusionTask, shown: Sequence[TrainingSample]) -> Callable[[int], None]:
        config = self.config

        def validate(step: int) -> None:
            task.fuse(task.fused == ALWAYS)
            drawn = draw_samples(task.networks, shown, config.validation_steps, config.guidance, config.seed)
            self._sheet(name, step, [control_pictures(shown), true_pictures(shown), drawn])

        return validate

    def _train(self, name: str, task, learnt, steps: Steps, validate) -> bool:
        # Stages draw their own noise and order, the two ControlNets the same.
        stage = {"autoencoder": 1, "base": 2}.get(name, 3)
        config = replace(self.config, seed=self.config.seed + 1000 * stage)
        watcher = Watcher(self.stop, lambda entry: self.report(name, entry), validate)
        outcome = train(task, learnt, steps, config, inside(self.out, name), watcher, self._identity(name))
        self.stages.append(_Stage(name, outcome))
        return outcome.finished

    def _identity(self, name: str) -> dict:
        """What of the configuration a stage depends on: a later stage may still be changed."""
        parts = ["seed", "precision", "layout", "data", "base_of"]
        if not self.config.base_of:
            parts += ["autoencoder", "autoencoder_of"]
            if name != "autoencoder":
                parts += ["base", "noise", "fusion", "text_rate"]
        if name in CONTROLS:
            parts += ["controls", "control_start", "control_noise"]
        if name == "sf" and self.config.base_of:
            parts.append("fusion")
        if self.config.held_in_map and name != "autoencoder":
            parts.append("held_in_map")
        whole = to_dict(self.config)
        return {part: whole[part] for part in parts}

    def _facts(self, learnt: Samples, *names: str) -> dict:
        outcomes = {stage.name: stage.outcome for stage in self.stages if stage.name in names}
        facts = facts_of(self.config, outcomes[names[-1]], len(learnt))
        facts["stages"] = {
            name: {"steps": outcome.step, "hours": round(outcome.seconds / 3600, 3), "loss": round(outcome.loss, 5)}
            for name, outcome in outcomes.items()
        }
        return facts

    def _sheet(self, name: str, step: int, rows) -> None:
        save_sheet(self.out / "pictures" / f"{name}_{step:08d}.png", rows)

    def _compare(self, paths: Sequence[Path], shown: Sequence[TrainingSample]) -> None:
        """One sheet of what was exported: map, truth, without control, plain, with structural fusion."""
        from ..models.diffusers_fusion import attach_structural_fusion

        model = read_mini(paths[0])
        settings = self.config.validation_steps, self.config.guidance, self.config.seed
        rows = [control_pictures(shown), true_pictures(shown), reconstruct(model.autoencoder, shown)]
        for index, path in enumerate(paths[1:]):
            controlnet, fusion = read_mini_controlnet(path, model.layout)
            networks = self._networks(model, controlnet)
            if index == 0:
                rows.append(draw_samples(networks, shown, *settings, controlled=False))
            if fusion is not None:
                attach_structural_fusion(controlnet, fusion)
            rows.append(draw_samples(networks, shown, *settings))
        save_sheet(self.out / "pictures" / "exported.png", rows)


def _path_of(given: str) -> Path:
    return embedded_path() if given == EMBEDDED else Path(given)


def _distinct_words(texts) -> list[str]:
    """Each word of some texts once, so that a tokenizer need not see all of them."""
    return sorted({word for text in texts for word in text.split()})


def small_config(config: MiniConfig, scale: float) -> MiniConfig:
    """A configuration with a fraction of the steps and samples, to try the chain."""

    def fewer(steps: Steps) -> Steps:
        return replace(steps, steps=max(1, round(steps.steps * scale)), warmup=max(1, round(steps.warmup * scale)))

    return replace(
        config,
        data=replace(config.data, samples=max(64, round(config.data.samples * scale))),
        autoencoder=fewer(config.autoencoder),
        base=fewer(config.base),
        controls=fewer(config.controls),
    )
