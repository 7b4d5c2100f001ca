"""Pictures from prompts and condition maps: diffusers' ControlNet pipeline with both alignments attached."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from ..attention.choice import CHOICES, choose_spans
from ..attention.tokens import HandTokens, plain_columns
from ..callbacks import Progress
from ..errors import SesaHandError
from ..files.panics import refusing_panics
from ..fusion.settings import FusionSettings
from ..models.base import BaseModel, load_base_model
from ..models.condition_once import condition_once
from ..models.controlnets import LoadedControlNet, load_controlnet
from ..models.diffusers_bias import attention_bias
from ..models.small.embedded import EMBEDDED
from ..models.small.model_files import HELD
from ..scene.hand_scene import HandScene
from ..semantics.behavior import ImageSemantics
from .sampling import MAX_SEED, SamplingSettings, build_scheduler

if TYPE_CHECKING:
    from diffusers import StableDiffusionControlNetPipeline


DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
HAND_TOKENS = CHOICES[0]
# What the small model is sampled with unless something else is asked for.
MINI_STEPS, MINI_GUIDANCE = 12, 3.0
# A name or a path, whichever it was given as.
Named = TypeVar("Named", str, str | Path)


@dataclass(frozen=True)
class HandGenerator:
    """Makes pictures whose hands obey a condition map and a prompt.

    Attributes:
        base: What paints.
        controlnet: What steers it.
        device: Where both are.
        dtype: Of their weights.
    """

    base: BaseModel
    controlnet: LoadedControlNet
    device: torch.device
    dtype: torch.dtype

    @classmethod
    def load(
        cls,
        base: str | Path = EMBEDDED,
        controlnet: str | Path | None = None,
        device: str = "auto",
        dtype: str = "auto",
    ) -> HandGenerator:
        """Load a base and a ControlNet from local files; nothing is ever fetched.

        Args:
            base: A diffusers folder or one `.safetensors` checkpoint of the SD1.5 family, or "embedded".
            controlnet: A diffusers folder or file; for the small model also "sf" (its default), "plain" or
                "held".
            device: "auto" takes CUDA, else Apple's MPS, else the CPU; or a name that torch knows.
            dtype: "auto" is float16 on CUDA and float32 elsewhere; or a name of `DTYPES`.

        Raises:
            SesaHandError: If something is missing, damaged, of another family, or the device is not there.
        """
        where = choose_device(device)
        kind = choose_dtype(dtype, where)
        loaded = load_base_model(base, where, kind)
        return cls(loaded, load_controlnet(controlnet, loaded, where, kind), where, kind)

    def default_settings(self) -> SamplingSettings:
        """What this base is sampled with, with structural fusion if the ControlNet was trained with it."""
        fusion = self.controlnet.fusion
        if self.base.is_mini:
            return SamplingSettings(steps=MINI_STEPS, guidance=MINI_GUIDANCE, fusion=fusion)
        return SamplingSettings(fusion=fusion)

    def hand_tokens(self, prompt: str | ImageSemantics) -> HandTokens:
        """The columns of a prompt that the attention bias acts on, and the words they stand for."""
        text = _text(prompt)
        images = [prompt] if isinstance(prompt, ImageSemantics) else []
        return plain_columns(text, choose_spans(text, HAND_TOKENS, images=images), self.base.tokenizer)

    @torch.no_grad()
    def __call__(
        self,
        prompts: Sequence[str | ImageSemantics],
        maps: Tensor,
        seeds: Sequence[int],
        settings: SamplingSettings | None = None,
        batch_size: int = 1,
        progress: Progress | None = None,
    ) -> Tensor:
        """Make one picture for each seed.

        A picture depends on its own prompt, map and seed alone: its noise is drawn on the CPU, for itself. Other batch
        sizes and devices differ by rounding.

        Args:
            prompts: One for each seed, or one for all; semantics tell their hand words.
            maps: Condition maps `[N, H, W, 3]` in 0..1, one for each seed, or one for all.
            seeds: Of the noise, 0..2**63 - 1.
            settings: How to sample; None takes `default_settings`.
            batch_size: Pictures that are made at a time.
            progress: Called with steps done and their number, over all pictures. What it raises ends the sampling.

        Returns:
            Pictures `[N, H, W, 3]` in 0..1, float32 on the CPU.

        Raises:
            SesaHandError: If numbers or sizes do not fit, or memory is short.
        """
        settings = self.default_settings() if settings is None else settings
        prompts, maps = _one_for_each(prompts, len(seeds), "prompts"), self._checked(maps, len(seeds))
        check_seeds(seeds)
        if batch_size < 1:
            raise SesaHandError(f"batch_size is {batch_size}, expected at least 1.")
        pipeline = self._pipeline(settings)
        batches = [range(start, min(start + batch_size, len(seeds))) for start in range(0, len(seeds), batch_size)]
        made = []
        for number, rows in enumerate(batches):
            counter = _Counter(progress, number, len(batches))
            chosen = [prompts[row] for row in rows]
            shown = maps[rows.start : rows.stop].movedim(-1, 1)
            try:
                made.append(self._sample(pipeline, chosen, shown, [seeds[row] for row in rows], settings, counter))
            except torch.OutOfMemoryError as error:
                raise SesaHandError(
                    f"The memory of {self.device} is too small for {len(rows)} pictures of "
                    f"{maps.shape[2]}x{maps.shape[1]} pixels at a time. Choose a smaller batch size or picture."
                ) from error
        return torch.cat(made)

    def _sample(self, pipeline, prompts, maps: Tensor, seeds, settings: SamplingSettings, counter) -> Tensor:
        """Make one batch; both alignments are attached for its length only."""
        from ..models.diffusers_fusion import structural_fusion

        # As the pipeline decides it: at 1 the negative prompt is not asked.
        guided = settings.guidance > 1
        columns = [self.hand_tokens(prompt).columns for prompt in prompts]
        nothing: tuple[int, ...] = ()
        unguided = [nothing] * len(prompts) * guided
        with ExitStack() as attached:
            # The pipeline calls the base's tokenizer.
            attached.enter_context(refusing_panics(self.base.name))
            attached.enter_context(condition_once(self.controlnet.model))
            # The negative prompts come first and have no hand tokens.
            attached.enter_context(
                attention_bias(
                    self.base.unet,
                    unguided + columns,
                    alpha=settings.alpha,
                    blocks=settings.alpha_blocks,
                    start=settings.alpha_start,
                    end=settings.alpha_end,
                    train_timesteps=pipeline.scheduler.config.num_train_timesteps,
                )
            )
            if settings.fusion is not None and not settings.fusion.is_off:
                attached.enter_context(structural_fusion(self.controlnet.model, settings.fusion))
            pictures = pipeline(
                prompt=[_text(prompt) for prompt in prompts],
                negative_prompt=[settings.negative] * len(prompts),
                image=maps,
                num_inference_steps=settings.steps,
                guidance_scale=settings.guidance,
                controlnet_conditioning_scale=float(settings.strength),
                control_guidance_start=float(settings.control_start),
                control_guidance_end=float(settings.control_end),
                generator=[torch.Generator("cpu").manual_seed(int(seed)) for seed in seeds],
                output_type="pt",
                callback_on_step_end=counter,
            ).images
        pictures = pictures.float().cpu().movedim(1, -1)
        if not bool(pictures.isfinite().all()):
            coarse = f"{self.dtype} is too coarse for this model. Choose the type float32."
            exact = "the base or the ControlNet is damaged, or its settings are. Download it again, or choose another."
            raise SesaHandError(
                f"The picture holds values that are not numbers: {exact if self.dtype == torch.float32 else coarse}"
            )
        return pictures

    def _pipeline(self, settings: SamplingSettings) -> StableDiffusionControlNetPipeline:
        from diffusers import StableDiffusionControlNetPipeline

        base = self.base
        # The pipeline takes more than the classes that its types name.
        parts: dict[str, Any] = {
            "vae": base.autoencoder,
            "text_encoder": base.text_encoder,
            "tokenizer": base.tokenizer,
            "unet": base.unet,
            "controlnet": self.controlnet.model,
            "scheduler": build_scheduler(base.scheduler, settings.sampler, settings.steps),
            "safety_checker": None,
            "feature_extractor": None,
        }
        pipeline = StableDiffusionControlNetPipeline(**parts, requires_safety_checker=False)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def _checked(self, maps: Tensor, count: int) -> Tensor:
        if maps.ndim != 4 or maps.shape[-1] != 3 or not maps.is_floating_point():
            raise SesaHandError(f"The maps have the shape {list(maps.shape)}, expected [pictures, height, width, 3].")
        height, width = maps.shape[1:3]
        multiple = self.base.multiple
        if height % multiple or width % multiple or not height * width:
            raise SesaHandError(
                f"{self.base.name} makes pictures whose sides are whole multiples of {multiple} pixels, got "
                f"{width}x{height}: draw the maps at such a size."
            )
        if not bool(((maps >= 0) & (maps <= 1)).all()):
            raise SesaHandError(
                "The maps hold values outside 0..1, or values that are not numbers. Look at what drew them."
            )
        return _one_for_each(maps, count, "maps")


def choose_fusion(generator: HandGenerator, strength: float | None) -> FusionSettings | None:
    """The structural fusion for a wish: as the ControlNet was trained, or blended by a strength of 0..1.

    Args:
        generator: Whose ControlNet it is for.
        strength: lambda; None follows the training: the file's own settings, or no fusion for an unmarked file.

    Raises:
        SesaHandError: If weights that were trained with fusion are to have a part of it only.
    """
    trained = generator.controlnet.fusion
    if strength is None:
        return trained
    if trained is not None and trained.mode == "paper" and 0 < strength < 1:
        raise SesaHandError(
            f"{generator.controlnet.name} was trained with structural fusion in paper mode, which is on or off: choose "
            f"lambda 1 or 0, got {strength:g}."
        )
    if trained is not None and strength:
        return replace(trained, strength=strength)
    return FusionSettings(mode="blend", strength=strength)


def controlnet_for(
    base: str | Path, controlnet: Named | None, hands: HandScene | None, hold: bool = False
) -> Named | str | None:
    """The ControlNet for some hands: the one that is named; of the embedded model, where they hold something, "held".

    Args:
        base: As of `HandGenerator.load`.
        controlnet: Likewise.
        hands: What is to be painted; None where words alone tell it.
        hold: Whether words put something into a hand.
    """
    if controlnet is None and base == EMBEDDED and (hold or (hands is not None and hands.objects)):
        return HELD
    return controlnet


def check_seeds(seeds: Sequence[int]) -> None:
    """Raise a SesaHandError unless there is a seed and all are whole numbers from 0 to 2**63 - 1."""
    if not len(seeds):
        raise SesaHandError("There is no seed: give one for each picture.")
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
            raise SesaHandError(f"A seed is {seed!r:.40}, expected a whole number from 0 to {MAX_SEED}.")


def choose_device(name: str) -> torch.device:
    """The device of a name, or the best there is for "auto"; a SesaHandError if it is not there."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    # torch raises an AssertionError where it was built without CUDA.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise SesaHandError(f"There is no device {name!r:.40} here ({error!s:.120}). Choose auto or cpu.") from error
    return device


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """The type of a name, or the usual one of a device for "auto"."""
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if name not in DTYPES:
        raise SesaHandError(f"The type is {name!r:.40}; choose auto, {', '.join(DTYPES)}.")
    return DTYPES[name]


class _Counter:
    """Counts the steps of one batch out of several for `progress`, as diffusers' callback."""

    def __init__(self, progress: Progress | None, batch: int, batches: int):
        self.progress, self.batch, self.batches = progress, batch, batches

    def __call__(self, pipeline, step: int, time, tensors: dict) -> dict:
        if self.progress is not None:
            steps = len(pipeline.scheduler.timesteps)
            self.progress(self.batch * steps + step + 1, self.batches * steps)
        return {}


def _text(prompt: str | ImageSemantics) -> str:
    return prompt.prompt if isinstance(prompt, ImageSemantics) else prompt


def _one_for_each(values, count: int, what: str):
    if len(values) == count:
        return values
    if len(values) == 1:
        return values.expand(count, -1, -1, -1) if isinstance(values, Tensor) else list(values) * count
    raise SesaHandError(f"There are {len(values)} {what} for {count} seeds, expected one for each or one for all.")
