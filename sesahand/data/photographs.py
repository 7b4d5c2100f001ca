"""Photographs as image-mesh pairs: what is said of them, the hands fitted to them, their maps, and a score.

Nobody asked for the hands of a photograph, so that its score cannot say how well they were met. It says how far a
second look agrees: the hands are looked for, fitted and compared once more in the photograph's mirror image, in which a
network that errs errs otherwise.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..files.folders import inside
from ..files.pictures import read_picture
from ..files.reading import read_bytes
from ..hands.model import HandModel
from ..hands.rotations import mirror_rotation
from ..reconstruct.detection.detector import as_colour
from ..reconstruct.fitting.fit import Fitting
from ..reconstruct.reconstructing import reconstruct_hands
from ..reconstruct.reconstructor import Reconstructor
from ..reconstruct.scoring.picture_scorer import PictureScorer
from ..render.maps import COLOR_MAPS, render_maps
from ..render.overlay import shrink_view
from ..scene.camera import Camera
from ..scene.hand_scene import HandScene
from ..semantics.captions import read_caption
from ..semantics.composer import compose_batch
from ..semantics.extractor import extract_semantics
from ..semantics.posed_hands import hands_to_pose
from ..vlm.captioner import Captioner
from .record import PairFacts, storable
from .writer import PairWriter

LONGEST_PHOTOGRAPH = 512 << 20
PHOTOGRAPH = "photograph"
"""What the records of photographs name as their source."""


@dataclass(frozen=True, eq=False)
class PhotographPairs:
    """Makes pairs of photographs.

    Attributes:
        pairs: Where they go.
        scorer: Finds hands, and scores them.
        maps: Names of the condition maps that are drawn of the hands.
        hand_model: What is fitted; the built-in hand if None.
        reconstructor: What makes hands of landmarks in place of a fitting.
        vlm: Captions the photographs and reasons about captions; None takes the text file beside a photograph.
        fov: Field of view across the longer side, degrees.
        longest: Photographs are made smaller until their longer side has at most so many pixels.
        threshold: How sure a hand must be, 0 to 1.
        forearm: Draw the forearm in the maps too.
    """

    pairs: PairWriter
    scorer: PictureScorer
    maps: Sequence[str] = ("mesh", "mask")
    hand_model: HandModel | None = None
    reconstructor: Reconstructor | None = None
    vlm: Captioner | None = None
    fov: float = 40.0
    longest: int = 1024
    threshold: float = 0.5
    forearm: bool = False

    def add(self, path: Path) -> str:
        """Make a pair of one photograph, and return in words what became of it.

        Raises:
            SesaHandError: If it or its caption cannot be read, or the pair cannot be written.
        """
        key = key_of(path)
        if key in self.pairs:
            return "in the set already"
        pictures = as_colour(read_picture(path))
        scene = self._fit(pictures)
        if not len(scene):
            return f"no hand found{f': {scene.note}' if scene.note else ''}"
        scene, pictures = shrink_view(scene, pictures, self.longest)
        scored = self.scorer(pictures[0].flip(1), mirrored(scene))
        sureness = float(scene.score.mean())
        facts = replace(self._facts(path), score=scored.score, mse_2d=scored.mse_2d, detector_score=sureness)
        self.pairs.add(pictures[0], scene, facts, self._draw(scene), key)
        hands = "1 hand" if len(scene) == 1 else f"{len(scene)} hands"
        return f"{hands}, score {scored.score:.2f}"

    def _fit(self, pictures: torch.Tensor) -> HandScene:
        camera = Camera.from_fov(pictures.shape[2], pictures.shape[1], self.fov)
        landmarks = self.scorer.detector(pictures, self.threshold)
        return reconstruct_hands(landmarks, pictures, self.reconstructor or Fitting(self.hand_model, camera)).scene

    def _facts(self, path: Path) -> PairFacts:
        """What is said of a photograph; nothing where nobody says anything."""
        caption = self._caption(path)
        if not caption:
            return PairFacts(source=PHOTOGRAPH)
        batch, _ = compose_batch(extract_semantics([caption], self.vlm))
        image = batch.images[0]
        gesture = ""
        if any(hand.gesture for hand in image.hands):
            gesture = hands_to_pose(image).gestures[0][0]
        return PairFacts(image.prompt, image.behavior, gesture, source=PHOTOGRAPH, caption=storable(caption))

    def _caption(self, path: Path) -> str:
        if self.vlm is not None:
            return read_caption(str(path), self.vlm)
        # A text elsewhere may say what nobody meant to hand on with the set.
        beside = inside(path.parent, path.with_suffix(".txt").name)
        return read_caption(str(beside)) if beside.is_file() else ""

    def _draw(self, scene: HandScene) -> dict[str, torch.Tensor]:
        colored = tuple(name for name in self.maps if name in COLOR_MAPS)
        drawn = render_maps(scene, colored, antialias=True, forearm=self.forearm)
        return {name: getattr(drawn, name)[0] for name in self.maps}


def mirrored(scene: HandScene) -> HandScene:
    """Return the hands as they are seen in the mirror image of their picture: the other sides, about the middle."""
    camera = scene.camera
    x, y = camera.principal_point
    return replace(
        scene,
        camera=replace(camera, principal_point=(camera.width - x, y)),
        side=tuple("left" if side == "right" else "right" for side in scene.side),
        global_orient=mirror_rotation(scene.global_orient),
        hand_pose=mirror_rotation(scene.hand_pose),
        translation=scene.translation * scene.translation.new_tensor([-1.0, 1.0, 1.0]),
    )


def key_of(path: Path) -> str:
    """Return the key of a photograph's pair: its name as far as keys can hold it, and a mark of what is in the file.

    Raises:
        InvalidFileError: If it cannot be read.
    """
    name = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_")[:40] or PHOTOGRAPH
    return f"{name}_{hashlib.sha256(read_bytes(path, LONGEST_PHOTOGRAPH)).hexdigest()[:12]}"
