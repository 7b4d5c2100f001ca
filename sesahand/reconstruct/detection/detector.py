"""Find hands in pictures: MediaPipe's palm and hand-landmark networks, run with torch.

Two palm networks look at the whole picture in several ways. The landmark network looks at a turned square around each
palm, and once more, also at its mirror image, at a square that fits the landmarks it found. Then it looks at each hand
turned and scaled: how far its landmarks move says how doubtful they are. Hands that the larger palm network does not
see at first sight have to be steady in this. Where nothing is found, or only small hands, the palm network also looks
at parts of the picture, in which small hands are large enough for it.

Source: MediaPipe's `hand_landmark` graphs (Apache-2.0) for the squares and the meaning of the networks' outputs.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path

import torch
from torch import Tensor, nn

from ...callbacks import Progress
from ...errors import InvalidFileError, SesaHandError
from ..landmarks import NUM_KEYPOINTS, HandLandmarks
from ..second_reading import other_fingers
from .crops import Picture, PictureRows, to_picture, to_square, together, turn, upright_angle
from .detector_files import (
    LANDMARK_FILE,
    LIGHT_PALM_FILE,
    PALM_FILE,
    describe_light_missing,
    find_detector_folder,
)
from .duplicates import are_new, choose_hands, without_repeats, worth_of
from .external import HandBox
from .looks import Looks, as_side, join_looks, mean_look, sizes, spread_of
from .network import Network
from .palm_views import FIRST_VIEWS, PALM_VIEWS, PalmView
from .palms import (
    NO_PALMS,
    NUM_ANCHORS,
    NUM_VALUES,
    Palms,
    add_other_palms,
    add_palms,
    decode_palms,
    join_palms,
    merge_palms,
)
from .tflite import read_tflite

logger = logging.getLogger(__name__)

PALM_OUTPUTS = [(1, NUM_ANCHORS, NUM_VALUES), (1, NUM_ANCHORS, 1)]
LANDMARK_OUTPUTS = [(1, 3 * NUM_KEYPOINTS), (1, 1), (1, 1), (1, 3 * NUM_KEYPOINTS)]
MAX_PALMS = 64

# The landmarks from which the square of a second look is made: the wrist, the thumb but for its tip, and the two lower
# joints of each finger. The tips move too much.
STEADY = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]
SECOND_SCALE, SECOND_SHIFT = 2.0, 0.1

# The networks put a fingertip on the nail. The finger ends further out, by this part of the last bone they see: the
# median over 164 fingertips of rendered hands (quartiles 0.3 and 0.5). Without it, fitted hands have short fingers.
TIPS, LAST_JOINTS = [4, 8, 12, 16, 20], [3, 7, 11, 15, 19]
TIP_REACH = 0.37

# Where hands cross, the landmark network may follow one of them from both palms. A palm that points elsewhere than the
# hand found from it, by more than this angle, is looked at again from squares turned by these angles.
ELSEWHERE = math.radians(60)
SECOND_CHANCES = (-0.6, 0.6)

# More looks at a hand that was found: by how much its square is turned (radians) and scaled, and whether the network
# sees the mirror image.
STRAIGHT_LOOKS = ((0.0, 1.0, False), (0.0, 1.0, True))
MORE_LOOKS = ((-0.35, 1.0, False), (0.35, 1.0, True), (0.0, 0.8, False), (0.0, 1.25, True))
# A look from further off, straight and in the mirror, may read a finger otherwise; how sure both must be of the hand.
FAR, SURE = 1.5, 0.9
# A hand whose landmarks move further than this part of its size from look to look is none.
MOST_SPREAD = 0.14
# How sure a palm must be that the first two views do not show, and how much the hand there must be worth.
MORE_PALMS, LEAST_WORTH = 0.3, 0.6

# An expected hand is found if another's landmarks are nearer to its own, on average, than this part of its size.
EXPECTED_WITHIN = 0.5

# Tiles are this part of the picture's longer side, and overlap by half.
TILE_PARTS = (2, 4)
SMALLEST_TILE = 128
# They are looked at where asked for, and where there is no hand as large as this part of them.
SMALL_HAND = 0.5
# What a hand that only a tile shows needs besides: a sure palm, and a size in pixels.
TILE_SCORE, TILE_SIZE = 0.5, 32

# A box around a hand is looked at enlarged, and turned in steps of an eighth; the best of these angles are followed up.
BOX_SCALE = 1.25
BOX_ANGLES = 8
FOLLOWED_ANGLES = 2


class HandDetector(nn.Module):
    """Finds hands in pictures. The same picture always gives the same hands."""

    def __init__(self, palm: Network, landmark: Network, light_palm: Network | None = None):
        """Take the networks.

        Args:
            palm: The larger palm network.
            landmark: The landmark network.
            light_palm: The smaller palm network, which sees other hands; without it fewer are found.

        Raises:
            InvalidFileError: If one of them takes or returns something else than MediaPipe's.
        """
        super().__init__()
        palms = [("palm", palm, PALM_OUTPUTS), ("light palm", light_palm, PALM_OUTPUTS)]
        for name, network, outputs in (*palms, ("landmark", landmark, LANDMARK_OUTPUTS)):
            if network is None:
                continue
            batch, height, width, channels = (*network.input_shape, 0, 0, 0, 0)[:4]
            if network.output_shapes != outputs or (batch, channels) != (1, 3) or height != width:
                raise InvalidFileError(
                    f"The {name} network takes {network.input_shape} and gives {network.output_shapes}, expected a "
                    f"square picture and {outputs}. Get it again with `python -m sesahand get-detector`."
                )
        self.palm, self.landmark, self.light_palm = palm, landmark, light_palm

    @torch.no_grad()
    def forward(
        self,
        pictures: Tensor,
        threshold: float = 0.5,
        thorough: bool = False,
        max_hands: int | None = None,
        boxes: Sequence[HandBox] | None = None,
        on_picture: Progress | None = None,
        quick: bool = False,
        expected: Sequence[Tensor] | None = None,
    ) -> HandLandmarks:
        """Find hands.

        Args:
            pictures: `[F, H, W, C]` of 0..1; C is 3, or 1 (grey), or 4 (with alpha, laid over grey).
            threshold: Palms and hands with a lower score are left out, 0..1.
            thorough: Look for small hands in parts of each picture, some 60 times the work of a palm network, also
                where hands are found that are not small.
            max_hands: Keep at most this many hands of each picture, those with the best scores.
            boxes: Where hands are, in place of the palm networks; at most one hand is found in each.
            on_picture: Called before each picture and each box with the picture's number and how many there are; may
                raise to stop.
            quick: Look for palms in the first two views only, a quarter of the palm networks' work, and never in parts
                of a picture; and read each hand once. `thorough` does nothing then.
            expected: Keypoints `[K, 21, 2]` in pixels of hands that were asked for, of each picture. Where a quick look
                finds none of them it looks at their own place; it takes a single view for the others then, and shows
                the networks all pictures at a time.

        Returns:
            The hands, by picture and within one by falling score.

        Raises:
            SesaHandError: If the pictures, the threshold or a box cannot be used.
        """
        check_threshold(threshold)
        pictures = as_colour(pictures)
        check_boxes(boxes or (), len(pictures))
        found, seconds = [], []

        def report(frame: int) -> None:
            if on_picture is not None:
                on_picture(frame, len(pictures))

        if expected is not None and quick:
            shown = [Picture(pixels.float().cpu()) for pixels in pictures]
            every = self.find_expected(shown, threshold, [points.detach().float().cpu() for points in expected])
            return to_landmarks([looks.select(slice(max_hands)) for looks in every], pictures.shape)
        for frame, pixels in enumerate(pictures):
            report(frame)
            picture = Picture(pixels.float().cpu())
            if boxes is None:
                looks = self.find_hands(picture, threshold, thorough, FIRST_VIEWS if quick else PALM_VIEWS)
            else:
                own = [box for box in boxes if box.frame == frame]
                looks = self.find_in_boxes(picture, threshold, own, partial(report, frame))
            found.append(looks.select(slice(max_hands)))
            seconds.append(None if quick else self.read_otherwise(picture, found[-1]))
        return to_landmarks(found, pictures.shape, seconds)

    def find_hands(
        self, picture: Picture, threshold: float, thorough: bool, views: tuple[PalmView, ...] = PALM_VIEWS
    ) -> Looks:
        """Find the hands of one picture, best first; in parts of it only after all views of the whole."""
        palms, more_palms = self.find_palms(picture, threshold, views)
        hands = self.follow_palms([picture], [palms], threshold)[0]
        if views == FIRST_VIEWS:
            return hands
        more = self.keep_steady(picture, self.look_twice(picture, more_palms.squares()), threshold)
        hands = without_repeats(hands, more)
        longer = float(picture.whole[2])
        for part in TILE_PARTS:
            # Where all hands are small, others may be too small to be seen.
            if thorough or not len(hands) or sizes(hands.keypoints_2d).max() < SMALL_HAND * longer / part:
                hands = self.add_small_hands(picture, hands, tiles_of(picture, part), threshold)
        return hands

    def find_expected(self, pictures: Sequence[Picture], threshold: float, expected: Sequence[Tensor]) -> list[Looks]:
        """Find the hands of pictures at a quick look, and those expected `[K, 21, 2]` also where they should be.

        The palm networks miss hands whose colour is that of what is behind them; the landmark network, shown the very
        place and turn, reads them. It sees nothing of what fingers were asked for.
        """
        hands = self.follow_palms(pictures, self.find_palms_of_each(pictures, threshold), threshold, again=False)
        missed = [points[~are_near(points, found.keypoints_2d)] for points, found in zip(expected, hands, strict=True)]
        looks = self.look_twice_at_each(pictures, [squares_around(points) for points in missed])
        looks = self.measure_each(pictures, [choose_hands(each, threshold) for each in looks], again=False)
        return [
            without_repeats(found, more) if len(points) else found
            for found, more, points in zip(hands, looks, missed, strict=True)
        ]

    def follow_palms(
        self, pictures: Sequence[Picture], palms: Sequence[Palms], threshold: float, again: bool = True
    ) -> list[Looks]:
        """Return the steady hands that the palms of each picture belong to, best first; `again` as of `measure`."""
        looks = self.look_twice_at_each(pictures, [each.squares() for each in palms])
        hands = [choose_hands(each, threshold) for each in looks]
        hidden = [each.select(points_elsewhere(each, *found)) for each, *found in zip(palms, looks, hands, strict=True)]
        turned = [torch.cat([each.squares(angle) for angle in SECOND_CHANCES]) for each in hidden]
        more = [choose_hands(each.select(each.stable), threshold) for each in self.look_twice_at_each(pictures, turned)]
        hands = [
            join_looks([found, others.select(are_new(others, found))]) if len(others) else found
            for found, others in zip(hands, more, strict=True)
        ]
        return self.measure_each(pictures, hands, again)

    def add_small_hands(self, picture: Picture, hands: Looks, tiles: Tensor, threshold: float) -> Looks:
        """Add what can be seen in tiles `[K, 4]` of a picture to its hands."""
        palms = self.palms_in(self.palm, picture, tiles, max(threshold, TILE_SCORE))
        small = self.look_twice(picture, palms.squares())
        small = small.select(sizes(small.keypoints_2d) >= TILE_SIZE)
        return without_repeats(hands, self.keep_steady(picture, small, threshold))

    def find_palms(
        self, picture: Picture, threshold: float, views: tuple[PalmView, ...] = PALM_VIEWS
    ) -> tuple[Palms, Palms]:
        """Find palms in the whole of a picture, looked at in some views.

        Returns:
            Those at least as sure as the threshold in the first views, and those that only the others show.
        """
        first, others = [NO_PALMS], []
        for view in views:
            network = self.light_palm if view.light else self.palm
            if network is None:
                continue
            square = picture.whole * torch.tensor([1.0, 1.0, view.padding, 1.0])
            answers = self._see(network, picture, square[None], view)
            decode = partial(self._decode, network, square[None], answers)
            if view in FIRST_VIEWS:
                first.append(decode(threshold))
            others.append(decode(MORE_PALMS))
        palms = reduce(add_palms, first)
        return palms, reduce(add_other_palms, others, palms).select(slice(len(palms), MAX_PALMS))

    def find_palms_of_each(self, pictures: Sequence[Picture], threshold: float) -> list[Palms]:
        """Find palms in the whole of each picture, looked at once."""
        whole = torch.stack([picture.whole for picture in pictures])
        answers = self._see(self.palm, together(pictures), whole, FIRST_VIEWS[0])
        rows = zip(whole.split(1), *(answer.split(1) for answer in answers), strict=True)
        return [self._decode(self.palm, square, row, threshold) for square, *row in rows]

    def palms_in(self, network: Network, picture: Picture, squares: Tensor, threshold: float) -> Palms:
        """Find palms in squares `[K, 4]` (see `to_picture`) of one picture, at most `MAX_PALMS`, best first."""
        return self._decode(network, squares, self._see(network, picture, squares, FIRST_VIEWS[0]), threshold)

    def _see(self, network: Network, picture: Picture | PictureRows, squares: Tensor, view: PalmView) -> list[Tensor]:
        """Return what a palm network answers for squares, `[K, 2016, 18]` and `[K, 2016, 1]`, some at a time."""
        size = network.input_shape[1]
        answers = [
            self._run(network, part.cut(some, size, "zeros", view.smooth) ** view.gamma)
            for some, part in picture.pieces(squares)
        ]
        return [torch.cat(parts) for parts in zip(*answers, strict=True)]

    def _decode(self, network: Network, squares: Tensor, answers: Sequence[Tensor], threshold: float) -> Palms:
        """Return the palms in squares, at most `MAX_PALMS`, best first."""
        size = network.input_shape[1]
        parts = [
            decode_palms(values, logits, size, square, threshold)
            for square, values, logits in zip(squares, *answers, strict=True)
        ]
        return merge_palms(join_palms([NO_PALMS, *parts])).select(slice(MAX_PALMS))

    def look_twice_at_each(self, pictures: Sequence[Picture], squares: Sequence[Tensor]) -> list[Looks]:
        """Do that in squares `[K, 4]` (see `to_picture`) of each picture, all together."""
        counts = [len(each) for each in squares]
        looks = self.look_twice(together(pictures, counts), torch.cat([*squares]))
        return looks.split(counts)

    def look_twice(self, picture: Picture | PictureRows, squares: Tensor) -> Looks:
        """Find landmarks, then again and in the mirror in squares that fit these.

        Args:
            picture: The picture.
            squares: Where to look at first, `[K, 4]`; see `to_picture`.
        """
        first = self.look(picture, squares)
        return self.look(picture, squares_around(first.keypoints_2d), mirrored=True)

    def look(self, picture: Picture | PictureRows, squares: Tensor, mirrored: bool = False) -> Looks:
        """Find landmarks in squares of one picture.

        Args:
            picture: The picture.
            squares: Where to look, `[K, 4]`; see `to_picture`.
            mirrored: Also look at the mirror images and take the mean, which halves what the network has against
                left or right hands.
        """
        size = self.landmark.input_shape[1]
        parts = []
        for some, part in picture.pieces(squares):
            crops = part.cut(some, size, "border")
            straight = self._read(crops, some)
            parts.append(mean_look(straight, self._read(crops.flip(2), some, -1.0)) if mirrored else straight)
        return join_looks(parts) if parts else self._read(torch.zeros(0, size, size, 3), squares)

    def measure_each(self, pictures: Sequence[Picture], hands: Sequence[Looks], again: bool = True) -> list[Looks]:
        """Measure hands of each picture, all together, and return the steady ones."""
        counts = [len(each) for each in hands]
        measured = self.measure(together(pictures, counts), join_looks([*hands]), again)
        return [each.select(each.spread.mean(1) <= MOST_SPREAD) for each in measured.split(counts)]

    def measure(self, picture: Picture | PictureRows, hands: Looks, again: bool = True) -> Looks:
        """Look at hands of one picture again, turned, scaled and in the mirror, and return them with their spread.

        Args:
            picture: The picture.
            hands: What is known of them.
            again: Look at them straight and in the mirror once more, too; else what is known stands for these two.
        """
        size = self.landmark.input_shape[1]
        around = squares_around(hands.keypoints_2d)
        looks = [] if again else [hands, hands]
        for angle, scale, mirrored in (*(STRAIGHT_LOOKS if again else ()), *MORE_LOOKS):
            squares = around * torch.tensor([1.0, 1.0, scale, 1.0]) + torch.tensor([0.0, 0.0, 0.0, angle])
            crops = picture.cut(squares, size, "border")
            looks.append(self._read(crops.flip(2), squares, -1.0) if mirrored else self._read(crops, squares))
        spread = spread_of(torch.stack([look.keypoints_2d for look in looks]))
        lasting, right = (torch.stack([getattr(look, name) for look in looks]).mean(0) for name in ("score", "right"))
        return replace(hands, spread=spread, lasting=lasting, right=right)

    def read_otherwise(self, picture: Picture, hands: Looks) -> tuple[Tensor, Tensor]:
        """Return the fingers of K hands that are bent otherwise from further off: `[K, 21, 2]` pixels and `[K, 21, 3]`.

        The second are metres; see `other_fingers`.
        """
        squares = squares_around(hands.keypoints_2d) * torch.tensor([1.0, 1.0, FAR, 1.0])
        crops = picture.cut(squares, self.landmark.input_shape[1], "border")
        looks = self._read(crops, squares), self._read(crops.flip(2), squares, -1.0)
        pixels, metres, score = (
            torch.stack([getattr(look, name) for look in looks]) for name in ("keypoints_2d", "keypoints_3d", "score")
        )
        unsure = (score < SURE).any(0)[:, None, None]
        pixels, metres = other_fingers(pixels, metres, hands.keypoints_3d)
        return pixels.masked_fill(unsure, torch.nan), metres.masked_fill(unsure, torch.nan)

    def keep_steady(self, picture: Picture, looks: Looks, threshold: float) -> Looks:
        """Return those looks that show a hand each time, each hand once."""
        hands = self.measure(picture, choose_hands(looks.select(looks.stable), threshold))
        return hands.select((hands.lasting >= threshold) & (worth_of(hands) >= LEAST_WORTH))

    def _read(self, crops: Tensor, squares: Tensor, x_sign: float = 1.0) -> Looks:
        """Return what the landmark network says about crops, which `x_sign` -1 says are mirrored."""
        flat, score, right, world = self._run(self.landmark, crops)
        sign = torch.tensor([x_sign, 1.0])
        points = (flat.reshape(-1, NUM_KEYPOINTS, 3)[..., :2] / crops.shape[1] - 0.5) * sign
        world = world.reshape(-1, NUM_KEYPOINTS, 3)
        world = torch.cat([turn(world[..., :2] * sign, squares[:, 3]), world[..., 2:]], -1)
        right = right[:, 0] if x_sign > 0 else 1 - right[:, 0]
        return Looks(
            to_picture(squares, points),
            world,
            score[:, 0],
            right,
            stable=torch.ones(len(squares), dtype=torch.bool),
            spread=torch.full((len(squares), NUM_KEYPOINTS), torch.nan),
            lasting=torch.full((len(squares),), torch.nan),
        )

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
            palm = self.palms_in(self.palm, picture, squares[:1], threshold).select(slice(1)).squares()
            looks = self.look_twice(picture, torch.cat([squares[best], palm]))
            looks = self.measure(picture, looks.select(looks.score.argmax()[None]))
            found.append(looks if box.side is None else as_side(looks, box.side))
        return choose_hands(join_looks(found), threshold)

    def _run(self, network: Network, crops: Tensor) -> list[Tensor]:
        if not len(crops):
            return [torch.zeros(0, *shape[1:]) for shape in network.output_shapes]
        device = next(network.buffers()).device
        return [answer.cpu() for answer in network(crops.to(device))]


def load_detector(folder: str | Path | None = None) -> HandDetector:
    """Load the detector from the files that the command `get-detector` writes.

    Args:
        folder: Where they are; None looks where the command writes by default.

    Raises:
        InvalidFileError: If they are not there, or damaged.
    """
    folder = find_detector_folder(folder)
    names = [PALM_FILE, LANDMARK_FILE]
    if (folder / LIGHT_PALM_FILE).is_file():
        names.append(LIGHT_PALM_FILE)
    else:
        logger.warning("%s", describe_light_missing(folder))
    return HandDetector(*(Network(read_tflite(folder / name)) for name in names)).eval()


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


def tiles_of(picture: Picture, part: int) -> Tensor:
    """Return squares `[K, 4]` over the picture, each overlapping the next by half; none if they were too small.

    Args:
        picture: The picture.
        part: How many of them are as long as its longer side.
    """
    side = max(picture.width, picture.height) / part
    if side < SMALLEST_TILE:
        return torch.zeros(0, 4)
    columns, rows = (_starts(length, side) for length in (picture.width, picture.height))
    return torch.tensor([(x + side / 2, y + side / 2, side, 0.0) for y in rows for x in columns])


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
    known = ~torch.tensor(are_new(looks, hands), dtype=torch.bool)
    return known & (angles.cos() < math.cos(ELSEWHERE))


def are_near(expected: Tensor, found: Tensor) -> Tensor:
    """Tell which expected hands `[K, 21, 2]` lie where one of the found `[N, 21, 2]` is, bool `[K]`; both in pixels."""
    if not len(found):
        return torch.zeros(len(expected), dtype=torch.bool)
    distance = (expected[:, None] - found[None]).norm(dim=-1).mean(-1).amin(1)
    return distance < EXPECTED_WITHIN * sizes(expected)


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


def to_landmarks(
    found: list[Looks], shape: tuple[int, ...], seconds: Sequence[tuple[Tensor, Tensor] | None] = ()
) -> HandLandmarks:
    """Put the hands of each picture together, fingertips at the ends of the fingers.

    Args:
        found: The hands of every picture.
        shape: Of the pictures, `[F, H, W, C]`.
        seconds: The fingers of every picture's hands that may be bent otherwise, pixels `[K, 21, 2]` and metres
            `[K, 21, 3]`; None where that was not looked at.
    """
    points, world, score, right = (
        torch.cat([getattr(looks, name) for looks in found])
        for name in ("keypoints_2d", "keypoints_3d", "score", "right")
    )
    points, world = reach_tips(points), reach_tips(world)
    known = [second for second in seconds if second is not None]
    others = [reach_tips(torch.cat(parts)) for parts in zip(*known, strict=True)] if known else [None, None]
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
        spread=torch.cat([looks.spread for looks in found]),
        second_2d=others[0],
        second_3d=others[1],
    )
