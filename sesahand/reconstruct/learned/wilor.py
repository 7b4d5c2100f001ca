"""WiLoR: hand tokens inside the vision transformer, then a refinement at the vertices of the hand that they tell.

Source: Potamias et al., "WiLoR: End-to-end 3D Hand Localization and Reconstruction in-the-wild" (2025); layer names as
in the published weights.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...hands.model import NUM_BETAS, NUM_JOINTS, HandModel
from .prediction import CROP_FOCAL_LENGTH, POSE_NUMBERS, Prediction, mean_of, register_mean
from .vit import COLUMNS, ROWS, ViT, ViTSize

NUM_TOKENS = NUM_JOINTS + 2


class HandViT(ViT):
    """The backbone with a token for every joint, one for the shape and one for the camera before the picture's."""

    def __init__(self, size: ViTSize):
        super().__init__(size)
        register_mean(self)
        self.pose_emb = nn.Linear(6, size.width)
        self.shape_emb = nn.Linear(NUM_BETAS, size.width)
        self.cam_emb = nn.Linear(3, size.width)
        self.decpose = nn.Linear(size.width, 6)
        self.decshape = nn.Linear(size.width, NUM_BETAS)
        self.deccam = nn.Linear(size.width, 3)

    # A ViT gives the features alone.
    def forward(self, pictures: Tensor) -> tuple[Prediction, Tensor]:  # type: ignore[override]  # see above
        """Return a first estimate and the features `[N, width, 16, 12]` of normalised pictures `[N, 3, 256, 192]`."""
        mean = mean_of(self)
        hand = torch.cat(
            [
                self.pose_emb(mean.pose.unflatten(-1, (NUM_JOINTS, 6))),
                self.shape_emb(mean.betas)[:, None],
                self.cam_emb(mean.camera)[:, None],
            ],
            1,
        )
        tokens = self.transform(torch.cat([hand.expand(len(pictures), -1, -1), self.embed(pictures)], 1))
        change = Prediction(
            self.decpose(tokens[:, :NUM_JOINTS]).flatten(1),
            self.decshape(tokens[:, NUM_JOINTS]),
            self.deccam(tokens[:, NUM_JOINTS + 1]),
        )
        features = tokens[:, NUM_TOKENS:].transpose(1, 2).unflatten(-1, (ROWS, COLUMNS))
        return change + mean, features


class FeaturePyramid(nn.Module):
    """The features at their own and at twice and four times their resolution."""

    def __init__(self, width: int):
        super().__init__()
        self.first_conv = nn.Sequential(nn.Conv2d(width, width // 2, 1))
        self.deconv = nn.ModuleList(
            [enlarge([width // 2, width // 4]), enlarge([width // 2, width // 4, width // 8])],
        )

    def forward(self, features: Tensor) -> list[Tensor]:
        """Enlarge features.

        Args:
            features: `[N, width, 16, 12]`.

        Returns:
            The finest first, each `[N, channels, h, w]`: an eighth of the channels at four times the size, a quarter at
            twice, and half at its own.
        """
        half = self.first_conv(features)
        return [self.deconv[1](half), self.deconv[0](half), half]


class RefineNet(nn.Module):
    """Corrects an estimate by the features found at its vertices."""

    def __init__(self, width: int):
        super().__init__()
        channels = width // 2 + width // 4 + width // 8
        self.deconv = FeaturePyramid(width)
        self.dec_pose = nn.Linear(channels, POSE_NUMBERS)
        self.dec_cam = nn.Linear(channels, 3)
        self.dec_shape = nn.Linear(channels, NUM_BETAS)

    def forward(self, features: Tensor, estimate: Prediction, vertices: Tensor) -> Prediction:
        """Return the corrected estimate.

        Args:
            features: Of the backbone, `[N, width, 16, 12]`.
            estimate: What is to be corrected, float32.
            vertices: Of MANO in that estimate's pose and shape, `[N, 778, 3]` metres, without translation.
        """
        found = torch.cat(
            [
                sample_at_vertices(level, project_to_level(vertices, estimate.camera, level.shape[2])).amax(2)
                for level in self.deconv(features)
            ],
            1,
        ).to(features.dtype)
        return estimate + Prediction(self.dec_pose(found), self.dec_shape(found), self.dec_cam(found)).float()


class WiLoR(nn.Module):
    """From a normalised crop of a right hand to MANO's parameters.

    Args:
        size: Sizes of the backbone; all others follow from its width, a multiple of 16.
    """

    title = "WiLoR"

    def __init__(self, size: ViTSize):
        super().__init__()
        self.backbone = HandViT(size)
        self.refine_net = RefineNet(size.width)

    def forward(self, crops: Tensor, mano: HandModel) -> Prediction:
        """Estimate hands.

        Args:
            crops: `[N, 3, 256, 256]`, normalised, as `crop_hands` makes them; 32 columns on either side go unseen.
            mano: MANO, at whose vertices the refinement looks; on the crops' device.

        Returns:
            The hands in float32.
        """
        first, features = self.backbone(crops[..., 32:-32])
        first = first.float()
        rotations = first.rotations
        posed = mano(
            rotations[:, 0],
            rotations[:, 1:],
            first.betas,
            torch.zeros_like(first.camera),
            torch.ones(len(crops), dtype=torch.bool, device=crops.device),
        )
        return self.refine_net(features, first, posed.vertices.float())


def enlarge(channels: Sequence[int]) -> nn.Sequential:
    """Return layers that double the resolution once for every change of channels."""
    layers = []
    for before, after in zip(channels[:-1], channels[1:], strict=True):
        layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)


def project_to_level(vertices: Tensor, camera: Tensor, height: int) -> Tensor:
    """Project vertices as WiLoR does before it samples features.

    Args:
        vertices: `[N, V, 3]` metres.
        camera: Weak perspective `[N, 3]`.
        height: Rows of the features.

    Returns:
        `[N, V, 2]` **in parts of the crop about its centre**, -0.5..0.5. The published code divides the focal length
        by the level's size and has no principal point, so these are not the pixels that `sample_at_vertices` takes
        them for: all vertices fall near the first pixel. The weights were trained that way, and putting it right
        would feed them features they have never seen.
    """
    depth = 2 * CROP_FOCAL_LENGTH / (height * camera[:, 0] + 1e-9)
    points = vertices + torch.stack([camera[:, 1], camera[:, 2], depth], 1)[:, None]
    return points[..., :2] / points[..., 2:] * (CROP_FOCAL_LENGTH / height)


def sample_at_vertices(features: Tensor, places: Tensor) -> Tensor:
    """Sample features `[N, C, H, W]` at places `[N, V, 2]`, x and y counted in pixels from the first one's centre.

    Returns:
        `[N, C, V]` in float32, interpolated bilinearly, zero outside.
    """
    height, width = features.shape[2:]
    last = torch.tensor([width - 1, height - 1], dtype=places.dtype, device=places.device)
    # Near -1 half precision has no digits left for places that differ by parts of a pixel.
    grid = (places / last * 2 - 1)[:, None]
    return nn.functional.grid_sample(features.float(), grid, align_corners=True)[:, :, 0]
