"""The errors of joints, vertices, pairs of hands and masks, against cases counted by hand and loops over KD-trees."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from scipy.spatial import cKDTree

from sesahand.errors import SesaHandError
from sesahand.metrics.correct_keypoints import auc, pck
from sesahand.metrics.joint_errors import mpjpe, mpvpe, pa_mpjpe
from sesahand.metrics.keypoint_errors import mse_2d, mse_3d
from sesahand.metrics.mask_overlap import mask_iou
from sesahand.metrics.surface_match import f_scores
from sesahand.metrics.two_hands import mrrpe, rrve

seeds = st.integers(0, 2**31)


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 0.03


def displaced(millimetres, count: int = 21) -> tuple[torch.Tensor, torch.Tensor]:
    """Return found points that are off by the given distances, one sample each, and the reference."""
    reference = random(0, len(millimetres), count, 3)
    found = reference.clone()
    found[..., 1] += torch.tensor(millimetres)[:, None] / 1000
    return found, reference


class TestJointErrors:
    def test_only_the_wrist_is_aligned(self):
        found, reference = displaced([7.0])
        assert mpjpe(found, reference).item() == pytest.approx(0, abs=1e-9)
        # The wrist moves, so that the twenty others are off by 5 mm relative to it.
        found[:, 0, 2] += 0.005
        assert mpjpe(found, reference).item() == pytest.approx(5 * 20 / 21)
        # Half a turn about the wrist is no alignment that it makes: a point 30 mm away is 60 mm off.
        one = torch.zeros(1, 2, 3)
        one[0, 1, 0] = 0.03
        assert mpjpe(-one, one).item() == pytest.approx(30)

    def test_vertices_are_shifted_by_the_wrists_that_are_given(self):
        found, reference = random(1, 2, 50, 3), random(2, 2, 50, 3)
        wrists = random(3, 2, 3), random(4, 2, 3)
        expected = [
            np.mean([1000 * np.linalg.norm((f - a) - (r - b)) for f, r in zip(fs, rs, strict=True)])
            for fs, rs, a, b in zip(*(each.numpy() for each in (found, reference, *wrists)), strict=True)
        ]
        assert np.allclose(mpvpe(found, reference, *wrists).numpy(), expected)

    def test_a_wrist_of_another_shape_is_refused(self):
        with pytest.raises(SesaHandError, match="Wrists"):
            mpvpe(random(1, 2, 5, 3), random(2, 2, 5, 3), torch.zeros(3), torch.zeros(2, 3))


class TestAuc:
    def test_one_distance_gives_the_share_of_the_curve_right_of_it(self):
        # 20 mm is reached from threshold 40 of 0..99 on (50/99 mm apart): 59 whole steps and half of one.
        found, reference = displaced([20.0])
        assert auc(found, reference).item() == pytest.approx(59.5 / 99)

    def test_it_is_zero_beyond_the_range_and_nearly_one_for_no_error(self):
        assert auc(*displaced([50.1])).item() == 0
        assert auc(*displaced([0.0])).item() == 1

    @settings(max_examples=15, deadline=None)
    @given(seeds)
    def test_it_agrees_with_a_loop_over_points_and_thresholds(self, seed):
        found, reference = random(seed, 12, 4, 3), random(seed + 1, 12, 4, 3)
        distance = 1000 * np.linalg.norm(found.numpy() - reference.numpy(), axis=-1)
        thresholds = np.linspace(0, 50, 100)
        areas = [trapezoid([np.mean(distance[:, p] <= t) for t in thresholds], thresholds) / 50 for p in range(4)]
        assert auc(found, reference).item() == pytest.approx(np.mean(areas))

    def test_points_that_are_not_annotated_do_not_count(self):
        found, reference = displaced([10.0, 30.0], count=2)
        reference[1, 0] = float("nan")
        alone = [auc(found[:1, :1], reference[:1, :1]), auc(found[:, 1:], reference[:, 1:])]
        assert auc(found, reference).item() == pytest.approx(sum(alone).item() / 2)
        with pytest.raises(SesaHandError, match="annotated"):
            auc(found, torch.full_like(reference, float("nan")))

    def test_shares_of_right_points_grow_with_the_threshold(self):
        distances = random(5, 30, 3).abs() * 1000
        assert (pck(distances, torch.linspace(0, 90, 50)).diff(dim=0) >= 0).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("figure", [mpjpe, pa_mpjpe, lambda a, b: mpvpe(a, b, a[:, 0], b[:, 0])])
def test_an_error_of_unknown_points_is_refused_and_not_nan(figure, value):
    found, reference = displaced([10.0, 30.0], count=2)
    reference[1, 0, 2] = value
    for pair in ((found, reference), (reference, found)):
        with pytest.raises(SesaHandError, match="NaN"):
            figure(*pair)


class TestFScore:
    @settings(max_examples=15, deadline=None)
    @given(seeds, st.sampled_from([5.0, 15.0]))
    def test_it_agrees_with_a_kd_tree(self, seed, limit):
        found, reference = random(seed, 1, 60, 3), random(seed + 1, 1, 80, 3)
        a, b = found[0].numpy(), reference[0].numpy()
        precision = np.mean(cKDTree(b).query(a)[0] < limit / 1000)
        recall = np.mean(cKDTree(a).query(b)[0] < limit / 1000)
        expected = 2 * precision * recall / (precision + recall) if precision + recall else 0
        assert f_scores(found, reference, [limit]).item() == pytest.approx(expected)

    def test_half_a_surface_has_full_precision_and_half_recall(self):
        reference = torch.zeros(1, 10, 3)
        reference[0, :, 0] = torch.arange(10)
        assert f_scores(reference[:, :5], reference).tolist() == [[pytest.approx(2 * 0.5 / 1.5)]] * 2

    def test_far_from_the_origin_it_is_still_exact(self):
        near = random(6, 1, 300, 3).float()
        assert f_scores(near + 40, near + 40).tolist() == [[1], [1]]

    def test_surfaces_far_apart_score_zero(self):
        assert f_scores(torch.zeros(2, 5, 3), torch.ones(2, 4, 3)).tolist() == [[0, 0], [0, 0]]

    def test_no_samples_and_no_surfaces(self):
        assert f_scores(torch.zeros(0, 5, 3), torch.zeros(0, 5, 3)).shape == (2, 0)
        with pytest.raises(SesaHandError, match="Vertices"):
            f_scores(torch.zeros(1, 0, 3), torch.zeros(1, 5, 3))


class TestTwoHands:
    def test_only_the_right_wrist_is_aligned(self):
        right, left = random(7, 1, 30, 3), random(8, 1, 30, 3)
        wrist = random(9, 1, 3)
        shift = torch.tensor([[0.0, 0.2, 0.0]], dtype=torch.float64)
        same = rrve(right + shift[:, None], left + shift[:, None], right, left, wrist + shift, wrist)
        assert same.item() == pytest.approx(0, abs=1e-9)
        # The left hand is 8 mm off: half of the vertices.
        off = rrve(right, left + torch.tensor([0.008, 0, 0]), right, left, wrist, wrist)
        assert off.item() == pytest.approx(4)

    def test_the_place_of_the_left_wrist_counts_as_seen_from_the_right_one(self):
        zero = torch.zeros(2, 3)
        there = torch.tensor([[0.3, 0.0, 0.0], [0.0, 0.0, 0.0]])
        wanted = torch.tensor([[0.3, 0.04, 0.03], [0.0, 0.0, 0.0]])
        assert mrrpe(zero, there, zero, wanted).tolist() == pytest.approx([50, 0], rel=1e-5)
        assert torch.allclose(mrrpe(zero + 9, there + 9, zero, wanted), mrrpe(zero, there, zero, wanted), atol=1e-2)


class TestKeypointErrors:
    def test_a_tenth_of_the_hand_is_a_hundredth(self):
        reference = random(10, 2, 21, 2) * 1000
        size = torch.tensor([200.0, 50.0])
        found = reference + 0.1 * size[:, None, None] * torch.tensor([0.6, 0.8])
        assert mse_2d(found, reference, size).tolist() == pytest.approx([0.01, 0.01])
        # The same in a picture twice as large.
        assert torch.allclose(mse_2d(2 * found, 2 * reference, 2 * size), mse_2d(found, reference, size))

    def test_a_hand_without_size_is_refused(self):
        with pytest.raises(SesaHandError, match="size"):
            mse_2d(torch.zeros(1, 21, 2), torch.zeros(1, 21, 2), torch.zeros(1))

    def test_square_millimetres_from_the_wrist(self):
        found, reference = displaced([3.0, 3.0])
        found[1, 1:, 0] += 0.002
        assert mse_3d(found, reference).tolist() == pytest.approx([0, 4 * 20 / 21], abs=1e-9)


class TestMaskIou:
    def test_rectangles_counted_by_hand(self):
        masks = torch.zeros(3, 8, 8)
        masks[0, :4, :4], masks[1, 2:6, 2:6] = 1, 1
        assert mask_iou(masks[0], masks[1]).item() == pytest.approx(4 / 28)
        assert mask_iou(masks[0], masks[0]) == 1 and mask_iou(masks[0], masks[2]) == 0
        assert mask_iou(masks[2], masks[2]) == 1, "two empty masks agree"
        assert mask_iou(masks[[0, 1]].bool(), masks[[1, 0]].bool()).tolist() == pytest.approx([1 / 7] * 2)

    def test_other_sizes_are_refused(self):
        with pytest.raises(SesaHandError, match="Masks"):
            mask_iou(torch.zeros(4, 4), torch.zeros(4, 5))
