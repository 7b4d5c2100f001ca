"""The nodes of the family inpaint, called as ComfyUI calls them."""

import pytest
import torch
from sesahand_pack.nodes import inpaint
from sesahand_pack.sesahand.errors import SesaHandError


@pytest.fixture
def picture():
    return torch.rand(1, 96, 128, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def mask():
    mask = torch.zeros(1, 96, 128)
    mask[:, 30:60, 40:70] = 1
    return mask


def test_four_repainted_crops_give_four_whole_pictures(picture, mask):
    crops, seen, crop, _ = inpaint.CropToMask.execute(image=picture, mask=mask, width=64, height=64, context=1.5).result
    assert crops.shape == (1, 64, 64, 3) and seen.shape == (1, 64, 64)
    assert seen.mean() == pytest.approx(1 / 1.5**2, abs=0.02)
    painted = torch.linspace(0, 1, 4)[:, None, None, None].expand(4, 64, 64, 3)
    [whole] = inpaint.PasteBack.execute(crop=crop, image=painted, feather=0).result
    assert whole.shape == (4, 96, 128, 3) and whole.dtype == torch.float32
    assert torch.allclose(whole[:, 45, 55, 0], torch.linspace(0, 1, 4))
    assert torch.equal(whole[:, :20], picture[:, :20].expand(4, -1, -1, -1))


@pytest.mark.parametrize(
    "value", [[], [[]], {"x": 0, "y": 0, "width": 0, "height": 0}, [[{"x": 500, "y": 0, "width": 9, "height": 9}]]]
)
def test_boxes_that_hold_nothing_are_named(picture, value):
    with pytest.raises(SesaHandError, match="^The boxes at mask (are none|lie outside the picture)"):
        inpaint.CropToMask.execute(image=picture, mask=value, width=64, height=64, context=1.5)


def test_cores_masks_of_the_crop_say_what_is_laid_over(picture, mask):
    from comfy_extras.nodes_mask import GrowMask

    crops, seen, crop, _ = inpaint.CropToMask.execute(image=picture, mask=mask, width=45, height=45, context=1.5).result
    [grown] = GrowMask().expand_mask(seen, 3, False)
    [whole] = inpaint.PasteBack.execute(crop=crop, image=torch.zeros_like(crops), feather=0, mask=grown).result
    black = (whole[0] == 0).all(-1)
    assert black[27:63, 43:67].all() and not black[26].any()


@pytest.mark.parametrize("context", [float("nan"), 0.5, "2", None])
def test_a_context_out_of_range_is_refused(picture, mask, context):
    with pytest.raises(SesaHandError, match="context is"):
        inpaint.CropToMask.execute(image=picture, mask=mask, width=64, height=64, context=context)


def test_a_picture_without_a_mask_is_told_what_to_do(picture):
    """Load Image gives such a mask of a picture without alpha."""
    with pytest.raises(SesaHandError, match="Open in MaskEditor"):
        inpaint.CropToMask.execute(image=picture, mask=torch.zeros(1, 64, 64), width=64, height=64, context=1.5)
