"""A Stable Diffusion base out of a diffusers folder or of one checkpoint file, without asking a model hub."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import InvalidFileError, SesaHandError, quote
from ..files.failures import telling_failures
from ..files.model_configs import without_choices
from ..files.model_folders import check_complete, check_depth, check_model_folder, check_size
from ..files.panics import refusing_panics
from ..files.reading import read_bytes
from ..files.tokenizer_steps import check_tokenizer
from ..files.weights import open_weights
from .controlnet_files import UNET_PREFIX
from .ldm_names import check_ldm
from .networks import Networks
from .small.model_files import AUTOENCODER_PREFIX, LAYOUT, check_part, part, read_mini
from .small.tokenizer import END_ID, START_ID, VOCABULARY_SIZE, load_tokenizer, tokenize

TEXT_PREFIXES = ("cond_stage_model.transformer.text_model.", "cond_stage_model.transformer.")
# Stable Diffusion's noise schedule.
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
PREDICTION_KEYS = ("modelspec.prediction_type", "modelspec.predict_key", "prediction_type")
MAX_YAML_BYTES = 1 << 20
# Of noise; models have a thousand, of which pictures of a training take some twenty.
LEAST_STEPS = 100
# A solver of third order uses all of its settings by the third.
TRIED_STEPS = 3
SPECIAL = {
    5: "a depth-to-image model",
    7: "an upscaling model",
    8: "a model for editing by instructions (InstructPix2Pix)",
    9: "an inpainting model",
}
FOLDERS = ("unet", "text_encoder", "vae", "tokenizer", "scheduler")
# Which of them hold weights, and which are read by transformers.
WEIGHTS = ("unet", "text_encoder", "vae")
WORDS = ("text_encoder", "tokenizer")
SECOND = ("text_encoder_2", "tokenizer_2")
SDXL_PREFIX = "conditioner.embedders."


def load_base(path: str | Path, dtype: torch.dtype = torch.float32) -> Networks:
    """Load a base for training a ControlNet on it.

    Args:
        path: A diffusers folder, also of SDXL, a Stable Diffusion 1.5 checkpoint as one `.safetensors`, or SesaHand's
            small model.
        dtype: Of the weights.

    Raises:
        InvalidFileError: If it is none of these, damaged or incomplete.
    """
    path = Path(path)
    networks = _from_folder(path) if path.is_dir() else _from_file(path)
    module: Any
    for module in (networks.unet, networks.text_encoder, networks.text_encoder_2, networks.autoencoder):
        if module is None:
            continue
        # diffusers warns of every cast, also of one that changes nothing.
        if module.dtype != dtype:
            module.to(dtype)
        module.eval().requires_grad_(False)
    return networks


def _from_folder(path: Path) -> Networks:
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    missing = [name for name in FOLDERS if not (path / name).is_dir()]
    if missing:
        raise InvalidFileError(
            f"{path} is no diffusers folder of Stable Diffusion: it lacks {', '.join(missing)}. Name the folder that "
            "holds model_index.json, or a single safetensors checkpoint."
        )
    for name in FOLDERS:
        check_model_folder(path / name, has_weights=name in WEIGHTS, has_words=name in WORDS)
    local: dict[str, Any] = {"local_files_only": True}
    try:
        with refusing_panics(path):
            encoder = CLIPTextConfig.from_pretrained(path / "text_encoder", **local)
            check_size(path / "text_encoder", lambda: CLIPTextModel(without_choices(copy.deepcopy(encoder))))
            for kind, folder in ((UNet2DConditionModel, path / "unet"), (AutoencoderKL, path / "vae")):
                _check_diffusers_size(kind, folder)
            networks = Networks(
                _complete(UNet2DConditionModel, path / "unet"),
                _complete(CLIPTextModel, path / "text_encoder", config=without_choices(encoder)),
                _tokenizer(path / "tokenizer", encoder),
                _complete(AutoencoderKL, path / "vae"),
                DDIMScheduler.from_pretrained(path / "scheduler", **local),
            )
            if (path / SECOND[0]).is_dir():
                networks.text_encoder_2, networks.tokenizer_2 = _second_encoder(path)
            _check_settings(networks, path)
            return networks
    except SesaHandError:
        raise
    except Exception as error:
        # diffusers and transformers raise a dozen kinds here, all of them about the files.
        raise InvalidFileError(
            f"{path} cannot be loaded as a diffusers model ({error!s:.300}). Copy or download the folder again, or "
            "name a safetensors checkpoint."
        ) from error


def _check_settings(networks: Networks, path: Path) -> None:
    """Refuse what a folder says of its noise and its latents if nothing could be sampled with it."""
    noise, latents = networks.scheduler.config, networks.autoencoder.config
    for name, known in (
        ("prediction_type", ("epsilon", "v_prediction", "sample")),
        ("timestep_spacing", ("linspace", "leading", "trailing")),
    ):
        if noise[name] not in known:
            raise InvalidFileError(
                f"{path / 'scheduler'} has {name} {quote(noise[name])}, expected one of {', '.join(known)}. Correct it "
                "in scheduler_config.json, or download the folder again."
            )
    steps, offset, betas = noise["num_train_timesteps"], noise["steps_offset"], networks.scheduler.betas
    noisy = len(betas) == steps and bool(((betas >= 0) & (betas <= 1)).all())
    # Something of the picture is left until the last step, where noise may be all, and then some noise is there.
    left = networks.scheduler.alphas_cumprod
    noisy = noisy and bool((left[:-1] > 0).all()) and 0 <= float(left[-1]) < 1
    if type(offset) is not int or not 0 <= offset < steps or not noisy:
        raise InvalidFileError(
            f"{path / 'scheduler'} describes no noise that grows over {steps} steps: its betas have to be between 0 "
            f"and 1, and steps_offset, {quote(offset)}, from 0 to {steps - 1}. Download the folder again."
        )
    if steps < LEAST_STEPS:
        raise InvalidFileError(
            f"{path / 'scheduler'} has {steps} steps of noise, expected {LEAST_STEPS} or more. Download it again."
        )
    with telling_failures(f"The scheduler in {path / 'scheduler'} takes no step"):
        try_steps(type(networks.scheduler).from_config(noise), LEAST_STEPS // 2)
    scale, shift = latents["scaling_factor"], latents.get("shift_factor") or 0.0
    if not all(type(value) in (int, float) and math.isfinite(value) for value in (scale, shift)) or scale <= 0:
        raise InvalidFileError(
            f"{path / 'vae'} has scaling_factor {quote(scale)} and shift_factor {quote(shift)}, expected finite "
            "numbers, the first above 0. Correct them in config.json, or download the folder again."
        )


def try_steps(scheduler: Any, steps: int) -> None:
    """Take the first of so many steps of a scheduler of diffusers, on a picture of next to nothing.

    Whatever its settings are not fit for is raised; most are looked at only now.
    """
    scheduler.set_timesteps(steps)
    latent = torch.ones(1, 1, 2, 2)
    for moment in scheduler.timesteps[:TRIED_STEPS]:
        latent = scheduler.step(torch.zeros_like(latent), moment, latent).prev_sample


def _tokenizer(folder: Path, encoder: Any) -> Any:
    from transformers import (  # type: ignore[attr-defined]  # transformers 5 makes CLIPTokenizerFast when asked
        CLIPTokenizer,
        CLIPTokenizerFast,
    )

    # transformers 5 writes tokenizer.json alone, which the class of that name in transformers 4 cannot read.
    words = CLIPTokenizer if (folder / "vocab.json").is_file() else CLIPTokenizerFast
    tokenizer = check_tokenizer(folder, words.from_pretrained(folder, local_files_only=True))
    most, words_known = tokenizer.model_max_length, encoder.vocab_size
    if type(most) is not int or most < 3 or max(len(tokenizer), 1 + max(tokenizer.get_vocab().values())) > words_known:
        raise InvalidFileError(
            f"{folder} has {len(tokenizer)} words of up to {quote(most)} a text, expected at most the {words_known} of "
            "the text encoder, and three or more a text. Download the folder again."
        )
    # Prompts are filled up to this length.
    tokenizer.model_max_length = min(most, encoder.max_position_embeddings)
    with telling_failures(f"The tokenizer in {folder} does not take a text"):
        tokenize(tokenizer, ["a waving hand"])
    return tokenizer


def _second_encoder(path: Path) -> tuple[Any, Any]:
    """SDXL's second text encoder and its tokenizer."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    encoder, words = (path / name for name in SECOND)
    if not words.is_dir():
        raise InvalidFileError(f"{path} has a {SECOND[0]} and no {SECOND[1]}. Copy the folder again.")
    check_model_folder(encoder)
    check_model_folder(words, has_weights=False)
    config = CLIPTextConfig.from_pretrained(encoder, local_files_only=True)
    check_size(encoder, lambda: CLIPTextModelWithProjection(without_choices(copy.deepcopy(config))))
    network = _complete(CLIPTextModelWithProjection, encoder, config=without_choices(config))
    return network, _tokenizer(words, config)


def _check_diffusers_size(kind: Any, folder: Path) -> None:
    check_size(folder, lambda: kind.from_config(kind.load_config(folder, local_files_only=True)))


def _complete(kind: Any, folder: Path, **settings: Any) -> Any:
    """A network out of its folder, all of whose weights are there."""
    network, report = kind.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, output_loading_info=True, **settings
    )
    check_complete(folder, network, report)
    return network


def _from_file(path: Path) -> Networks:
    with open_weights(path, "Name a diffusers folder or a safetensors file.") as file:
        if LAYOUT in (file.metadata() or {}):
            model = read_mini(path)
            scheduler = model.layout.build_scheduler()
            return Networks(model.unet, model.text_encoder, load_tokenizer(), model.autoencoder, scheduler)
        state = {name: file.get_tensor(name) for name in file.keys()}
        metadata = file.metadata() or {}
    if any(name.startswith(SDXL_PREFIX) for name in state):
        raise InvalidFileError(
            f"{path.name} is SDXL in one file, which is trained on as a diffusers folder: write one with diffusers' "
            "StableDiffusionXLPipeline.from_single_file(...).save_pretrained(...)."
        )
    if f"{UNET_PREFIX}input_blocks.0.0.weight" not in state:
        raise InvalidFileError(
            f"{path.name} holds no Stable Diffusion checkpoint: {UNET_PREFIX}* is not in it. Name a full checkpoint of "
            "it, or a diffusers folder."
        )
    return networks_of(state, path.name, prediction_of(path, state, metadata))


def prediction_of(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, Any]:
    """What a checkpoint file says of what its U-Net predicts, as settings of a scheduler; nothing for the noise.

    Marks are tensors called `v_pred` and `ztsnr`, `modelspec.*` in the header, or a .yaml of the same name beside it.

    Args:
        path: The file.
        state: Its tensors by name.
        metadata: Its header's texts.

    Source: the marks are those that ComfyUI (`comfy/model_base.py`), kohya's sd-scripts (`modelspec`) and the original
    repositories (the .yaml) read and write.
    """
    said = " ".join(str(metadata.get(key, "")) for key in PREDICTION_KEYS).lower().split()
    beside = path.with_suffix(".yaml")
    if beside.is_file():
        described = read_bytes(beside, MAX_YAML_BYTES).decode("utf-8", "replace")
        said += [value.lower() for value in re.findall(r"""parameterization['"]?\s*:\s*['"]?(\w+)""", described)]
        zero = re.search(
            r"""(?:zsnr|ztsnr|zero_terminal_snr|rescale_betas_zero_snr)['"]?\s*:\s*true""", described, re.I
        )
    else:
        zero = None
    zero_snr = (
        zero is not None or "ztsnr" in state or str(metadata.get("modelspec.zero_terminal_snr", "")).lower() == "true"
    )
    settings: dict[str, Any] = {}
    if str(metadata.get("ss_v_parameterization", "")).lower() == "true":
        said.append("v")
    if "v_pred" in state or {"v", "v_prediction", "v-prediction", "velocity", "vpred"} & set(said):
        settings["prediction_type"] = "v_prediction"
    elif {"sample", "x0", "x"} & set(said):
        settings["prediction_type"] = "sample"
    if zero_snr:
        settings |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return settings


def networks_of(state: dict[str, Tensor], name: str, prediction: Mapping[str, Any] | None = None) -> Networks:
    """Build the networks of a Stable Diffusion 1.5 checkpoint from its tensors; also of narrower ones of its kind.

    Args:
        state: The tensors.
        name: Of the file, for messages.
        prediction: What the U-Net predicts, if not the noise, see `prediction_of`.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
    from transformers import CLIPTextConfig, CLIPTextModel

    unet_state = part(state, UNET_PREFIX)
    check_channels(unet_state, name)
    text_state = next((found for prefix in TEXT_PREFIXES if (found := part(state, prefix))), {})
    vae_state = part(state, AUTOENCODER_PREFIX)
    if "embeddings.token_embedding.weight" not in text_state or "encoder.conv_in.weight" not in vae_state:
        raise InvalidFileError(
            f"{name} lacks the text encoder or the autoencoder of Stable Diffusion 1.5. Use a full checkpoint."
        )
    table = text_state["embeddings.token_embedding.weight"]
    if table.ndim != 2 or len(table) != VOCABULARY_SIZE:
        raise InvalidFileError(f"{name}: its text encoder has another vocabulary than CLIP's. Use an SD1.5 checkpoint.")
    width = table.shape[1]
    widths = _widths(unet_state)

    def make_unet() -> UNet2DConditionModel:
        return UNet2DConditionModel(
            block_out_channels=widths, attention_head_dim=8, cross_attention_dim=width, sample_size=64
        )

    unet = _filled(make_unet, lambda module: check_ldm(module, unet_state, name), name)
    layers = {key.split(".")[2] for key in text_state if key.startswith("encoder.layers.")}
    config = CLIPTextConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=check_depth(name, len(layers)),
        num_attention_heads=width // 64,
        projection_dim=width,
        bos_token_id=START_ID,
        eos_token_id=END_ID,
        pad_token_id=END_ID,
    )
    text = _filled(
        lambda: CLIPTextModel(config), lambda module: check_part(module, text_state, name, "text_model."), name
    )

    def make_vae() -> AutoencoderKL:
        return AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=tuple(
                vae_state[f"encoder.down.{level}.block.0.conv2.weight"].shape[0] for level in range(4)
            ),
            layers_per_block=2,
            latent_channels=4,
            scaling_factor=0.18215,
        )

    def check_vae(module: AutoencoderKL) -> dict[str, Tensor]:
        return check_part(module, convert_ldm_vae_checkpoint(dict(state), dict(module.config)), name)

    vae = _filled(make_vae, check_vae, name)
    settings = {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1} | dict(prediction or {})
    scheduler = DDIMScheduler(**BETAS, **settings)
    return Networks(unet, text, load_tokenizer(), vae, scheduler)


Network = TypeVar("Network", bound=torch.nn.Module)


def _filled(make: Callable[[], Network], check: Callable[[Network], dict[str, Tensor]], name: str) -> Network:
    """Build a network and give it its weights.

    First without memory: a file of some bytes can describe a network of any size.

    Args:
        make: Builds it.
        check: Returns the weights of one, or raises an InvalidFileError if they do not fit.
        name: Of the file, for messages.
    """
    try:
        with torch.device("meta"):
            empty = make()
        weights = check(empty)
    except SesaHandError:
        raise
    except Exception as error:
        # diffusers and transformers raise a dozen kinds over numbers that make no network.
        raise InvalidFileError(
            f"{name} describes no network of Stable Diffusion 1.5 ({error!s:.200}). Use a full checkpoint."
        ) from error
    module = make()
    module.load_state_dict(weights)
    return module


def check_channels(unet: Mapping[str, Tensor], name: str) -> None:
    """Name a checkpoint whose U-Net is given more than a latent, such as one for inpainting.

    Raises:
        InvalidFileError: If it is.
    """
    first = unet.get("input_blocks.0.0.weight")
    channels = first.shape[1] if first is not None and first.ndim == 4 else 4
    if channels != 4:
        kind = SPECIAL.get(channels, "a special model")
        raise InvalidFileError(
            f"{name} is {kind}: its U-Net takes {channels} channels where 4 are expected. Choose the ordinary "
            "checkpoint of that model."
        )


def _widths(state: dict[str, Tensor]) -> tuple[int, ...]:
    """Channels of the four levels of an SD1.5-shaped U-Net, whose second block of each level is numbered so."""
    names = [f"input_blocks.{index}.0.out_layers.3.weight" for index in (2, 5, 8, 11)]
    if any(name not in state or not state[name].ndim for name in names) or "input_blocks.13.0.op.weight" in state:
        raise InvalidFileError(
            "The checkpoint's U-Net is not shaped as Stable Diffusion 1.5's: four levels of two. Use an SD1.5 "
            "checkpoint."
        )
    return tuple(state[name].shape[0] for name in names)
