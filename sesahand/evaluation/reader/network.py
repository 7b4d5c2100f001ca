"""The world's reader: a network that reads pictures of the small world, so that what a model draws can be measured.

It is trained on rendered samples, where everything is known, and proven on held-out ones before it says anything of
generated pictures: a reading that misses its bar in `BARS` publishes no figure (`publishable`).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import InvalidFileError, SesaHandError
from ...files.reading import parse_json
from ...files.weights import open_weights
from ...files.writing import write_whole
from ...world import vocabulary
from ...world.attributes import Attributes
from ...world.gestures import GESTURES

SIZE = 128
KEYPOINTS = 21
LOOKS = 6
FEATURES = 192
SHIPPED = Path(__file__).parents[2] / "assets" / "sesahand_judge.safetensors"
"""The reader that comes with the package, if it came with one."""
CELL = 4
"""Pixels of the picture in a cell of the heat maps."""
# What is read as one word of several; the first words of "beside" and "held" stand for no object.
HEADS = {
    "gesture": tuple(GESTURES),
    "side": vocabulary.SIDES,
    "view": ("palm", "back"),
    "direction": tuple(vocabulary.DIRECTIONS),
    "skin": tuple(vocabulary.SKINS),
    "sleeve": vocabulary.SLEEVES,
    "background": vocabulary.BACKGROUNDS,
    "background_color": vocabulary.BACKGROUND_COLORS,
    "light": vocabulary.LIGHTS,
    "warmth": vocabulary.WARMTHS,
    "beside": ("none", *vocabulary.OBJECTS),
    "beside_color": ("none", *vocabulary.OBJECT_COLORS),
    "held": ("none", *vocabulary.HELD),
    "held_color": ("none", *vocabulary.OBJECT_COLORS),
}
UNNAMED = -1
"""Label of what has no word: it is neither trained nor counted."""

# Least share of right readings on held-out renders, mean IoU of the mask, and the largest error of keypoints as a share
# of the longer side of the hand's box.
BARS = {"mask_iou": 0.95, "keypoint_error": 0.02, "gesture": 0.90, "side": 0.90, "view": 0.90, "direction": 0.95}
WORD_BAR = 0.95
# Beyond all figures; JSON's whole numbers may have more digits than a float holds.
FAR = 1e18


def bar_of(column: str) -> float:
    return BARS.get(column, WORD_BAR)


def publishable(results: dict[str, float]) -> dict[str, bool]:
    """Return which readings are good enough to judge others by."""
    return {
        column: value <= bar_of(column) if column == "keypoint_error" else value >= bar_of(column)
        for column, value in results.items()
    }


def labels_of(attributes: Attributes) -> dict[str, int]:
    """Return the number of the right word of each head, `UNNAMED` where there is none."""
    values = {name: getattr(attributes, name) for name in HEADS if hasattr(attributes, name)}
    for name in ("beside", "held"):
        thing = getattr(attributes, name)
        values[name] = "none" if thing is None else thing.kind
        values[f"{name}_color"] = "none" if thing is None else thing.color
    return {name: HEADS[name].index(value) if value in HEADS[name] else UNNAMED for name, value in values.items()}


@dataclass(frozen=True, eq=False)
class WorldReading:
    """What the reader sees in B pictures of H x W pixels.

    Attributes:
        mask: How surely a pixel is hand, 0 to 1, float32 `[B, H, W]`.
        keypoints: OpenPose keypoints of the hand in pixels `[B, 21, 2]`; without meaning where there are two hands.
        probabilities: For each head of `HEADS`, `[B, K]`.
        features: What the words are read from, `[B, FEATURES]`.
    """

    mask: Tensor
    keypoints: Tensor
    probabilities: dict[str, Tensor]
    features: Tensor

    def words(self, head: str) -> list[str]:
        """Return the likeliest word of a head for each picture."""
        return [HEADS[head][index] for index in self.probabilities[head].argmax(1).tolist()]


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class ResidualUnit(nn.Module):
    """Two convolutions around which the input passes: `[B, width, H, W]` to the same shape."""

    def __init__(self, width: int):
        super().__init__()
        self.first, self.second = block(width, width), block(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class ReaderNetwork(nn.Module):
    """Features at a half, a quarter, an eighth and a sixteenth of the picture; a way up for mask and keypoints."""

    def __init__(self, widths: tuple[int, int, int, int] = (24, 56, 112, 160)):
        super().__init__()
        half, quarter, eighth, sixteenth = widths
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), block(12, half), block(half, half))
        self.to_quarter = nn.Sequential(block(half, quarter, 2), ResidualUnit(quarter))
        self.to_eighth = nn.Sequential(block(quarter, eighth, 2), ResidualUnit(eighth))
        self.to_sixteenth = nn.Sequential(block(eighth, sixteenth, 2), ResidualUnit(sixteenth))
        self.up_eighth, self.up_quarter, self.up_half = (
            nn.Conv2d(sixteenth, eighth, 1),
            nn.Conv2d(eighth, quarter, 1),
            nn.Conv2d(quarter, half, 1),
        )
        self.at_eighth, self.at_quarter, self.at_half = (
            block(eighth, eighth),
            block(quarter, quarter),
            block(half, half),
        )
        self.mask = nn.Conv2d(half, 4, 3, padding=1)
        self.heat = nn.Conv2d(quarter, KEYPOINTS, 1)
        self.classes = sum(map(len, HEADS.values()))
        # Words of the hand, of the background and of objects stand in different places: everyone looks for its own.
        self.where = nn.Conv2d(eighth, LOOKS, 1)
        self.hidden = nn.Linear(sixteenth + LOOKS * eighth + 2 * KEYPOINTS, FEATURES)
        self.answer = nn.Linear(FEATURES, self.classes)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read pictures `[B, 3, S, S]` in 0..1, S a multiple of 16; 128 is what it is made for.

        Returns:
            Mask logits `[B, S, S]`, heat maps of the keypoints as logits `[B, 21, S / 4, S / 4]`, and the logits of
            all heads `[B, K]`.
        """
        mask, heat, features = self.look(pictures)
        return mask, heat, self.answer(features).float()

    def look(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Do what `forward` does but for the last layer of the heads.

        Args:
            pictures: `[B, 3, S, S]` in 0..1.

        Returns:
            The first two of `forward`, `[B, S, S]` and `[B, 21, S / 4, S / 4]`, and the features `[B, FEATURES]` that
            the heads answer from.
        """
        half = self.stem((pictures - 0.5) * 3.0)
        quarter = self.to_quarter(half)
        eighth = self.to_eighth(quarter)
        deep = self.to_sixteenth(eighth)
        eighth = self.at_eighth(eighth + doubled(self.up_eighth(deep)))
        quarter = self.at_quarter(quarter + doubled(self.up_quarter(eighth)))
        half = self.at_half(half + doubled(self.up_half(quarter)))
        mask = functional.pixel_shuffle(self.mask(half), 2)[:, 0]
        heat = self.heat(quarter).float()
        looks = self.where(eighth).float().flatten(2).softmax(-1)
        seen = torch.einsum("bln,bcn->blc", looks, eighth.float().flatten(2)).flatten(1)
        # The shape of a hand, wherever it is and however large: what gesture it makes.
        shape = normalized(soft_argmax(heat.detach())).flatten(1)
        features = torch.cat([deep.float().mean((2, 3)), seen, shape], 1)
        return mask.float(), heat, functional.relu(self.hidden(features))


def doubled(x: Tensor) -> Tensor:
    """Return features `[B, C, H, W]` at twice the size, `[B, C, 2 * H, 2 * W]`, each repeated."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def soft_argmax(heat: Tensor) -> Tensor:
    """Return the centres of mass `[B, K, 2]`, x and y in cells, of the softmax of logits `[B, K, H, W]`, any range."""
    share = heat.flatten(2).softmax(-1).view_as(heat)
    columns = torch.arange(heat.shape[3], dtype=heat.dtype, device=heat.device) + 0.5
    rows = torch.arange(heat.shape[2], dtype=heat.dtype, device=heat.device) + 0.5
    return torch.stack([(share.sum(2) * columns).sum(-1), (share.sum(3) * rows).sum(-1)], -1)


def normalized(points: Tensor) -> Tensor:
    """Return points `[B, K, 2]`, in any unit, around their centre and in units of their spread, `[B, K, 2]`."""
    centred = points - points.mean(1, keepdim=True)
    return centred / centred.square().mean((1, 2), keepdim=True).add(1e-6).sqrt()


class WorldReader:
    """A trained reader of the world's pictures.

    Args:
        network: The network, in evaluation mode.
        facts: What its file says of it: training, and results on held-out renders.
    """

    def __init__(self, network: ReaderNetwork, facts: dict):
        self.network, self.facts = network.eval(), facts

    @property
    def trusted(self) -> dict[str, bool]:
        """Which readings passed their bar on held-out renders."""
        return publishable(self.facts.get("results", {}))

    @torch.no_grad()
    def read(self, pictures: Tensor, batch_size: int = 32) -> WorldReading:
        """Read pictures `[B, H, W, 3]` in 0..1, of any size; they are looked at with 128 x 128 pixels.

        Raises:
            SesaHandError: If the pictures have another shape or hold values that are not numbers.
        """
        if pictures.ndim != 4 or pictures.shape[-1] != 3 or min(pictures.shape[1:3]) < 1:
            raise SesaHandError(f"The reader reads pictures [B, H, W, 3], got {tuple(pictures.shape)}.")
        pictures = pictures.float()
        if not torch.isfinite(pictures).all():
            raise SesaHandError("The pictures hold NaN or infinite values; look at the model that drew them.")
        height, width = pictures.shape[1:3]
        masks, keypoints, logits = [torch.zeros(0, height, width)], [torch.zeros(0, KEYPOINTS, 2)], []
        found = [torch.zeros(0, FEATURES)]
        for part in pictures.clamp(0, 1).permute(0, 3, 1, 2).split(batch_size) if len(pictures) else ():
            shrinks = max(height, width) > SIZE
            seen = functional.interpolate(part, (SIZE, SIZE), mode="bilinear", antialias=shrinks, align_corners=False)
            mask, heat, features = self.network.look(seen)
            points = soft_argmax(heat) * CELL
            mask = functional.interpolate(mask[:, None].sigmoid(), (height, width), mode="bilinear")[:, 0]
            masks.append(mask)
            keypoints.append(points * points.new_tensor([width / SIZE, height / SIZE]))
            logits.append(self.network.answer(features).float())
            found.append(features.float())
        answers = torch.cat(logits) if logits else torch.zeros(0, self.network.classes)
        shares = {name: part.softmax(1) for name, part in split_heads(answers).items()}
        return WorldReading(torch.cat(masks), torch.cat(keypoints), shares, torch.cat(found))


def split_heads(logits: Tensor) -> dict[str, Tensor]:
    """Return the columns of each head of logits `[B, K]`."""
    return dict(zip(HEADS, logits.split([len(words) for words in HEADS.values()], 1), strict=True))


def save_world_reader(path: Path, network: ReaderNetwork, facts: dict) -> None:
    """Write a reader as one safetensors file of half precision, `facts` as its metadata."""
    from safetensors.torch import save

    tensors = {
        name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()
    }
    content = {name: value.contiguous() for name, value in tensors.items()}
    write_whole(path, save(content, {"sesahand.judge": json.dumps(facts)}))


def load_world_reader(path: Path | None = None) -> WorldReader:
    """Read a reader from its file, or the one that comes with the package.

    Raises:
        InvalidFileError: If the file is missing, damaged, or of another network.
    """
    path = SHIPPED if path is None else path

    try:
        with open_weights(path) as file:
            facts = parse_json((file.metadata() or {})["sesahand.judge"], "its description")
            state = {name: file.get_tensor(name) for name in file.keys()}
        _check_facts(facts)
        network = ReaderNetwork()
        network.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        )
    except Exception as error:
        raise InvalidFileError(f"{path} is no judge that can be read ({error}). Train one with train-judge.") from error
    return WorldReader(network, facts)


def _check_facts(facts: Any) -> None:
    """Raise a ValueError unless a file says of its reader what is asked of it later."""
    if not isinstance(facts, dict) or not isinstance(facts.get("training", []), list):
        raise ValueError("it does not say how it was trained")
    results = facts.get("results", {})
    numbers: list[Any] = list(results.values()) if isinstance(results, dict) else [None]
    if not all(type(value) in (int, float) and abs(value) < FAR for value in numbers):
        raise ValueError("it does not say how well it reads")
