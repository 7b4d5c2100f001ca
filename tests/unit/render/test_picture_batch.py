"""Pictures of several sizes joined into one batch."""

import numpy as np
import pytest
import torch
from PIL import Image

from sesahand.errors import SesaHandError
from sesahand.render.picture_batch import batch_pictures


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_pictures_of_one_size_keep_order_and_every_bit():
    first, several, last = noise(1, 20, 30, 3), noise(3, 20, 30, 3), noise(1, 20, 30, 3) * 0.5
    joined = batch_pictures([first, several, last])
    assert torch.equal(joined, torch.cat([first, several, last]))
    joined.zero_()
    assert first.any(), "the batch shares its memory with what it was made of"


@pytest.mark.parametrize("size", [(40, 20), (20, 60), (15, 15), (200, 33)])
def test_the_first_picture_decides_the_size_and_nothing_is_distorted(size):
    """A disc in the middle stays round, whichever way its picture is fitted."""
    high, wide = size
    y, x = torch.meshgrid(torch.arange(high) - (high - 1) / 2, torch.arange(wide) - (wide - 1) / 2, indexing="ij")
    radius = min(size) / 3
    disc = (x**2 + y**2 < radius**2).float()[None, ..., None].expand(1, -1, -1, 3)
    for fit, choose in (("crop", max), ("pad", min)):
        [_, fitted] = batch_pictures([torch.zeros(1, 90, 120, 3), disc], fit)[..., 0]
        scale = choose(90 / high, 120 / wide)
        rows, columns = (fitted > 0.5).nonzero(as_tuple=True)
        across = [int(found.max() - found.min()) + 1 for found in (rows, columns)]
        expected = 2 * radius * scale
        assert across[0] == pytest.approx(min(expected, 90), abs=max(2, 1.5 * scale))
        assert across[1] == pytest.approx(min(expected, 120), abs=max(2, 1.5 * scale))
        assert rows.float().mean() == pytest.approx(44.5, abs=max(1, scale))


def test_cropping_agrees_with_pillow():
    picture = noise(1, 64, 100, 3)
    [_, ours] = batch_pictures([torch.zeros(1, 32, 32, 3), picture], "crop")
    pil = Image.fromarray((picture[0] * 255).round().byte().numpy()).resize((50, 32), Image.Resampling.BICUBIC)
    theirs = torch.from_numpy(np.array(pil.crop((9, 0, 41, 32)))) / 255
    assert (ours - theirs).abs().mean() < 0.01


def test_padding_shows_all_of_the_picture_on_black():
    [_, fitted] = batch_pictures([torch.zeros(1, 40, 40, 3), torch.ones(1, 10, 20, 3)], "pad")
    assert torch.allclose(fitted[10:30], torch.ones(20, 40, 3))
    assert not fitted[:10].any() and not fitted[30:].any()


def test_an_opaque_alpha_channel_is_added_where_others_have_one():
    joined = batch_pictures([noise(1, 8, 8, 3), noise(1, 8, 8, 4)])
    assert joined.shape == (2, 8, 8, 4) and (joined[0, ..., 3] == 1).all()
    # Around a padded picture there is nothing to see.
    [_, padded] = batch_pictures([noise(1, 8, 8, 4), noise(1, 4, 8, 4)], "pad")
    assert not padded[:2, :, 3].any()


def test_another_size_is_refused_with_both_sizes():
    with pytest.raises(SesaHandError, match="Picture 2 has 9x8 pixels and the first one 8x8"):
        batch_pictures([noise(1, 8, 8, 3), noise(1, 8, 9, 3)], "refuse")


@pytest.mark.parametrize("wrong", [[], [torch.zeros(8, 8, 3)], [torch.zeros(0, 8, 8, 3)], [torch.zeros(1, 8, 8, 2)]])
def test_what_is_no_picture_is_refused(wrong):
    with pytest.raises(SesaHandError, match=r"connect at least one|Picture 1 has the shape"):
        batch_pictures(wrong)


def test_an_unknown_fit_is_refused():
    with pytest.raises(SesaHandError, match="expected one of: crop, pad, refuse"):
        batch_pictures([noise(1, 8, 8, 3)], "stretch")


def test_batches_of_batches_do_not_outgrow_the_memory():
    batch = torch.zeros(1, 1, 1, 3).expand(100_000, 512, 512, 3)
    with pytest.raises(SesaHandError, match="800000 frames of 512x512 pixels take .* GiB"):
        batch_pictures([batch] * 8)


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_a_thin_picture_does_not_become_a_huge_one_on_its_way(fit):
    wide, high = torch.zeros(1, 1, 16384, 3), torch.zeros(1, 16384, 1, 3)
    if fit == "crop":
        with pytest.raises(SesaHandError, match="1x16384 pixels cannot fill one of 16384x1: their shapes"):
            batch_pictures([wide, high], fit)
    else:
        assert batch_pictures([wide, high], fit).shape == (2, 1, 16384, 3)
    # Unlike these, which are thin but in reason.
    assert batch_pictures([torch.zeros(1, 32, 512, 3), torch.zeros(1, 512, 32, 3)], fit).shape == (2, 32, 512, 3)
