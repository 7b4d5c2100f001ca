"""The score: what it must do whatever its constants are, and how well it tells gestures apart."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mano_fixture import write_mano

from sesahand.errors import SesaHandError
from sesahand.hands.gestures import find_gesture, gesture
from sesahand.hands.loading import load_hand_model
from sesahand.hands.mano import load_mano
from sesahand.hands.pose import jitter
from sesahand.hands.rotations import axis_angle_to_matrix
from sesahand.metrics.mask_overlap import mask_iou
from sesahand.metrics.procrustes import align
from sesahand.reconstruct.scoring.choosing import bad_pictures, best_pictures, check_count, replace_bad_pictures
from sesahand.reconstruct.scoring.score import DEFAULT_THRESHOLD, pair_score, parts_of, score_hands
from sesahand.reconstruct.scoring.score_picture import BAD, draw_scores, preview_scores
from sesahand.reconstruct.scoring.score_report import describe_scores
from sesahand.render.maps import render_maps
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import HandScene, combine, concatenate_frames
from sesahand.scene.placing import Hand, change_camera, mirror_hand, place_in_box

MODEL, CAMERA = load_hand_model("builtin"), Camera.from_fov(512, 512)
LEFT_HALF, RIGHT_HALF = (30.0, 120, 250, 420), (270.0, 120, 490, 420)


def hand(name="victory", box=LEFT_HALF, side="right", camera=CAMERA):
    posed = Hand(MODEL, gesture(name)).turned(*find_gesture(name).view)
    return place_in_box(posed if side == "right" else mirror_hand(posed), camera, box)


def pair(names=("victory", "open_palm"), sides=("right", "left")):
    return combine([hand(names[0], LEFT_HALF, sides[0]), hand(names[1], RIGHT_HALF, sides[1])])


def none(num_frames=1):
    return HandScene.empty(MODEL, CAMERA, num_frames)


def only(requested, found, **options):
    """Return the score of the one picture."""
    (score,) = score_hands(requested, found, **options).pictures
    return score


class TestWhatAScoreIs:
    def test_the_requested_hands_themselves_score_one_in_any_order(self):
        scores = score_hands(pair(), pair().select([1, 0]))
        assert scores.pictures == (pytest.approx(1, abs=1e-9),) and not scores.missing and not scores.extra
        assert [(p.requested, p.found) for p in scores.pairs] == [(0, 1), (1, 0)]

    def test_nothing_asked_for_never_scores(self):
        assert only(none(), none()) == 0
        assert score_hands(concatenate_frames([none(), hand()]), concatenate_frames([hand(), hand()])).pictures == (
            0,
            pytest.approx(1, abs=1e-9),
        )

    def test_nothing_found_is_zero_and_says_what_is_missing(self):
        scores = score_hands(pair(), none())
        assert scores.pictures == (0,) and scores.missing == ((0, 0), (0, 1))

    def test_each_hand_that_nobody_asked_for_costs_what_it_should(self):
        asked, extra = hand(), hand("fist", RIGHT_HALF)
        found = combine([extra, asked])
        assert only(asked, found) == pytest.approx(1 / 1.1)
        assert only(asked, found, extra_cost=0.5) == pytest.approx(1 / 1.5)
        assert only(asked, found, extra_cost=0.0) == pytest.approx(1)
        assert only(none(), found) == 0
        assert score_hands(asked, found).extra == ((0, 0),)

    def test_one_good_hand_does_not_make_up_for_a_missing_one(self):
        assert only(pair(), hand()) == pytest.approx(0.5 * 0.5)

    def test_a_requested_frame_counts_for_every_picture(self):
        found = concatenate_frames([hand(), hand("fist"), none(), hand()])
        scores = score_hands(hand(), found).pictures
        assert scores[0] == scores[3] == pytest.approx(1) and scores[2] == 0 < scores[1] < DEFAULT_THRESHOLD

    def test_frames_are_compared_one_by_one_where_each_has_its_own(self):
        asked = concatenate_frames([hand(), hand("fist")])
        scores = score_hands(asked, concatenate_frames([hand("fist"), hand("fist")]))
        assert scores.pictures[1] == pytest.approx(1) and scores.pictures[0] < DEFAULT_THRESHOLD
        with pytest.raises(SesaHandError, match="requested for 2 pictures, but looked for in 3"):
            score_hands(asked, none(3))

    def test_pictures_of_another_size_do_not_matter_but_of_other_proportions_do(self):
        asked, found = hand(), hand("claw")
        assert only(asked, found.resized(1024, 1024)) == pytest.approx(only(asked, found), abs=1e-3)
        with pytest.raises(SesaHandError, match="proportions"):
            score_hands(asked, hand(camera=Camera.from_fov(512, 400)))

    def test_a_very_long_lens_sees_much_the_same_hand(self):
        assert only(hand(), change_camera(hand(), Camera.hamer(512, 512))) > 0.8

    def test_a_hand_across_the_picture_is_another_hand(self):
        scores = score_hands(hand(), hand(box=(400, 20, 500, 120)))
        assert scores.missing == ((0, 0),) and scores.extra == ((0, 0),) and scores.pictures == (0,)

    def test_hands_side_by_side_are_paired_by_their_sides(self):
        near = combine([hand("fist", (100, 100, 260, 300), "left"), hand("fist", (130, 100, 290, 300), "right")])
        asked = combine([hand("fist", (110, 100, 270, 300), "right"), hand("fist", (120, 100, 280, 300), "left")])
        assert [(p.requested, p.found, p.right_side) for p in score_hands(asked, near).pairs] == [
            (0, 1, True),
            (1, 0, True),
        ]

    def test_hands_behind_the_camera_are_not_found(self):
        behind = replace(hand(), translation=hand().translation * -1)
        assert only(hand(), behind) == 0

    @pytest.mark.parametrize("cost", [-0.1, math.nan, math.inf])
    def test_an_impossible_cost_is_refused(self, cost):
        with pytest.raises(SesaHandError, match="extra_cost"):
            score_hands(hand(), hand(), cost)

    def test_a_picture_of_one_pixel_can_be_scored_and_drawn(self):
        dot = hand().resized(1, 1)
        assert draw_scores(score_hands(dot, dot)).shape == (1, 1, 1, 3)

    def test_the_scenes_are_left_as_they_were(self):
        asked, found = pair(), pair()
        before = [getattr(found, name).clone() for name in found.ARRAYS]
        score_hands(asked, found)
        assert all(torch.equal(getattr(found, name), old) for name, old in zip(found.ARRAYS, before, strict=True))

    def test_progress_is_told_after_every_pair(self):
        told = []
        score_hands(pair(), pair(), progress=lambda done, total: told.append((done, total)))
        assert told == [(1, 2), (2, 2)]


class TestFigures:
    def test_they_are_those_of_the_metrics_counted_by_another_road(self):
        asked, found = hand("victory"), hand("claw")
        (scored,) = score_hands(asked, found).pairs
        a, f = asked.pose(), found.pose()
        flat_a, flat_f = (CAMERA.project(p.keypoints[0].double()).numpy() for p in (a, f))
        outline = CAMERA.project(a.vertices[0].double()).numpy()
        side = np.ptp(outline, axis=0).max()
        assert scored.mse_2d == pytest.approx(np.square(flat_f - flat_a).sum(1).mean() / side**2, rel=1e-6)
        apart = (f.keypoints[0] - f.keypoints[0, 0]) - (a.keypoints[0] - a.keypoints[0, 0])
        assert scored.mse_3d == pytest.approx(float(1e6 * apart.square().sum(1).mean()), rel=1e-4)
        aligned = align(f.vertices, a.vertices)
        assert scored.pa_mpvpe == pytest.approx(1000 * float((aligned - a.vertices).norm(dim=-1).mean()), rel=1e-4)
        assert scored.confidence == 1 and scored.right_side

    def test_outlines_overlap_as_the_masks_of_the_whole_pictures_do(self):
        asked, found = hand("victory"), hand("open_palm", (60, 150, 260, 400))
        expected = mask_iou(*(render_maps(each, maps=()).mask[0] for each in (found, asked)))
        (scored,) = score_hands(asked, found).pairs
        assert scored.mask_iou == pytest.approx(float(expected), abs=0.01)

    def test_hands_of_other_topologies_are_compared_without_their_surfaces(self, tmp_path):
        other = load_mano(write_mano(tmp_path))
        found = place_in_box(Hand(other, gesture("victory")), CAMERA, LEFT_HALF)
        (scored,) = score_hands(hand(), found).pairs
        assert scored.pa_mpvpe is None and "surface" not in scored.parts and 0 < scored.score < 1


def figures(**changes):
    own = {"mse_2d": 0.01, "mse_3d": 400.0, "pa_mpjpe": 8.0, "pa_mpvpe": 7.0, "mask_iou": 0.7, "confidence": 0.8}
    return parts_of(**own | {"finger_agreement": (0.9, 0.5, 1.0, 0.8, 0.7, 1.0)} | changes)


class TestMonotone:
    @settings(max_examples=60, deadline=None)
    @given(
        st.sampled_from(["mse_2d", "mse_3d", "pa_mpjpe", "pa_mpvpe"]), st.floats(0, 1e4), st.floats(1.01, 100),
        st.booleans(),
    )  # fmt: skip
    def test_a_larger_error_scores_less_and_no_error_is_whole(self, name, error, factor, right_side):
        small, large = (pair_score(figures(**{name: e}), right_side) for e in (error, error * factor + 0.01))
        assert 0 < large < small <= 1

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(["mask_iou", "confidence"]), st.floats(0, 1), st.floats(0, 1))
    def test_a_larger_share_scores_more(self, name, one, other):
        low, high = sorted((one, other))
        less, more = (pair_score(figures(**{name: share}), True) for share in (low, high))
        assert less <= more and (less < more or high - low < 1e-9)

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 5), st.floats(0, 1), st.floats(0, 1))
    def test_a_finger_that_agrees_more_scores_more(self, finger, one, other):
        def scored(agreement):
            facts = [0.9, 0.5, 1.0, 0.8, 0.7, 1.0]
            facts[finger] = agreement
            return pair_score(figures(finger_agreement=tuple(facts)), True)

        low, high = sorted((one, other))
        assert scored(low) <= scored(high)

    def test_all_parts_whole_is_one_and_the_wrong_side_half_of_it(self):
        best = figures(
            mse_2d=0, mse_3d=0, pa_mpjpe=0, pa_mpvpe=0, mask_iou=1, confidence=1, finger_agreement=(1.0,) * 6
        )
        assert pair_score(best, True) == pytest.approx(1) and pair_score(best, False) == pytest.approx(0.5)


class TestWhatMakesItFall:
    NAMES = ("victory", "ok")

    def mean(self, change) -> float:
        """Return the mean score over some gestures and three random changes of each."""
        scores = []
        for name in self.NAMES:
            found = concatenate_frames([change(hand(name), seed) for seed in range(3)])
            scores.append(score_hands(hand(name), found).mean)
        return sum(scores) / len(scores)

    def falls(self, changes) -> bool:
        means = [self.mean(change) for change in changes]
        assert means[0] == pytest.approx(1, abs=1e-6)
        return all(later < earlier - 0.01 for earlier, later in zip(means[:-1], means[1:], strict=True))

    def test_growing_noise_of_the_joints(self):
        def noisy(degrees):
            return lambda scene, seed: replace(scene, hand_pose=jitter(scene.hand_pose, degrees, seed))

        # Beyond some 30 degrees joint limits hold the fingers.
        assert self.falls([noisy(degrees) for degrees in (0, 5, 10, 20, 30)])

    def test_a_growing_distance_from_where_it_should_be(self):
        def moved(metres):
            def change(scene, seed):
                angle = torch.tensor(2 * math.pi * seed / 3)
                return replace(
                    scene, translation=scene.translation + metres * torch.tensor([angle.cos(), angle.sin(), 0])
                )

            return change

        assert self.falls([moved(metres) for metres in (0, 0.005, 0.015, 0.03, 0.06, 0.1, 0.4)])

    def test_a_growing_turn(self):
        def turned(degrees):
            def change(scene, seed):
                axis = torch.randn(3, generator=torch.Generator().manual_seed(seed))
                turn = axis_angle_to_matrix(math.radians(degrees) * axis / axis.norm())
                return replace(scene, global_orient=turn @ scene.global_orient)

            return change

        assert self.falls([turned(degrees) for degrees in (0, 8, 16, 32, 64)])

    def test_a_wrong_gesture_and_a_wrong_side(self):
        asked = hand("victory")
        for name in ("fist", "open_palm", "point", "three", "horns"):
            wrong = replace(asked, hand_pose=gesture(name)[None])
            assert only(asked, wrong) < DEFAULT_THRESHOLD
        assert only(asked, hand("victory", side="left")) < DEFAULT_THRESHOLD
        relabelled = replace(hand("open_palm"), side=("left",))
        assert only(hand("open_palm"), relabelled) < 0.5

    def test_a_detector_that_doubts(self):
        found = [replace(hand(), score=torch.tensor([sure])) for sure in (1.0, 0.8, 0.4, 0.0)]
        scores = score_hands(hand(), concatenate_frames(found)).pictures
        assert list(scores) == sorted(scores, reverse=True) and len(set(scores)) == 4


class TestTheSideThatFacesTheViewer:
    """A depth map fits the palm of one hand and the back of the other: nothing but the side that is seen tells them."""

    def turned(self, yaw, side="right"):
        posed = Hand(MODEL, gesture("open_palm"))
        posed = posed if side == "right" else mirror_hand(posed)
        return place_in_box(posed, CAMERA, LEFT_HALF, yaw=yaw)

    @pytest.mark.parametrize("side", ["right", "left"])
    def test_it_is_the_palm_the_edge_and_the_back_as_a_hand_turns(self, side):
        asked = self.turned(0, side)
        seen = [score_hands(asked, self.turned(yaw, side)).pairs[0].found_face for yaw in (0, 60, 90, 120, 180, 270)]
        assert seen == ["palm", "palm", "edge", "back", "back", "edge"]

    def test_the_back_for_the_palm_counts_half_and_is_told(self):
        scores = score_hands(self.turned(0), self.turned(180))
        (pair,) = scores.pairs
        assert not pair.right_face and pair.score == pytest.approx(pair_score(pair.parts, True) / 2)
        assert "shows its back, should show its palm" in describe_scores(scores)

    def test_the_palm_of_one_hand_is_not_the_back_of_the_other(self):
        (pair,) = score_hands(self.turned(0), self.turned(180, "left")).pairs
        assert not pair.right_side and not pair.right_face and pair.score < 0.5

    def test_a_hand_seen_from_its_edge_may_be_either(self):
        assert score_hands(self.turned(85), self.turned(95)).pairs[0].right_face


def test_a_hand_in_a_crop_out_of_a_corner_is_compared_by_how_it_is_turned_towards_its_viewer():
    """What is reconstructed from a crop is before a camera that looks at the crop's middle."""
    asked = hand("ok", (420.0, 30, 500, 130))
    crop = replace(asked, camera=Camera(CAMERA.focal_length * 4, (-600.0, 900.0), 512, 512))
    points = asked.pose().keypoints[0].double()
    ray = points.mean(0) / points.mean(0).norm()
    axis = torch.linalg.cross(ray, torch.tensor([0.0, 0, 1], dtype=torch.float64))
    turn = axis_angle_to_matrix(axis / axis.norm() * torch.asin(axis.norm())).float()
    wrist = asked.pose().keypoints[0, 0] - asked.translation[0]
    middle = replace(
        asked,
        camera=Camera.from_fov(512, 512, 10),
        global_orient=turn @ asked.global_orient,
        translation=(turn @ (wrist + asked.translation[0]) - wrist)[None],
    )
    (pair,) = score_hands(crop, middle).pairs
    assert pair.mse_3d < 1e-3 and math.degrees(float(torch.asin(axis.norm()))) > 10


class TestWords:
    def test_the_report_names_what_is_wrong(self):
        found = replace(pair(), hand_pose=torch.stack([gesture("three"), pair().hand_pose[1]]))
        text = describe_scores(score_hands(pair(), combine([found, hand("fist", (0, 0, 90, 90))])))
        assert "right hand:" in text and "left hand: 1.00" in text
        assert "ring should be bent, is straight" in text and "1 hand that nobody asked for" in text
        assert "index should" not in text

    def test_missing_hands_and_wrong_sides_are_told(self):
        assert "left hand: not found" in describe_scores(score_hands(pair(), hand()))
        assert "found as a left hand" in describe_scores(score_hands(hand(), hand(side="left")))
        assert "no hand was asked for" in describe_scores(score_hands(none(), none()))

    def test_of_a_batch_it_names_the_best_picture(self):
        text = describe_scores(score_hands(hand(), concatenate_frames([none(), hand()])))
        assert text.startswith("mean score 0.50 over 2 pictures, worst 0.00, best picture 1")

    def test_the_json_holds_every_figure(self):
        scores = score_hands(pair(), combine([hand("claw"), hand("fist", (0, 0, 90, 90))]))
        read = json.loads(scores.to_json())
        assert read["mean"] == scores.mean and len(read["pictures"]) == 1
        (picture,) = read["pictures"]
        assert picture["missing"] == ["left"] and picture["extra"] == ["right"]
        assert picture["hands"][0]["pa_mpjpe"] == scores.pairs[0].pa_mpjpe and picture["hands"][0]["side"] == "right"


class TestPicture:
    def test_requested_hands_are_outlined_in_white_and_found_ones_coloured(self):
        picture = draw_scores(score_hands(pair(), pair(("claw", "open_palm"))))[0]
        white = (picture == 1).all(-1)
        coloured = picture.amax(-1) - picture.amin(-1) > 0.9
        mask = render_maps(pair(), maps=()).mask[0] > 0
        inner = -torch.nn.functional.max_pool2d(-mask[None, None].float(), 3, 1, 1)[0, 0] > 0
        edge = mask & ~inner
        seen = (white | coloured)[edge].float().mean()
        assert seen > 0.95 and coloured.sum() > 500
        assert not (picture > 0).any(-1)[480:].any(), "nothing is drawn where nothing is"

    def test_it_is_drawn_at_the_pictures_size_with_any_channels(self):
        scores = score_hands(hand(), concatenate_frames([hand(), none()]))
        for channels in (1, 3, 4):
            drawn = draw_scores(scores, torch.full((2, 256, 256, channels), 0.5))
            assert drawn.shape == (2, 256, 256, 3) and 0 <= drawn.min() and drawn.max() <= 1
            assert not torch.equal(drawn[0], drawn[1])

    def test_numbers_that_are_none_are_drawn_black(self):
        drawn = draw_scores(score_hands(hand(), hand()), torch.full((1, 512, 512, 3), math.nan))
        assert drawn.isfinite().all()

    @pytest.mark.parametrize("shape", [(2, 512, 512, 3), (1, 512, 512, 2), (512, 512, 3), (1, 512, 300, 3)])
    def test_other_pictures_are_refused(self, shape):
        with pytest.raises(SesaHandError):
            draw_scores(score_hands(hand(), hand()), torch.zeros(shape))


class TestChoosing:
    SCENES = (hand("fist"), hand(), none(), hand())

    @pytest.fixture
    def scores(self):
        return score_hands(hand(), concatenate_frames(self.SCENES))

    def test_the_best_come_first_and_of_equal_ones_the_first(self, scores):
        assert best_pictures(scores, 1) == [1] and best_pictures(scores, 3) == [1, 3, 0]
        assert best_pictures(scores, 99) == [1, 3, 0, 2]
        assert len(scores.found.select_frames([1, 2, 0])) == 2
        with pytest.raises(SesaHandError, match="at least one"):
            best_pictures(scores, 0)

    def test_frames_are_taken_with_their_hands_in_the_order_asked_for(self, scores):
        kept = scores.found.select_frames([3, 2, 0, 0])
        assert kept.num_frames == 4 and kept.frame.tolist() == [0, 2, 3]
        assert torch.equal(kept.hand_pose[0], gesture("victory")) and torch.equal(kept.hand_pose[1], gesture("fist"))
        with pytest.raises(SesaHandError, match="Frames"):
            scores.found.select_frames([4])

    def test_only_bad_pictures_are_replaced(self, scores):
        good, repaired = torch.zeros(4, 2, 2, 3), torch.arange(1.0, 5)[:, None, None, None].expand(4, 2, 2, 3)
        mixed = replace_bad_pictures(good, repaired, scores, 0.5)
        assert mixed[:, 0, 0, 0].tolist() == [1, 0, 3, 0] and good.sum() == 0
        assert torch.equal(replace_bad_pictures(good, repaired[[0, 2]], scores, 0.5), mixed)
        assert replace_bad_pictures(good, None, scores, 0.0) is good

    @pytest.mark.parametrize(("score", "bad"), [(0.49, None), (0.5, []), (1, []), (math.nan, None)])
    def test_one_number_judges_all_pictures(self, score, bad):
        good, repaired = torch.zeros(2, 2, 2, 3), torch.ones(1, 9, 9, 3)
        assert bad_pictures(score, 0.5) == bad
        assert replace_bad_pictures(good, repaired, score, 0.5) is (good if bad == [] else repaired)

    @pytest.mark.parametrize("score", ["0.5", None, True, [0.5]])
    def test_what_is_no_score_is_refused(self, score):
        with pytest.raises(SesaHandError, match="The score is of the type"):
            bad_pictures(score, 0.5)

    def test_pictures_that_do_not_fit_are_refused(self, scores):
        good = torch.zeros(4, 2, 2, 3)
        for repaired in (torch.zeros(3, 2, 2, 3), torch.zeros(4, 2, 3, 3), None):
            with pytest.raises(SesaHandError, match="[Rr]epair"):
                replace_bad_pictures(good, repaired, scores, 0.5)
        for pictures in (good[:2], good[0]):
            with pytest.raises(SesaHandError, match="scores of 4 pictures"):
                check_count(pictures, scores)
            with pytest.raises(SesaHandError, match="scores of 4 pictures"):
                replace_bad_pictures(pictures, pictures, scores, 0.0)


def test_a_preview_of_small_or_several_pictures_has_letters_to_read_and_says_the_same():
    small = hand().resized(96, 96)
    empty = HandScene.empty(small.model, small.camera)
    found = replace(concatenate_frames([empty, empty, small]), note="Something about it.")
    scores = score_hands(small, found)
    drawn = draw_scores(scores)
    shown = preview_scores(scores, None, drawn, 2)
    assert drawn.shape == (3, 96, 96, 3) and shown.shape == (2, 384, 384, 3)
    red = (shown[0, :60] * 255 - torch.tensor(BAD)).abs().amax(-1) < 30
    rows = red.any(1).nonzero()
    assert rows.max() - rows.min() > 384 / 28, "a score of 0.00 in red, and not the words for pictures nobody looked at"
    large = draw_scores(score_hands(hand(), hand()))
    assert torch.equal(preview_scores(score_hands(hand(), hand()), None, large, 4), large)


def test_hands_that_could_not_be_looked_for_are_not_scored_in_words_and_pictures():
    why = replace(none(), note="The hand detector's files are missing.")
    scores, plain = score_hands(hand(), why), score_hands(hand(), none())
    assert scores.not_looked_for and not plain.not_looked_for and scores.pictures == plain.pictures == (0.0,)
    assert describe_scores(scores) == "not scored: The hand detector's files are missing."
    told, counted = json.loads(scores.to_json()), json.loads(plain.to_json())
    assert told["not_scored"] == why.note and "not_scored" not in counted
    assert told["mean"] is told["worst"] is told["pictures"][0]["score"] is None and counted["mean"] == 0.0
    assert told["pictures"][0]["missing"] == [] and counted["pictures"][0]["missing"] == ["right"]
    assert not torch.equal(draw_scores(scores), draw_scores(plain)), "the label says so instead of a number"
    found = replace(hand(), note="Something about it.")
    assert not score_hands(hand(), found).not_looked_for
    nothing_asked = score_hands(none(), why)
    assert nothing_asked.pictures == (0.0,)
    assert bad_pictures(nothing_asked, 0.5) == [0], "what nobody has looked at is not taken for good"
    assert combine([found, hand()]).note == concatenate_frames([hand(), found]).note == "Something about it."


def test_scores_of_very_many_frames_are_neither_drawn_nor_told_without_bounds():
    camera = Camera.from_fov(512, 512, 50)
    frames = HandScene.empty(load_hand_model("builtin"), camera, 100_000)
    scores = score_hands(HandScene.empty(frames.model, camera), frames)
    with pytest.raises(SesaHandError, match="100000 frames of 512x512 pixels take"):
        draw_scores(scores)
    report = describe_scores(scores)
    assert report.count("\npicture ") == 1000 and report.endswith("99000 more pictures, which only the details tell of")
    assert len(json.loads(scores.to_json())["pictures"]) == 100_000


def test_a_preview_of_a_thin_picture_is_not_as_wide_as_it_would_have_to_be_high():
    thin = HandScene.empty(load_hand_model("builtin"), Camera.from_fov(16384, 1, 50))
    scores = score_hands(thin, thin)
    assert preview_scores(scores, None, draw_scores(scores), 4).shape == (1, 1, 16384, 3)
