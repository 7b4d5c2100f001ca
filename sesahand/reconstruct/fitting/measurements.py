"""What was seen of hands, and how badly a state of the hand model explains it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...scene.camera import Camera
from ..landmarks import NUM_KEYPOINTS, HandLandmarks
from .keypoint_model import NUM_PARAMETERS, HandState, KeypointModel
from .least_squares import Terms

# Standard deviations expected of a detector: in the picture as a share of the hand's box, in space in metres.
NOISE_2D, NOISE_3D = 0.015, 0.012
# The middle of a wrist is less certain than a knuckle, and detectors put it elsewhere than hand models do.
WRIST_WEIGHT = 0.5
# Beyond so many standard deviations a point in the picture counts as an outlier, and its pull grows no further.
HUBER = 2.5
# A point nearer to the camera than this (metres), or behind it, cannot be what was seen.
NEAREST = 0.02


@dataclass(frozen=True, eq=False)
class Measurements:
    """Keypoints of B hands, all seen as right hands, float64.

    Attributes:
        rays: `[B, 21, 2]`: x / z and y / z of the points; 0 where unknown.
        weight_2d: `[B, 21]`: 0 where unknown.
        points: `[B, 21, 3]` metres, up to a translation of the hand; 0 where unknown.
        weight_3d: `[B, 21]`: 0 where unknown.
        noise_2d: Standard deviation of rays `[B]`.
    """

    rays: Tensor
    weight_2d: Tensor
    points: Tensor
    weight_3d: Tensor
    noise_2d: Tensor

    def select(self, index: Tensor) -> "Measurements":
        """Return the measurements of an index, numbers `[K]` or bool `[B]`."""
        return Measurements(**{name: value[index] for name, value in vars(self).items()})

    @classmethod
    def of(cls, landmarks: HandLandmarks, camera: Camera) -> "Measurements":
        """Return what landmarks say, left hands mirrored at the plane x = 0."""
        pixels, points = landmarks.keypoints_2d.cpu().double(), landmarks.keypoints_3d.cpu().double()
        mirror = torch.tensor([1.0 if side == "right" else -1.0 for side in landmarks.side], dtype=torch.float64)
        known_2d, known_3d = torch.isfinite(pixels).all(-1), torch.isfinite(points).all(-1)
        weight = torch.ones(NUM_KEYPOINTS, dtype=torch.float64)
        weight[0] = WRIST_WEIGHT

        rays = (pixels - pixels.new_tensor(camera.principal_point)) / camera.focal_length
        rays = torch.where(known_2d[..., None], rays, 0.0)
        points = torch.where(known_3d[..., None], points, 0.0)
        rays[..., 0] *= mirror[:, None]
        points[..., 0] *= mirror[:, None]
        size = box_size(pixels, known_2d)
        return cls(rays, weight * known_2d, points, weight * known_3d, NOISE_2D * size / camera.focal_length)


def box_size(pixels: Tensor, known: Tensor) -> Tensor:
    """Return the longer side of the axis-aligned box around the known points of each hand.

    Args:
        pixels: `[N, 21, 2]`, or `[N, 21, 3]` in any other unit.
        known: Bool `[N, 21]`.

    Returns:
        `[N]` in the unit of the points; 0 for a hand without known ones.
    """
    inf = torch.full_like(pixels, torch.inf)
    spread = torch.where(known[..., None], pixels, -inf).amax(1) - torch.where(known[..., None], pixels, inf).amin(1)
    return torch.where(known.any(1), spread.amax(1), 0.0)


def data_terms(seen: Measurements, model: KeypointModel, state: HandState, noise: Tensor) -> tuple[Terms, Tensor]:
    """Return the terms of measurements, and their sum of squares without robust down-weighting `[B]`.

    Args:
        seen: Of B hands.
        model: Gives the keypoints.
        state: B hands.
        noise: Factor on the expected standard deviations `[B]`.

    Returns:
        The terms, in standard deviations; the cost is infinite for a hand that comes too near to the camera. The sum
        of squares takes every residual times the weight that the Huber loss gives it.

    Source: Huber, "Robust Estimation of a Location Parameter" (1964), on the distance of a point in the picture, by
    iteratively reweighted least squares.
    """
    points, jacobian = model.linearise(state)
    depth = points[..., 2:].clamp(min=NEAREST)
    sigma = seen.noise_2d * noise
    root = seen.weight_2d.sqrt() / sigma[:, None]
    off = (points[..., :2] / depth - seen.rays) * root[..., None]
    distance = off.norm(dim=-1)
    robust = (HUBER / distance.clamp(min=HUBER)).sqrt()
    cost = torch.where(distance <= HUBER, distance**2, HUBER * (2 * distance - HUBER)).sum(1)
    # d(x / z) = (dx - x / z dz) / z
    by_step = jacobian[..., :2, :] - (points[..., :2] / depth)[..., None] * jacobian[..., 2:, :]
    by_step = by_step / depth[..., None] * (robust * root)[..., None, None]
    off = off * robust[..., None]

    sigma = NOISE_3D * noise
    weight = seen.weight_3d
    share = weight / weight.sum(1, keepdim=True).clamp(min=1e-9)
    apart = points - seen.points
    apart = apart - (share[..., None] * apart).sum(1, keepdim=True)
    apart = apart * (weight.sqrt() / sigma[:, None])[..., None]
    bent = jacobian - torch.einsum("np,npcq->ncq", share, jacobian)[:, None]
    bent = bent * (weight.sqrt() / sigma[:, None])[..., None, None]

    residual = torch.cat([off.flatten(1), apart.flatten(1)], 1)
    derivative = torch.cat([by_step.flatten(1, 2), bent.flatten(1, 2)], 1).view(len(state), -1, NUM_PARAMETERS)
    cost = cost + apart.square().sum((1, 2))
    cost = torch.where((points[..., 2] < NEAREST).any(1), torch.inf, cost)
    gradient = (derivative.mT @ residual[..., None])[..., 0]
    return Terms(cost, gradient, derivative.mT @ derivative), residual.square().sum(1)
