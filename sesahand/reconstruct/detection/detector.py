"""Find hands in pictures: MediaPipe's palm and hand-landmark networks, run with torch.

The palm network looks at the whole picture. The landmark network looks at a turned square around each palm, and once
more, also at its mirror image, at a square that fits the landmarks it found. With tiles, the palm network also looks at
parts of the picture, in which small hands are large enough for it; such a hand must look the same in the mirror.

Source: MediaPipe's `hand_landmark` graphs (Apache-2.0) for the squares and the meaning of the networks' outputs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from ...callbacks import Progress
from ...errors import InvalidFileError, SesaHandError
from ..landmarks import NUM_KEYPOINTS, HandLandmarks
from .crops import Picture, to_picture, to_square, turn, upright_angle
from .detector_files import LANDMARK_FILE, PALM_FILE, find_detector_folder
from .external import HandBox
from .network import Network
from .palms import NUM_ANCHORS, NUM_POINTS, NUM_VALUES, Palms, add_palms, decode_palms, join_palms, merge_palms
from .tflite import read_tflite

PALM_OUTPUTS = [(1, NUM_ANCHORS, NUM_VALUES), (1, NUM_ANCHORS, 1)]
LANDMARK_OUTPUTS = [(1, 3 * NUM_KEYPOINTS), (1, 1), (1, 1), (1, 3 * NUM_KEYPOINTS)]
CROPS_AT_ONCE = 8
MAX_PALMS = 64

# The landmarks from which the square of a second look is made: the wrist, the thumb but for its tip, and the two lower
# joints of each finger. The tips move too much.
STEADY = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
SECOND_SCALE, SECOND_SHIFT = 2.0, 0.1
# Two hands whose landmarks lie closer on average than this part of the smaller one's box are one hand found twice.
SAME_HAND = 0.15

# The networks put a fingertip on the nail. The finger ends further out, by this part of the last bone they see: the
# median over 164 fingertips of rendered hands (quartiles 0.3 and 0.5). Without it, fitted hands have short fingers.
TIPS, LAST_JOINTS = [4, 8, 12, 16, 20], [3, 7, 11, 15, 19]
TIP_REACH = 0.37

# Where hands cross, the landmark network may follow one of them from both palms. A palm that points elsewhere than the
# hand found from it, by more than this angle, is looked at again from squares turned by these angles.
ELSEWHERE = math.radians(60)
SECOND_CHANCES = (-0.6, 0.6)

# Tiles are this part of the picture's longer side, and overlap by half.
TILE_PARTS = (2, 4)
SMALLEST_TILE = 128
# What a hand that only a tile shows needs: scores, a size in pixels, landmarks and side that the mirror image confirms
# (distance as a part of the hand, difference of probabilities), and a place that is not mostly a better hand's.
TILE_SCORE, TILE_SIZE = 0.5, 32
MIRROR_DISTANCE, MIRROR_SIDE = 0.1, 0.3
LARGEST_SHARE = 0.7

# A box around a hand is looked at enlarged, and turned in steps of an eighth; the best of these angles are followed up.
BOX_SCALE = 1.25
BOX_ANGLES = 8
FOLLOWED_ANGLES = 2


@dataclass(frozen=True, eq=False)
class Looks:
    """What the landmark network says about K squares.

    Attributes:
        keypoints_2d: `[K, 21, 2]` pixels of the picture.
        keypoints_3d: `[K, 21, 3]` metres in the camera's axes.
        score: Confidence that there is a hand, `[K]`.
        right: Probability that it is a right hand, `[K]`.
        stable: Whether the mirror images, if they were looked at, show the same, bool `[K]`.
    """

    keypoints_2d: Tensor
    keypoints_3d: Tensor
    score: Tensor
    right: Tensor
    stable: Tensor

    def select(self, index) -> "Looks":
        """Return only some of them."""
        return Looks(*(getattr(self, field.name)[index] for field in fields(self)))


def join_looks(parts: list[Looks]) -> Looks:
    """Put looks at one picture into one list."""
    return Looks(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Looks)))


class HandDetector(nn.Module):
    """Finds hands in pictures. The same picture always gives the same hands."""

    def __init__(self, palm: Network, landmark: Network):
        """Take the two networks.

        Raises:
            InvalidFileError: If one of them takes or returns something else than MediaPipe's.
        """
        super().__init__()
        for name, network, outputs in (("palm", palm, PALM_OUTPUTS), ("landmark", landmark, LANDMARK_OUTPUTS)):
            batch, height, width, channels = (*network.input_shape, 0, 0, 0, 0)[:4]
            if network.output_shapes != outputs or (batch, channels) != (1, 3) or height != width:
                raise InvalidFileError(
                    f"The {name} network takes {network.input_shape} and gives {network.output_shapes}, expected a "
                    f"square picture and {outputs}. Get it again with `python -m sesahand get-detector`."
                )
        self.palm, self.landmark = palm, landmark

    @torch.no_grad()
    def forward(
        self,
        pictures: Tensor,
        threshold: float = 0.5,
        tiled: bool = False,
        max_hands: int | None = None,
        boxes: Sequence[HandBox] | None = None,
        on_picture: Progress | None = None,
    ) -> HandLandmarks:
        """Find hands.

        Args:
            pictures: `[F, H, W, C]` of 0..1; C is 3, or 1 (grey), or 4 (with alpha, laid over grey).
            threshold: Palms and hands with a lower score are left out, 0..1.
            tiled: Also look for small hands in parts of each picture; some 60 times the work of the palm network.
            max_hands: Keep at most this many hands of each picture, those with the best scores.
            boxes: Where hands are, in place of the palm network; at most one hand is found in each.
            on_picture: Called before each picture and each box with the picture's number and how many there are; may
                raise to stop.

        Returns:
            The hands, by picture and within one by falling score.

        Raises:
            SesaHandError: If the pictures, the threshold or a box cannot be used.
        """
        check_threshold(threshold)
        pictures = as_colour(pictures)
        check_boxes(boxes or (), len(pictures))
        found = []

        def report(frame: int) -> None:
            if on_picture is not None:
                on_picture(frame, len(pictures))

        for frame, pixels in enumerate(pictures):
            report(frame)
            picture = Picture(pixels.float().cpu())
            if boxes is None:
                looks = self.find_hands(picture, threshold, tiled)
            else:
                own = [box for box in boxes if box.frame == frame]
                looks = self.find_in_boxes(picture, threshold, own, partial(report, frame))
            found.append(looks.select(slice(max_hands)))
        return to_landmarks(found, pictures.shape)

    def find_hands(self, picture: Picture, threshold: float, tiled: bool) -> Looks:
        """Find the hands of one picture, best first."""
        whole = picture.whole[None]
        palms = self.find_palms(picture, whole, threshold)
        # The network learnt from pictures that were made small without smoothing, and some palms it only sees so.
        palms = add_palms(palms, self.find_palms(picture, whole, threshold, smooth=False))
        looks = self.look_twice(picture, palms.squares())
        hands = choose_hands(looks, threshold)
        hidden = palms.select(points_elsewhere(palms, looks, hands))
        if len(hidden):
            turned = torch.cat([hidden.squares(angle) for angle in SECOND_CHANCES])
            hands = add_stable_hands(hands, self.look_twice(picture, turned), threshold)
        if not tiled:
            return hands
        more = self.find_palms(picture, tiles_of(picture), max(threshold, TILE_SCORE))
        return add_small_hands(hands, self.look_twice(picture, more.squares()), threshold)

    def find_palms(self, picture: Picture, squares: Tensor, threshold: float, smooth: bool = True) -> Palms:
        """Find palms in squares `[K, 4]` (see `to_picture`) of one picture, at most `MAX_PALMS`, best first."""
        size = self.palm.input_shape[1]
        parts = [Palms(torch.zeros(0, 4), torch.zeros(0, NUM_POINTS, 2), torch.zeros(0))]
        for some in squares.split(CROPS_AT_ONCE):
            answers = self._run(self.palm, picture.cut(some, size, "zeros", smooth))
            for square, values, logits in zip(some, *answers, strict=True):
                parts.append(decode_palms(values, logits, size, square, threshold))
        return merge_palms(join_palms(parts)).select(slice(MAX_PALMS))

    def look_twice(self, picture: Picture, squares: Tensor) -> Looks:
        """Find landmarks, then again and in the mirror in squares that fit these.

        Args:
            picture: The picture.
            squares: Where to look at first, `[K, 4]`; see `to_picture`.
        """
        first = self.look(picture, squares)
        return self.look(picture, squares_around(first.keypoints_2d), mirrored=True)

    def look(self, picture: Picture, squares: Tensor, mirrored: bool = False) -> Looks:
        """Find landmarks in squares of one picture.

        Args:
            picture: The picture.
            squares: Where to look, `[K, 4]`; see `to_picture`.
            mirrored: Also look at the mirror images and take the mean, which halves what the network has against
                left or right hands.
        """
        size = self.landmark.input_shape[1]
        parts = []
        for some in squares.split(CROPS_AT_ONCE):
            crops = picture.cut(some, size, "border")
            straight = self._read(crops, some)
            parts.append(_mean_look(straight, self._read(crops.flip(2), some, -1.0)) if mirrored else straight)
        return join_looks(parts) if parts else self._read(torch.zeros(0, size, size, 3), squares)

    def _read(self, crops: Tensor, squares: Tensor, x_sign: float = 1.0) -> Looks:
        """Return what the landmark network says about crops, which `x_sign` -1 says are mirrored."""
        flat, score, right, world = self._run(self.landmark, crops)
        sign = torch.tensor([x_sign, 1.0])
        points = (flat.reshape(-1, NUM_KEYPOINTS, 3)[..., :2] / crops.shape[1] - 0.5) * sign
        world = world.reshape(-1, NUM_KEYPOINTS, 3)
        world = torch.cat([turn(world[..., :2] * sign, squares[:, 3]), world[..., 2:]], -1)
        right = right[:, 0] if x_sign > 0 else 1 - right[:, 0]
        return Looks(to_picture(squares, points), world, score[:, 0], right, torch.ones(len(squares), dtype=torch.bool))

    def find_in_boxes(
        self, picture: Picture, threshold: float, boxes: Sequence[HandBox], on_box: Callable[[], None]
    ) -> Looks:
        """Find at most one hand in each box of one picture, best first; a side that a box names stays."""
        found = [self.look_twice(picture, torch.zeros(0, 4))]
        for box in boxes:
            on_box()
            squares = _squares_of_box(box)
            best = self.look(picture, squares).score.argsort(descending=True, stable=True)[:FOLLOWED_ANGLES]
            # In a box that is much larger than its hand, the palm network finds where the hand is.
            palm = self.find_palms(picture, squares[:1], threshold).select(slice(1)).squares()
            looks = self.look_twice(picture, torch.cat([squares[best], palm]))
            looks = looks.select(looks.score.argmax()[None])
            found.append(looks if box.side is None else as_side(looks, box.side))
        return choose_hands(join_looks(found), threshold)

    def _run(self, network: Network, crops: Tensor) -> list[Tensor]:
        if not len(crops):
            return [torch.zeros(0, *shape[1:]) for shape in network.output_shapes]
        device = next(network.buffers()).device
        return [answer.cpu() for answer in network(crops.to(device))]


def load_detector(folder: str | Path | None = None) -> HandDetector:
    """Load the detector from the two files that the command `get-detector` writes.

    Args:
        folder: Where they are; None looks where the command writes by default.

    Raises:
        InvalidFileError: If they are not there, or damaged.
    """
    folder = find_detector_folder(folder)
    return HandDetector(*(Network(read_tflite(folder / name)) for name in (PALM_FILE, LANDMARK_FILE))).eval()


def check_boxes(boxes: Sequence[HandBox], num_frames: int) -> None:
    """Raise a SesaHandError if a box belongs to a picture that there is not."""
    for box in boxes:
        if box.frame >= num_frames:
            raise SesaHandError(
                f"A box is in picture {box.frame}, but there are {num_frames} (numbered from 0). Give each picture its "
                "own boxes."
            )


def check_threshold(threshold: float) -> None:
    """Raise a SesaHandError for a threshold that is no number from 0 to 1."""
    if not 0 <= threshold <= 1:
        raise SesaHandError(f"threshold is {threshold}, expected a number from 0 to 1.")


def as_colour(pictures: Tensor) -> Tensor:
    """Return pictures of three channels: grey ones repeated, those with alpha laid over grey.

    Args:
        pictures: `[F, H, W, C]` in 0..1, C one of 1, 3, 4; what is a little outside is clipped.

    Returns:
        `[F, H, W, 3]` in 0..1.

    Raises:
        SesaHandError: If there is no picture, or it is none.
    """
    if pictures.ndim != 4 or 0 in pictures.shape:
        raise SesaHandError(
            f"Expected pictures of shape [frames, height, width, channels], got {tuple(pictures.shape)}. Connect an "
            "IMAGE with at least one picture."
        )
    channels = pictures.shape[-1]
    if channels not in (1, 3, 4):
        raise SesaHandError(f"The pictures have {channels} channels, expected 3 (colour), 1 (grey) or 4 (with alpha).")
    low, high = pictures.amin(), pictures.amax()
    if not (torch.isfinite(low) and torch.isfinite(high)):
        raise SesaHandError("The pictures hold NaN or infinite values; look at the node that made them.")
    if high > 2 or low < -1:
        raise SesaHandError(
            f"The pictures hold values from {float(low):.4g} to {float(high):.4g}, expected 0..1: scale them to that."
        )
    pictures = pictures.float().clamp(0, 1) if low < 0 or high > 1 else pictures
    if channels == 4:
        alpha = pictures[..., 3:]
        return pictures[..., :3] * alpha + 0.5 * (1 - alpha)
    return pictures.expand(*pictures.shape[:3], 3)


def tiles_of(picture: Picture) -> Tensor:
    """Return squares `[K, 4]` over the picture, halves and quarters of it, each overlapping the next by half."""
    longer = max(picture.width, picture.height)
    tiles = []
    for part in TILE_PARTS:
        side = longer / part
        if side >= SMALLEST_TILE:
            columns, rows = (_starts(length, side) for length in (picture.width, picture.height))
            tiles += [(x + side / 2, y + side / 2, side, 0.0) for y in rows for x in columns]
    return torch.tensor(tiles).reshape(-1, 4)


def _starts(length: int, side: float) -> list[float]:
    steps = max(0, round(2 * (length - side) / side + 0.499))
    return [k * (length - side) / steps for k in range(steps + 1)] if steps else [(length - side) / 2]


def squares_around(keypoints: Tensor) -> Tensor:
    """Return the squares `[K, 4]` in which hands with landmarks `[K, 21, 2]`, pixels, are looked at again."""
    knuckles = (keypoints[:, 5] + keypoints[:, 13]) / 4 + keypoints[:, 9] / 2
    angle = upright_angle(keypoints[:, 0], knuckles)
    frame = torch.cat([torch.zeros(len(angle), 2), torch.ones(len(angle), 1), angle[:, None]], 1)
    inside = to_square(frame, keypoints[:, STEADY])
    low, high = inside.amin(1), inside.amax(1)
    size = high - low
    centre = (low + high) / 2
    centre = torch.stack([centre[:, 0], centre[:, 1] - SECOND_SHIFT * size[:, 1]], 1)
    side = SECOND_SCALE * size.amax(1, keepdim=True)
    return torch.cat([to_picture(frame, centre[:, None])[:, 0], side.clamp(min=1.0), angle[:, None]], 1)


def _squares_of_box(box: HandBox) -> Tensor:
    x0, y0, x1, y1 = box.box
    side = BOX_SCALE * max(x1 - x0, y1 - y0)
    angles = torch.arange(BOX_ANGLES) * (2 * math.pi / BOX_ANGLES)
    centre = torch.tensor([(x0 + x1) / 2, (y0 + y1) / 2, side]).expand(BOX_ANGLES, 3)
    return torch.cat([centre, angles[:, None]], 1)


def _mean_look(straight: Looks, mirrored: Looks) -> Looks:
    distance = (straight.keypoints_2d - mirrored.keypoints_2d).norm(dim=-1).mean(-1)
    points, points_3d, score, right = (
        (getattr(straight, name) + getattr(mirrored, name)) / 2
        for name in ("keypoints_2d", "keypoints_3d", "score", "right")
    )
    near = distance < MIRROR_DISTANCE * _sizes(straight.keypoints_2d)
    return Looks(points, points_3d, score, right, near & ((straight.right - mirrored.right).abs() < MIRROR_SIDE))


def as_side(looks: Looks, side: str) -> Looks:
    """Return looks of hands whose side is known, with the depths that this side has.

    Seen in the picture's plane, a hand and the other hand reversed in depth are the same: where the network took a palm
    for the back of the other hand, its points are right but for the sign of their depth.
    """
    right = torch.full_like(looks.right, float(side == "right"))
    agrees = (looks.right >= 0.5) == (right >= 0.5)
    points = looks.keypoints_3d.clone()
    points[~agrees, :, 2] *= -1
    return replace(looks, keypoints_3d=points, right=right)


def _sizes(keypoints: Tensor) -> Tensor:
    """Return the longer side of the box around each hand `[K, 21, 2]`."""
    return (keypoints.amax(1) - keypoints.amin(1)).amax(1)


def choose_hands(looks: Looks, threshold: float) -> Looks:
    """Return the hands of one picture that are sure enough, each once, by falling score."""
    order = looks.score.argsort(descending=True, stable=True)
    chosen: list[int] = []
    for index in order[looks.score[order] >= threshold].tolist():
        if not any(_same_hand(looks.keypoints_2d[[index, other]]) for other in chosen):
            chosen.append(index)
    return looks.select(chosen)


def _same_hand(pair: Tensor) -> bool:
    return bool((pair[0] - pair[1]).norm(dim=-1).mean() < SAME_HAND * _sizes(pair).min())


def points_elsewhere(palms: Palms, looks: Looks, hands: Looks) -> Tensor:
    """Tell which palms point elsewhere than the hand that was found from them.

    Args:
        palms: P palms of one picture.
        looks: What was found from each.
        hands: The hands that were chosen.

    Returns:
        bool `[P]`; False where no chosen hand was found.
    """
    angles = palms.squares()[:, 3] - squares_around(looks.keypoints_2d)[:, 3]
    known = [
        any(_same_hand(torch.stack([points, other])) for other in hands.keypoints_2d) for points in looks.keypoints_2d
    ]
    return torch.tensor(known, dtype=torch.bool) & (angles.cos() < math.cos(ELSEWHERE))


def add_stable_hands(hands: Looks, more: Looks, threshold: float) -> Looks:
    """Add hands that the mirror image confirms to those of one picture, unless they are among them."""
    more = choose_hands(more.select(more.stable), threshold)
    new = [
        index for index, points in enumerate(more.keypoints_2d)
        if not any(_same_hand(torch.stack([points, other])) for other in hands.keypoints_2d)
    ]  # fmt: skip
    return by_score(join_looks([hands, more.select(new)]))


def add_small_hands(hands: Looks, more: Looks, threshold: float) -> Looks:
    """Add what tiles showed to the hands of one picture, where it is no part of a hand or face taken for one."""
    more = more.select(more.stable & (_sizes(more.keypoints_2d) >= TILE_SIZE))
    more = choose_hands(more, max(threshold, TILE_SCORE))
    for index in range(len(more.score)):
        one = more.select([index])
        if not len(hands.score) or _shares(one.keypoints_2d, hands.keypoints_2d).max() < LARGEST_SHARE:
            hands = join_looks([hands, one])
    return by_score(hands)


def by_score(looks: Looks) -> Looks:
    """Return the looks by falling score."""
    return looks.select(looks.score.argsort(descending=True, stable=True))


def _shares(one: Tensor, others: Tensor) -> Tensor:
    """Return how much of the smaller of two hands' boxes they share, for one hand `[1, 21, 2]` and each other `[K]`."""
    low = torch.maximum(one.amin(1), others.amin(1))
    high = torch.minimum(one.amax(1), others.amax(1))
    areas = [(points.amax(1) - points.amin(1)).prod(-1) for points in (one, others)]
    return (high - low).clamp(min=0).prod(-1) / torch.minimum(*areas).clamp(min=1e-6)


def reach_tips(keypoints: Tensor) -> Tensor:
    """Move the fingertips of landmarks from the nails to the ends of the fingers.

    Args:
        keypoints: `[K, 21, D]`, any unit of length.

    Returns:
        `[K, 21, D]`.
    """
    reached = keypoints.clone()
    reached[:, TIPS] += TIP_REACH * (keypoints[:, TIPS] - keypoints[:, LAST_JOINTS])
    return reached


def to_landmarks(found: list[Looks], shape: tuple[int, ...]) -> HandLandmarks:
    """Put the hands of each picture together, fingertips at the ends of the fingers.

    Args:
        found: The hands of every picture.
        shape: Of the pictures, `[F, H, W, C]`.
    """
    points, world, score, right = (
        torch.cat([getattr(looks, name) for looks in found])
        for name in ("keypoints_2d", "keypoints_3d", "score", "right")
    )
    points, world = reach_tips(points), reach_tips(world)
    return HandLandmarks(
        width=shape[2],
        height=shape[1],
        num_frames=shape[0],
        frame=torch.repeat_interleave(torch.arange(len(found)), torch.tensor([len(looks.score) for looks in found])),
        side=tuple("right" if value >= 0.5 else "left" for value in right.tolist()),
        keypoints_2d=points,
        keypoints_3d=world,
        box=torch.cat([points.amin(1), points.amax(1)], 1),
        score=score,
        side_score=torch.maximum(right, 1 - right),
    )
