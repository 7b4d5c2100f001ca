"""What a reconstructor learns from: crops of hands with everything that is true of them, as right hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..data.hand_arrays import read_hand_file
from ..data.layout import HEADER
from ..data.several_sets import PairSets
from ..data.shards import SHARDS
from ..errors import InvalidFileError, SesaHandError
from ..hands.model import HandModel
from ..hands.rotations import mirror_rotation
from ..reconstruct.learned.hand_crops import crop_square, crop_squares
from ..scene.hand_scene import HandScene
from ..world.cache import ABOUT, SampleCache, open_samples
from ..world.synthetic import SyntheticHands
from .reconstructor_settings import HandSource

# A crop is cut wider and finer than networks see it, so that it can be moved, turned and scaled each time anew.
REACH, FINENESS = 1.5, 2
# Of smaller hands, sides of their boxes in pixels, nothing is to be learnt.
SMALLEST_HAND = 4.0


@dataclass(frozen=True, eq=False)
class TrueHand:
    """A hand in a picture as it is, in its own side's parameters.

    Attributes:
        side: "right" or "left".
        keypoints_2d: `[21, 2]` pixels.
        keypoints_3d: `[21, 3]` metres, camera's axes.
        rotations: `[16, 3, 3]`, the root's first; None where they are of another hand model than the one in use.
        betas: `[10]`, or None likewise.
    """

    side: str
    keypoints_2d: Tensor
    keypoints_3d: Tensor
    rotations: Tensor | None = None
    betas: Tensor | None = None

    @property
    def box(self) -> Tensor:
        """Around the keypoints, x0, y0, x1, y1 `[4]` in pixels."""
        return torch.cat([self.keypoints_2d.amin(0), self.keypoints_2d.amax(0)])


@dataclass(frozen=True, eq=False)
class HandCrop:
    """One crop, of a left hand mirrored: everything is a right hand's.

    Attributes:
        patch: uint8 `[3, P, P]`; `REACH` times as wide as the crop that a network sees.
        keypoints_2d: `[21, 2]` float32, halves of the crop from its middle, x right and y down.
        keypoints_3d: `[21, 3]` float32 metres from the wrist.
        rotations: `[16, 3, 3]` float32; identities where they are not known.
        betas: `[10]` float32; zeros where they are not known.
        known: Whether rotations and betas are known.
    """

    patch: Tensor
    keypoints_2d: Tensor
    keypoints_3d: Tensor
    rotations: Tensor
    betas: Tensor
    known: bool


def cut_crop(picture: Tensor, hand: TrueHand, size: int) -> HandCrop:
    """Cut a hand out of its picture.

    Args:
        picture: `[H, W, 3]` in 0..1.
        hand: A hand in it.
        size: Width and height of the crop that a network will see, pixels.
    """
    centres, sides = crop_squares(hand.box[None].double())
    centre, side = centres[0], float(sides[0])
    mirrored = hand.side == "left"
    patch = crop_square(picture, (float(centre[0]), float(centre[1])), REACH * side, mirrored, FINENESS * size)
    flip = torch.tensor([-1.0 if mirrored else 1.0, 1.0, 1.0])
    known = hand.rotations is not None and hand.betas is not None
    rotations = hand.rotations if hand.rotations is not None and known else torch.eye(3).expand(16, 3, 3)
    return HandCrop(
        (patch * 255).round().to(torch.uint8),
        ((hand.keypoints_2d.double() - centre) / (side / 2)).float() * flip[:2],
        (hand.keypoints_3d - hand.keypoints_3d[:1]).float() * flip,
        (mirror_rotation(rotations) if mirrored else rotations).float(),
        hand.betas.float() if hand.betas is not None and known else torch.zeros(10),
        known,
    )


class PictureHands:
    """The hands of some pictures as crops; cut when they are asked for, and kept as long as there is room.

    Args:
        hands_of: Gives the true hands of a picture by its number.
        picture_of: Gives a picture `[H, W, 3]` in 0..1 by its number.
        places: Picture and hand number of each sample.
        size: Width and height of the crops, pixels.
        room: Bytes that kept crops may take.
        keys: Gives what each picture is called; its number if None.
    """

    def __init__(
        self,
        hands_of: Callable[[int], Sequence[TrueHand]],
        picture_of: Callable[[int], Tensor],
        places: Sequence[tuple[int, int]],
        size: int,
        room: int = 1 << 30,
        keys: Callable[[], Sequence[str]] | None = None,
    ):
        self.hands_of, self.picture_of, self.places, self.size = hands_of, picture_of, list(places), size
        self._room = room // (3 * (FINENESS * size) ** 2)
        self._kept: dict[int, HandCrop] = {}
        self._keys = keys

    def __len__(self) -> int:
        return len(self.places)

    def names(self) -> Iterator[str]:
        """Yield what each sample is called: its picture, and which hand of it."""
        keys = None if self._keys is None else self._keys()
        return (f"{picture if keys is None else keys[picture]}/{hand}" for picture, hand in self.places)

    def __getitem__(self, index: int) -> HandCrop:
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        picture, hand = self.places[index]
        crop = cut_crop(self.picture_of(picture), self.hands_of(picture)[hand], self.size)
        if len(self._kept) < self._room:
            self._kept[index] = crop
        return crop


class PairHands:
    """Pictures and true hands of a set of image-mesh pairs.

    Args:
        pairs: The set.
        model: The hand model in use; of pairs with another one only the keypoints are known.
    """

    def __init__(self, pairs: PairSets, model: HandModel):
        self.pairs, self.model = pairs, model

    def picture(self, number: int) -> Tensor:
        """Return a picture `[H, W, 3]` in 0..1."""
        return self.pairs[number].picture.movedim(0, -1)

    def hands(self, number: int) -> list[TrueHand]:
        """Return the hands of a picture."""
        pair = self.pairs[number]
        if pair.record.hand_model == self.model.name:
            return hands_of_scene(pair.scene)
        arrays = read_hand_file(pair.path("npz"))
        points = (torch.tensor(arrays[name], dtype=torch.float32) for name in ("keypoints_2d", "keypoints_3d"))
        sides = ("right" if right else "left" for right in arrays["is_right"])
        return [TrueHand(side, *found) for side, *found in zip(sides, *points, strict=True)]


class WorldHands:
    """True hands of the rendered world's samples, worked out once each.

    Args:
        source: The samples.
    """

    def __init__(self, source: SyntheticHands):
        self.source = source
        self._kept: dict[int, list[TrueHand]] = {}

    def __call__(self, number: int) -> list[TrueHand]:
        """Return the hands of a sample."""
        if number not in self._kept:
            self._kept[number] = hands_of_scene(self.source.stage(number)[2].scene)
        return self._kept[number]


def hands_of_scene(scene: HandScene) -> list[TrueHand]:
    """Return the hands of a scene of one frame."""
    with torch.no_grad():
        keypoints = scene.pose().keypoints
    pixels = scene.camera.project(keypoints.double()).float()
    rotations = torch.cat([scene.global_orient[:, None], scene.hand_pose], 1)
    return [
        TrueHand(side, *rest) for side, *rest in zip(scene.side, pixels, keypoints, rotations, scene.betas, strict=True)
    ]


def open_hands(source: HandSource, model: HandModel, size: int, room: int = 1 << 30) -> PictureHands:
    """Open a set for the training of a reconstructor.

    Args:
        source: Which, and which of its pictures.
        model: The hand model in use.
        size: Width and height of the crops, pixels.
        room: Bytes that kept crops may take.

    Raises:
        InvalidFileError: If there is no such set, or it is damaged.
        SesaHandError: If no hand of it is left.
    """
    path = Path(source.path)
    if (path / HEADER).is_file() or (path / SHARDS).is_file():
        opened = _open_pairs(path, source, model, size, room)
    elif (path / ABOUT).is_file():
        opened = world_hands(open_samples(path), model, size, source.count, room)
    else:
        raise InvalidFileError(
            f"{path!s:.200} is neither a set of image-mesh pairs nor rendered samples. Save pairs with `sesahand "
            "generate --pairs` or the node Save Image-Mesh Pair (SesaHand)."
        )
    if not len(opened):
        raise SesaHandError(
            f"{path!s:.200} has no hand to learn from; it is empty, or all its scores are below "
            f"{source.minimum_score:g}."
        )
    return opened


def _open_pairs(path: Path, source: HandSource, model: HandModel, size: int, room: int) -> PictureHands:
    pairs = PairSets([path], [model])
    known = PairHands(pairs, model)
    places = []
    for number, pair in enumerate(pairs):
        if source.count and number >= source.count:
            break
        score = pair.facts.score
        if source.minimum_score and (score is None or score < source.minimum_score):
            continue
        for n, hand in enumerate(pair.record.hands):
            left, top, right, bottom = hand.box
            if min(right - left, bottom - top) >= SMALLEST_HAND:
                places.append((number, n))

    def keys() -> list[str]:
        return [key for each in pairs.sets for key in each.index.keys()]

    return PictureHands(known.hands, known.picture, places, size, room, keys)


def world_hands(
    rendered: SampleCache, model: HandModel, size: int, count: int = 0, room: int = 1 << 30
) -> PictureHands:
    """Return the hands of rendered samples, of the first `count` or of all.

    Raises:
        SesaHandError: If the hand model is not the built-in hand, which they show.
    """
    if rendered.source.studio.model.name != model.name:
        raise SesaHandError(
            f"Rendered samples show the built-in hand, and the hand model is {model.name!r}: set hand_model=builtin, "
            "or learn from pairs."
        )
    rendered = rendered.first(count or len(rendered))
    hands = WorldHands(rendered.source)
    seen = np.isfinite(rendered.keypoints).all((2, 3))
    places = [(int(number), int(hand)) for number, hand in np.argwhere(seen)]
    return PictureHands(hands, lambda number: as_picture(rendered.pictures[number]), places, size, room)


def as_picture(levels: np.ndarray) -> Tensor:
    """Return bytes `[H, W, 3]` as a picture `[H, W, 3]` in 0..1, float32."""
    return torch.from_numpy(np.array(levels)).float() / 255
