"""One hand found twice is one hand, and two hands are two."""

import torch

from sesahand.reconstruct.detection.duplicates import choose_hands, without_repeats, worth_of
from sesahand.reconstruct.detection.looks import Looks, spread_of

POINTS = torch.rand(21, 2, generator=torch.Generator().manual_seed(0)) * 100


def seen(points: torch.Tensor, right: float = 1.0, spread: float = 0.01, score: float = 0.9) -> Looks:
    """Return one find."""
    return Looks(
        points[None], torch.zeros(1, 21, 3), torch.tensor([score]), torch.tensor([right]), torch.tensor([True]),
        torch.full((1, 21), spread), torch.tensor([score]),
    )  # fmt: skip


def test_two_readings_of_one_hand_are_one_and_the_steadier_stays():
    # The fingers in reverse: far apart point by point, in the same box.
    reversed_points = POINTS * torch.tensor([-1.0, 1.0]) + torch.tensor([100.0, 0.0])
    steady, vague = seen(POINTS), seen(reversed_points, right=0.0, spread=0.08)
    assert len(choose_hands(Looks(*(torch.cat(pair) for pair in zip(*(vars(x).values() for x in (steady, vague)),
        strict=True))), 0.5)) == 2  # fmt: skip
    for pair in ((steady, vague), (vague, steady)):
        [found] = without_repeats(*pair).keypoints_2d
        assert torch.equal(found, POINTS)


def test_what_was_found_first_stays_where_both_are_steady():
    near = seen(POINTS + 2, spread=0.01, score=0.95)
    [found] = without_repeats(seen(POINTS, spread=0.015), near).keypoints_2d
    assert torch.equal(found, POINTS)


def test_a_part_of_a_hand_is_no_hand_of_its_own():
    assert len(without_repeats(seen(POINTS), seen(POINTS * 0.4 + 20, spread=0.04))) == 1
    assert len(without_repeats(seen(POINTS), seen(POINTS * 0.4 + 300, spread=0.04))) == 2


def test_hands_that_lie_on_each_other_stay_two():
    folded = POINTS * torch.tensor([-1.0, 1.0]) + torch.tensor([105.0, 0.0])
    assert len(without_repeats(seen(POINTS), seen(folded, right=0.0))) == 2


def test_spread_is_the_mean_distance_from_the_mean_look_in_sizes_of_the_hand():
    away = torch.tensor([3.0, 4.0])
    size = (POINTS.amax(0) - POINTS.amin(0)).max()
    spread = spread_of(torch.stack([POINTS + away, POINTS - away])[:, None])
    torch.testing.assert_close(spread, torch.full((1, 21), 5.0) / size)
    assert worth_of(seen(POINTS, spread=0.1, score=0.9)) < 0.9


def test_of_many_hands_those_stay_that_lie_on_no_surer_one():
    generator = torch.Generator().manual_seed(1)
    # Sixty hands, each found three times about where it is.
    places = torch.randint(0, 2000, (60, 1, 2), generator=generator).float()
    points = (POINTS + places)[:, None] + torch.randn(60, 3, 21, 2, generator=generator)
    points, scores = points.flatten(0, 1), torch.rand(180, generator=generator)
    every = Looks(
        points, torch.zeros(180, 21, 3), scores, torch.ones(180), torch.ones(180, dtype=torch.bool),
        torch.zeros(180, 21), scores,
    )  # fmt: skip
    surest: list[int] = []
    for one in scores.argsort(descending=True).tolist():
        distances = [(points[one] - points[other]).norm(dim=-1).mean() for other in surest]
        if scores[one] >= 0.2 and all(distance > 30 for distance in distances):
            surest.append(one)
    assert 30 < len(surest) <= 60
    assert torch.equal(choose_hands(every, 0.2).keypoints_2d, points[surest])
