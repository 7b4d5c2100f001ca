"""Pictures side by side with words under them."""

import pytest
import torch

from sesahand.errors import SesaHandError
from sesahand.render.contact_sheet import PAPER, captioned_pictures

GAP = 8
COLORS = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1]]).float()


@pytest.fixture
def pictures():
    """Five pictures of 48 x 64 pixels, each of one colour."""
    return COLORS[:, None, None].expand(5, 48, 64, 3)


def places(sheet, color):
    """Return the box left, top, right, bottom of the pixels of a colour, all of which are of it."""
    rows, columns = (sheet[0] == color).all(-1).nonzero().T
    box = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
    assert len(rows) == (box[2] - box[0]) * (box[3] - box[1])
    return box


@pytest.mark.parametrize("columns", [0, 1, 2, 3, 5, 9])
def test_pictures_stand_unchanged_in_reading_order(pictures, columns):
    sheet = captioned_pictures(pictures, columns=columns)
    boxes = [places(sheet, color) for color in COLORS]
    assert all((right - left, bottom - top) == (64, 48) for left, top, right, bottom in boxes)
    wide = min(columns or 5, 5)
    assert len({box[0] for box in boxes}) == wide and len({box[1] for box in boxes}) == -(-5 // wide)
    assert [box for box in sorted(boxes, key=lambda box: (box[1], box[0]))] == boxes
    assert sheet.dtype == torch.float32 and 0 <= sheet.min() and sheet.max() <= 1


def test_each_caption_stands_under_its_picture_and_long_ones_are_broken(pictures):
    plain = captioned_pictures(pictures, columns=2)
    captions = ["one", "", "a caption far too long for one line", "x\nscore 0.50", "five"]
    sheet = captioned_pictures(pictures, captions, columns=2)
    assert sheet.shape[1] > plain.shape[1] and sheet.shape[2] == plain.shape[2]
    paper = torch.tensor(PAPER) / 255
    written = []
    for color in COLORS:
        left, _, right, bottom = places(sheet, color)
        under = sheet[0, bottom : bottom + GAP + 40, left:right]
        inked = ((under - paper).abs().max(-1).values > 0.3) & (under.std(-1) < 0.05)
        written.append(int(inked.sum()))
    assert written[1] == 0 and min(written[0], written[2], written[3], written[4]) > 5
    assert written[2] > 3 * written[0]
    titled = captioned_pictures(pictures, captions, columns=2, title="Five")
    assert torch.equal(titled[:, -sheet.shape[1] + 2 * GAP :], sheet[:, 2 * GAP :])


def test_grey_and_transparent_pictures_and_broken_values_are_shown():
    grey = captioned_pictures(torch.full((2, 16, 16, 1), 0.5))
    assert torch.equal(grey, captioned_pictures(torch.full((2, 16, 16, 3), 0.5)))
    assert torch.equal(grey, captioned_pictures(torch.full((2, 16, 16, 4), 0.5)))
    assert captioned_pictures(torch.full((1, 16, 16, 3), float("nan"))).isfinite().all()


def test_what_cannot_be_a_sheet_is_refused(pictures):
    with pytest.raises(SesaHandError, match="2 captions for 5 pictures"):
        captioned_pictures(pictures, ["a", "b"])
    with pytest.raises(SesaHandError, match="expected"):
        captioned_pictures(pictures[:0])
    with pytest.raises(SesaHandError, match="expected"):
        captioned_pictures(pictures[0])
    with pytest.raises(SesaHandError, match="too many"):
        captioned_pictures(torch.zeros(1, 1, 1, 3).expand(70_000, 64, 64, 3))
