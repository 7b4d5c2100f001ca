"""What the hand tokens look at: their share of the cross-attention while sampling, and how it is shown."""

import math
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import torch

from ..errors import SesaHandError
from .bias import needed_alpha, on_grid

# From dark to bright through violet, red and yellow: equal steps of lightness, readable without colour vision.
HEAT = ((0.00, 0.00, 0.05), (0.30, 0.04, 0.42), (0.70, 0.15, 0.35), (0.96, 0.45, 0.15), (0.99, 0.90, 0.45))


def attention_share(
    query: torch.Tensor, key: torch.Tensor, heads: int, columns: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """How much of its attention each query gives to the chosen keys, averaged over the heads.

    Args:
        query: `[B, N, heads * d]`.
        key: `[B, K, heads * d]`.
        heads: Number of heads.
        columns: `[B, K]`, 1 on the chosen keys and 0 elsewhere.
        bias: What is added to the logits, broadcastable to `[B, heads, N, K]`.

    Returns:
        `[B, N]` float32 in 0..1.
    """
    batch, queries, channels = query.shape
    query = query.view(batch, queries, heads, -1).transpose(1, 2)
    key = key.view(batch, key.shape[1], heads, -1).transpose(1, 2)
    logits = (query / math.sqrt(channels // heads)) @ key.transpose(-1, -2)
    if bias is not None:
        logits = logits + bias
    weights = logits.float().softmax(dim=-1)
    return (weights @ columns.float()[:, None, :, None])[..., 0].mean(dim=1)


def coarseness_of(latent: tuple[int, int], grid: tuple[int, int]) -> int:
    """How many cells of the latent one cell of a level of the UNet stands for, along a side: 1, 2, 4, 8.

    Each level halves the sides and rounds them up, so the ratio of the sides says too little for small odd ones. Where
    another node has resized the features, the nearest power of two counts.
    """
    height, width = latent
    coarseness = 1
    while height * width > 1 and (height, width) != tuple(grid):
        height, width, coarseness = -(-height // 2), -(-width // 2), 2 * coarseness
    if (height, width) == tuple(grid):
        return coarseness
    return 2 ** max(0, round(math.log2(latent[0] / grid[0])))


class MapAverage:
    """The mean of maps that come in several sizes and cover parts of the picture, for one sampling step.

    They may come from several devices, each in a thread of its own.

    Args:
        images: Pictures in the batch.
        height: Rows of the map.
        width: Columns of the map.
    """

    def __init__(self, images: int, height: int, width: int):
        self.images, self.height, self.width = images, height, width
        self._sums: dict[torch.device, tuple[torch.Tensor, torch.Tensor]] = {}
        self._lock = threading.Lock()

    def add(self, image: int, share: torch.Tensor, area: tuple[float, float, float, float] | None = None) -> None:
        """Add one map.

        Args:
            image: Which of the pictures it is of.
            share: `[h, w]` in 0..1, resized to the part that it covers.
            area: The part of the picture that it covers: height, width, top, left in 0..1; all of it if None.
        """
        rows, columns = slice(0, self.height), slice(0, self.width)
        if area is not None:
            rows = _span(area[2], area[0], self.height)
            columns = _span(area[3], area[1], self.width)
        size = rows.stop - rows.start, columns.stop - columns.start
        share = on_grid(share[None], *size)[0]
        with self._lock:
            if share.device not in self._sums:
                total = torch.zeros(self.images, self.height, self.width, device=share.device)
                self._sums[share.device] = total, torch.zeros_like(total)
            total, weight = self._sums[share.device]
            total[image, rows, columns] += share
            weight[image, rows, columns] += 1.0

    def mean(self) -> torch.Tensor:
        """The mean of the maps of each picture, `[images, height, width]`; 0 where nothing was added."""
        if not self._sums:
            return torch.zeros(self.images, self.height, self.width)
        (total, weight), *others = self._sums.values()
        for more, count in others:
            total, weight = total + more.to(total.device), weight + count.to(weight.device)
        return total / weight.clamp(min=1.0)


class BlockShares:
    """The mean share of the attention that hand tokens get in each block of a network, for one sampling step.

    The shares may come from several devices, each in a thread of its own; none is read before `means` asks for it.
    """

    def __init__(self) -> None:
        self._shares: dict[str, list[torch.Tensor]] = {}
        self._lock = threading.Lock()

    def add(self, block: str, share: torch.Tensor) -> None:
        """Add the shares of the queries of one attention, in 0..1 and of any shape."""
        mean = share.mean()
        with self._lock:
            self._shares.setdefault(block, []).append(mean)

    @staticmethod
    def means(steps: Iterable["BlockShares"]) -> tuple[tuple[str, float], ...]:
        """The mean of each block over some steps, in the order in which the blocks came."""
        every: dict[str, list[torch.Tensor]] = {}
        for step in steps:
            for block, shares in step._shares.items():
                every.setdefault(block, []).extend(share.cpu() for share in shares)
        return tuple((block, float(torch.stack(shares).mean())) for block, shares in every.items())


def _span(start: float, length: float, cells: int) -> slice:
    first = min(round(start * cells), cells - 1)
    return slice(first, max(first + 1, min(cells, round((start + length) * cells))))


@dataclass(frozen=True)
class AttentionMaps:
    """The maps of one sampling.

    Args:
        progress: `[S]` where in the sampling each map was taken: 0 at the start (pure noise), 1 at the end.
        share: `[S, B, h, w]` share of the attention that the hand tokens got, in 0..1, on the CPU.
        blocks: The mean share in each block, by its name.
    """

    progress: torch.Tensor
    share: torch.Tensor
    blocks: tuple[tuple[str, float], ...] = ()

    @classmethod
    def collect(
        cls, steps: Iterable[tuple[float, torch.Tensor]], blocks: tuple[tuple[str, float], ...] = ()
    ) -> "AttentionMaps":
        """Join the maps `[B, h, w]` of all steps; they leave the device together, once."""
        progress, maps = zip(*steps, strict=True)
        return cls(torch.tensor(progress), torch.stack(tuple(maps)).cpu(), blocks)

    def for_pictures(self, count: int) -> "AttentionMaps":
        """The maps of `count` pictures, of which each sampled one may have become several: the frames of a film."""
        sampled = self.share.shape[1]
        if count % sampled:
            return self
        return replace(self, share=self.share.repeat_interleave(count // sampled, dim=1))

    def average(self, start: float = 0.0, end: float = 1.0, groups: int = 1) -> torch.Tensor:
        """The mean of the steps between `start` and `end`, split in order into `groups` of about as many steps.

        Args:
            start: First moment of the sampling that counts, 0..1.
            end: Last moment that counts, 0..1.
            groups: Number of means.

        Returns:
            `[groups, B, h, w]` in 0..1.

        Raises:
            SesaHandError: Fewer steps than groups were sampled in that range.
        """
        chosen = self.share[(self.progress >= start) & (self.progress <= end)]
        if len(chosen) < groups:
            taken = ", ".join(f"{value:.2f}" for value in self.progress.tolist())
            raise SesaHandError(
                f"{len(chosen)} steps were sampled between {start:g} and {end:g}, and {groups} panels were asked for; "
                f"the steps of this sampling were at {taken}. Widen start_percent and end_percent, or ask for fewer "
                "panels."
            )
        return torch.stack([group.mean(dim=0) for group in chosen.tensor_split(groups)])


@dataclass
class AttentionRecorder:
    """Keeps the maps of the last samplings, each with the latent it ended in, so that no picture gets another's map.

    Args:
        capacity: Number of samplings that are kept; the oldest goes first.
    """

    capacity: int = 16
    _kept: list[tuple[torch.Tensor, AttentionMaps]] = field(default_factory=list, repr=False)

    def keep(self, latent: torch.Tensor, maps: AttentionMaps) -> None:
        """Remember the maps of the sampling that ended in `latent`, which may have any shape."""
        latent = latent.detach().float().cpu().clone()
        self._kept = [entry for entry in self._kept if not _same_values(entry[0], latent)]
        self._kept = [*self._kept, (latent, maps)][-self.capacity :]

    def maps_of(self, latent: torch.Tensor) -> AttentionMaps:
        """The maps of the sampling that ended in `latent`, which may have any shape.

        Raises:
            SesaHandError: No such sampling is kept.
        """
        for kept, maps in self._kept:
            if _same_values(kept, latent):
                return maps
        raise SesaHandError(
            f"This latent of the shape {list(latent.shape)} has no attention maps: it is none of the "
            f"{len(self._kept)} that were sampled with the recorded model and are still kept. Connect the latent as it "
            "comes out of the sampler that uses the MODEL of 'Record Attention (SesaHand)', and run that sampler again "
            "(another seed will do) if ComfyUI reused its cached result."
        )


def describe_shares(maps: AttentionMaps) -> str:
    """What share of the attention the hand words got in each block, and how much more alpha gives them more."""
    if not maps.blocks:
        return "No hand words: no share of the attention was recorded."
    mean = sum(share for _, share in maps.blocks) / len(maps.blocks)
    more = ", ".join(f"{needed_alpha(mean, wanted):+.1f} for {wanted:.0%}" for wanted in (0.05, 0.2, 0.5))
    lines = [f"{name}: {share:.2%}" for name, share in maps.blocks]
    head = f"The hand words got {mean:.2%} of the attention as it was biased, on the mean of {len(lines)} blocks."
    return "\n".join([head, f"Change of alpha that would give them about as much: {more}.", "", *lines])


def _same_values(kept: torch.Tensor, latent: torch.Tensor) -> bool:
    # The latent may have been rounded to another float type on its way out of the sampler.
    return kept.shape == latent.shape and torch.allclose(
        kept.to(latent.dtype), latent.detach().cpu(), rtol=0, atol=0, equal_nan=True
    )


def show_maps(
    maps: AttentionMaps,
    images: torch.Tensor,
    start: float = 0.0,
    end: float = 1.0,
    panels: int = 1,
    stretch: bool = True,
    opacity: float = 0.7,
    on_picture: Callable[[int, int], None] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Lay the attention to the hand tokens over the pictures that were sampled.

    Args:
        maps: The maps of the sampling.
        images: `[B, H, W, 3]` in 0..1, the pictures decoded from its latent.
        start: First moment of the sampling that counts, 0..1.
        end: Last moment that counts, 0..1.
        panels: The steps are split in order into as many groups, shown side by side from left to right.
        stretch: Scale each map to 0..1 by its own extremes; else it shows the share of the attention itself.
        opacity: How much of the picture the hottest places hide, 0..1.
        on_picture: Called after each panel of each picture with how many are done and how many there are.

    Returns:
        The pictures `[B, H, W * panels, 3]` and the mean map of all these steps `[B, H, W]`, both float32 in 0..1.

    Raises:
        SesaHandError: There are too few steps in the range, or the pictures are not those of this sampling.
    """
    scale = stretched if stretch else torch.Tensor.float
    heats = [scale(share) for share in maps.average(start, end, panels)]
    _check_count(images, heats[0])
    count, height, width = images.shape[:3]
    strips = torch.empty(count, height, panels * width, 3)
    # One at a time: all at once would take several times the memory of what is shown.
    for done in range(count * panels):
        picture, panel = divmod(done, panels)
        one = slice(picture, picture + 1)
        strips[one, :, panel * width : (panel + 1) * width] = overlay(images[one], heats[panel][one], opacity)
        if on_picture is not None:
            on_picture(done + 1, count * panels)
    mean = on_grid(scale(maps.average(start, end)[0]), height, width)
    return strips, mean.contiguous()


def stretched(share: torch.Tensor) -> torch.Tensor:
    """Scale each map by its own smallest and largest value; an even map becomes 0.

    Args:
        share: `[B, h, w]`.

    Returns:
        `[B, h, w]` in 0..1.
    """
    low, high = share.amin(dim=(1, 2), keepdim=True), share.amax(dim=(1, 2), keepdim=True)
    spread = high - low
    return torch.where(spread > 1e-8, (share - low) / spread.clamp(min=1e-8), torch.zeros_like(share))


def overlay(images: torch.Tensor, heat: torch.Tensor, opacity: float = 0.7) -> torch.Tensor:
    """Lay a heat map over pictures: the hotter, the more of the colour shows.

    Args:
        images: `[B, H, W, 3]` in 0..1.
        heat: `[B, h, w]` in 0..1; resized to the pictures.
        opacity: How much of the picture the hottest places hide, 0..1.

    Returns:
        `[B, H, W, 3]` float32 in 0..1.

    Raises:
        SesaHandError: There are more or fewer maps than pictures.
    """
    _check_count(images, heat)
    heat = on_grid(heat.float().cpu(), *images.shape[1:3])
    strength = (opacity * heat)[..., None]
    return images[..., :3].float().cpu() * (1.0 - strength) + heat_color(heat) * strength


def _check_count(images: torch.Tensor, heat: torch.Tensor) -> None:
    if len(images) != len(heat):
        raise SesaHandError(
            f"Got {len(images)} pictures and attention maps of {len(heat)}. "
            "Connect the picture decoded from the same latent."
        )


def heat_color(heat: torch.Tensor) -> torch.Tensor:
    """Colours `[..., 3]` in 0..1 for heat `[...]` in 0..1, linear between the stops of `HEAT`."""
    stops = torch.tensor(HEAT)
    position = heat.clamp(0.0, 1.0) * (len(HEAT) - 1)
    index = position.floor().long().clamp(max=len(HEAT) - 2)
    return torch.lerp(stops[index], stops[index + 1], (position - index)[..., None])
