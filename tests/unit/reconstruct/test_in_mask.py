"""Which hand a mask is about, with hands that are where the test says."""

import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.reconstruct.detection.in_mask import meant_hands
from sesahand.reconstruct.detection.landmark_pictures import mask_landmarks
from sesahand.reconstruct.landmarks import HandLandmarks

SIZE = 200
PICTURES = torch.zeros(1, SIZE, SIZE, 3)


def landmarks(*boxes, frames=1, frame=None, score=None):
    """Return hands whose points are spread over boxes."""
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    count = len(boxes)
    grid = torch.stack(torch.meshgrid(torch.linspace(0, 1, 7), torch.linspace(0, 1, 3), indexing="ij"), -1)
    points = boxes[:, None, :2] + grid.reshape(1, 21, 2) * (boxes[:, None, 2:] - boxes[:, None, :2])
    return HandLandmarks(
        SIZE,
        SIZE,
        frames,
        torch.tensor(frame or [0] * count),
        ("right",) * count,
        points,
        torch.full((count, 21, 3), torch.nan),
        boxes,
        torch.tensor(score or [1.0] * count),
        torch.ones(count),
    )


def mask(left, top, right, bottom):
    white = torch.zeros(1, SIZE, SIZE)
    white[0, top:bottom, left:right] = 1
    return white


LARGE, SMALL = (20, 20, 120, 140), (130, 100, 190, 180)


def look(found, in_boxes=None):
    """Return a detector that finds these hands, and others in boxes, and remembers which it was asked for."""
    asked = []

    def detect(pictures, boxes=None):
        asked.append(boxes)
        if boxes is None:
            return found
        assert in_boxes is not None, "nothing was to be looked for in boxes"
        return in_boxes

    detect.asked = asked
    return detect


@pytest.mark.parametrize("masks", [None, torch.zeros(1, SIZE, SIZE), torch.zeros(1, 64, 64)])
def test_without_a_mask_it_is_the_largest_hand_and_the_hull_around_it_is_repainted(masks):
    meant = meant_hands(look(landmarks(SMALL, LARGE)), PICTURES, masks)
    assert meant.landmarks.box.tolist() == [list(LARGE)] and meant.painted == (False,) and not meant.nothing
    assert torch.equal(meant.masks, mask_landmarks(landmarks(LARGE)))


@pytest.mark.parametrize(
    ("white", "expected"),
    [
        pytest.param((125, 90, 195, 190), SMALL, id="all of a hand"),
        pytest.param((30, 25, 40, 45), LARGE, id="one of its fingers"),
        pytest.param((40, 5, 55, 19), LARGE, id="a finger too many, beside it"),
        pytest.param((10, 10, 125, 150), LARGE, id="more than the hand"),
    ],
)
def test_a_mask_is_about_the_hand_that_it_covers_a_part_of(white, expected):
    meant = meant_hands(look(landmarks(SMALL, LARGE)), PICTURES, mask(*white))
    assert meant.landmarks.box.tolist() == [list(expected)] and meant.painted == (True,)
    assert torch.equal(meant.masks, mask(*white)), "what is painted is repainted, and no more"


def test_a_hand_elsewhere_is_not_meant_and_the_mask_is_looked_into():
    at_mask = (150.0, 10.0, 190.0, 50.0)
    detect = look(landmarks(LARGE), landmarks((0, 0, 9, 9), at_mask, score=[0.4, 0.9]))
    meant = meant_hands(detect, PICTURES, mask(150, 10, 190, 50))
    assert meant.landmarks.box.tolist() == [list(at_mask)], "the surest of those in the boxes"
    boxes = [box.box for box in detect.asked[1]]
    assert boxes[0] == at_mask and all(left < 150 and bottom > 50 for left, _, _, bottom in boxes[1:])


def test_a_mask_in_which_there_is_no_hand_stays_to_be_repainted():
    meant = meant_hands(look(landmarks(), landmarks()), PICTURES, mask(10, 10, 60, 60))
    assert len(meant.landmarks) == 0 and meant.masks.sum() == 2500 and not meant.nothing
    assert meant_hands(look(landmarks()), PICTURES).nothing


def test_each_picture_has_its_own():
    found = landmarks(LARGE, SMALL, LARGE, frames=3, frame=[0, 2, 2])
    closer = landmarks(SMALL, frames=3, frame=[1])
    masks = torch.cat([torch.zeros(1, SIZE, SIZE), mask(*SMALL), mask(*SMALL)])
    meant = meant_hands(look(found, closer), PICTURES.expand(3, -1, -1, -1), masks)
    of_frame = dict(zip(meant.landmarks.frame.tolist(), meant.landmarks.box.tolist(), strict=True))
    assert of_frame == {0: list(LARGE), 1: list(SMALL), 2: list(SMALL)} and meant.painted == (False, True, True)
    assert meant.masks[0].any() and torch.equal(meant.masks[1:], masks[1:])


def test_a_photograph_with_a_region_painted_white_is_a_mask():
    painted = torch.rand(1, SIZE, SIZE, generator=torch.Generator().manual_seed(0)) * 0.6 + 0.2
    painted[0, 100:180, 130:190] = 1
    assert meant_hands(look(landmarks(SMALL, LARGE)), PICTURES, painted).landmarks.box.tolist() == [list(SMALL)]


def test_masks_of_another_size_or_number_are_refused():
    for masks in (torch.ones(1, 64, 64), mask(0, 0, 9, 9).expand(2, -1, -1)):
        with pytest.raises(SesaHandError, match="of the pictures' size"):
            meant_hands(look(landmarks(LARGE)), PICTURES, masks)
