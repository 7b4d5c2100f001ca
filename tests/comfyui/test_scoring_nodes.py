"""The nodes of the family scoring, called as ComfyUI calls them."""

import json

import pytest
import torch
from sesahand_pack.nodes import scoring
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.hands.gestures import gesture
from sesahand_pack.sesahand.hands.loading import load_hand_model
from sesahand_pack.sesahand.scene.camera import Camera
from sesahand_pack.sesahand.scene.hand_scene import HandScene, concatenate_frames
from sesahand_pack.sesahand.scene.placing import Hand, place_in_box

import comfy.model_management
import folder_paths

MODEL, CAMERA = load_hand_model("builtin"), Camera.from_fov(96, 96)


def hand(name="victory"):
    return place_in_box(Hand(MODEL, gesture(name)), CAMERA, (16, 16, 80, 80))


def run(node, **given):
    """Return what a node gives with its other widgets left alone."""
    inputs = node.define_schema().inputs
    defaults = {i.id: i.default for i in inputs if not i.optional and getattr(i, "default", None) is not None}
    return node.execute(**defaults | given)


@pytest.fixture(autouse=True)
def temporary(tmp_path):
    before = folder_paths.get_temp_directory()
    folder_paths.set_temp_directory(str(tmp_path))
    yield
    folder_paths.set_temp_directory(before)


@pytest.fixture
def batch():
    """Found hands of four pictures, of which the second and the last are as requested, and the pictures."""
    found = concatenate_frames([hand("fist"), hand(), HandScene.empty(MODEL, CAMERA), hand()])
    return found, torch.linspace(0, 1, 4)[:, None, None, None].expand(4, 96, 96, 3).contiguous()


def test_a_batch_is_scored_in_numbers_words_and_pictures(batch):
    found, images = batch
    answer = run(scoring.ScoreHands, requested=hand(), found=found, image=images)
    score, scores, report, details, picture = answer.result
    assert isinstance(score, float) and score == pytest.approx(sum(scores.pictures) / 4)
    assert scores.pictures[1] == pytest.approx(1) and scores.pictures[2] == 0
    assert "picture 2: 0.00" in report and "not found" in report
    assert [entry["score"] for entry in json.loads(details)["pictures"]] == list(scores.pictures)
    assert picture.shape == (4, 96, 96, 3) and picture.dtype == torch.float32
    assert len(answer.ui.as_dict()["images"]) == 4
    again = run(scoring.ScoreHands, requested=hand(), found=found).result
    assert again[1].pictures == scores.pictures, "the picture does not change the score"


def test_scoring_stops_when_the_user_cancels(batch):
    comfy.model_management.interrupt_current_processing(True)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(scoring.ScoreHands, requested=hand(), found=batch[0])


@pytest.mark.parametrize("value", [float("nan"), -1.0, "0.1", None])
def test_a_cost_out_of_range_is_refused(value, batch):
    with pytest.raises(SesaHandError, match="extra_hands is"):
        run(scoring.ScoreHands, requested=hand(), found=batch[0], extra_hands=value)


class TestContactSheet:
    def test_labels_and_scores_stand_under_the_pictures(self, batch):
        found, images = batch
        scores = run(scoring.ScoreHands, requested=hand(), found=found).result[1]
        labels = "fist\nvictory\nnothing\nvictory again\n"
        answer = run(scoring.ContactSheet, images=images, labels=labels, scores=scores)
        assert len(answer.ui.as_dict()["images"]) == 1
        [sheet] = answer.result
        bare = run(scoring.ContactSheet, images=images).result[0]
        labelled = run(scoring.ContactSheet, images=images, labels=labels).result[0]
        scored = run(scoring.ContactSheet, images=images, scores=scores).result[0]
        heights = [picture.shape[1] for picture in (bare, labelled, sheet)]
        assert heights[0] < heights[1] < heights[2] and scored.shape == labelled.shape
        assert scoring.sheet_captions(images, labels, scores)[1] == "victory\nscore 1.00"
        assert scoring.sheet_captions(images, "", scores)[2] == "score 0.00"

    def test_labels_that_do_not_fit_are_refused(self, batch):
        with pytest.raises(SesaHandError, match="2 lines for 4 pictures"):
            run(scoring.ContactSheet, images=batch[1], labels="one\ntwo")
        scores = run(scoring.ScoreHands, requested=hand(), found=hand()).result[1]
        with pytest.raises(SesaHandError, match="scores of 1 pictures"):
            run(scoring.ContactSheet, images=batch[1], scores=scores)


class TestRepairGate:
    @pytest.fixture
    def scores(self, batch):
        return run(scoring.ScoreHands, requested=hand(), found=batch[0]).result[1]

    def asks_for(self, **given):
        return scoring.RepairGate.check_lazy_status(**{"threshold": 0.5, "good": torch.zeros(4, 8, 8, 3)} | given)

    def test_the_repaired_pictures_are_asked_for_only_if_one_is_needed(self, scores):
        assert self.asks_for(score=scores) == ["repaired"] and self.asks_for(score=0.2) == ["repaired"]
        assert self.asks_for(score=scores, threshold=0.0) == [] and self.asks_for(score=0.9) == []
        assert self.asks_for(score=float("nan")) == ["repaired"]
        assert self.asks_for(score=scores, repaired=torch.zeros(4, 8, 8, 3)) == [], "they are there already"

    def test_bad_pictures_are_replaced_one_by_one(self, scores, batch):
        repaired = torch.full((4, 96, 96, 3), 0.25)
        images, was_repaired = run(scoring.RepairGate, score=scores, good=batch[1], repaired=repaired).result
        assert was_repaired is True
        assert [bool((image == 0.25).all()) for image in images] == [True, False, True, False]
        assert torch.equal(images[1], batch[1][1]) and torch.equal(batch[1][0], torch.zeros(96, 96, 3))

    def test_good_ones_go_through_untouched(self, batch):
        images, was_repaired = run(scoring.RepairGate, score=0.9, good=batch[1]).result
        assert images is batch[1] and was_repaired is False

    def test_it_takes_scores_and_plain_numbers(self):
        (score,) = [i for i in scoring.RepairGate.define_schema().inputs if i.id == "score"]
        assert score.get_io_type() == "SESAHAND_SCORES,FLOAT"


class TestKeepBest:
    def test_the_best_of_the_batch_comes_with_its_hands(self, batch):
        found, images = batch
        scores = run(scoring.ScoreHands, requested=hand(), found=found).result[1]
        kept, score, index, hands = run(scoring.KeepBest, images=images, scores=scores).result
        assert torch.equal(kept, images[1:2]) and score == pytest.approx(1) and index == 1
        assert len(hands) == hands.num_frames == 1 and torch.equal(hands.hand_pose[0], gesture("victory"))
        kept, score, index, hands = run(scoring.KeepBest, images=images, scores=scores, count=9).result
        assert torch.equal(kept, images[[1, 3, 0, 2]]) and hands.num_frames == 4 and len(hands) == 3

    def test_other_hands_of_the_same_pictures_can_be_chosen_from(self, batch):
        found, images = batch
        scores = run(scoring.ScoreHands, requested=hand(), found=found).result[1]
        others = concatenate_frames([hand(name) for name in ("ok", "claw", "point", "four")])
        hands = run(scoring.KeepBest, images=images, scores=scores, count=2, hands=others).result[3]
        assert torch.equal(hands.hand_pose, torch.stack([gesture("claw"), gesture("four")]))

    def test_a_batch_of_another_size_is_refused(self, batch):
        scores = run(scoring.ScoreHands, requested=hand(), found=batch[0]).result[1]
        with pytest.raises(SesaHandError, match="scores of 4 pictures"):
            run(scoring.KeepBest, images=batch[1][:3], scores=scores)
