"""Cutting out around a mask and laying back."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sesahand.errors import SesaHandError
from sesahand.inpaint.crop import box_around, crop_to_mask, paste_back


def blank(height, width, *box):
    """Return a mask `[1, height, width]` that is white in left, top, right, bottom."""
    mask = torch.zeros(1, height, width)
    left, top, right, bottom = box
    mask[0, top:bottom, left:right] = 1
    return mask


def noise(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(sum(shape)))


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    ends=st.tuples(*[st.floats(0, 1)] * 4),
    aspect=st.sampled_from([1 / 3, 0.8, 1.0, 1.5, 4.0]),
    context=st.floats(1, 4),
)
def test_a_box_holds_the_region_has_its_shape_and_stays_in_the_picture_where_it_can(size, ends, aspect, context):
    high, wide = size
    x0, x1 = sorted(int(end * (wide - 1)) for end in ends[:2])
    y0, y1 = sorted(int(end * (high - 1)) for end in ends[2:])
    left, top, right, bottom = box_around(blank(high, wide, x0, y0, x1 + 1, y1 + 1)[0] > 0, aspect, context)
    assert left <= x0 and top <= y0 and x1 < right and y1 < bottom
    assert abs((right - left) - aspect * (bottom - top)) <= 1 + aspect
    for low, high_end, limit in ((left, right, wide), (top, bottom, high)):
        assert (0 <= low and high_end <= limit) or high_end - low >= limit


def test_surroundings_are_as_large_as_asked_for():
    left, top, right, bottom = box_around(blank(200, 300, 100, 80, 140, 120)[0] > 0, 1.0, 2.0)
    assert (left, top, right, bottom) == (80, 60, 160, 140)


def test_specks_do_not_move_the_box_but_stay_in_the_mask():
    mask = blank(100, 100, 30, 40, 50, 60)
    mask[0, 5, 5] = mask[0, 36, 26] = 1
    _, crop = crop_to_mask(noise(1, 100, 100, 3), mask, 40, 40, 2.0)
    assert crop.boxes.tolist() == [[20, 30, 60, 70]]
    assert crop.masks.sum() == 20 * 20 + 1 and crop.masks[0, 6, 6] == 1


def test_two_hands_are_in_one_crop():
    mask = blank(100, 200, 20, 40, 50, 60) + blank(100, 200, 120, 30, 150, 55)
    assert box_around(mask[0] > 0, 2.0, 1.0) == (20, 12, 150, 77)


def test_a_crop_at_its_own_size_is_the_picture_itself():
    picture = noise(1, 100, 100, 3)
    crops, crop = crop_to_mask(picture, blank(100, 100, 30, 40, 50, 60), 40, 40, 2.0)
    assert crop.boxes.tolist() == [[20, 30, 60, 70]]
    assert torch.equal(crops, picture[:, 30:70, 20:60])
    assert torch.equal(crop.masks, blank(40, 40, 10, 10, 30, 30))


def test_laying_back_what_was_cut_out_changes_nothing_and_something_else_only_near_the_mask():
    picture, mask = noise(1, 100, 120, 3), blank(100, 120, 30, 40, 50, 60)
    crops, crop = crop_to_mask(picture, mask, 40, 40, 2.0)
    assert torch.equal(paste_back(crop, crops, 4.0), picture)
    painted = paste_back(crop, torch.ones_like(crops), 4.0)
    assert (painted[0, 40:60, 30:50] == 1).all()
    changed = (painted != picture).any(-1)[0].nonzero()
    assert changed.amin(0).tolist() >= [33, 23] and changed.amax(0).tolist() <= [66, 56]
    share = ((painted - picture) / (1 - picture))[0, 50, 50:57, 0]
    assert (share.diff() < 0).all() and share[0] > 0.6, "it fades out"
    hard = paste_back(crop, torch.ones_like(crops), 0.0)
    assert torch.equal((hard != picture).any(-1), mask > 0)


def test_a_crop_is_laid_back_where_it_came_from_at_any_size():
    """A smooth picture survives being enlarged and shrunk."""
    rows, columns = torch.meshgrid(torch.linspace(0, 1, 90), torch.linspace(0, 1, 70), indexing="ij")
    picture = torch.stack([rows, columns, rows * columns], -1)[None]
    crops, crop = crop_to_mask(picture, blank(90, 70, 20, 50, 50, 70), 128, 96, 1.3)
    assert crops.shape == (1, 96, 128, 3)
    assert torch.allclose(paste_back(crop, crops, 6.0), picture, atol=0.005)


def test_a_box_beyond_the_picture_goes_on_as_its_edge_does():
    picture = noise(1, 20, 100, 3)
    crops, crop = crop_to_mask(picture, blank(20, 100, 10, 0, 70, 20), 60, 60, 1.5)
    left, top, right, bottom = crop.boxes[0].tolist()
    assert (left, right) == (10, 70) and bottom - top == 60 and top < 0 and bottom > 20
    assert torch.equal(crops[0, :-top], picture[0, :1, left:right].expand(-top, -1, -1))
    assert not crop.masks[0, :-top].any() and crop.masks[0, -top : 20 - top].all()
    assert torch.equal(paste_back(crop, crops, 3.0), picture)


def test_each_picture_of_a_batch_is_cut_out_by_its_own_mask_and_repeats_follow_in_order():
    pictures = noise(2, 64, 64, 3)
    masks = torch.cat([blank(64, 64, 0, 0, 16, 16), blank(64, 64, 40, 40, 60, 60)])
    crops, crop = crop_to_mask(pictures, masks, 32, 32, 1.5)
    assert crop.boxes[0].tolist()[:2] == [0, 0] and crop.boxes[1, 0] > 30
    whole = paste_back(crop, torch.cat([crops, torch.zeros_like(crops)]), 0.0)
    # An enlarged mask has soft edges.
    assert torch.equal(whole[0, 20:], pictures[0, 20:]) and torch.equal(whole[1, :36], pictures[1, :36])
    assert whole[2, :14, :14].max() < 0.02 and whole[3, 43:57, 43:57].max() < 0.02
    assert torch.equal(whole[3, :36], pictures[1, :36])


def test_an_empty_mask_among_others_leaves_its_picture_as_it_is():
    pictures = noise(2, 48, 48, 3)
    masks = torch.cat([blank(48, 48, 8, 8, 24, 24), torch.zeros(1, 48, 48)])
    crops, crop = crop_to_mask(pictures, masks, 32, 32, 1.5)
    assert crop.boxes[1].tolist() == [0, 0, 48, 48]
    assert torch.equal(paste_back(crop, torch.zeros_like(crops), 2.0)[1], pictures[1])


def test_another_mask_says_what_is_laid_over():
    picture = noise(1, 64, 64, 3)
    crops, crop = crop_to_mask(picture, blank(64, 64, 24, 24, 40, 40), 32, 32, 2.0)
    wider = blank(32, 32, 4, 4, 28, 28)
    whole = paste_back(crop, torch.zeros_like(crops).repeat(3, 1, 1, 1), 0.0, wider)
    assert len(whole) == 3 and all((each == 0).all(-1).sum() == 24 * 24 for each in whole)


def test_a_photograph_with_a_region_painted_white_is_a_mask(caplog):
    picture = 0.2 + 0.5 * noise(1, 64, 64, 3)
    mask = picture.mean(-1).clone()
    mask[0, 20:40, 10:30] = 1
    _, crop = crop_to_mask(picture, mask, 20, 20, 1.0)
    assert crop.boxes.tolist() == [[10, 20, 30, 40]] and "photograph" in caplog.text


def test_inputs_stay_as_they_are():
    picture, mask = noise(1, 32, 32, 3), blank(32, 32, 8, 8, 16, 16)
    before = picture.clone(), mask.clone()
    crops, crop = crop_to_mask(picture, mask, 16, 16, 1.5)
    paste_back(crop, torch.zeros_like(crops), 3.0)
    assert torch.equal(picture, before[0]) and torch.equal(mask, before[1])


@pytest.mark.parametrize(
    ("pictures", "masks", "message"),
    [
        (noise(1, 32, 32, 3), torch.zeros(1, 64, 64), "The mask is empty"),
        (noise(1, 32, 32, 3), torch.ones(1, 64, 64), "of the same size"),
        (noise(3, 32, 32, 3), torch.ones(2, 32, 32), "one mask"),
    ],
)
def test_what_does_not_fit_is_refused(pictures, masks, message):
    with pytest.raises(SesaHandError, match=message):
        crop_to_mask(pictures, masks, 16, 16, 1.5)


@pytest.mark.parametrize("shape", [(3, 8, 8, 3), (2, 8, 8, 4)])
def test_crops_that_do_not_belong_to_the_pictures_are_refused(shape):
    crops, crop = crop_to_mask(noise(2, 32, 32, 3), blank(32, 32, 8, 8, 16, 16), 16, 16, 1.5)
    with pytest.raises(SesaHandError, match="were cropped"):
        paste_back(crop, torch.zeros(shape), 0.0)
    with pytest.raises(SesaHandError, match="one mask"):
        paste_back(crop, crops, 0.0, torch.zeros(3, 8, 8))


def test_a_soft_mask_stays_soft_and_its_box_is_that_of_its_half():
    hard = blank(100, 100, 30, 30, 60, 60)
    soft = torch.nn.functional.avg_pool2d(hard, 21, 1, 10)
    _, crop = crop_to_mask(noise(1, 100, 100, 3), soft, 90, 90, 3.0)
    assert crop.boxes.tolist() == [[0, 0, 90, 90]]
    assert torch.equal(crop.masks, soft[:, :90, :90])
    left, top, right, bottom = box_around(soft[0] > 0.5, 1.0, 1.0)
    assert abs(left - 30) <= 2 and abs(bottom - 60) <= 2
    pasted = paste_back(crop, torch.ones(1, 90, 90, 3), 0.0)
    kept = noise(1, 100, 100, 3)
    share = ((pasted - kept) / (1 - kept))[0, :90, :90].mean(-1)
    assert torch.allclose(share, soft[0, :90, :90], atol=1e-3)


@pytest.mark.parametrize("brightest", [0.45, 0.1, 0.03])
def test_a_mask_that_nowhere_reaches_half_is_no_empty_one(brightest):
    _, crop = crop_to_mask(noise(1, 100, 100, 3), brightest * blank(100, 100, 30, 40, 50, 60), 40, 40, 2.0)
    assert crop.boxes.tolist() == [[20, 30, 60, 70]] and crop.masks.max() == pytest.approx(brightest)


def test_a_gradient_as_wide_as_the_picture_is_a_mask_and_no_photograph(caplog):
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 200), torch.linspace(-1, 1, 200), indexing="ij")
    for gradient in ((columns + 1) / 2, (1 - (rows**2 + columns**2).sqrt()).clamp(0, 1)):
        _, crop = crop_to_mask(noise(1, 200, 200, 3), gradient, 64, 64, 1.0)
        left, _, right, _ = crop.boxes[0].tolist()
        assert right - left >= 99 and crop.masks.std() > 0.1
    assert "photograph" not in caplog.text


def test_a_photograph_painted_white_has_its_paint_as_mask():
    photograph = 0.1 + 0.75 * noise(1, 120, 120)
    painted = torch.maximum(photograph, blank(120, 120, 40, 40, 70, 70))
    _, crop = crop_to_mask(noise(1, 120, 120, 3), painted, 30, 30, 1.0)
    assert crop.boxes.tolist() == [[40, 40, 70, 70]] and crop.masks.min() == 1


def test_one_mask_without_a_batch_is_taken_and_nan_and_nothing_are_named():
    picture, mask = noise(1, 64, 64, 3), blank(64, 64, 20, 20, 40, 40)
    crops, crop = crop_to_mask(picture, mask[0], 32, 32, 1.5)
    assert torch.equal(crops, crop_to_mask(picture, mask, 32, 32, 1.5)[0])
    assert torch.equal(
        paste_back(crop, crops, 2.0, torch.ones(32, 32)), paste_back(crop, crops, 2.0, torch.ones(1, 32, 32))
    )
    broken = mask.clone()
    broken[0, 0, 0] = float("nan")
    with pytest.raises(SesaHandError, match="mask holds.*NaN"):
        crop_to_mask(picture, broken, 32, 32, 1.5)
    with pytest.raises(SesaHandError, match="crops hold.*NaN"):
        paste_back(crop, crops * float("nan"), 2.0)
    for pictures, masks in ((picture[:0], mask[:0]), (picture[:0], mask), (picture, mask[:0])):
        with pytest.raises(SesaHandError):
            crop_to_mask(pictures, masks, 32, 32, 1.5)
    with pytest.raises(SesaHandError):
        paste_back(crop, crops[:0], 2.0)


def test_thin_pictures_and_many_large_crops_are_refused_before_anything_is_made(monkeypatch):
    thin = torch.zeros(1, 16, 16384, 3)
    with pytest.raises(SesaHandError, match="shapes are too different"):
        crop_to_mask(thin, torch.ones(1, 16, 16384), 16, 16384, 10.0)
    # Of a square picture a thin crop shows many times as much as there is.
    with pytest.raises(SesaHandError, match="131072x2048 would be shown: their shapes are too different"):
        crop_to_mask(torch.zeros(1, 2048, 2048, 3), torch.ones(1, 2048, 2048), 4096, 64, 1.5)
    with monkeypatch.context() as less, pytest.raises(SesaHandError, match="cut out a part of about"):
        less.setattr("sesahand.render.room.MAX_BYTES", 1 << 20)
        crop_to_mask(torch.zeros(1, 256, 256, 3), torch.ones(1, 256, 256), 64, 16, 1.5)
    square, white = torch.zeros(1, 16, 16, 3), torch.ones(1, 16, 16)
    with pytest.raises(SesaHandError, match="512 frames of 8192x8192 pixels take .*crop fewer"):
        crop_to_mask(square.expand(512, -1, -1, -1), white, 8192, 8192, 2.0)
    crops, crop = crop_to_mask(torch.zeros(1, 4096, 4096, 3), torch.ones(1, 4096, 4096), 16, 16, 1.0)
    with pytest.raises(SesaHandError, match="paste fewer at a time"):
        paste_back(crop, crops.expand(1000, -1, -1, -1), 512)


def test_cutting_out_and_laying_back_can_be_interrupted():
    pictures, seen = torch.zeros(3, 32, 32, 3), []
    crops, crop = crop_to_mask(pictures, torch.ones(1, 32, 32), 16, 16, 1.0, None, lambda *done: seen.append(done))
    assert seen == [(1, 3), (2, 3), (3, 3)]

    def cancel(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        paste_back(crop, crops, 4, on_picture=cancel)
