"""How the reader is trained, and how well it reads: on rendered samples, sharp and degraded as a generator's are."""

import json
import logging
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...errors import InvalidFileError, SesaHandError, quote
from ...files.writing import write_with
from ...metrics.mask_overlap import mask_iou
from ...training.checkpoint_state import named_tensors, put_into_optimizer, read_state, write_state
from ...world.cache import SampleCache
from ...world.synthetic import WORLD
from .config import ReaderConfig
from .network import (
    CELL,
    HEADS,
    SIZE,
    UNNAMED,
    ReaderNetwork,
    WorldReader,
    labels_of,
    publishable,
    save_world_reader,
    soft_argmax,
    split_heads,
)

logger = logging.getLogger(__name__)

WEIGHTS = {
    "gesture": 1.5,
    "side": 1.0,
    "background": 0.6,
    "sleeve": 0.8,
    "light": 0.4,
    "warmth": 0.4,
    "held_color": 0.4,
}
MIRRORED = {
    "side": {"right": "left", "left": "right"},
    "direction": {"left": "right", "right": "left"},
    "light": {"left": "right", "right": "left"},
}
DEGRADED_SHARE = 0.6


@dataclass(frozen=True, eq=False)
class Labels:
    """What is true of N samples: class numbers `[N]` of each head, and which have one hand, bool `[N]`."""

    classes: dict[str, np.ndarray]
    single: np.ndarray


def read_labels(samples: SampleCache) -> Labels:
    """Return the labels of all samples of a cache."""
    rows = [labels_of(samples.describe(index).attributes) for index in range(len(samples))]
    classes = {name: np.array([row[name] for row in rows]) for name in HEADS}
    return Labels(
        classes, np.isfinite(np.asarray(samples.keypoints[:, 0, 0, 0])) & np.isnan(samples.keypoints[:, 1, 0, 0])
    )


def draw_batch(samples: SampleCache, labels: Labels, step: int, config: ReaderConfig) -> dict:
    """Return batch `step`: pictures `[B, 3, S, S]`, mask `[B, S, S]`, keypoints `[B, 21, 2]`, classes, single."""
    rng = np.random.default_rng([config.seed, step])
    # Of fewer samples than a batch has, some come twice.
    indices = np.sort(rng.choice(len(samples), config.batch_size, replace=config.batch_size > len(samples)))
    pictures = to_pictures(samples.pictures[indices])
    mask = torch.from_numpy(samples.masks[indices]).float() / 255
    keypoints = torch.from_numpy(np.nan_to_num(samples.keypoints[indices, 0]))
    classes = {name: torch.from_numpy(values[indices]) for name, values in labels.classes.items()}
    batch: dict[str, Any] = {"pictures": pictures, "mask": mask, "keypoints": keypoints, "classes": classes}
    if rng.random() < 0.5:
        batch = mirrored(batch)
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    batch["pictures"] = degrade(batch["pictures"], generator) if rng.random() < DEGRADED_SHARE else batch["pictures"]
    batch |= {"single": torch.from_numpy(labels.single[indices])}
    return halved(batch) if step < config.coarse_steps else batch


def halved(batch: dict) -> dict:
    """Return a batch of pictures of half the size."""
    smaller = {
        "pictures": functional.avg_pool2d(batch["pictures"], 2),
        "mask": functional.avg_pool2d(batch["mask"][:, None], 2)[:, 0],
        "keypoints": batch["keypoints"] / 2,
    }
    return batch | smaller


def to_pictures(values: np.ndarray) -> Tensor:
    """Return uint8 `[B, H, W, 3]` as pictures `[B, 3, H, W]` in 0..1."""
    return torch.from_numpy(np.array(values)).permute(0, 3, 1, 2).float() / 255


def mirrored(batch: dict) -> dict:
    """Return a batch seen in a mirror: right is left, in the words as well."""
    classes = dict(batch["classes"])
    for name, exchange in MIRRORED.items():
        swapped = torch.tensor([HEADS[name].index(exchange.get(word, word)) for word in HEADS[name]])
        classes[name] = swapped[classes[name]]
    keypoints = batch["keypoints"].clone()
    keypoints[..., 0] = batch["pictures"].shape[-1] - keypoints[..., 0]
    return {
        "pictures": batch["pictures"].flip(-1), "mask": batch["mask"].flip(-1), "keypoints": keypoints,
        "classes": classes,
    }  # fmt: skip


def degrade(pictures: Tensor, generator: torch.Generator, least: float = 0.0) -> Tensor:
    """Return pictures with the faults of generated ones, each to another degree.

    Fine detail is lost as in an autoencoder (a blur, and high frequencies of 8 x 8 blocks damped), colours drift, and
    there is noise.

    Args:
        pictures: `[B, 3, H, W]` in 0..1.
        generator: Draws the degrees.
        least: Of how much of each fault no picture has less, 0 to 1.

    Returns:
        `[B, 3, H, W]` in 0..1.
    """
    count = len(pictures)

    def degree() -> Tensor:
        return least + (1 - least) * torch.rand(count, 1, 1, 1, generator=generator)

    height, width = pictures.shape[-2:]
    low = functional.avg_pool2d(pictures, 2)
    lower = functional.avg_pool2d(low, 2)
    blurred = [
        functional.interpolate(each, (height, width), mode="bilinear", align_corners=False) for each in (low, lower)
    ]
    amount = 1.5 * degree()
    out = pictures + amount.clamp(max=1) * (blurred[0] - pictures)
    out = out + (amount - 1).clamp(min=0) * (blurred[1] - blurred[0])
    texture = functional.interpolate(
        torch.randn(count, 3, height // 8, width // 8, generator=generator),
        (height, width),
        mode="bicubic",
        align_corners=False,
    )
    out = out + 0.025 * degree() * texture + 0.03 * degree() * torch.randn(pictures.shape, generator=generator)
    tint = 1 + 0.04 * degree() * torch.randn(count, 3, 1, 1, generator=generator)
    return (out * tint).clamp(0, 1)


def losses(network: ReaderNetwork, batch: dict) -> dict[str, Tensor]:
    """Return the parts of the loss of a batch."""
    mask, heat, logits = network(batch["pictures"])
    share = mask.sigmoid()
    overlap = (share * batch["mask"]).sum((1, 2)) * 2 + 1
    dice = 1 - overlap / (share.sum((1, 2)) + batch["mask"].sum((1, 2)) + 1)
    single, cells = batch["single"].float(), batch["keypoints"] / CELL
    distance = (soft_argmax(heat) - cells).abs().mean((1, 2)) * CELL / mask.shape[-1]
    missed = -(peaks(cells, heat.shape[-1]) * heat.flatten(2).log_softmax(-1)).sum(-1).mean(1)
    parts = {
        "mask": functional.binary_cross_entropy_with_logits(mask, batch["mask"]) * 4 + dice.mean(),
        "keypoints": ((20 * distance + 0.4 * missed) * single).sum() / single.sum().clamp(min=1),
    }
    for name, part in split_heads(logits).items():
        if (batch["classes"][name] != UNNAMED).any():
            loss = functional.cross_entropy(part, batch["classes"][name], ignore_index=UNNAMED)
            parts[name] = WEIGHTS.get(name, 0.5) * loss
    return parts


def peaks(cells: Tensor, size: int, width: float = 0.8) -> Tensor:
    """Return heat maps that add up to one, with a Gaussian peak at each point.

    Args:
        cells: Points `[B, K, 2]`, x and y in cells.
        size: Cells a side.
        width: Standard deviation in cells.

    Returns:
        `[B, K, size * size]`, row after row.
    """
    axis = torch.arange(size, dtype=cells.dtype) + 0.5
    across, down = (torch.exp(-((axis - cells[..., k, None]) ** 2) / (2 * width**2)) for k in (0, 1))
    heat = (down[..., :, None] * across[..., None, :]).flatten(2)
    return heat / heat.sum(-1, keepdim=True).clamp(min=1e-6)


def learning_rate(config: ReaderConfig, step: int) -> float:
    """Return the learning rate of a step."""
    warm = min(1.0, (step + 1) / config.warmup)
    return config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def train_reader(
    samples: SampleCache,
    heldout: SampleCache,
    output: Path,
    config: ReaderConfig | None = None,
    progress: Callable[[int, dict], None] | None = None,
    start: WorldReader | None = None,
) -> WorldReader:
    """Train a reader and prove it; an interrupted training goes on from its last checkpoint.

    Args:
        samples: Rendered training samples of 128 pixels.
        heldout: Rendered held-out samples of 128 pixels.
        output: The reader's file; the state of the training is kept beside it until it is done.
        config: How.
        progress: Called after each step with its number and the parts of its loss.
        start: A reader to go on from, instead of from nothing.

    Raises:
        SesaHandError: If samples are missing, of another size, or of the same split.
    """
    config = ReaderConfig() if config is None else config
    for each in (samples, heldout):
        if each.source.size != SIZE or not each.done.all():
            raise SesaHandError(
                f"The reader learns from finished renders of {SIZE} pixels, got {int(each.done.sum())} of "
                f"{len(each.done)} at {each.source.size}: draw them to the end first."
            )
    if (samples.source.split, heldout.source.split) != ("train", "heldout"):
        raise SesaHandError(
            f"The reader learns from the split 'train' and is proven on 'heldout', got {samples.source.split!r} and "
            f"{heldout.source.split!r}."
        )
    labels = read_labels(samples)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = ReaderNetwork()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's types
    before = []
    if start is not None:
        network.load_state_dict(start.network.state_dict())
        before = start.facts.get("training", [])
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=config.weight_decay)
    state = output.with_suffix(".state")
    first = resume(state, network, optimizer, config)
    network.train()
    for step in range(first, config.steps):
        batch = draw_batch(samples, labels, step, config)
        batch["pictures"] = batch["pictures"].contiguous(memory_format=torch.channels_last)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(config, step)
        with torch.autocast("cpu", torch.bfloat16):
            parts = losses(network, batch)
        optimizer.zero_grad()
        loss, *others = parts.values()
        sum(others, loss).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        if progress is not None:
            progress(step + 1, {name: float(part.detach()) for name, part in parts.items()})
        if (step + 1) % config.checkpoint_every == 0:
            kept = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            save_state(state, kept | {"config": asdict(config)})
    training = [*before, asdict(config) | {"samples": len(samples), "world": WORLD}]
    return finish(network, heldout, output, training)


def save_state(path: Path, kept: dict) -> None:
    """Write the state of a training, whole or not at all.

    Raises:
        SesaHandError: If it cannot be written.
    """
    network, optimizer = kept["network"], named_tensors(kept["optimizer"]["state"])
    facts = {name: value for name, value in kept.items() if name not in ("network", "optimizer")}
    try:
        write_with(path, lambda file: write_state(file, {"network": network, "optimizer": optimizer}, facts))
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise SesaHandError(
            f"The training's state cannot be written to {path!s:.200}: {error!s:.200}. Choose another folder with room."
        ) from error


def resume(state: Path, network: ReaderNetwork, optimizer: torch.optim.Optimizer, config: ReaderConfig) -> int:
    """Take up an interrupted training and return its next step, 0 if there is none.

    Raises:
        InvalidFileError: If the state is damaged, a pickle of an earlier version, or that of another network.
        SesaHandError: If it is of another training.
    """
    if not os.path.lexists(state):
        return 0
    kept, facts = read_state(state)
    # As JSON has it, which knows no tuples.
    if facts.get("config") != json.loads(json.dumps(asdict(config))):
        raise SesaHandError(
            f"{state} is of another training, {quote(facts.get('config'), 400)}: remove it, or choose another output."
        )
    try:
        network.load_state_dict(kept.get("network", {}))
        put_into_optimizer(optimizer, kept.get("optimizer", {}))
        if type(facts.get("step")) is not int or facts["step"] < 0:
            raise ValueError("it does not say how far it is")
    except (RuntimeError, ValueError) as error:
        raise InvalidFileError(
            f"{state!s:.200} cannot be read ({error!s:.120}). Remove it to start anew, or copy it again."
        ) from error
    return facts["step"]


def finish(network: ReaderNetwork, heldout: SampleCache, output: Path, training: list[dict]) -> WorldReader:
    """Prove a trained network in the precision of its file, and write that."""
    network = network.eval().half().float()
    reader = WorldReader(network, {})
    results = prove(reader, heldout)
    degraded = prove(reader, heldout, degradation=0.3)
    reader.facts |= {
        "training": training,
        "heldout": {"seed": heldout.source.seed, "count": len(heldout)},
        "results": results,
        "degraded": degraded,
        "passed": publishable(results),
    }
    save_world_reader(output, network, reader.facts)
    logger.info("%s", json.dumps(reader.facts))
    return reader


def prove(
    reader: WorldReader, samples: SampleCache, degradation: float | None = None, batch_size: int = 50
) -> dict[str, float]:
    """Return how well a reader reads rendered samples.

    Args:
        reader: The reader.
        samples: With everything known.
        degradation: If given, pictures are degraded as generated ones are, at least so much of each fault.
        batch_size: Pictures read at a time.

    Returns:
        "mask_iou": mean over pictures; "keypoint_error": mean distance as a share of the longer side of the hand's box,
        over pictures of one hand; for each head the share of right words.
    """
    labels, generator = read_labels(samples), torch.Generator().manual_seed(0)
    ious, errors = [], []
    right: dict[str, list] = {name: [] for name in HEADS}
    for start in range(0, len(samples), batch_size):
        part = slice(start, start + batch_size)
        pictures = to_pictures(samples.pictures[part])
        if degradation is not None:
            pictures = degrade(pictures, generator, degradation)
        reading = reader.read(pictures.permute(0, 2, 3, 1))
        ious += mask_iou(reading.mask > 0.5, torch.from_numpy(samples.masks[part] > 127)).tolist()
        truth = samples.keypoints[part, 0]
        box = np.nanmax(truth, 1) - np.nanmin(truth, 1)
        error = np.linalg.norm(reading.keypoints.numpy() - truth, axis=-1).mean(1) / box.max(1)
        errors += error[labels.single[part]].tolist()
        for name, shares in reading.probabilities.items():
            truth = labels.classes[name][part]
            right[name] += (shares.argmax(1).numpy() == truth)[truth != UNNAMED].tolist()
    return {
        "mask_iou": float(np.mean(ious)),
        "keypoint_error": float(np.mean(errors)),
        **{name: float(np.mean(values)) for name, values in right.items()},
    }
