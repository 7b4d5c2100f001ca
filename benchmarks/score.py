"""How well the score tells a requested gesture, found with a reconstructor's error, from every other gesture.

    python benchmarks/score.py [--seed N] [--worst N]

For each gesture of the library as the requested hand, a picture is simulated 22 times in which the same gesture was
found, and once for each of the 22 other gestures. The other gesture is at the very same wrist and seen from the same
side, as when a ControlNet put the hand where it should be and the fingers came out wrong. All found hands carry the
error of a reconstructor: simulated ("good", "poor": see NOISE), or that of this library's own fit to keypoints that are
off by 3 pixels (and 8 mm in depth, or without depth). It is reported as the PA-MPJPE of the same gesture.

ROC AUC is the chance that a picture of the same gesture scores higher than one of another gesture.
"""

import argparse
import functools
from dataclasses import dataclass, replace

import torch

from sesahand.hands.gestures import load_gestures
from sesahand.hands.loading import load_hand_model
from sesahand.hands.pose import jitter
from sesahand.hands.rotations import axis_angle_to_matrix
from sesahand.reconstruct.fitting.fit import fit_hands
from sesahand.reconstruct.landmarks import HandLandmarks
from sesahand.reconstruct.scoring.score import DEFAULT_THRESHOLD, WEIGHTS, HandScores, score_hands
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import HandScene
from sesahand.scene.placing import Hand, place_in_box


@dataclass(frozen=True)
class Noise:
    """Standard deviations of what a reconstructor gets wrong.

    Attributes:
        joints: Degrees of flexion of each joint.
        turn: Degrees about each axis of the whole hand.
        shift: Of the place in the picture, as a part of the hand's size.
        depth: Of the distance to the camera, as a part of it.
        shape: Of each beta.
        least_confidence: The detector is sure by something between this and 1.
    """

    joints: float
    turn: float
    shift: float
    depth: float
    shape: float
    least_confidence: float


# "good" leaves the 6 mm of PA-MPJPE that HaMeR reports on FreiHAND, "poor" twice that.
NOISE = {
    "good": Noise(joints=8, turn=5, shift=0.02, depth=0.03, shape=0.5, least_confidence=0.8),
    "poor": Noise(joints=16, turn=10, shift=0.04, depth=0.06, shape=1.0, least_confidence=0.6),
}
SIZE, BOX = 512, (128.0, 128.0, 384.0, 384.0)
PIXELS_OFF, METRES_OFF = 3.0, 0.008


def disturb(noise: Noise, scene: HandScene, seed: int) -> HandScene:
    """Return right hands as a reconstructor with that noise would find them."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    count = len(scene)
    turn = axis_angle_to_matrix(torch.deg2rad(torch.tensor(noise.turn)) * normal(count, 3))
    vertices = scene.pose().vertices
    size = (vertices.amax(1) - vertices.amin(1)).amax(-1, keepdim=True)
    sideways = torch.nn.functional.pad(noise.shift * size * normal(count, 2), (0, 1))
    return replace(
        scene,
        global_orient=turn @ scene.global_orient,
        hand_pose=jitter(scene.hand_pose, noise.joints, seed),
        betas=scene.betas + noise.shape * normal(count, 10),
        # Farther away at the same place in the picture is also farther from the axis.
        translation=scene.translation * (1 + noise.depth * normal(count, 1)) + sideways,
        score=noise.least_confidence + (1 - noise.least_confidence) * torch.rand(count, generator=generator),
    )


def fit_again(depth: bool, scene: HandScene, seed: int) -> HandScene:
    """Return hands fitted to the noisy keypoints of a scene, with or without relative depth."""
    generator = torch.Generator().manual_seed(seed)
    points = scene.pose().keypoints
    seen = scene.camera.project(points) + PIXELS_OFF * torch.randn(len(scene), 21, 2, generator=generator)
    points = points + METRES_OFF * torch.randn(len(scene), 21, 3, generator=generator)
    landmarks = HandLandmarks(
        SIZE, SIZE, scene.num_frames, scene.frame, scene.side, seen,
        points if depth else torch.full_like(points, float("nan")),
        torch.cat([seen.amin(1), seen.amax(1)], 1), scene.score, torch.ones(len(scene)),
    )  # fmt: skip
    return fit_hands(landmarks, scene.model, scene.camera).scene


RECONSTRUCTORS = {
    **{name: functools.partial(disturb, noise) for name, noise in NOISE.items()},
    "fit to 2D and 3D": functools.partial(fit_again, True),
    "fit to 2D": functools.partial(fit_again, False),
}


def simulate(reconstruct, seed: int = 0) -> dict[str, tuple[HandScores, HandScores]]:
    """Return for each requested gesture the scores of pictures of the same gesture and of the other ones."""
    model, camera, gestures = load_hand_model("builtin"), Camera.from_fov(SIZE, SIZE), load_gestures()
    results = {}
    for number, (name, wanted) in enumerate(gestures.items()):
        requested = place_in_box(Hand(model, wanted.hand_pose).turned(*wanted.view), camera, BOX)
        others = torch.stack([each.hand_pose for other, each in gestures.items() if other != name])
        count = len(others)
        same = HandScene(
            model, camera, count, torch.arange(count), ("right",) * count, requested.global_orient.repeat(count, 1, 1),
            requested.hand_pose.repeat(count, 1, 1, 1), torch.zeros(count, 10), requested.translation.repeat(count, 1),
            torch.ones(count),
        )  # fmt: skip
        found = [reconstruct(scene, 1000 * seed + 2 * number + k) for k, scene in
                 enumerate((same, replace(same, hand_pose=others)))]  # fmt: skip
        results[name] = tuple(score_hands(requested, scene) for scene in found)
    return results


def roc_auc(good: torch.Tensor, bad: torch.Tensor) -> float:
    """Return the chance that one of `good` is larger than one of `bad`, equal ones counting half."""
    return float((torch.heaviside(good[:, None] - bad, torch.tensor(0.5, dtype=good.dtype))).mean())


def best_threshold(good: torch.Tensor, bad: torch.Tensor) -> float:
    """Return the score that separates best: the most of Youden's J, the middle of equally good ones."""
    tried = torch.linspace(0, 1, 201, dtype=good.dtype)
    gain = (good >= tried[:, None]).double().mean(1) - (bad >= tried[:, None]).double().mean(1)
    return float(tried[gain >= gain.max() - 1e-9].mean())


def gather(results: dict, what) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `what` of every pair of the same gesture, and of every pair of different ones."""
    return tuple(
        torch.tensor([what(pair) for scores in results.values() for pair in scores[k].pairs], dtype=torch.float64)
        for k in (0, 1)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worst", type=int, default=0, help="list so many pairs of gestures that are hardest to tell")
    arguments = parser.parse_args()
    head = "reconstructor | PA-MPJPE of the same | same: p5, median | other: median, p95 | ROC AUC | best threshold | "
    head += f"same kept at {DEFAULT_THRESHOLD} | others stopped"
    print(f"| {head} |\n|{'---|' * (head.count('|') + 1)}")
    runs = {name: simulate(each, arguments.seed) for name, each in RECONSTRUCTORS.items()}
    for name, results in runs.items():
        same, other = gather(results, lambda pair: pair.score)
        error, _ = gather(results, lambda pair: pair.pa_mpjpe)
        kept, stopped = (same >= DEFAULT_THRESHOLD).double().mean(), (other < DEFAULT_THRESHOLD).double().mean()
        cells = [
            name,
            f"{error.mean():.1f} mm",
            f"{same.quantile(0.05):.2f}, {same.median():.2f}",
            f"{other.median():.2f}, {other.quantile(0.95):.2f}",
            f"{roc_auc(same, other):.4f}",
            f"{best_threshold(same, other):.2f}",
            f"{kept:.1%}",
            f"{stopped:.1%}",
        ]
        print(f"| {' | '.join(cells)} |")
    print(f"\n| ROC AUC of one part alone | {' | '.join(runs)} |\n|---{'|---' * len(runs)}|")
    for part in WEIGHTS:
        values = [roc_auc(*gather(results, lambda pair, part=part: pair.parts[part])) for results in runs.values()]
        print(f"| {part} | {' | '.join(f'{value:.4f}' for value in values)} |")
    for name, results in runs.items() if arguments.worst else ():
        names = list(results)
        pairs = sorted(
            ((pair.score, wanted, [n for n in names if n != wanted][pair.picture])
             for wanted, scores in results.items() for pair in scores[1].pairs), reverse=True,
        )  # fmt: skip
        print(f"\nHighest scores of other gestures, {name}:")
        for score, wanted, got in pairs[: arguments.worst]:
            print(f"  {score:.3f}  {wanted} asked, {got} found")


if __name__ == "__main__":
    main()
