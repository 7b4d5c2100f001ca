"""What a reconstructor is trained on, what it is, and what it learns: tables of its configuration."""

import dataclasses
from dataclasses import dataclass

from ..errors import SesaHandError, quote
from ..reconstruct.learned.regressor import CONVOLUTIONS, VISION
from .ranges import check_range


@dataclass(frozen=True)
class HandSource:
    """One of the sets that a reconstructor learns from.

    Attributes:
        path: A folder of image-mesh pairs, or of samples that `sesahand render-samples` drew.
        share: How often it is drawn from, against the other sets' shares.
        minimum_score: Pairs with a lower score, or with none, are left out; 0 takes all.
        count: Only so many pictures, from the first on; 0 takes all.
    """

    path: str = ""
    share: float = 1.0
    minimum_score: float = 0.0
    count: int = 0

    def __post_init__(self):
        check_range("share", self.share, 1e-6, 1e6)
        check_range("minimum_score", self.minimum_score, 0, 1)
        check_range("count", self.count, 0, 10**9)
        if not self.path:
            raise SesaHandError("A set has no path: name a folder of image-mesh pairs.")


@dataclass(frozen=True)
class HandData:
    """What a reconstructor learns from, and is looked at with.

    Attributes:
        sets: The sets with their shares.
        held_out: Other sets, of which the error is told while it trains.
        keep_megabytes: Crops are cut once and kept, as long as they take no more memory than this.
    """

    sets: tuple[HandSource, ...] = ()
    held_out: tuple[HandSource, ...] = ()
    keep_megabytes: int = 1024

    def __post_init__(self):
        check_range("keep_megabytes", self.keep_megabytes, 0, 10**6)


@dataclass(frozen=True)
class Backbone:
    """The project's own hand network; of a file that is gone on from, the file's own is taken.

    Attributes:
        kind: "convolutions", a small network; or "vision", one of transformers.
        size: Width and height of the crops, pixels.
        widths: Channels of the convolutions; each stage halves the picture.
        hidden: Channels of the layer before the answer.
        folder: Of the vision network: its config.json, and its weights if there are any; else they start at random.
    """

    kind: str = CONVOLUTIONS
    size: int = 64
    widths: tuple[int, ...] = (32, 64, 96, 128, 160)
    hidden: int = 256
    folder: str = ""

    def __post_init__(self):
        object.__setattr__(self, "widths", tuple(self.widths))
        if self.kind not in (CONVOLUTIONS, VISION):
            raise SesaHandError(f"backbone.kind is {quote(self.kind)}; choose convolutions or vision.")
        if (self.kind == VISION) != bool(self.folder):
            raise SesaHandError("backbone.folder names the folder of a vision network; kind=vision needs it.")


@dataclass(frozen=True)
class Augmentation:
    """How crops are changed anew each time that they are seen.

    Attributes:
        shift: The hand moves by up to so many halves of the crop.
        scale: It is larger or smaller by up to this part.
        turn: It is turned in the picture by up to so many degrees.
        color: Each colour is brighter or darker by up to this part.
        light: All colours together are, by up to so much of white.
        noise: Deviation of the grain, in parts of white.
        hidden: Share of the crops in which a random square of up to half a side is gray.
    """

    shift: float = 0.12
    scale: float = 0.15
    turn: float = 20.0
    color: float = 0.25
    light: float = 0.08
    noise: float = 0.02
    hidden: float = 0.0

    def __post_init__(self):
        for name, most in (("shift", 1), ("scale", 0.5), ("turn", 180), ("color", 1), ("light", 1), ("noise", 1)):
            check_range(name, getattr(self, name), 0, most)
        check_range("hidden", self.hidden, 0, 1)


@dataclass(frozen=True)
class HandLosses:
    """How much each part of a reconstructor's loss counts; 0 leaves it out.

    Attributes:
        keypoints_3d: Mean distance of the keypoints from the wrist's, decimetres.
        keypoints_2d: Mean distance of the keypoints in the crop, halves of its side.
        rotations: Mean squared difference of the joints' rotation matrices.
        betas: Mean squared difference of the shape.
        vertices: Mean distance of the vertices from the wrist's, decimetres.
    """

    keypoints_3d: float = 1.0
    keypoints_2d: float = 0.5
    rotations: float = 0.5
    betas: float = 0.01
    vertices: float = 0.5

    def __post_init__(self):
        values = [getattr(self, each.name) for each in dataclasses.fields(self)]
        for each, value in zip(dataclasses.fields(self), values, strict=True):
            check_range(each.name, value, 0, 1e6)
        if not any(values):
            raise SesaHandError("All losses are 0, so that nothing would be learnt; give one of them a weight.")
