"""The heat-map's arithmetic."""

import math

import pytest
import torch

from sesahand.attention.heatmap import (
    AttentionMaps,
    MapAverage,
    attention_share,
    coarseness_of,
    heat_color,
    overlay,
    show_maps,
    stretched,
)
from sesahand.errors import SesaHandError


@pytest.mark.parametrize("biased", [False, True])
def test_the_share_is_what_softmax_gives_the_columns(biased):
    torch.manual_seed(0)
    q, k = torch.randn(2, 9, 12), torch.randn(2, 5, 12)
    columns = torch.tensor([[0, 1.0, 0, 1, 0], [0, 0, 0, 0, 0]])
    bias = torch.rand(2, 1, 9, 5) if biased else None
    got = attention_share(q, k, 3, columns, bias)
    expected = torch.zeros(2, 9, dtype=torch.float64)
    for b in range(2):
        for n in range(9):
            for h in range(3):
                part = slice(4 * h, 4 * h + 4)
                logits = [float(q[b, n, part].double() @ k[b, j, part].double()) / 2 for j in range(5)]
                if biased:
                    logits = [logit + float(bias[b, 0, n, j]) for j, logit in enumerate(logits)]
                weights = [math.exp(logit) for logit in logits]
                expected[b, n] += sum(w for w, c in zip(weights, columns[b], strict=True) if c) / sum(weights) / 3
    assert (got - expected).abs().max() < 1e-6


def test_a_level_is_told_by_halving_and_rounding_up():
    for height in range(1, 70):
        for width in range(1, 70, 7):
            grid, coarseness = (height, width), 1
            while grid != (1, 1):
                assert coarseness_of((height, width), grid) == coarseness
                grid, coarseness = tuple(math.ceil(side / 2) for side in grid), 2 * coarseness
    assert coarseness_of((64, 64), (28, 28)) == 2 and coarseness_of((64, 64), (80, 80)) == 1


def test_the_average_weighs_maps_only_where_they_lie():
    average = MapAverage(2, 4, 6)
    average.add(0, torch.ones(2, 3))
    average.add(0, torch.full((4, 6), 3.0))
    average.add(1, torch.full((2, 2), 5.0), area=(0.5, 0.5, 0.5, 0.0))
    assert torch.equal(average.mean()[0], torch.full((4, 6), 2.0))
    expected = torch.zeros(4, 6)
    expected[2:, :3] = 5
    assert torch.equal(average.mean()[1], expected)
    assert torch.equal(MapAverage(1, 2, 2).mean(), torch.zeros(1, 2, 2))


def maps():
    return AttentionMaps(torch.tensor([0.0, 0.2, 0.5, 0.9]), torch.arange(16.0).view(4, 1, 2, 2) / 100)


def test_groups_split_the_chosen_steps_in_order():
    groups = maps().average(0.1, 1.0, groups=2)
    share = maps().share
    assert torch.allclose(groups, torch.stack([share[1:3].mean(dim=0), share[3]]))
    with pytest.raises(SesaHandError, match=r"1 steps were sampled between 0.6 and 1, and 2 panels.*0.00, 0.20, 0.50"):
        maps().average(0.6, 1.0, groups=2)


def test_a_stretched_map_spans_the_range_and_an_even_one_is_empty():
    even, uneven = torch.full((1, 3, 3), 0.4), torch.tensor([[[0.1, 0.2], [0.3, 0.1]]])
    assert stretched(even).max() == 0
    assert torch.allclose(stretched(uneven), torch.tensor([[[0, 0.5], [1, 0]]]))


def test_the_colours_go_from_dark_to_bright_without_a_step_back():
    colors = heat_color(torch.linspace(-0.5, 1.5, 201))
    lightness = colors @ torch.tensor([0.2126, 0.7152, 0.0722])
    assert (lightness.diff() >= -1e-6).all() and colors.min() >= 0 and colors.max() <= 1
    assert torch.equal(colors[0], heat_color(torch.tensor(0.0))) and torch.equal(
        colors[-1], heat_color(torch.tensor(1.0))
    )


def test_the_overlay_hides_nothing_where_it_is_cold():
    images = torch.rand(1, 8, 8, 4)
    heat = torch.zeros(1, 8, 8)
    heat[0, 0, 0] = 1
    got = overlay(images, heat, 0.5)
    assert got.shape == (1, 8, 8, 3) and torch.equal(got[0, 1:], images[0, 1:, :, :3])
    assert torch.allclose(got[0, 0, 0], 0.5 * images[0, 0, 0, :3] + 0.5 * heat_color(torch.tensor(1.0)))


def test_the_picture_has_a_panel_for_each_group_and_the_mask_their_mean():
    image, mask = show_maps(maps(), torch.zeros(1, 6, 10, 3), panels=4, stretch=False, opacity=1.0)
    assert image.shape == (1, 6, 40, 3) and mask.shape == (1, 6, 10)
    assert torch.allclose(mask.amax(), maps().share.mean(dim=0).amax(), atol=1e-6)
