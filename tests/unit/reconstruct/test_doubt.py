"""What is not to be relied on is carried from the landmarks to the fit, the report, the table and the score."""

import json
import math
from dataclasses import replace

import pytest
import torch
from seen_hands import landmarks_of, random_hands

from sesahand.errors import SesaHandError
from sesahand.hands.loading import load_hand_model
from sesahand.reconstruct.detection.landmark_pictures import draw_landmarks
from sesahand.reconstruct.detection.sides import describe_sides
from sesahand.reconstruct.fitting.fit import fit_hands
from sesahand.reconstruct.fitting.fit_report import describe_fit
from sesahand.reconstruct.landmarks import DOUBTFUL_HAND
from sesahand.reconstruct.scoring.score import score_hands
from sesahand.reconstruct.scoring.score_report import describe_scores, scores_to_json
from sesahand.reconstruct.summary import PictureOutcome, describe_hands, summary_csv
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import combine


def with_spread(landmarks, spread: float, ring: float):
    """Return landmarks whose points moved by `spread`, those of the ring finger by `ring`."""
    moved = torch.full((len(landmarks), 21), spread)
    moved[:, 13:17] = ring
    return replace(landmarks, spread=moved)


@pytest.fixture(scope="module")
def landmarks():
    scene = random_hands(load_hand_model("builtin"), Camera.from_fov(512, 512), 2, seed=3)
    return landmarks_of(scene, pixels=1.0, metres=0.002)


def test_doubt_is_the_mean_over_the_hand_and_over_each_finger(landmarks):
    doubt = with_spread(landmarks, 0.02, 0.09).doubt[0]
    expected = [(17 * 0.02 + 4 * 0.09) / 21, 0.02, 0.02, 0.02, 0.09, 0.02]
    torch.testing.assert_close(doubt, torch.tensor(expected))
    assert landmarks.doubt.isnan().all(), "of landmarks from elsewhere nothing is known"


def test_reports_and_tables_name_the_doubtful_finger(landmarks):
    sure, vague = with_spread(landmarks, 0.02, 0.02), with_spread(landmarks, 0.04, 0.2)
    assert "doubtful" not in describe_sides(sure) + describe_fit(fit_hands(sure))
    said = "doubtful: its points move by 7% of its size, ring"
    fitted = fit_hands(vague)
    assert said in describe_sides(vague) and said in describe_fit(fitted)
    [row] = describe_hands(fitted)[:1]
    assert row.doubt == pytest.approx(0.0705, abs=1e-3) and row.doubtful == said
    assert said in summary_csv([PictureOutcome("a.png", [row])])
    assert describe_hands(fit_hands(landmarks))[0].doubt is None


def test_doubt_goes_with_its_hand(landmarks):
    scene = fit_hands(with_spread(landmarks, 0.02, 0.3)).scene
    again = combine([scene, replace(scene, doubt=None)]).select([0, len(scene)])
    assert torch.equal(again.doubt[0], scene.doubt[0]) and again.doubt[1].isnan().all()
    with pytest.raises(SesaHandError, match="doubt has shape"):
        replace(scene, doubt=torch.zeros(1, 5))


def test_a_doubtful_hand_scores_less_by_as_much_as_it_moves_more(landmarks):
    scene = fit_hands(landmarks).scene.select_frames([0])

    def found(spread: float):
        return replace(scene, doubt=torch.full((1, 6), spread))

    requested = replace(scene, score=torch.ones(1))
    plain = score_hands(requested, scene).mean
    for steady in (0.9 * DOUBTFUL_HAND, math.nan):
        assert score_hands(requested, found(steady)).mean == plain
    vague = score_hands(requested, found(2 * DOUBTFUL_HAND))
    assert vague.mean == pytest.approx(plain / 2)
    assert "doubtful: its points move by 10% of its size, thumb, index, middle, ring, pinky" in describe_scores(vague)
    [pair] = json.loads(scores_to_json(vague))["pictures"][0]["hands"]
    assert pair["steadiness"] == pytest.approx(0.5)


def test_doubtful_fingers_are_dotted_and_their_hand_has_a_question_mark(landmarks):
    one = landmarks.select([0])
    black = torch.zeros(one.num_frames, one.height, one.width, 3)
    sure, ring, whole = (
        draw_landmarks(black, with_spread(one, *spread)) for spread in ((0.02, 0.02), (0.02, 0.08), (0.06, 0.06))
    )
    x, y = one.keypoints_2d[0, 14].floor().long().tolist()
    frame = int(one.frame[0])
    assert sure[frame, y, x].tolist() == [0, 0, 1] and len(set(ring[frame, y, x].tolist())) == 1
    thumb_x, thumb_y = one.keypoints_2d[0, 2].floor().long().tolist()
    assert ring[frame, thumb_y, thumb_x].tolist() == [0, 0, 1]
    assert ((whole - sure).abs().amax(-1) > 0.5).sum() > 5, "the mark"
