"""The loss of a reconstructor: crops changed anew each time, and how far the network's hand is from the true one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..hands.model import HandModel
from ..reconstruct.learned.hand_crops import normalise_crops
from ..reconstruct.learned.prediction import CROP_SIZE, Prediction, project_to_crop
from .hand_crops import FINENESS, REACH, HandCrop
from .reconstructor_settings import Augmentation, HandLosses

# Published networks know no bounds for shapes; the hand model has some.
WIDEST_BETA = 10.0
DECIMETRES = 10.0
GRAY = 0.5


class HandTask(nn.Module):
    """What the training loop optimises.

    Args:
        network: A `HandRegressor`, `HaMeR` or `WiLoR`.
        hand: The hand model whose parameters it tells.
        losses: What counts.
        augmentation: How crops are changed.
        frozen: Train what comes after the backbone alone.
    """

    def __init__(
        self, network: nn.Module, hand: HandModel, losses: HandLosses, augmentation: Augmentation, frozen: bool = False
    ):
        super().__init__()
        self.network = network.requires_grad_(True)
        self.losses, self.augmentation, self.hand = losses, augmentation, hand
        if frozen:
            network.get_submodule("backbone").requires_grad_(False)

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """The trained parameters with their factor of the learning rate."""
        return [([parameter for parameter in self.network.parameters() if parameter.requires_grad], 1.0)]

    def to_device(self, device: torch.device) -> None:
        """Bring network and hand model where they work."""
        self.to(device)
        self.hand = self.hand.to(device, torch.float32)

    def batch(self, indices, samples: Sequence[HandCrop], generator: torch.Generator) -> dict[str, Tensor]:
        """Return crops, changed as the generator draws it, with what is true of them then."""
        size = getattr(self.network, "crop_size", CROP_SIZE)
        points = {name: torch.stack([getattr(sample, name) for sample in samples]) for name in TRUE}
        known = torch.tensor([sample.known for sample in samples])
        change = draw_change(len(samples), self.augmentation, generator)
        patches = torch.stack([sample.patch for sample in samples]).float() / 255
        crops = self.paint(move_crops(patches, size, *change), generator)
        return {"crops": normalise_crops(crops), "known": known, **move_truth(points, *change)}

    def paint(self, crops: Tensor, generator: torch.Generator) -> Tensor:
        """Return crops `[N, 3, S, S]` of 0..1 in other light, `[N, 3, S, S]` of 0..1."""
        own, count = self.augmentation, len(crops)
        gain = 1 + own.color * _uniform((count, 3, 1, 1), generator)
        light = own.light * _uniform((count, 1, 1, 1), generator)
        grain = own.noise * torch.randn(crops.shape, generator=generator)
        crops = (crops * gain + light + grain).clamp(0, 1)
        if own.hidden:
            crops = torch.where(_squares(count, crops.shape[-1], own.hidden, generator), GRAY, crops)
        return crops

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the parts of the loss of a batch, and "loss", their weighted sum."""
        crops = batch["crops"]
        found: Prediction = self.network(crops, self.hand)
        # The hand's geometry is of millimetres, which half precision has not.
        with torch.autocast(crops.device.type, enabled=False):
            parts = self.compare(found.float(), batch)
            total = torch.stack([getattr(self.losses, name) * value for name, value in parts.items()]).sum()
        return {"loss": total, **{name: value.detach() for name, value in parts.items()}}

    def compare(self, found: Prediction, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return each part of the loss, unweighted, by its name in `HandLosses`."""
        known = batch["known"].float()
        count = known.sum().clamp(min=1)
        rotations, betas = found.rotations, found.betas.clamp(-WIDEST_BETA, WIDEST_BETA)
        vertices, keypoints = pose_right(self.hand, rotations, betas)
        apart = (keypoints - keypoints[:, :1] - batch["keypoints_3d"]).norm(dim=-1)
        seen = (project_to_crop(keypoints, found.camera) - batch["keypoints_2d"]).norm(dim=-1)
        parts = {
            "keypoints_3d": DECIMETRES * apart.mean(),
            "keypoints_2d": seen.mean(),
            "rotations": ((rotations - batch["rotations"]).square().mean((1, 2, 3)) * known).sum() / count,
            "betas": ((found.betas - batch["betas"]).square().mean(1) * known).sum() / count,
        }
        if self.losses.vertices:
            with torch.no_grad():
                wanted, wrists = pose_right(self.hand, batch["rotations"], batch["betas"])
            off = vertices - keypoints[:, :1] - (wanted - wrists[:, :1])
            parts["vertices"] = DECIMETRES * (off.norm(dim=-1).mean(1) * known).sum() / count
        return parts


TRUE = ("keypoints_2d", "keypoints_3d", "rotations", "betas")


def pose_right(hand: HandModel, rotations: Tensor, betas: Tensor) -> tuple[Tensor, Tensor]:
    """Return vertices `[N, V, 3]` and keypoints `[N, 21, 3]`, metres, of right hands about their origin.

    Args:
        hand: The hand model.
        rotations: `[N, 16, 3, 3]`, root first.
        betas: `[N, 10]`.
    """
    right = torch.ones(len(betas), dtype=torch.bool, device=betas.device)
    posed = hand(rotations[:, 0], rotations[:, 1:], betas, betas.new_zeros(len(betas), 3), right)
    return posed.vertices, posed.keypoints


def draw_change(count: int, own: Augmentation, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return what each of some crops is moved by.

    Returns:
        Shift `[N, 2]` in halves of the crop, scale `[N]` and turn `[N]` in radians.
    """
    shift = own.shift * _uniform((count, 2), generator)
    scale = 1 + own.scale * _uniform((count,), generator)
    return shift, scale, math.radians(own.turn) * _uniform((count,), generator)


def move_crops(patches: Tensor, size: int, shift: Tensor, scale: Tensor, turn: Tensor) -> Tensor:
    """Cut what a network sees out of patches that are `REACH` times as wide.

    Args:
        patches: `[N, 3, P, P]`.
        size: S, width and height of what comes out, pixels.
        shift: Where the middle of the new crop lies, `[N, 2]` in halves of the old one.
        scale: How much more the new crop sees, `[N]`.
        turn: By how much it is turned, `[N]` radians.

    Returns:
        `[N, 3, S, S]`; black beyond the patch.
    """
    # As `crop_square` has it: the middle lies on the centre of pixel S / 2.
    line = (torch.arange(size, dtype=torch.float32) - size // 2) / (size / 2)
    place = torch.stack(torch.broadcast_tensors(line[None, :], line[:, None]), -1)
    place = torch.einsum("nab,ijb->nija", scale[:, None, None] * _turned(turn), place) + shift[:, None, None]
    length = FINENESS * size
    pixel = place / REACH * (length / 2) + length // 2
    return functional.grid_sample(patches, 2 * pixel / (length - 1) - 1, align_corners=True)


def move_truth(points: dict[str, Tensor], shift: Tensor, scale: Tensor, turn: Tensor) -> dict[str, Tensor]:
    """Return what is true of crops after `move_crops`: a turned crop sees the hand turned about the camera's axis.

    Args:
        points: By the names of `TRUE`, shapes as of `HandCrop` with N before them.
        shift: As of `move_crops`, `[N, 2]`.
        scale: Likewise, `[N]`.
        turn: Likewise, `[N]`.
    """
    back = _turned(-turn)
    about = torch.eye(3).repeat(len(turn), 1, 1)
    about[:, :2, :2] = back
    rotations = points["rotations"].clone()
    rotations[:, 0] = about @ rotations[:, 0]
    flat = (points["keypoints_2d"] - shift[:, None]) / scale[:, None, None]
    return {
        "keypoints_2d": flat @ back.mT,
        "keypoints_3d": points["keypoints_3d"] @ about.mT,
        "rotations": rotations,
        "betas": points["betas"],
    }


def _turned(turn: Tensor) -> Tensor:
    """Return rotations `[N, 2, 2]` of x right, y down by `turn` `[N]` radians."""
    cos, sin = turn.cos(), turn.sin()
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)


def _squares(count: int, size: int, share: float, generator: torch.Generator) -> Tensor:
    """Return where squares of up to half a side hide a `share` of the crops, bool `[N, 1, S, S]`."""
    drawn = torch.rand(4, count, generator=generator)
    side = 0.5 * size * drawn[0] * (drawn[3] < share)
    line = torch.arange(size, dtype=torch.float32) + 0.5
    first = ((size - side) * drawn[1:3])[..., None]
    down, across = (line > first) & (line < first + side[:, None])
    return down[:, None, :, None] & across[:, None, None, :]


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return numbers of -1..1 of a shape."""
    return 2 * torch.rand(shape, generator=generator) - 1
