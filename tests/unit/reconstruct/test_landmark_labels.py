"""The label beside each found hand: whole, legible and in the picture, whichever OpenCV there is."""

import pytest
import torch

from sesahand.reconstruct.detection.landmark_pictures import draw_landmarks
from sesahand.reconstruct.landmarks import HandLandmarks

WIDTH, HEIGHT = 320, 240


def a_hand_at(x: float, y: float, width: int = WIDTH, height: int = HEIGHT) -> HandLandmarks:
    # All points on the wrist: there is little to see but the label.
    points = torch.tensor([x, y]).expand(1, 21, 2)
    return HandLandmarks(
        width, height, 1, torch.zeros(1, dtype=torch.long), ("right",), points, torch.zeros(1, 21, 3),
        torch.tensor([[x, y, x + 1, y + 1]]), torch.tensor([0.93]), torch.tensor([1.0]),
    )  # fmt: skip


def inked(x: float, y: float, **size) -> tuple[torch.Tensor, torch.Tensor]:
    """Return where the label is white and where it is black."""
    grey = torch.full((1, size.get("height", HEIGHT), size.get("width", WIDTH), 3), 0.5)
    shown = draw_landmarks(grey, a_hand_at(x, y, **size))[0]
    return (shown > 0.75).all(-1), (shown < 0.1).all(-1)


def test_letters_are_white_with_a_black_edge_all_around():
    white, black = inked(100, 100)
    assert white.sum() > 60 and black.sum() > white.sum() * 0.5
    near_black = torch.nn.functional.max_pool2d(black[None, None].float(), 7, 1, 3)[0, 0] > 0
    assert (white & near_black).sum() > 0.95 * white.sum()
    # Strokes are thin: an outline that ran over the letters, or letters that ran together, would not be.
    rows = white.any(1).nonzero()[:, 0]
    part = white[rows[0] : rows[-1] + 1]
    runs = (part[:, 1:] & ~part[:, :-1]).sum(1)
    assert runs.max() >= 8, "the letters of 'right 0.93' stand apart"


@pytest.mark.parametrize("place", [(0, 0), (319, 239), (319, 0), (0, 239), (300, 120)])
def test_the_whole_label_is_in_the_picture_beside_a_wrist_at_its_edge(place):
    whole = inked(60, 60)[0].sum()
    assert abs(int(inked(*place)[0].sum()) - int(whole)) <= 0.1 * whole


def test_a_picture_that_is_smaller_than_the_label_has_the_beginning_of_it():
    assert inked(10, 10, width=24, height=16)[0].any()
