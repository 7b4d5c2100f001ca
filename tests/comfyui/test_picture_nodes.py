"""The nodes of the family pictures, called as ComfyUI calls them."""

import pytest
import torch
from sesahand_pack.nodes import pictures
from sesahand_pack.sesahand.errors import SesaHandError


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_the_inputs_follow_each_other_and_may_have_gaps():
    first, second, third = noise(1, 16, 24, 3), noise(2, 16, 24, 3), noise(1, 16, 24, 3) / 2
    [batch] = pictures.BatchPictures.execute(fit="refuse", image_7=third, image_1=first, image_3=second).result
    assert torch.equal(batch, torch.cat([first, second, third]))


def test_it_joins_equal_sizes_as_cores_node_does():
    from nodes import ImageBatch

    first, second = noise(1, 16, 24, 3), noise(2, 16, 24, 3)
    [ours] = pictures.BatchPictures.execute(fit="crop", image_1=first, image_2=second).result
    assert torch.equal(ours, ImageBatch().batch(first, second)[0])


def test_it_crops_other_sizes_to_what_cores_node_shows():
    """Core filters otherwise, so a smooth picture is compared."""
    from nodes import ImageBatch

    y, x = torch.meshgrid(torch.linspace(0, 1, 80), torch.linspace(0, 1, 200), indexing="ij")
    wide = torch.stack([x, y, x * y], dim=-1)[None]
    [ours] = pictures.BatchPictures.execute(fit="crop", image_1=noise(1, 48, 48, 3), image_2=wide).result
    theirs = ImageBatch().batch(noise(1, 48, 48, 3), wide)[0]
    assert ours.shape == theirs.shape and (ours[1] - theirs[1]).abs().max() < 0.02


def test_no_picture_at_all_is_an_error_that_says_so():
    with pytest.raises(SesaHandError, match="connect at least one"):
        pictures.BatchPictures.execute(fit="crop")


def test_an_unknown_fit_is_refused():
    with pytest.raises(SesaHandError, match="expected one of"):
        pictures.BatchPictures.execute(fit="stretch", image_1=noise(1, 8, 8, 3))
