"""What a training does, as one value that a file, the command line and a checkpoint share."""

from __future__ import annotations

import dataclasses
import difflib
import json
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ..errors import SesaHandError, quote
from ..files.settings import read_settings
from ..fusion.settings import FusionSettings
from ..models.low_rank import ATTENTION, LAYERS
from ..models.small.layout import MiniLayout
from ..models.small.model_files import CONTROLS
from .picture_crops import Crops
from .ranges import check_range as _check_range
from .reconstructor_settings import Augmentation, Backbone, HandData, HandLosses, HandSource
from .samples import STYLES

MAX_CONFIG_BYTES = 1 << 20
MOST_WORKERS = 1024
PRECISIONS = ("no", "bf16", "fp16")
OPTIMIZERS = ADAMW, ADAMW_8BIT = "adamw", "adamw8bit"
# What may be larger when a training goes on, so that a finished one is extended.
MAY_GROW = frozenset({"training.steps"})
# What may differ when an interrupted training goes on: it changes no number of the result.
FREE_TO_CHANGE = frozenset(
    {
        "out",
        "checkpoint_every",
        "keep_checkpoints",
        "validate_every",
        "log_every",
        "workers",
        "data.folder",
        "data.measured",
        "data.latents_folder",
        "data.latents_gigabytes",
    }  # fmt: skip
)


@dataclass(frozen=True)
class Steps:
    """How one stage is optimised.

    Attributes:
        steps: Optimiser steps.
        batch_size: Samples in one pass through the network, on each device.
        accumulation: Passes in one step.
        learning_rate: AdamW's, after `warmup` steps.
        warmup: Steps during which the rate rises from 0.
        decay_from: Fraction of the steps after which the rate falls linearly; 1 keeps it.
        final_rate: What is left of the rate at the end, as a fraction.
        weight_decay: AdamW's.
        betas: AdamW's.
        max_norm: The gradient's norm is cut to this.
        average: Decay of the weights' moving average, which is what is exported; 0 exports the last weights.
        optimizer: "adamw", or "adamw8bit": bitsandbytes', which remembers a quarter of the bytes of each weight.
    """

    steps: int = 1000
    batch_size: int = 16
    accumulation: int = 1
    learning_rate: float = 1e-4
    warmup: int = 100
    decay_from: float = 0.5
    final_rate: float = 0.02
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    max_norm: float = 1.0
    average: float = 0.998
    optimizer: str = ADAMW

    def __post_init__(self):
        object.__setattr__(self, "betas", tuple(self.betas))
        if self.optimizer not in OPTIMIZERS:
            raise SesaHandError(f"optimizer is {quote(self.optimizer)}; choose {' or '.join(OPTIMIZERS)}.")
        for name in ("steps", "batch_size", "accumulation"):
            _check_range(name, getattr(self, name), 1, 10**9)
        _check_range("warmup", self.warmup, 0, 10**9)
        _check_range("learning_rate", self.learning_rate, 0, 1)
        _check_range("decay_from", self.decay_from, 0, 1)
        _check_range("final_rate", self.final_rate, 0, 1)
        _check_range("weight_decay", self.weight_decay, 0, 10)
        _check_range("max_norm", self.max_norm, 1e-6, 1e6)
        _check_range("average", self.average, 0, 0.999999)
        numbers = all(type(beta) in (int, float) for beta in self.betas)
        if len(self.betas) != 2 or not numbers or not all(0 <= beta < 1 for beta in self.betas):
            raise SesaHandError(f"betas is {quote(self.betas)}; give two numbers from 0 to 1, such as 0.9 and 0.999.")

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        start = self.decay_from * self.steps
        fallen = 0.0 if step < start else (step - start) / max(1.0, self.steps - start)
        return self.learning_rate * min(1.0, (step + 1) / (self.warmup + 1)) * (1 - (1 - self.final_rate) * fallen)

    def fell_before(self, step: int, total: int) -> bool:
        """Whether the rate had begun to fall in the first `step` steps, had there been `total` of them in all."""
        return self.final_rate < 1 and step - 1 > self.decay_from * total


@dataclass(frozen=True)
class Fusion:
    """Structural fusion during training.

    Attributes:
        enabled: Whether there is any.
        mode: "paper", "blend", or "gated": on top of the plain feature, by a gate that is learnt from 0.
        strength: lambda of blend mode, factor of the gate.
        resolutions: Which self-attention maps are summed, named as at 512 px.
        layers: "last" or "all".
        refine: Which residuals are refined: "middle", "coarsest", "to_16" or "to_32".
        orientation: "gather" or "scatter".
        detach_psi: Keep gradients from flowing through the maps.
        recompute: Compute the maps again in the backward pass instead of holding them.
    """

    enabled: bool = True
    mode: str = "paper"
    strength: float = 1.0
    resolutions: tuple[int, ...] = (64, 32, 16, 8)
    layers: str = "last"
    refine: str = "middle"
    orientation: str = "gather"
    detach_psi: bool = False
    recompute: bool = False

    def __post_init__(self):
        object.__setattr__(self, "resolutions", tuple(self.resolutions))
        self._build()

    @property
    def settings(self) -> FusionSettings | None:
        """What to attach, or None."""
        return self._build() if self.enabled else None

    def _build(self) -> FusionSettings:
        return FusionSettings(self.mode, self.strength, self.resolutions, self.layers, self.refine, self.orientation)


@dataclass(frozen=True)
class Noise:
    """What the diffusion's loss is made of.

    Attributes:
        min_snr: gamma of min-SNR weighting; 0 leaves the plain mean square, as the paper has it.
        hand_weight: How much more the hand's own latents count; 1 for none.
        no_text: Fraction of the samples without a prompt, for classifier-free guidance.
        no_control: Fraction whose residuals are left out altogether.
        no_skip: Fraction whose only residuals are those that structural fusion may refine, so that they learn to carry
            structure.
        no_word: Fraction of the words that are replaced by an unknown one, so that unknown words come to mean nothing;
            only where the text encoder is trained.
        styles: How often each style of caption is drawn.
    """

    min_snr: float = 0.0
    hand_weight: float = 1.0
    no_text: float = 0.1
    no_control: float = 0.0
    no_skip: float = 0.0
    no_word: float = 0.0
    styles: dict[str, float] = field(default_factory=lambda: {"clean": 1.0})

    def __post_init__(self):
        _check_range("min_snr", self.min_snr, 0, 1000)
        _check_range("hand_weight", self.hand_weight, 0, 1000)
        for name in ("no_text", "no_control", "no_skip", "no_word"):
            _check_range(name, getattr(self, name), 0, 1)
        unknown = sorted(set(self.styles) - set(STYLES))
        if unknown:
            raise SesaHandError(f"styles names {quote(unknown[0])}; captions come in {', '.join(STYLES)}.")
        weights = self.styles.values()
        if not self.styles or not all(0 <= w <= 1e9 for w in weights) or not sum(weights):
            raise SesaHandError(f"styles is {quote(self.styles)}; give at least one caption style a positive number.")


@dataclass(frozen=True)
class Data:
    """Where the samples of a training on a frozen base are.

    Attributes:
        path: A folder of image-mesh pairs, or AttentionHand's `modalities.json`; or a list of them, read one after the
            other.
        sets: In place of it, sets with shares.
        control: Which map of the pairs the ControlNet sees.
        size: Width and height that pictures and maps are brought to, pixels.
        held_out: What is not learnt from. A whole number: so many samples at the end of each set, for validation
            pictures only. A share below 1 of each set's end, a path or other sets: also for the held-out loss.
        measured: Of so many held-out samples, evenly spread, the loss is taken.
        keep_latents: Keep the pictures' latents in files, in half precision, so that each is encoded once.
        latents_folder: Where they are kept; trainings may share it. Empty for `latents` in the run's own folder.
        latents_gigabytes: They take no more room on the disk than this; what is beyond is encoded each time.
    """

    path: str | tuple[str, ...] = ""
    sets: tuple[HandSource, ...] = ()
    control: str = "mesh"
    size: int = 512
    held_out: int | float | str | tuple[HandSource, ...] = 4
    measured: int = 64
    keep_latents: bool = False
    latents_folder: str = ""
    latents_gigabytes: float = 16.0

    def __post_init__(self):
        _check_range("size", self.size, 64, 4096)
        _check_range("measured", self.measured, 1, 10**6)
        _check_range("latents_gigabytes", self.latents_gigabytes, 0, 1e6)
        if self.size % 64:
            raise SesaHandError(f"size is {self.size}; choose a multiple of 64.")
        if self.path and self.sets:
            raise SesaHandError("path and sets both name the samples; leave one of them out.")
        if not all(isinstance(path, str) and path for path in self.paths):
            raise SesaHandError(f"path is {quote(self.path)}; give a path, or a list of paths.")
        if isinstance(self.held_out, int):
            _check_range("held_out", self.held_out, 0, 10**6)
        elif isinstance(self.held_out, float) and not 0 < self.held_out < 1:
            raise SesaHandError(
                f"held_out is {self.held_out}; give a whole number of samples, a share below 1, or a path."
            )
        elif not self.held_out:
            raise SesaHandError("held_out is empty; give a number of samples, a share or a path, or leave it out.")

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths, one or several."""
        return self.path if isinstance(self.path, tuple) else (self.path,) if self.path else ()

    @property
    def sources(self) -> tuple[HandSource, ...]:
        """The sets that are learnt from, each with its share, its least score and its count."""
        return self.sets or tuple(HandSource(path) for path in self.paths)

    @property
    def held_out_sources(self) -> tuple[HandSource, ...]:
        """The sets that are held out as a whole."""
        if isinstance(self.held_out, str):
            return (HandSource(self.held_out),)
        return self.held_out if isinstance(self.held_out, tuple) else ()

    @property
    def is_measured(self) -> bool:
        """Whether there is a held-out loss."""
        return not isinstance(self.held_out, int)


@dataclass(frozen=True)
class Synthetic:
    """The rendered world that the small model learns.

    Attributes:
        samples: How many are rendered for training.
        held_out: How many are kept for validation pictures.
        seed: Of the rendering.
        folder: Where drawn samples are kept, in `train_<size>` and `heldout_<size>`; empty for the run's own folder.
    """

    samples: int = 40_000
    held_out: int = 64
    seed: int = 0
    folder: str = ""

    def __post_init__(self):
        _check_range("samples", self.samples, 1, 10**8)
        _check_range("held_out", self.held_out, 1, 10**6)


@dataclass(frozen=True)
class Common:
    """What both kinds of training have.

    Attributes:
        out: Folder of the run: checkpoints, log, validation pictures and the exported files.
        seed: Of the weights, of the order of the samples and of the noise.
        precision: "no", "bf16" or "fp16": mixed precision.
        checkpoint_every: Steps between checkpoints.
        keep_checkpoints: How many of them are kept.
        validate_every: Steps between validation pictures; 0 for none.
        validation_steps: Sampling steps of a validation picture.
        guidance: Its classifier-free guidance.
        log_every: Steps between entries of the log.
        workers: Threads or processes that prepare samples.
        gradient_checkpointing: Compute activations again in the backward pass instead of holding them.
        tensorboard: Also log for TensorBoard.
    """

    out: str = "training"
    seed: int = 0
    precision: str = "no"
    checkpoint_every: int = 500
    keep_checkpoints: int = 2
    validate_every: int = 500
    validation_steps: int = 12
    guidance: float = 3.0
    log_every: int = 20
    workers: int = 1
    gradient_checkpointing: bool = False
    tensorboard: bool = False

    def __post_init__(self):
        if self.precision not in PRECISIONS:
            raise SesaHandError(f"precision is {quote(self.precision)}; choose one of {', '.join(PRECISIONS)}.")
        for name in ("checkpoint_every", "keep_checkpoints", "validation_steps", "log_every"):
            _check_range(name, getattr(self, name), 1, 10**9)
        _check_range("workers", self.workers, 1, MOST_WORKERS)
        _check_range("validate_every", self.validate_every, 0, 10**9)
        _check_range("guidance", self.guidance, 1, 100)
        _check_range("seed", self.seed, 0, 2**63 - 1)


@dataclass(frozen=True)
class ControlNetConfig(Common):
    """A ControlNet on a frozen Stable Diffusion 1.5 base.

    Attributes:
        kind: "controlnet".
        base: The base: a diffusers folder, or one safetensors checkpoint.
        start: A ControlNet file to go on from; empty starts from the base's encoder.
        frozen_dtype: Of the base's weights: "float32", "float16" or "bfloat16".
        data: The samples.
        fusion: Structural fusion.
        noise: The loss.
        training: The optimisation.
        crops: What of each picture is seen.
    """

    kind: str = "controlnet"
    base: str = ""
    start: str = ""
    frozen_dtype: str = "float32"
    data: Data = field(default_factory=Data)
    fusion: Fusion = field(default_factory=Fusion)
    noise: Noise = field(default_factory=Noise)
    training: Steps = field(
        default_factory=lambda: Steps(20_000, 4, 4, 1e-5, warmup=500, decay_from=1.0, betas=(0.9, 0.999), average=0.999)
    )
    crops: Crops = field(default_factory=Crops)
    validation_steps: int = 20
    guidance: float = 7.5
    precision: str = "bf16"

    def __post_init__(self):
        super().__post_init__()
        check_base(self)


@dataclass(frozen=True)
class LowRankSettings:
    """What a LoRA adds to its base.

    Attributes:
        rank: Of the addition to each layer.
        alpha: Its strength, in ranks.
        layers: "attention" for the projections of each attention, "all" for all linear layers of its blocks.
    """

    rank: int = 16
    alpha: float = 16.0
    layers: str = ATTENTION

    def __post_init__(self):
        _check_range("rank", self.rank, 1, 4096)
        _check_range("alpha", self.alpha, 1e-3, 1e6)
        if self.layers not in LAYERS:
            raise SesaHandError(f"layers is {quote(self.layers)}; choose {' or '.join(LAYERS)}.")


@dataclass(frozen=True)
class LoraConfig(Common):
    """A LoRA of a frozen Stable Diffusion base.

    Attributes:
        kind: "lora".
        base: The base: a diffusers folder, or one safetensors checkpoint.
        start: A LoRA file of the same layers, rank and alpha to go on from; empty starts from nothing.
        frozen_dtype: Of the base's weights: "float32", "float16" or "bfloat16".
        data: The samples; their maps are not looked at.
        lora: What it adds.
        noise: The loss.
        training: The optimisation.
        crops: What of each picture is seen.
    """

    kind: str = "lora"
    base: str = ""
    start: str = ""
    frozen_dtype: str = "float32"
    data: Data = field(default_factory=Data)
    lora: LowRankSettings = field(default_factory=LowRankSettings)
    noise: Noise = field(default_factory=Noise)
    training: Steps = field(
        default_factory=lambda: Steps(2000, 4, 1, 1e-4, decay_from=1.0, betas=(0.9, 0.999), average=0.0)
    )
    crops: Crops = field(default_factory=Crops)
    validation_steps: int = 20
    guidance: float = 7.5
    precision: str = "bf16"

    def __post_init__(self):
        super().__post_init__()
        check_base(self)


def check_base(config: ControlNetConfig | LoraConfig) -> None:
    """Refuse a training on a frozen base that names no base or no samples."""
    if not config.base:
        raise SesaHandError("base is empty: name a diffusers folder or a safetensors checkpoint of SD1.5.")
    if not config.data.sources:
        raise SesaHandError("data.path is empty: name a folder of image-mesh pairs or a modalities.json.")
    if config.frozen_dtype not in ("float32", "float16", "bfloat16"):
        raise SesaHandError(f"frozen_dtype is {quote(config.frozen_dtype)}; choose float32, float16 or bfloat16.")
    if config.data.keep_latents and config.crops.smallest:
        raise SesaHandError(
            "data.keep_latents keeps the latents of whole pictures, and crops.smallest cuts each anew: set one of "
            "them to 0."
        )


# How often the small model hears each style of caption.
SAID = {"clean": 0.5, "short": 0.3, "verbose": 0.2}


@dataclass(frozen=True)
class MiniConfig(Common):
    """The small model from nothing; the defaults are the recipe of the model that the project ships.

    Attributes:
        kind: "mini".
        layout: The model's shape.
        data: The rendered world.
        autoencoder: First stage: pictures to latents and back.
        autoencoder_of: A model file whose autoencoder is taken in place of the first stage, or "embedded"; models that
            share it can be compared by their U-Nets alone.
        base_of: A model file that stands in for the first two stages, or "embedded": only ControlNets are trained.
        base: Second stage: text encoder and U-Net, together with a ControlNet that is a scaffold.
        controls: Third stage: two ControlNets on the frozen base, without and with structural fusion, from the same
            start, on the same data, with the same noise.
        control_start: What both start from: "scaffold", which had structural fusion in every second step, "unet", or
            "plain", the one beside the model that `base_of` names.
        fusion: Structural fusion of the second one, and of every second step of the scaffold.
        noise: The loss of the base.
        control_noise: The loss of the ControlNets.
        text_rate: How much faster the text encoder learns than the U-Net.
        held_in_map: Whether the ControlNets' maps show what hands hold, in another gray.
        only: Which of the two ControlNets is trained, "plain" or "sf"; empty for both.
    """

    kind: str = "mini"
    layout: MiniLayout = field(default_factory=MiniLayout)
    data: Synthetic = field(default_factory=Synthetic)
    autoencoder: Steps = field(
        default_factory=lambda: Steps(5000, 16, 1, 1.5e-3, decay_from=0.3, weight_decay=0.0, average=0.995)
    )
    autoencoder_of: str = ""
    base_of: str = ""
    base: Steps = field(default_factory=lambda: Steps(5000, 16, 1, 8e-4, average=0.999))
    controls: Steps = field(default_factory=lambda: Steps(600, 16, 1, 3e-4, decay_from=0.3))
    control_start: str = "scaffold"
    fusion: Fusion = field(default_factory=lambda: Fusion(refine="to_32"))
    noise: Noise = field(default_factory=lambda: Noise(5.0, 3.0, 0.1, 0.12, 0.2, 0.02, dict(SAID)))
    control_noise: Noise = field(default_factory=lambda: Noise(5.0, 3.0, 0.1, 0.0, 0.2, 0.0, dict(SAID)))
    text_rate: float = 2.0
    precision: str = "bf16"
    workers: int = 2
    held_in_map: bool = False
    only: str = ""

    def __post_init__(self):
        super().__post_init__()
        _check_range("text_rate", self.text_rate, 0, 100)
        if self.control_start not in ("scaffold", "unet", "plain"):
            raise SesaHandError(f"control_start is {quote(self.control_start)}; choose scaffold, unet or plain.")
        if self.base_of and self.control_start == "scaffold":
            raise SesaHandError("With base_of there is no scaffold to start from: set control_start=unet.")
        if self.control_start == "plain" and not self.base_of:
            raise SesaHandError("control_start is plain, which is beside the model of base_of: name that model.")
        if self.only not in ("", *CONTROLS):
            raise SesaHandError(f"only is {quote(self.only)}; choose one of {', '.join(CONTROLS)}, or leave it empty.")


RECONSTRUCTOR_STEPS = Steps(2000, 32, 1, 2e-3, warmup=50, decay_from=0.2, betas=(0.9, 0.999), average=0.0)


@dataclass(frozen=True)
class ReconstructorConfig(Common):
    """A network that reconstructs hands from crops of pictures.

    Attributes:
        kind: "reconstructor".
        hand_model: "builtin", or a MANO file or its folder: the hand whose parameters are told.
        start: A file to go on from: of an earlier training, or HaMeR's or WiLoR's checkpoint, which need MANO.
        backbone: What is trained from nothing, without `start`.
        frozen: Train the head alone.
        data: The sets.
        augmentation: What is changed each time.
        losses: What is learnt.
        training: The optimisation.
    """

    kind: str = "reconstructor"
    hand_model: str = "builtin"
    start: str = ""
    backbone: Backbone = field(default_factory=Backbone)
    frozen: bool = False
    data: HandData = field(default_factory=HandData)
    augmentation: Augmentation = field(default_factory=Augmentation)
    losses: HandLosses = field(default_factory=HandLosses)
    training: Steps = field(default_factory=lambda: RECONSTRUCTOR_STEPS)

    def __post_init__(self):
        super().__post_init__()
        if not self.data.sets:
            raise SesaHandError("data.sets is empty: name at least one folder of image-mesh pairs.")


Config = ControlNetConfig | MiniConfig | ReconstructorConfig | LoraConfig
KINDS = {
    "controlnet": ControlNetConfig, "mini": MiniConfig, "reconstructor": ReconstructorConfig, "lora": LoraConfig,
}  # fmt: skip


def load_config(source: str | Path, changes: typing.Sequence[str] = ()) -> Config:
    """Read a training's configuration.

    Args:
        source: "mini" for the small model's own recipe, or a `.toml` or `.json` file.
        changes: Assignments such as "training.steps=2000" that replace what it says; values are JSON or plain text.

    Raises:
        SesaHandError: If a key or a value is not known.
        InvalidFileError: If the file cannot be read.
    """
    values = {"kind": "mini"} if str(source) == "mini" else read_settings(Path(source), MAX_CONFIG_BYTES)
    for change in changes:
        _assign(values, change)
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise SesaHandError(f"kind is {quote(kind)}; choose {' or '.join(KINDS)}.")
    return _build(KINDS[kind], values, "")


# Settings that came later, with what earlier versions did.
ADDED: dict[str, Any] = {
    "optimizer": ADAMW, "sets": [], "measured": 64, "keep_latents": False, "crops": dataclasses.asdict(Crops()),
}  # fmt: skip


def to_dict(config: Common) -> dict:
    """The configuration as plain JSON values; `load_config` reads it back."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def changed_since(before: dict, now: dict) -> list[str]:
    """What differs from an earlier configuration, both as `to_dict` has them, and makes another training of it.

    More steps of a training are the same training, which is extended. What an earlier version had no setting for is as
    it was then.
    """
    return sorted(_differences(before, now))


def _differences(before: object, now: object, name: str = "") -> typing.Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        names = {key: f"{name}.{key}" if name else key for key in {*before, *now}}
        for key, whole in names.items():
            if whole not in FREE_TO_CHANGE:
                yield from _differences(before.get(key, ADDED.get(key)), now.get(key), whole)
    elif before != now and not (name in MAY_GROW and type(before) is type(now) is int and before < now):
        yield f"{name} (was {quote(before, 40)}, is {quote(now, 40)})"


def _assign(values: dict, change: str) -> None:
    name, separator, text = change.partition("=")
    if not separator or not name:
        raise SesaHandError(f"{quote(change)} is no assignment; write name=value, such as training.steps=2000.")
    *tables, key = name.strip().split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise SesaHandError(f"{quote(name)}: {quote(table)} is a value and no table of settings.")
    try:
        values[key] = json.loads(text)
    except ValueError:
        values[key] = text.strip()


def _build(kind: type, values: dict, where: str):
    hints = typing.get_type_hints(kind)
    built = {}
    for key, value in values.items():
        name = f"{where}{key}"
        if key not in hints:
            close = difflib.get_close_matches(str(key), hints, 1)
            hint = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(hints)}."
            raise SesaHandError(f"{quote(name)} is no setting of this training. {hint}")
        built[key] = _value(hints[key], value, name)
    defaults = {f.name: f for f in dataclasses.fields(kind)}
    # A table that is given in part keeps the defaults of its owner, not those of its type.
    for key in values:
        default = defaults[key].default_factory
        if default is not dataclasses.MISSING and dataclasses.is_dataclass(hints[key]):
            owner = default()
            try:
                built[key] = dataclasses.replace(owner, **built[key])
            except SesaHandError as error:
                raise SesaHandError(f"{where}{key}: {error}") from None
    return kind(**built) if not where else built


def _made(kind: type, values: dict, where: str):
    """Make an entry of a list of tables, which has no owner whose defaults it would keep."""
    try:
        return kind(**values)
    except SesaHandError as error:
        raise SesaHandError(f"{where}: {error}") from None


def _value(hint: Any, value: Any, name: str):
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise SesaHandError(f"{name} is {quote(value)}, expected a table of settings.")
        return _build(cast(type, hint), value, f"{name}.")
    origin = typing.get_origin(hint) or hint
    if origin in (types.UnionType, typing.Union):
        return _one_of(typing.get_args(hint), value, name)
    if origin is float and isinstance(value, int) and not isinstance(value, bool):
        return _as_float(value, name)
    if origin is tuple and isinstance(value, list | tuple):
        kind = typing.get_args(hint)[0]
        if not dataclasses.is_dataclass(kind):
            return tuple(value)
        rows = [(_value(kind, row, f"{name}[{number}]"), number) for number, row in enumerate(value)]
        return tuple(_made(cast(type, kind), row, f"{name}[{number}]") for row, number in rows)
    wrong = isinstance(value, bool) != (origin is bool)
    if wrong or not isinstance(value, origin):
        raise SesaHandError(f"{name} is {quote(value)}, expected {_type_name(origin)}.")
    if origin is dict and not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value.values()):
        raise SesaHandError(f"{name} is {quote(value)}, expected a number for each entry.")
    return value


def _one_of(hints: tuple, value: Any, name: str):
    """Take a value as whichever of some types it is of."""
    if type(None) in hints:
        raise SesaHandError(f"{name} cannot be set; leave it out.")
    kinds = {typing.get_origin(hint) or hint: hint for hint in hints}
    kind = tuple if isinstance(value, list) else type(value)
    if kind not in kinds:
        raise SesaHandError(f"{name} is {quote(value)}, expected {' or '.join(map(_type_name, kinds))}.")
    return _value(kinds[kind], value, name)


def _as_float(value: int, name: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise SesaHandError(f"{name} is {quote(value)}, which is too large.") from None


def _type_name(kind: type) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false", tuple: "a list"}
    return names.get(kind, "a table of numbers")
