"""The streamed, pooled self-attention map against the map computed whole."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from sesahand.errors import SesaHandError
from sesahand.fusion.pooled_attention import fuse, pool_map, pooled_self_attention, pooling_nests

SIZES = [
    ((16, 16), (4, 4)),
    ((8, 8), (8, 8)),
    ((16, 24), (4, 6)),  # not square
    ((20, 28), (3, 4)),  # bins of unequal length
    ((5, 7), (2, 3)),
    ((7, 9), (1, 1)),
    ((32, 16), (4, 4)),  # another aspect than its target
]


def random_projections(size, batch=2, heads=3, dim=5, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, heads, size[0] * size[1], dim)
    return [torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for _ in range(2)]


def whole_map(query, key):
    scores = torch.einsum("bhqd,bhkd->bhqk", query, key) / query.shape[-1] ** 0.5
    return torch.softmax(scores, dim=-1).mean(dim=1)


def adaptively_pooled(attention, size, grid):
    """Pool keys, then queries, with torch's own adaptive pooling."""
    batch, queries, _ = attention.shape
    keys_pooled = F.adaptive_max_pool2d(attention.view(batch, queries, *size), grid).flatten(2)
    rows = keys_pooled.transpose(1, 2).reshape(batch, -1, *size)
    return F.adaptive_max_pool2d(rows, grid).flatten(2).transpose(1, 2)


@pytest.mark.parametrize(("size", "grid"), SIZES)
@pytest.mark.parametrize("chunk_bytes", [1, 3000, 40_000, 1 << 30], ids=["row", "rows", "cells", "whole"])
def test_streamed_map_is_the_whole_map_pooled(size, grid, chunk_bytes):
    query, key = random_projections(size)
    expected = adaptively_pooled(whole_map(query.double(), key.double()), size, grid)
    pooled = pooled_self_attention(query, key, size, grid, chunk_bytes)
    assert pooled.dtype == torch.float32
    torch.testing.assert_close(pooled.double(), expected, rtol=0, atol=3e-7)


@pytest.mark.parametrize(("size", "grid"), SIZES)
def test_chunks_do_not_change_a_digit_beyond_1e_7(size, grid):
    query, key = random_projections(size)
    naive = adaptively_pooled(whole_map(query, key), size, grid)
    for chunk_bytes in (1, 5000, 1 << 30):
        assert (pooled_self_attention(query, key, size, grid, chunk_bytes) - naive).abs().max() <= 1e-7


def test_full_size_map_is_equal_to_the_naive_one_at_64_squared():
    size, grid = (64, 64), (8, 8)
    query, key = random_projections(size, batch=1, heads=2, dim=40)
    naive = adaptively_pooled(whole_map(query, key), size, grid)
    assert (pooled_self_attention(query, key, size, grid) - naive).abs().max() <= 1e-7


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_comes_close(dtype):
    query, key = random_projections((16, 16), dtype=dtype)
    expected = adaptively_pooled(whole_map(query.double(), key.double()), (16, 16), (4, 4))
    pooled = pooled_self_attention(query, key, (16, 16), (4, 4))
    torch.testing.assert_close(pooled.double(), expected, rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("upcast", [False, True])
def test_scores_beyond_float16_stay_finite(upcast):
    query, key = (300 * x for x in random_projections((16, 16), dim=64, dtype=torch.float16))
    scores = query.double() @ key.double().transpose(-1, -2) / 8
    assert 65504 < scores.abs().max() < 32 * 65504, "the scores do not exceed what they should"
    expected = adaptively_pooled(torch.softmax(scores, dim=-1).mean(dim=1), (16, 16), (4, 4))
    pooled = pooled_self_attention(query, key, (16, 16), (4, 4), upcast=upcast)
    assert torch.isfinite(pooled).all()
    if upcast:
        torch.testing.assert_close(pooled.double(), expected, rtol=0, atol=0.02)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_upcast_scores_keep_every_digit_also_in_mixed_precision(dtype):
    query, key = random_projections((16, 16), dtype=dtype)
    expected = adaptively_pooled(whole_map(query.double(), key.double()), (16, 16), (4, 4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled = pooled_self_attention(query, key, (16, 16), (4, 4), upcast=True)
    torch.testing.assert_close(pooled.double(), expected, rtol=0, atol=3e-7)


@pytest.mark.parametrize(
    ("size", "middle", "coarse"),
    [((32, 48), (16, 24), (4, 6)), ((20, 28), (10, 14), (5, 7)), ((21, 27), (10, 4), (5, 2))],
)
def test_pooling_over_a_nested_grid_is_pooling_at_one_go(size, middle, coarse):
    assert pooling_nests(middle, coarse)
    query, key = random_projections(size, batch=1, heads=1)
    over_middle = pool_map(pooled_self_attention(query, key, size, middle), middle, coarse)
    assert (over_middle - pooled_self_attention(query, key, size, coarse)).abs().max() <= 1e-7


def test_grids_that_do_not_nest_are_told_apart():
    assert not pooling_nests((5, 7), (3, 4))


@pytest.mark.parametrize("checkpoint", [False, True])
def test_gradients_flow_through_the_pooled_map(checkpoint):
    size, grid = (6, 8), (3, 4)
    query, key = (x.requires_grad_() for x in random_projections(size, batch=1, dtype=torch.float64))

    def streamed(query, key):
        # The map itself is float32; a smooth float64 reading of it is what gradcheck can compare.
        return pooled_self_attention(query.float(), key.float(), size, grid, 500, checkpoint)

    weights = torch.randn(1, 12, 12, generator=torch.Generator().manual_seed(1))
    (streamed(query, key) * weights).sum().backward()
    gradients = query.grad.clone(), key.grad.clone()
    query.grad = key.grad = None
    (adaptively_pooled(whole_map(query, key), size, grid) * weights.double()).sum().backward()
    torch.testing.assert_close(gradients, (query.grad, key.grad), rtol=1e-4, atol=1e-6)


def test_gathering_and_scattering_are_the_two_matrix_products():
    psi = torch.rand(2, 12, 12)
    feature = torch.randn(2, 5, 3, 4)
    flat = feature.flatten(2)
    gathered = torch.einsum("bij,bcj->bci", psi, flat).view_as(feature)
    scattered = torch.einsum("bij,bci->bcj", psi, flat).view_as(feature)
    torch.testing.assert_close(fuse(feature, psi, "paper", 1.0, "gather"), gathered, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(fuse(feature, psi, "paper", 1.0, "scatter"), scattered, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("orientation", ["gather", "scatter"])
def test_blending_keeps_a_uniform_feature_and_stays_in_its_range(orientation):
    psi = torch.rand(2, 12, 12) ** 4
    uniform = torch.full((2, 3, 3, 4), 7.0)
    torch.testing.assert_close(fuse(uniform, psi, "blend", 1.0, orientation), uniform)
    feature = torch.randn(2, 3, 3, 4)
    blended = fuse(feature, psi, "blend", 1.0, orientation)
    assert blended.amax() <= feature.amax() and blended.amin() >= feature.amin()


def test_blending_by_zero_is_the_feature_itself_and_in_between_is_linear():
    psi, feature = torch.rand(1, 12, 12), torch.randn(1, 3, 3, 4)
    none, half, full = (fuse(feature, psi, "blend", strength, "gather") for strength in (0.0, 0.5, 1.0))
    assert torch.equal(none, feature)
    torch.testing.assert_close(half, (feature + full) / 2)


def test_a_place_no_one_attends_to_keeps_its_feature_when_scattering():
    psi = torch.rand(1, 4, 4)
    psi[:, :, 2] = 0
    feature = torch.randn(1, 3, 2, 2)
    blended = fuse(feature, psi, "blend", 1.0, "scatter")
    assert torch.isfinite(blended).all()
    assert torch.equal(blended.flatten(2)[..., 2], feature.flatten(2)[..., 2])


def test_half_precision_features_stay_half_precision():
    feature = torch.randn(1, 3, 2, 2, dtype=torch.float16)
    assert fuse(feature, torch.rand(1, 4, 4), "blend", 0.5, "gather").dtype == torch.float16


def test_fusion_is_not_rounded_by_mixed_precision_training():
    psi, feature = torch.rand(1, 64, 64), torch.randn(1, 8, 8, 8)
    exact = fuse(feature, psi, "paper", 1.0, "gather")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(fuse(feature, psi, "paper", 1.0, "gather"), exact)


def test_tokens_that_are_not_the_grid_are_refused():
    query, key = random_projections((4, 4))
    with pytest.raises(SesaHandError, match="4 x 5 places"):
        pooled_self_attention(query, key, (4, 5), (2, 2))


def test_pooling_to_a_finer_grid_is_refused():
    query, key = random_projections((4, 4))
    with pytest.raises(SesaHandError, match="only shrinks"):
        pooled_self_attention(query, key, (4, 4), (8, 8))


class LargestTensor(TorchDispatchMode):
    """Notes the most elements that any operation's result has, views aside."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(value, torch.Tensor):
                self.elements = max(self.elements, value.numel())
        return result


@pytest.mark.parametrize("upcast", [False, True])
def test_no_tensor_is_larger_than_a_chunk_of_the_map(upcast):
    size, chunk_bytes = (32, 32), 1 << 18
    query, key = random_projections(size, batch=2, heads=4, dim=8)
    with LargestTensor() as largest, torch.no_grad():
        pooled_self_attention(query, key, size, (4, 4), chunk_bytes, upcast=upcast)
    inputs = query.numel()
    assert largest.elements <= max(inputs, chunk_bytes // 4) < 2 * 4 * 1024**2 // 50
    with LargestTensor() as largest:
        whole_map(query, key)
    assert largest.elements == 2 * 4 * 1024**2, "the bound would not notice a whole map"


def test_a_map_that_keeps_its_grid_is_the_only_large_tensor():
    size, chunk_bytes = (32, 32), 1 << 18
    query, key = random_projections(size, batch=1, heads=4, dim=8)
    with LargestTensor() as largest, torch.no_grad():
        pooled = pooled_self_attention(query, key, size, size, chunk_bytes)
    assert largest.elements == pooled.numel() == 1024**2
