"""The bias in an attention of text and picture at once, against softmax in float64; and what alpha a share needs."""

import math

import pytest
import torch
import torch.nn.functional as F

from sesahand.attention.bias import needed_alpha
from sesahand.attention.heatmap import AttentionMaps, BlockShares, describe_shares
from sesahand.attention.joint import Layout, attend_with_bias, attention_to, on_patches, third_of

LAYOUT = Layout(text=0, queries=5, grid=(1, 3, 4), keys=20, rows=20, calls=3, is_cross=False, patch=2)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def masks():
    hidden = torch.ones(20, dtype=torch.bool)
    hidden[2] = False
    return {
        "none": None,
        "float of all": normal(20, 20, seed=4),
        "float of keys": normal(2, 1, 20, seed=5),
        "bool of keys": hidden[None, None].expand(2, 1, 20),
        "float of heads": normal(2, 3, 20, 20, seed=6),
    }


def added(mask):
    """A model's mask as what is added to its logits [B, H, N, K]."""
    if mask is None:
        return 0.0
    mask = mask[None] if mask.ndim == 2 else mask
    mask = mask[:, None] if mask.ndim == 3 else mask
    return torch.where(mask, 0.0, -math.inf).double() if mask.dtype == torch.bool else mask.double()


@pytest.mark.parametrize("mask", masks())
@pytest.mark.parametrize("region", [False, True])
@pytest.mark.parametrize("part", [slice(0, 12), slice(3, 8)])
def test_the_pictures_queries_alone_heed_the_bias(mask, region, part):
    query, key, value = (normal(2, 3, 20, 8, seed=k) for k in range(3))
    columns = torch.zeros(2, 1, 1, 20)
    columns[0, ..., [1, 3]] = 2.0
    weights, drawn = torch.zeros(2, 1, 12, 1), torch.rand(2, 1, 12, 1, generator=torch.Generator().manual_seed(9))
    weights[:, :, part] = drawn[:, :, part] if region else 1
    bias = columns * weights
    given = masks()[mask]

    def attend(query, mask):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)

    of_part = bias[:, :, part] if region else columns
    got = attend_with_bias(attend, query, given, of_part, LAYOUT.part(part), 2)
    logits = query.double() @ key.double().transpose(-1, -2) / math.sqrt(8) + added(given)
    logits[:, :, 5:17] += bias.double()
    assert (got - logits.softmax(dim=-1) @ value.double()).abs().max() < 2e-6

    ones = (columns != 0).float().transpose(-1, -2).expand(2, 3, 20, 8).contiguous()
    share = attention_to(
        lambda query, mask: F.scaled_dot_product_attention(query, key, ones, attn_mask=mask), query, given, bias, LAYOUT
    )
    expected = logits.softmax(dim=-1)[:, :, 5:17, [1, 3]].sum(dim=-1).mean(dim=1)
    assert (share[0] - expected[0]).abs().max() < 1e-6 and share[1].abs().max() == 0


def test_a_patch_over_the_edge_has_the_mean_of_what_lies_inside():
    weights = normal(2, 5, 7).abs()
    layout = Layout(0, 0, (2, 3, 4), 4, 24, 1, True, 2)
    got = on_patches(weights, layout).view(2, 2, 3, 4)
    assert torch.equal(got[:, 0], got[:, 1])
    for row in range(3):
        for column in range(4):
            inside = weights[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean(dim=(1, 2))
            assert torch.allclose(got[:, 0, row, column], inside)


def test_thirds_of_the_depth_are_as_even_as_they_can_be():
    for calls in range(1, 61):
        counts = [[third_of(call, calls) for call in range(calls)].count(p) for p in ("input", "middle", "output")]
        assert sum(counts) == calls and max(counts) - min(counts) <= 1


@pytest.mark.parametrize(("share", "wanted"), [(0.002, 0.5), (0.2, 0.65), (0.4, 0.05)])
def test_the_needed_alpha_turns_one_share_into_the_other(share, wanted):
    logits = torch.tensor([math.log(share / (1 - share)) + needed_alpha(share, wanted), 0.0])
    assert float(logits.softmax(dim=0)[0]) == pytest.approx(wanted, rel=1e-5)


def test_the_report_names_each_block_and_what_alpha_gives_more():
    steps = [BlockShares(), BlockShares()]
    for step, shares in zip(steps, ((0.1, 0.02), (0.3, 0.04)), strict=True):
        for name, share in zip(("input 0", "output 1"), shares, strict=True):
            step.add(name, torch.full((2, 3), share))
    blocks = BlockShares.means(steps)
    assert [name for name, _ in blocks] == ["input 0", "output 1"]
    assert [share for _, share in blocks] == pytest.approx([0.2, 0.03])
    report = describe_shares(AttentionMaps(torch.zeros(1), torch.zeros(1, 1, 2, 2), blocks))
    more = needed_alpha(0.115, 0.5)
    assert "input 0: 20.00%" in report and "11.50% of the attention" in report and f"{more:+.1f} for 50%" in report


def test_the_frames_of_a_film_share_its_map():
    maps = AttentionMaps(torch.zeros(1), torch.arange(2.0).view(1, 2, 1, 1))
    assert maps.for_pictures(6).share.flatten().tolist() == [0, 0, 0, 1, 1, 1]
    assert maps.for_pictures(5) is maps
