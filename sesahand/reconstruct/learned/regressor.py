"""The project's own hand network: a crop in, rotations, shape and camera out; `sesahand train` makes its weights."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import SesaHandError, quote
from ...hands.model import NUM_BETAS, HandModel
from .prediction import POSE_NUMBERS, Prediction, mean_of, register_mean

CONVOLUTIONS, VISION = "convolutions", "vision"
# Vision networks of transformers that a file may name; each is code of that library alone.
VISION_TYPES = (
    "vit", "deit", "beit", "dinov2", "dinov2_with_registers", "dinov3_vit", "dinov3_convnext", "convnext", "convnextv2",
    "swin", "swinv2", "resnet", "regnet", "mobilenet_v2", "mobilevit", "efficientnet", "hiera", "ijepa",
)  # fmt: skip
# Shapes farther from the mean than this, in standard deviations, are never told.
WIDEST_BETA = 5.0
# Metres that the camera's shift moves for one unit of what the network tells.
SHIFT_METRES = 0.1
# The picture that is left in front of the head, cells a side: where in the crop a finger is must not be lost.
CELLS = 2
START_DEVIATION = 1e-3
DEEP_FROM = 96


@dataclass(frozen=True)
class RegressorSettings:
    """What a network is built from.

    Attributes:
        hand_model: Name of the hand whose parameters it tells, as hands' files have it.
        size: Width and height of the crops, pixels.
        backbone: "convolutions", a small network of the project's own; or "vision", one of transformers.
        widths: Channels of the convolutions; each stage halves the picture.
        hidden: Channels of the layer before the answer.
        vision: Configuration of the vision network, as its `config.json` has it.
    """

    hand_model: str
    size: int = 64
    backbone: str = CONVOLUTIONS
    widths: tuple[int, ...] = (32, 64, 96, 128, 160)
    hidden: int = 256
    vision: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "widths", tuple(self.widths))
        numbers = (self.size, self.hidden, *self.widths)
        if not all(type(number) is int and 1 <= number <= 8192 for number in numbers) or not 1 <= len(self.widths) <= 8:
            raise SesaHandError(
                f"A hand network of size {quote(self.size)}, widths {quote(self.widths)} and {quote(self.hidden)} "
                "hidden channels cannot be built; choose one to eight widths, and whole numbers from 1 to 8192."
            )
        if self.size < 32 or self.size % 16:
            raise SesaHandError(f"Crops have {self.size} pixels a side; choose a multiple of 16 from 32 on.")
        if not isinstance(self.hand_model, str) or self.backbone not in (CONVOLUTIONS, VISION):
            raise SesaHandError(f"backbone is {quote(self.backbone)}; choose {CONVOLUTIONS} or {VISION}.")
        if self.backbone == VISION and self.vision.get("model_type") not in VISION_TYPES:
            raise SesaHandError(
                f"The vision network is {quote(self.vision.get('model_type'))}; choose one of "
                f"{', '.join(VISION_TYPES)}."
            )


class HandRegressor(nn.Module):
    """From a normalised crop of a right hand to the parameters of a hand model.

    Args:
        settings: What it is built from; its weights are random.
    """

    title = "SesaHand"

    def __init__(self, settings: RegressorSettings):
        super().__init__()
        self.settings = settings
        register_mean(self)
        if settings.backbone == VISION:
            self.backbone: nn.Module = VisionBackbone(settings.vision)
            features = self.backbone.width
        else:
            self.backbone = convolutions(settings.widths)
            features = CELLS**2 * settings.widths[-1]
        self.hidden = nn.Linear(features, settings.hidden)
        self.answer = nn.Linear(settings.hidden, POSE_NUMBERS + NUM_BETAS + 3)
        nn.init.normal_(self.answer.weight, std=START_DEVIATION)
        nn.init.zeros_(self.answer.bias)

    @property
    def crop_size(self) -> int:
        """Width and height of the crops, pixels."""
        return self.settings.size

    @property
    def hand_model(self) -> str:
        """Name of the hand whose parameters it tells."""
        return self.settings.hand_model

    def forward(self, crops: Tensor, hand: HandModel) -> Prediction:
        """Estimate hands.

        Args:
            crops: `[N, 3, S, S]`, normalised, as `crop_hands` makes them with S of the settings.
            hand: Not looked at; other networks look at the picture at its vertices.

        Returns:
            The hands in float32, in front of the camera and of a possible shape whatever the weights are.
        """
        seen = self.backbone(crops.contiguous(memory_format=torch.channels_last))
        features = functional.relu(self.hidden(seen.flatten(1)))
        pose, betas, camera = self.answer(features).float().split([POSE_NUMBERS, NUM_BETAS, 3], 1)
        mean = mean_of(self).float()
        scale = mean.camera[:, :1] * camera[:, :1].clamp(-3, 3).exp()
        shift = mean.camera[:, 1:] + SHIFT_METRES * camera[:, 1:]
        betas = WIDEST_BETA * torch.tanh((mean.betas + betas) / WIDEST_BETA)
        return Prediction(mean.pose + pose, betas, torch.cat([scale, shift], 1))


def convolutions(widths: tuple[int, ...]) -> nn.Sequential:
    """Return a stack that halves the picture at every width, from three channels, and pools to `CELLS` cells a side."""
    layers: list[nn.Module] = []
    for before, after in zip((3, *widths[:-1]), widths, strict=True):
        layers += _normalised(nn.Conv2d(before, after, 3, 2, 1, bias=False))
        if after >= DEEP_FROM:
            groups = 1 if after == DEEP_FROM else after
            layers += _normalised(nn.Conv2d(after, after, 3, 1, 1, groups=groups, bias=False))
    stack = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(CELLS))
    # With the channels last in memory a CPU is a quarter faster.
    return stack.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's types


def _normalised(convolution: nn.Conv2d) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU(inplace=True)]


class VisionBackbone(nn.Module):
    """A vision network of transformers with random weights: the mean over its last tokens, or pixels.

    Args:
        config: As its `config.json` has it; `model_type` is one of `VISION_TYPES`.

    Raises:
        SesaHandError: If transformers cannot build it.
    """

    def __init__(self, config: dict[str, Any]):
        super().__init__()
        from transformers import AutoConfig, AutoModel

        values = {name: value for name, value in config.items() if name != "model_type"}
        try:
            described = AutoConfig.for_model(config["model_type"], **values)
            self.network = AutoModel.from_config(described, trust_remote_code=False)
            sizes = getattr(described, "hidden_sizes", None)
            self.width = int(sizes[-1] if sizes else getattr(described, "hidden_dim", None) or described.hidden_size)
        except Exception as error:
            # transformers and torch raise a dozen kinds over settings that make no network.
            raise SesaHandError(
                f"transformers cannot build the vision network {quote(config.get('model_type'))} ({error!s:.200})."
            ) from error

    def forward(self, crops: Tensor) -> Tensor:
        """Return features `[N, width]` of normalised crops `[N, 3, S, S]`."""
        found = self.network(pixel_values=crops).last_hidden_state
        return found.mean(1) if found.ndim == 3 else found.mean((2, 3))
