"""How far points are from a surface of triangles, looked up in a grid that is filled once.

Near the surface the nodes of the grid hold the distance to the nearest triangle, elsewhere that to the nearest of the
surface's points that their neighbours know (jump flooding; Rong and Tan, 2006). A node is inside where the surface
winds around it, as the lines through it along at least two of the three axes say, so that a hole does not turn the rest
inside out.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

NODES = 64
"""Along the longest side of the surface's box."""
MARGIN = 3
# Nodes so far from a triangle's box, in steps of the grid, are compared with the triangle itself.
BAND = 2
# Pairs of node and triangle that are compared at once, and in all: a few seconds of work.
AT_ONCE, MOST_PAIRS = 1 << 19, 1 << 24
# Of one step to the next that is tried.
COARSER = 1.25


@dataclass(frozen=True, eq=False)
class DistanceGrid:
    """Signed distances at the nodes of a grid.

    Attributes:
        low: The first node `[3]`, metres.
        step: From node to node, metres.
        values: `[X, Y, Z]`, metres, negative inside.
    """

    low: Tensor
    step: float
    values: Tensor

    @classmethod
    def of(cls, triangles: Tensor) -> "DistanceGrid":
        """Fill a grid around triangles `[T, 3, 3]`, metres, float32."""
        low, high = triangles.amin((0, 1)), triangles.amax((0, 1))
        step = float((high - low).max()) / NODES
        # Large triangles in their thousands meet all nodes each; a coarser grid then does.
        while _pairs_of(triangles, low, step, BAND).prod(1).sum() > MOST_PAIRS:
            step *= COARSER
        low = low - MARGIN * step
        size = tuple(((high - low) / step + MARGIN + 1).ceil().long().tolist())
        nearest = _flooded(_nearest_points(triangles, low, step, size), low, step)
        nodes = _nodes(size, low, step)
        distance = (nearest - nodes).norm(dim=-1)
        winds = torch.stack([_winds_around(triangles, low, step, size, axis) for axis in range(3)])
        inside = winds.sum(0) >= 2
        return cls(low, step, torch.where(inside, -distance, distance))

    def distance(self, points: Tensor) -> Tensor:
        """Return the signed distance `[...]` in metres from points `[..., 3]`, metres; outside the grid by its edge."""
        size = torch.tensor(self.values.shape).to(points)
        low = self.low.to(points)
        within = torch.minimum(torch.maximum((points - low) / self.step, size.new_zeros(3)), size - 1)
        beyond = (points - (low + within * self.step)).norm(dim=-1)
        # In the order of the sampler's: the last axis first.
        places = (2 * within / (size - 1) - 1).flip(-1).reshape(1, 1, 1, -1, 3)
        values = self.values.to(points)[None, None]
        found = torch.nn.functional.grid_sample(values, places, align_corners=True, padding_mode="border")
        return found.reshape(points.shape[:-1]) + beyond


def _nodes(size: tuple[int, ...], low: Tensor, step: float) -> Tensor:
    axes = [low[k] + step * torch.arange(count) for k, count in enumerate(size)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def _pairs_of(triangles: Tensor, low: Tensor, step: float, band: int) -> Tensor:
    """Return how many nodes each triangle's box spans along the axes, `[T, 3]`, with a band around it."""
    first = ((triangles.amin(1) - low) / step).floor() - band + 1
    last = ((triangles.amax(1) - low) / step).ceil() + band - 1
    return (last - first + 1).long()


def _boxes(low: Tensor, high: Tensor, size: tuple[int, ...]):
    """Yield, in parts, which node (flat ids) is in which box; both are nodes `[T, K]`, their bounds included."""
    limit = torch.tensor(size)
    low, high = low.clamp(min=0), torch.minimum(high, limit - 1)
    spans = (high - low + 1).clamp(min=0)
    counts = spans.prod(1)
    ends = counts.cumsum(0)
    total, start = int(ends[-1]), 0
    while start < total:
        pairs = torch.arange(start, min(start + AT_ONCE, total))
        owner = torch.searchsorted(ends, pairs, right=True)
        rest, ids, below = pairs - (ends[owner] - counts[owner]), torch.zeros_like(pairs), 1
        for k in reversed(range(len(size))):
            ids = ids + below * (low[owner, k] + rest % spans[owner, k])
            rest, below = rest // spans[owner, k], below * size[k]
        yield owner, ids
        start += AT_ONCE


def _nearest_points(triangles: Tensor, low: Tensor, step: float, size: tuple[int, ...]) -> Tensor:
    """Return for nodes near the surface its nearest point, `[X, Y, Z, 3]` metres; far away for others."""
    nodes = _nodes(size, low, step).view(-1, 3)
    least = torch.full((len(nodes),), torch.inf)
    nearest = torch.full((len(nodes), 3), 1e6)
    first = ((triangles.amin(1) - low) / step).floor().long() - BAND + 1
    last = ((triangles.amax(1) - low) / step).ceil().long() + BAND - 1
    for owner, ids in _boxes(first, last, size):
        found = _closest_points(nodes[ids], triangles[owner])
        distance = (found - nodes[ids]).norm(dim=-1)
        before = least.clone()
        least.scatter_reduce_(0, ids, distance, "amin")
        better = (distance == least[ids]) & (distance < before[ids])
        nearest[ids[better]] = found[better]
    return nearest.view(*size, 3)


def _closest_points(points: Tensor, triangles: Tensor) -> Tensor:
    """Return the point of each triangle `[P, 3, 3]` that is nearest to its point `[P, 3]`."""
    a, b, c = triangles.unbind(1)
    normal = torch.linalg.cross(b - a, c - a)
    inside = torch.ones(len(points), dtype=torch.bool)
    best, least = a, torch.full((len(points),), torch.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        edge, offset = end - start, points - start
        inside &= (torch.linalg.cross(edge, normal) * offset).sum(-1) <= 0
        along = ((offset * edge).sum(-1) / (edge * edge).sum(-1).clamp(min=1e-20)).clamp(0, 1)
        found = start + along[:, None] * edge
        distance = (points - found).square().sum(-1)
        closer = distance < least
        best, least = torch.where(closer[:, None], found, best), torch.where(closer, distance, least)
    unit = torch.nn.functional.normalize(normal, dim=-1)
    over = points - ((points - a) * unit).sum(-1, keepdim=True) * unit
    # A triangle without area has no inside.
    return torch.where((inside & (normal.norm(dim=-1) > 1e-14))[:, None], over, best)


def _flooded(nearest: Tensor, low: Tensor, step: float) -> Tensor:
    """Let nodes learn the nearest points of the surface from nodes that know one, `[X, Y, Z, 3]` metres."""
    size = nearest.shape[:3]
    nodes = _nodes(tuple(size), low, step)
    least = (nearest - nodes).square().sum(-1)
    jump = 1 << (max(size) - 1).bit_length() - 1
    while jump:
        for axis in range(3):
            for sign in (1, -1):
                if jump >= size[axis]:
                    continue
                here, there = (
                    tuple(part if k == axis else slice(None) for k in range(3))
                    for part in ((slice(jump, None), slice(None, -jump))[::sign])
                )
                heard = nearest[there]
                distance = (heard - nodes[here]).square().sum(-1)
                closer = distance < least[here]
                nearest[here] = torch.where(closer[..., None], heard, nearest[here])
                least[here] = torch.where(closer, distance, least[here])
        jump //= 2
    return nearest


def _winds_around(triangles: Tensor, low: Tensor, step: float, size: tuple[int, ...], axis: int) -> Tensor:
    """Return for each node whether the surface winds around it, counted on the lines along an axis, int `[X, Y, Z]`."""
    order = [k for k in range(3) if k != axis] + [axis]
    # No line runs through a vertex or along an edge: they are a little beside the nodes, by no round number.
    aside = step * torch.tensor([0.0137, 0.0071])
    corners = triangles[..., order].double()
    corners[..., :2] -= aside.double()
    around, along = [size[k] for k in order[:2]], size[axis]
    start = low[order].double()
    flat, height = (corners[..., :2] - start[:2]) / step, (corners[..., 2] - start[2]) / step
    count = torch.zeros(around[0] * around[1], along + 1)
    first, last = flat.amin(1).ceil().long(), flat.amax(1).floor().long()
    for owner, ids in _boxes(first, last, tuple(around)):
        place = torch.stack([ids // around[1], ids % around[1]], -1).double()
        a, b, c = flat[owner].unbind(1)
        weights = torch.stack([_cross(c - b, place - b), _cross(a - c, place - c), _cross(b - a, place - a)], -1)
        area = weights.sum(-1)
        hit = (weights * area.sign()[:, None] > 0).all(-1)
        at = (weights * height[owner]).sum(-1)[hit] / area[hit]
        above = at.ceil().clamp(0, along).long()
        signs = area[hit].sign().float()
        count.view(-1).scatter_add_(0, ids[hit] * (along + 1) + above, signs)
    winding = count.cumsum(1)[:, :along].view(*around, along)
    inside = (winding.abs() > 0.5).int()
    return inside.permute([order.index(k) for k in range(3)])


def _cross(first: Tensor, second: Tensor) -> Tensor:
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
