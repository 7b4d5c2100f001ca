"""The diffusion's loss: a U-Net, its text encoder and a ControlNet, each trained or frozen."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..fusion.settings import GATED, FusionSettings
from ..models.diffusers_fusion import attach_structural_fusion, detach_structural_fusion, diffusers_layout
from ..models.networks import Networks
from ..models.texts import EncodedText, encode_text, own_precision, token_ids
from .config import Fusion, Noise
from .samples import CLEAN, TrainingSample

if TYPE_CHECKING:
    from diffusers import ControlNetModel

    from .latents import KeptLatents

NEVER, ALWAYS, EVERY_OTHER = "never", "always", "every other"
"""In which passes the ControlNet has structural fusion."""

PARTS = ("unet", "text_encoder", "text_encoder_2", "autoencoder", "controlnet")

GATE_RATE = 10.0
"""How much faster the gate learns than the weights: it is one number that has to come away from 0."""


class DiffusionTask(nn.Module):
    """What the training loop optimises: `forward` is the loss of a batch that `batch` has made.

    Only what is trained is a submodule, so that checkpoints and gradients know nothing of the rest.

    Args:
        networks: The model.
        trained: Which of "unet", "text_encoder" and "controlnet" are trained.
        noise: What the loss is made of.
        fusion: Structural fusion of the ControlNet.
        fused: In which passes it is on: NEVER, ALWAYS or EVERY_OTHER.
        rates: How much faster a part learns than the others.
        latents: `[N, 4, h, w]`, the scaled latents of all samples, or None to encode pictures in every pass.
        kept: Keeps latents of pictures that it has encoded once; None keeps none.
    """

    def __init__(
        self,
        networks: Networks,
        trained: Sequence[str],
        noise: Noise,
        fusion: Fusion,
        fused: str = NEVER,
        rates: dict[str, float] | None = None,
        latents: np.ndarray | None = None,
        kept: KeptLatents | None = None,
    ):
        super().__init__()
        self.trained = nn.ModuleDict({name: getattr(networks, name) for name in trained})
        # In a tuple, where nn.Module does not see it.
        self._held = (networks,)
        self.noise, self.fusion, self.fused, self.rates = noise, fusion, fused, rates or {}
        self.cached, self.kept = latents, kept
        self.passes = 0
        self.alphas: Tensor
        self.register_buffer("alphas", networks.scheduler.alphas_cumprod.clone(), persistent=False)
        for name in PARTS:
            module = getattr(networks, name)
            if module is not None:
                module.requires_grad_(name in trained).train(name in trained)
        if networks.controlnet is not None:
            # A copy of a ControlNet that had the fusion has it too.
            detach_structural_fusion(networks.controlnet)
        self._refined = self._refined_residuals()
        gated = fused != NEVER and fusion.enabled and fusion.mode == GATED
        self.gate = nn.Parameter(torch.zeros(())) if gated else None
        self._attached: FusionSettings | None = None

    @property
    def networks(self) -> Networks:
        """The whole model, trained and frozen parts."""
        return self._held[0]

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """The trained parameters with their factor of the learning rate."""
        groups = [(list(part.parameters()), self.rates.get(name, 1.0)) for name, part in self.trained.items()]
        return groups if self.gate is None else [*groups, ([self.gate], GATE_RATE)]

    @property
    def learnt_fusion(self) -> FusionSettings | None:
        """The fusion that the weights are trained with, its gate as far as it has been learnt."""
        settings = self.fusion.settings if self.fused != NEVER else None
        if settings is None or self.gate is None:
            return settings
        return dataclasses.replace(settings, gate=float(self.gate.detach()))

    def to_device(self, device: torch.device) -> None:
        """Move the frozen parts; the loop moves the others."""
        for name in PARTS:
            module = getattr(self.networks, name)
            if module is not None:
                module.to(device)

    def batch(self, indices: Sequence[int], samples: Sequence[TrainingSample], generator: torch.Generator) -> dict:
        """Make the tensors of one pass, with everything random in it, on the CPU."""
        count, noise = len(samples), self.noise
        control = np.stack([sample.control for sample in samples])
        control = control[..., None].repeat(3, -1) if control.ndim == 3 else control
        hand = torch.from_numpy(np.stack([sample.hand for sample in samples])).float().div(255)[:, None]
        chance = torch.rand(3, count, generator=generator)
        made = {
            "control": torch.from_numpy(control).movedim(-1, 1).float().div(255),
            "hand": functional.avg_pool2d(hand, 8),
            **self._drawn_words(samples, chance[0] < noise.no_text, generator),
            "keep_control": (chance[1] >= noise.no_control).float(),
            "keep_skips": (chance[2] >= noise.no_skip).float(),
            "time": torch.randint(0, len(self.alphas), (count,), generator=generator),
        }
        if self.cached is not None:
            made["latents"] = torch.from_numpy(np.stack([self.cached[index] for index in indices])).float()
        elif self.kept is not None:
            made["latents"] = self.kept.of(samples)
        else:
            pictures = torch.from_numpy(np.stack([sample.picture for sample in samples]))
            made["pictures"] = pictures.movedim(-1, 1).float().div(127.5).sub(1)
        grid = made["hand"].shape[-2:]
        made["noise"] = torch.randn(count, 4, *grid, generator=generator)
        return made

    def steady_batch(self, samples: Sequence[TrainingSample], time: int, seeds: Sequence[int]) -> dict:
        """Make the tensors of a pass in which nothing is left to chance: how well a sample is denoised from one time.

        Args:
            samples: Which.
            time: Of the noise schedule.
            seeds: Of each sample's noise.
        """
        made = self.batch(range(len(samples)), samples, torch.Generator())
        style = max(self.noise.styles, key=lambda name: self.noise.styles[name])
        texts = [sample.captions.get(style, sample.captions[CLEAN]) for sample in samples]
        shape = made["noise"].shape[1:]
        noise = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        made |= self._words(texts)
        return made | {
            "noise": torch.stack(noise),
            "time": torch.full((len(samples),), time),
            "keep_control": torch.ones(len(samples)),
            "keep_skips": torch.ones(len(samples)),
        }

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss under the name "loss", and its parts for the log."""
        networks = self.networks
        # Its types ask for int32, it takes any integers.
        scheduler: Any = networks.scheduler
        latents = batch["latents"] if "latents" in batch else self._encode(batch["pictures"])
        noisy = scheduler.add_noise(latents, batch["noise"], batch["time"])
        with_gradient = torch.is_grad_enabled() and "text_encoder" in self.trained
        with torch.set_grad_enabled(with_gradient):
            text = encode_text(networks, batch)
        residuals = self._residuals(noisy, text.to(torch.float32), batch)
        with own_precision(networks.unet):
            kind = networks.unet.dtype
            residuals = {name: _cast(value, kind) for name, value in residuals.items()}
            text = text.to(kind)
            added = text.added(*noisy.shape[-2:])
            predicted = networks.unet(noisy.to(kind), batch["time"], text.rows, **added, **residuals).sample
        is_velocity = scheduler.config["prediction_type"] == "v_prediction"
        wanted = scheduler.get_velocity(latents, batch["noise"], batch["time"]) if is_velocity else batch["noise"]
        error = (predicted.float() - wanted.float()).square().mean(dim=1, keepdim=True)
        weights = 1 + (self.noise.hand_weight - 1) * batch["hand"]
        each = (error * weights).sum(dim=(1, 2, 3)) / weights.sum(dim=(1, 2, 3))
        loss = (each * self._snr_weight(batch["time"], is_velocity)).mean()
        return {"loss": loss, "error": error.detach().mean()}

    def _snr_weight(self, time: Tensor, is_velocity: bool) -> Tensor | float:
        """min-SNR weighting: easy, nearly clean steps count less.

        Of a velocity's error the steps that are nearly all noise keep their full weight, in which colours, layout and
        most of what the words say are decided; the plain min-SNR weight of their picture would leave nothing of them.

        Sources: Hang et al., "Efficient Diffusion Training via Min-SNR Weighting", 2023; Salimans and Ho, "Progressive
        Distillation", 2022 (SNR + 1, the weight of the picture's error in the velocity's).
        """
        if not self.noise.min_snr:
            return 1.0
        snr = self.alphas[time] / (1 - self.alphas[time])
        kept = snr.clamp(max=self.noise.min_snr)
        return (kept + 1) / (snr + 1) if is_velocity else kept / snr

    def _residuals(self, noisy: Tensor, text: EncodedText, batch: dict[str, Tensor]) -> dict:
        controlnet: Any = self.networks.controlnet
        if controlnet is None:
            return {}
        self.fuse(self.fused == ALWAYS or (self.fused == EVERY_OTHER and self.passes % 2 == 1))
        if torch.is_grad_enabled():
            self.passes += 1
        added = text.added(*noisy.shape[-2:])
        down, middle = controlnet(noisy, batch["time"], text.rows, batch["control"], return_dict=False, **added)
        whole = batch["keep_control"].view(-1, 1, 1, 1)
        skips = whole * batch["keep_skips"].view(-1, 1, 1, 1)
        down = [value * (whole if refined else skips) for value, refined in zip(down, self._refined, strict=True)]
        return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle * whole}

    def fuse(self, fused: bool) -> None:
        """Attach or detach the fusion before a pass, not after it: checkpointing runs the pass again later."""
        settings = self.fusion.settings if fused else None
        if settings == self._attached:
            return
        controlnet = cast("ControlNetModel", self.networks.controlnet)
        detach_structural_fusion(controlnet)
        if settings is not None:
            attach_structural_fusion(
                controlnet,
                settings,
                detach_psi=self.fusion.detach_psi,
                checkpoint=self.fusion.recompute,
                gate=self.gate,
            )
        self._attached = settings

    def _refined_residuals(self) -> list[bool]:
        """Which down residuals the fusion refines, or would if it were on."""
        if self.networks.controlnet is None:
            return []
        layout = diffusers_layout(self.networks.controlnet)
        refined = layout.select_residuals(FusionSettings(refine=self.fusion.refine))
        return [residual in refined for residual in layout.residuals if not residual.in_middle]

    @torch.no_grad()
    def _encode(self, pictures: Tensor) -> Tensor:
        autoencoder = self.networks.autoencoder
        with own_precision(autoencoder):
            latents = autoencoder.encode(pictures.to(autoencoder.dtype)).latent_dist.mode()
        return latents.float() * autoencoder.config.scaling_factor

    def _drawn_words(
        self, samples: Sequence[TrainingSample], dropped: Tensor, generator: torch.Generator
    ) -> dict[str, Tensor]:
        styles = list(self.noise.styles)
        weights = torch.tensor([float(self.noise.styles[style]) for style in styles])
        drawn = torch.multinomial(weights, len(samples), replacement=True, generator=generator).tolist()
        texts = [
            sample.captions.get(styles[style], sample.captions[CLEAN])
            for sample, style in zip(samples, drawn, strict=True)
        ]
        texts = ["" if drop else text for text, drop in zip(texts, dropped.tolist(), strict=True)]
        words = self._words(texts)
        ids = words["token_ids"]
        if self.noise.no_word and "text_encoder" in self.trained:
            from ..models.small.token_embedding import text_embeddings

            embedding = text_embeddings(self.networks.text_encoder).token_embedding
            lost = torch.rand(ids.shape, generator=generator) < self.noise.no_word
            special = torch.isin(ids, torch.tensor(self.networks.tokenizer.all_special_ids))
            words["token_ids"] = torch.where(lost & ~special, embedding.unknown_id, ids)
        return words

    def _words(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """The tokens of prompts, by the names that a batch has them under."""
        return token_ids(self.networks, texts)


def _cast(residuals: Tensor | list[Tensor], dtype: torch.dtype) -> Tensor | list[Tensor]:
    return [value.to(dtype) for value in residuals] if isinstance(residuals, list) else residuals.to(dtype)


def use_plain_attention(*networks: Any) -> None:
    """Let diffusers' networks attend without a fused kernel, whose backward pass on a CPU is slower."""
    from diffusers.models.attention_processor import AttnProcessor

    for network in networks:
        network.set_attn_processor(AttnProcessor())
