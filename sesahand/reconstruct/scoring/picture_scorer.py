"""Judging generated pictures: find their hands, fit them, and compare them with those that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ...errors import SesaHandError
from ...render.rasterizer import NEAR
from ...scene.hand_scene import HandScene
from ..detection.detector import HandDetector, load_detector
from ..fitting.fit import fit_usable_hands
from ..landmarks import HandLandmarks, join_landmarks
from .score import HandScores, score_hands

# Hands in small pictures are found in an enlargement; the detector's own squares are of 192 and 224 pixels.
LEAST_SIDE = 384
# Whether a hand is the right one is often not to be seen in small pictures: a side of which the detector is less sure
# than this is taken to be the one that was asked for.
SURE_OF_SIDE = 0.85
# Where hands were asked for, hands are to be expected: less sureness is asked of the detector than of photographs.
THRESHOLD = 0.2


@dataclass(frozen=True, eq=False)
class PictureScore:
    """What was found in one picture.

    Attributes:
        found: The fitted hands at the picture's size.
        scores: Against the hands that were asked for.
    """

    found: HandScene
    scores: HandScores

    @property
    def score(self) -> float:
        """Of the picture, 0 to 1."""
        return self.scores.pictures[0]

    @property
    def detector_score(self) -> float | None:
        """Mean confidence of the detector in the hands, or None without any."""
        return float(self.found.score.mean()) if len(self.found) else None

    @property
    def doubt(self) -> float | None:
        """Of the least sure hand that was found; see `HandScene.largest_doubt`."""
        return self.found.largest_doubt

    @property
    def mse_2d(self) -> float | None:
        """Mean over the hands that were found of those that were asked for, in squared sizes of the hand; or None."""
        pairs = self.scores.pairs
        return sum(pair.mse_2d for pair in pairs) / len(pairs) if pairs else None


class PictureScorer:
    """Finds, fits and compares hands.

    Args:
        detector: Where the detector's files are; None looks where `get-detector` puts them.

    Raises:
        InvalidFileError: If the files are missing; the message names the command that gets them.
    """

    def __init__(self, detector: str | Path | None = None):
        self.detector: HandDetector = load_detector(detector)

    def __call__(self, picture: Tensor, requested: HandScene) -> PictureScore:
        """Score one picture `[H, W, 3]` of 0..1 against the hands of one frame, whose camera took it."""
        return self.score_all([picture], [requested])[0]

    @torch.no_grad()
    def score_all(self, pictures: Sequence[Tensor], requested: Sequence[HandScene]) -> list[PictureScore]:
        """Score some pictures by one camera, whose hands are fitted together, which takes less time.

        Args:
            pictures: `[H, W, 3]` of 0..1 each.
            requested: The hands of each, one frame, all of one hand model and before one camera.

        Raises:
            SesaHandError: If the cameras or hand models differ.
        """
        camera, model = requested[0].camera, requested[0].model
        if any(scene.camera != camera or scene.model is not model for scene in requested):
            raise SesaHandError("Pictures of several cameras or hand models are not scored together: score each alone.")
        factor = max(1, -(-LEAST_SIDE // min(camera.width, camera.height)))
        large = [scene.resized(factor * camera.width, factor * camera.height) for scene in requested]
        landmarks = self._look(torch.stack([*pictures]), large, factor)
        found = fit_usable_hands(landmarks, model, large[0].camera).scene.resized(camera.width, camera.height)
        each = [found] if len(large) == 1 else [found.select_frames([frame]) for frame in range(len(large))]
        return [PictureScore(*row) for row in zip(each, map(score_hands, requested, each), strict=True)]

    def _look(self, pictures: Tensor, requested: Sequence[HandScene], factor: int) -> HandLandmarks:
        """Find the hands of pictures `[F, H, W, 3]` in an enlargement by a whole factor, as `requested` is."""
        shown = torch.nn.functional.interpolate(
            pictures.movedim(-1, 1), scale_factor=factor, mode="bicubic", antialias=False
        )
        # Hundreds of pictures are scored whose hands are neither small nor many.
        landmarks = self.detector(
            shown.movedim(1, -1).clamp(0, 1),
            threshold=THRESHOLD,
            quick=True,
            expected=[_visible_keypoints(scene) for scene in requested],
        )
        each = (landmarks.select(landmarks.frame == frame) for frame in range(len(requested)))
        return join_landmarks(
            [
                replace(with_asked_sides(found, scene.side, _keypoints(scene)), num_frames=1, frame=0 * found.frame)
                for found, scene in zip(each, requested, strict=True)
            ]
        )


def with_asked_sides(landmarks: HandLandmarks, sides: Sequence[str], expected: Tensor) -> HandLandmarks:
    """Give hands of doubtful side the side that was asked for at their place.

    Args:
        landmarks: Of one picture.
        sides: "right" or "left" of each of K hands that were asked for.
        expected: Their keypoints `[K, 21, 2]`, pixels; NaN behind the camera.

    Returns:
        The landmarks; where a side changes, depths are reversed, as the two sides look alike but for that.
    """
    if not len(landmarks.side) or not len(sides):
        return landmarks
    distance = (landmarks.keypoints_2d[:, None] - expected[None]).norm(dim=-1).mean(-1)
    nearest = distance.nan_to_num(torch.inf).argmin(1).tolist()
    asked = [sides[index] for index in nearest]
    kept = [
        own if float(sure) >= SURE_OF_SIDE else wanted
        for own, wanted, sure in zip(landmarks.side, asked, landmarks.side_score, strict=True)
    ]
    turned = torch.tensor([own != now for own, now in zip(landmarks.side, kept, strict=True)])
    points = landmarks.keypoints_3d.clone()
    points[turned, :, 2] *= -1
    return replace(landmarks, side=tuple(kept), keypoints_3d=points)


def _keypoints(scene: HandScene) -> Tensor:
    """Keypoints `[N, 21, 2]` in pixels, float32; NaN for hands behind the camera."""
    points = scene.pose().keypoints.double().cpu()
    ahead = (points[..., 2] > NEAR).all(1)
    points = points.where(ahead[:, None, None], torch.ones_like(points))
    return scene.camera.project(points).where(ahead[:, None, None], torch.tensor(torch.nan, dtype=points.dtype)).float()


def _visible_keypoints(scene: HandScene) -> Tensor:
    """Keypoints `[K, 21, 2]` of the hands whose middle is in the picture, in pixels."""
    points = _keypoints(scene)
    middle, edge = points.mean(1), points.new_tensor([scene.camera.width, scene.camera.height])
    return points[((middle >= 0) & (middle < edge)).all(1)]
