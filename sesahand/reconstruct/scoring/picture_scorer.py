"""Judging generated pictures: find their hands, fit them, and compare them with those that were asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...scene.hand_scene import HandScene
from ..detection.detector import HandDetector, load_detector
from ..fitting.fit import fit_usable_hands
from .score import HandScores, score_hands

# Hands in small pictures are found in an enlargement; the detector's own squares are of 192 and 224 pixels.
LEAST_SIDE = 384
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

    @torch.no_grad()
    def __call__(self, picture: Tensor, requested: HandScene) -> PictureScore:
        """PictureScorer one picture `[H, W, 3]` of 0..1 against the hands of one frame, whose camera took it."""
        size = requested.camera.width, requested.camera.height
        factor = max(1, -(-LEAST_SIDE // min(size)))
        large = requested.resized(factor * size[0], factor * size[1])
        shown = torch.nn.functional.interpolate(
            picture.movedim(-1, 0)[None], scale_factor=factor, mode="bicubic", antialias=False
        )
        # Hundreds of pictures are scored whose hands are neither small nor many.
        landmarks = self.detector(shown[0].movedim(0, -1)[None].clamp(0, 1), threshold=THRESHOLD, quick=True)
        found = fit_usable_hands(landmarks, requested.model, large.camera).scene.resized(*size)
        return PictureScore(found, score_hands(requested, found))
