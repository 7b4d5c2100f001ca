"""Whether structural fusion can do for a ControlNet what the paper says: look at its maps over hands that are known.

The paper's premise is that self-attention keeps structure: places of a hand attend to places of the hand. Then psi' f
gathers over a place what belongs to it. Three figures say whether the maps are like that:

- diagonal share: how much of a place's row of psi' is its own entry. Near 1, psi' f is f, and fusion changes nothing.
- constant share: how much of the map is the same row for all places. Near 1, psi' f is one mean of the whole picture.
- hand-to-hand lift: how much of what a place of a hand attends to besides itself is hand, over the share of hand there
  is. 1 is chance; the premise asks for more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import SesaHandError
from ..fusion.collector import FusionCollector
from ..fusion.settings import RESOLUTIONS, FusionSettings
from ..generate.maps import control_map
from ..generate.pipeline import HandGenerator
from ..models.diffusers_fusion import diffusers_layout
from ..models.small.tokenizer import tokenize
from ..world.synthetic import HELD_OUT_SEED, SyntheticHands

TIMES = (0.9, 0.5, 0.1)
"""Parts of the training's time steps at which maps are looked at: nearly all noise, half, little."""

# A cell is hand if more of it than this is, and ground if less than that.
HAND, GROUND = 0.5, 0.02
# Beyond these shares a map is as good as the identity, or as one row; below this lift the premise does not hold.
MOST_DIAGONAL, MOST_CONSTANT, LEAST_LIFT = 0.8, 0.8, 1.2


@dataclass(frozen=True)
class MapFigures:
    """What the summed maps of one grid are like, means over pictures.

    Attributes:
        grid: As it is called at 512 px, whatever the base's size.
        cells: Places of the map.
        time: Part of the time steps.
        diagonal: Share of a row on itself; by chance `1 / cells`.
        constant: Share of the map's energy in the mean of its rows.
        lift: Hand to hand, in multiples of chance; NaN without cells that are hand.
    """

    grid: int
    cells: int
    time: float
    diagonal: float
    constant: float
    lift: float

    @property
    def verdict(self) -> str:
        """What that means for the fusion, in words."""
        if self.diagonal > MOST_DIAGONAL:
            return "leaves features as they are"
        if self.constant > MOST_CONSTANT:
            return "takes one mean for all places"
        if not self.lift >= LEAST_LIFT:
            return "does not gather what belongs to a hand"
        return "gathers hands"


def figures_of(psi: Tensor, hand: Tensor) -> tuple[float, float, float]:
    """Return diagonal share, constant share and hand-to-hand lift of maps.

    Args:
        psi: Summed maps `[B, G, G]`, rows are queries, not negative.
        hand: Which part of each cell is hand, `[B, G]`, 0..1.
    """
    psi = psi.double()
    rows = psi / psi.sum(-1, keepdim=True).clamp(min=1e-30)
    diagonal = rows.diagonal(dim1=1, dim2=2).mean()
    mean_row = rows.mean(1, keepdim=True)
    constant = 1 - ((rows - mean_row).square().sum((1, 2)) / rows.square().sum((1, 2))).mean()
    cells = psi.shape[-1]
    others = rows * (1 - torch.eye(cells, dtype=rows.dtype))
    others = others / others.sum(-1, keepdim=True).clamp(min=1e-30)
    is_hand = (hand > HAND).double()
    lifts = []
    for own, cell in zip(others, is_hand, strict=True):
        count = float(cell.sum())
        if count >= 2:
            mass = float((cell[:, None] * own * cell[None]).sum()) / count
            lifts.append(mass / ((count - 1) / (cells - 1)))
    lift = sum(lifts) / len(lifts) if lifts else float("nan")
    return float(diagonal), float(constant), lift


@torch.no_grad()
def check_fusion(generator: HandGenerator, samples: int = 16, batch_size: int = 4) -> list[MapFigures]:
    """Look at a ControlNet's maps over hands of known mask, at several noises.

    Pictures are of the rendered world, at the base's size: the masks are true, and the base has to see a hand, not to
    draw it.

    Args:
        generator: The base and the ControlNet.
        samples: How many hands.
        batch_size: Pictures at a time.

    Returns:
        Figures by grid, finest first, and time.

    Raises:
        SesaHandError: If there is no sample, or the ControlNet has no self-attention that fusion could use.
    """
    if samples < 1:
        raise SesaHandError(f"Maps are looked at over {samples} hands, expected at least 1.")
    layout = diffusers_layout(generator.controlnet.model)
    trained = generator.controlnet.fusion or FusionSettings()
    settings = _widest(layout, trained)
    world = SyntheticHands("heldout", HELD_OUT_SEED, generator.base.size)
    sums: dict[tuple[int, float], list[tuple[float, float, float]]] = {}
    cells: dict[int, int] = {}
    for start in range(0, samples, batch_size):
        indices = range(start, min(start + batch_size, samples))
        latents, text, control, hand = _inputs(generator, world, indices)
        for time in TIMES:
            collector = FusionCollector(layout, settings)
            noisy, step = _noised(generator, latents, time, indices)
            height, width = noisy.shape[-2:]
            collector.begin((height, width))
            try:
                with collector.attached():
                    generator.controlnet.model(noisy, step, text, control, return_dict=False)
                    collector.check_complete()
                for level in sorted({residual.level for residual in collector.residuals}):
                    psi = collector.psi(level).float().cpu()
                    grid = -(-height // 2**level), -(-width // 2**level)
                    covered = functional.adaptive_avg_pool2d(hand, grid).flatten(1)
                    cells[level] = psi.shape[-1]
                    sums.setdefault((level, time), []).append(figures_of(psi, covered))
            finally:
                collector.reset()
    found = []
    for (level, time), each in sorted(sums.items()):
        diagonal, constant, lift = (_mean(values) for values in zip(*each, strict=True))
        found.append(MapFigures(RESOLUTIONS[0] >> level, cells[level], time, diagonal, constant, lift))
    return found


def _widest(layout, trained: FusionSettings) -> FusionSettings:
    """Settings that sum the maps of the trained ones for as many grids as there are."""
    for refine in ("to_32", "to_16", "coarsest"):
        settings = FusionSettings("paper", resolutions=trained.resolutions, layers=trained.layers, refine=refine)
        try:
            FusionCollector(layout, settings)
        except SesaHandError:
            continue
        return settings
    return FusionSettings("paper", resolutions=trained.resolutions, layers=trained.layers)


def _inputs(generator: HandGenerator, world: SyntheticHands, indices: Sequence[int]):
    """Latents of rendered pictures, their text, their condition maps and their masks."""
    base, name = generator.base, generator.controlnet.map
    samples = [world[index] for index in indices]
    pictures = torch.stack([torch.from_numpy(sample.picture) for sample in samples]).movedim(-1, 1).float()
    autoencoder: Any = base.autoencoder
    pictures = (pictures / 127.5 - 1).to(generator.device, generator.dtype)
    latents = autoencoder.encode(pictures).latent_dist.mode() * autoencoder.config.scaling_factor
    ids = tokenize(base.tokenizer, [sample.description.composition.prompt for sample in samples])
    text = base.text_encoder(ids.to(generator.device))[0]
    control = torch.stack([control_map(sample.scene, name) for sample in samples]).movedim(-1, 1)
    hand = torch.stack([torch.from_numpy(sample.mask) for sample in samples])[:, None].float() / 255
    return latents, text, control.to(generator.device, generator.dtype), hand


def _noised(generator: HandGenerator, latents: Tensor, time: float, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_config(generator.base.scheduler.config)
    step = round(time * (scheduler.config.num_train_timesteps - 1))
    noise = torch.stack([torch.randn(latents.shape[1:], generator=torch.Generator().manual_seed(n)) for n in indices])
    steps = torch.full((len(latents),), step, device=latents.device)
    return scheduler.add_noise(latents, noise.to(latents), steps), steps


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else float("nan")


def describe_figures(figures: Sequence[MapFigures], name: str) -> str:
    """Return a table of the figures and what to do about them."""
    head = ["grid", "cells", "noise", "diagonal", "by chance", "constant", "hand to hand", "psi' f"]
    rows = [
        [
            str(one.grid),
            str(one.cells),
            f"{one.time:.0%}",
            f"{one.diagonal:.2f}",
            f"{1 / one.cells:.2f}",
            f"{one.constant:.2f}",
            f"{one.lift:.2f}",
            one.verdict,
        ]
        for one in figures
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = ["  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    good = sorted({one.grid for one in figures if one.verdict == "gathers hands"}, reverse=True)
    if good:
        lines.append(f"{name}: fusion has something to gather on the grids {', '.join(map(str, good))}.")
    else:
        lines.append(f"{name}: on no grid do places of a hand attend to the hand: do not expect fusion to help.")
    return "\n".join(lines)
