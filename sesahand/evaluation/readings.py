"""What is read in pictures, one figure a picture and column: by the world's reader, or by the hand detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from ..errors import SesaHandError
from ..metrics.keypoint_errors import mse_2d
from ..metrics.mask_overlap import mask_iou
from .reader.network import HEADS, UNNAMED, WorldReader, bar_of, labels_of
from .requests import Requests

if TYPE_CHECKING:
    from ..world.cache import SampleCache

# The columns that are no words, and the result of the reader's proof that settles whether they may be published.
PROOF = {
    "mask_iou": "mask_iou",
    "silhouette_iou": "mask_iou",
    "mse_2d": "keypoint_error",
    "gesture_confidence": "gesture",
    "nothing_beside": "beside",
}
# Heads whose first word says that there is none: most pictures have no object in the hand, and to draw none is no art.
OBJECTS = ("beside", "beside_color", "held", "held_color")
JUDGED = (*PROOF, *HEADS)
DETECTED = ("found", "hand_confidence", "mse_2d_detector", "score")
SMALLER_IS_BETTER = ("mse_2d", "mse_2d_detector", "fid", "denoising_loss")
TITLES = {
    "mask_iou": "mask IoU",
    "silhouette_iou": "silhouette IoU",
    "mse_2d": "MSE-2D (judge)",
    "gesture_confidence": "confidence in the gesture (judge)",
    "background": "background word",
    "background_color": "background colour",
    "beside_color": "colour of object beside",
    "beside": "object beside, where asked",
    "nothing_beside": "no object, where not asked",
    "held": "object held, where asked",
    "held_color": "colour of object held",
    "found": "hands found",
    "hand_confidence": "hand confidence (detector)",
    "mse_2d_detector": "MSE-2D (detector, where found)",
    "score": "SesaHand score",
    "fid": "FID",
    "denoising_loss": "denoising loss",
}


class RequestReader:
    """Reads pictures of the small world and compares them with what was asked for.

    Args:
        reader: A trained reader.
        samples: What was asked for, drawn.
    """

    columns = JUDGED

    def __init__(self, reader: WorldReader, samples: SampleCache):
        self.reader, self.samples = reader, samples

    def __call__(self, pictures: Tensor, indices: Sequence[int]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Read pictures `[B, S, S, 3]` in 0..1 of samples.

        Returns:
            Each column as float32 `[B]`, NaN where it does not apply; and the reader's features `[B, 192]`.
        """
        samples, reading = self.samples, self.reader.read(pictures)
        seen = reading.mask > 0.5
        columns = {
            "mask_iou": mask_iou(seen, torch.from_numpy(samples.masks[list(indices)] > 127)).numpy(),
            "silhouette_iou": mask_iou(seen, torch.from_numpy(samples.silhouettes[list(indices)] > 127)).numpy(),
            "mse_2d": self._keypoints(reading.keypoints, indices),
        }
        truth = [labels_of(samples.describe(index).attributes) for index in indices]
        for head, shares in reading.probabilities.items():
            wanted = np.array([labels[head] for labels in truth])
            right = (shares.argmax(1).numpy() == wanted).astype(np.float32)
            absent = wanted == (0 if head in OBJECTS else UNNAMED)
            columns[head] = np.where(absent, np.nan, right)
            if head == "beside":
                columns["nothing_beside"] = np.where(absent, right, np.nan)
            if head == "gesture":
                # How sure a classifier is of anything at all says nothing: of noise it is sure as well.
                share = shares[torch.arange(len(wanted)), torch.from_numpy(wanted)].numpy()
                columns["gesture_confidence"] = np.where(wanted == UNNAMED, np.nan, share)
        return {name: values.astype(np.float32) for name, values in columns.items()}, reading.features.numpy()

    def _keypoints(self, found: Tensor, indices: Sequence[int]) -> np.ndarray:
        truth = torch.from_numpy(np.array(self.samples.keypoints[list(indices)]))
        # Of two hands the reader gives no keypoints that mean anything.
        single = truth[:, 0].isfinite().all((1, 2)) & truth[:, 1, 0, 0].isnan() if truth.ndim == 4 else None
        wanted = truth[:, 0].nan_to_num()
        size = (wanted.amax(1) - wanted.amin(1)).amax(1).clamp(min=1e-6)
        return torch.where(cast(Tensor, single), mse_2d(found, wanted, size), torch.nan).numpy()

    def trusted(self) -> dict[str, bool]:
        """Which columns may be published: those whose reading passed its bar on held-out renders."""
        passed = self.reader.trusted
        return {column: passed.get(PROOF.get(column, column), False) for column in JUDGED}

    def reason(self, column: str) -> str:
        """Why a column is not published."""
        proof = PROOF.get(column, column)
        value = self.reader.facts.get("results", {}).get(proof)
        said = "the reader's file does not say how well it reads it" if value is None else f"the reader has {value:.3f}"
        return f"{TITLES.get(column, column)}: {said}, its bar is {bar_of(proof):g}"


class DetectorReader:
    """Finds, fits and compares hands as users' pictures are judged; small pictures are enlarged.

    Args:
        requests: What was asked for.
        detector: The folder of the detector's files; None looks where `get-detector` puts them.
    """

    columns = DETECTED

    def __init__(self, requests: Requests, detector: str | Path | None = None):
        from ..reconstruct.scoring.picture_scorer import PictureScorer

        self.requests, self.scorer = requests, PictureScorer(detector)

    def __call__(self, pictures: Tensor, indices: Sequence[int]) -> tuple[dict[str, np.ndarray], None]:
        """Read pictures `[B, S, S, 3]` in 0..1 of samples; a picture without hands has confidence 0 and no MSE-2D."""
        rows = []
        for picture, index in zip(pictures, indices, strict=True):
            judged = self.scorer(picture, self.requests.scene(index))
            confidence = float(judged.found.score.max()) if len(judged.found) else 0.0
            error = judged.mse_2d
            rows.append((float(len(judged.found) > 0), confidence, np.nan if error is None else error, judged.score))
        values = np.array(rows, np.float32).reshape(len(rows), len(DETECTED))
        return dict(zip(DETECTED, values.T, strict=True)), None


class FeatureReader:
    """Gives the features of a network of somebody's choice; see `features.load_extractor`."""

    columns = ()

    def __init__(self, extractor):
        self.extractor = extractor

    def __call__(self, pictures: Tensor, indices: Sequence[int]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Read pictures `[B, S, S, 3]` in 0..1."""
        return {}, self.extractor(pictures)


class Readers:
    """Several readers as one; the features are those of the last that has any.

    Args:
        readers: At least one.
    """

    def __init__(self, readers: Sequence):
        if not readers:
            raise SesaHandError(
                "Nobody reads the pictures: name a reader of the world, a detector or a feature extractor."
            )
        self.readers = list(readers)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of all."""
        return tuple(column for reader in self.readers for column in reader.columns)

    def __call__(self, pictures: Tensor, indices: Sequence[int]) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Read pictures `[B, S, S, 3]` in 0..1 of samples."""
        columns: dict[str, np.ndarray] = {}
        features = None
        for reader in self.readers:
            own, described = reader(pictures, indices)
            columns |= own
            features = features if described is None else described
        return columns, features
