"""Accuracy and time of fitting hands to landmarks: on hands whose truth is known, and on photographs.

    python benchmarks/fitting.py [--hands N] [--rounds N] [--threads N]
    python benchmarks/fitting.py --photos FOLDER [--detector FOLDER] [--overlays FOLDER]

Synthetic hands are seen from all sides in pictures of 512 x 512 pixels, right and left in turn, of random shape.
"gestures" are poses of the library with 8 degrees of jitter; "any pose" draws all joint angles evenly within limits.
PA-MPJPE in mm. Methods start from the same guess and take turns on the same hands.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.gestures import load_gestures
from sesahand.hands.limits import joint_frames, joint_limits, pose_from_angles
from sesahand.hands.model import HandModel
from sesahand.hands.pose import jitter
from sesahand.hands.rotations import axis_angle_to_matrix, mirror_rotation
from sesahand.metrics.joint_errors import pa_mpjpe
from sesahand.reconstruct.fitting.fit import fit_hands, scene_of
from sesahand.reconstruct.fitting.hand_prior import HandPrior
from sesahand.reconstruct.fitting.initial_guess import from_bones
from sesahand.reconstruct.fitting.keypoint_model import NUM_PARAMETERS, KeypointModel
from sesahand.reconstruct.fitting.measurements import NOISE_3D, Measurements
from sesahand.reconstruct.landmarks import HandLandmarks
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import HandScene

CAMERA = Camera.from_fov(512, 512)
NOISES = {"exact": (0.0, 0.0), "3 px and 8 mm": (3.0, 0.008)}
TARGETS = {"exact": "median 0.1, p95 2", "3 px and 8 mm": "mean 4"}


def gesture_poses(count: int, seed: int) -> Tensor:
    """Return right hands' poses `[N, 15, 3, 3]` of the library, varied."""
    poses = [gesture.hand_pose for gesture in load_gestures().values()]
    return torch.stack([jitter(poses[i % len(poses)], 8.0, 1000 * seed + i) for i in range(count)])


def any_poses(count: int, seed: int) -> Tensor:
    """Return right hands' poses `[N, 15, 3, 3]` with all angles drawn evenly within their limits."""
    low, high = joint_limits().unbind(-1)
    drawn = torch.rand(count, 15, 3, generator=torch.Generator().manual_seed(seed))
    return pose_from_angles(low + drawn * (high - low), joint_frames())


def seen_from_all_sides(model: HandModel, poses: Tensor, seed: int) -> HandScene:
    """Return hands `[N, 15, 3, 3]`, right and left in turn, one a frame, of random shape, place and orientation."""
    generator, count = torch.Generator().manual_seed(seed), len(poses)
    four = torch.nn.functional.normalize(torch.randn(count, 4, generator=generator), dim=1)
    axis = torch.nn.functional.normalize(four[:, 1:], dim=1) * 2 * torch.acos(four[:, :1].clamp(-1, 1))
    side = tuple(("right", "left")[i % 2] for i in range(count))
    left = torch.tensor([name == "left" for name in side])[:, None, None, None]
    depth = 0.35 + 0.45 * torch.rand(count, 1, generator=generator)
    across = (torch.rand(count, 2, generator=generator) - 0.5) * 0.35 * depth
    return HandScene(
        model, CAMERA, count, torch.arange(count), side, axis_angle_to_matrix(axis),
        torch.where(left, mirror_rotation(poses), poses), torch.randn(count, 10, generator=generator).clamp(-2, 2),
        torch.cat([across, depth], 1), torch.ones(count),
    )  # fmt: skip


def observe(scene: HandScene, pixels: float, metres: float, seed: int = 0) -> HandLandmarks:
    """Return a scene's landmarks with Gaussian noise."""
    generator = torch.Generator().manual_seed(seed)
    points = scene.pose().keypoints
    seen = CAMERA.project(points) + pixels * torch.randn(len(scene), 21, 2, generator=generator)
    relative = points - points[:, :1] + metres * torch.randn(len(scene), 21, 3, generator=generator)
    box = torch.cat([seen.amin(1), seen.amax(1)], 1)
    return HandLandmarks(
        CAMERA.width, CAMERA.height, scene.num_frames, scene.frame, scene.side, seen, relative, box, scene.score,
        torch.ones(len(scene)),
    )  # fmt: skip


def descend(landmarks: HandLandmarks, model: HandModel, optimise: Callable) -> HandScene:
    """Minimise the cost that fitting minimises, with a fixed noise and autograd, from the same start."""
    points, seen = KeypointModel(model), Measurements.of(landmarks, CAMERA)
    start, prior = from_bones(seen, points), HandPrior(KeypointModel(model).frames)
    step = torch.zeros(len(start), NUM_PARAMETERS, dtype=torch.float64, requires_grad=True)
    share = seen.weight_3d / seen.weight_3d.sum(1, keepdim=True)

    def cost() -> Tensor:
        state = points.moved(start, step)
        found = points(state)
        off = (found[..., :2] / found[..., 2:] - seen.rays) / seen.noise_2d[:, None, None]
        apart = found - seen.points
        apart = (apart - (share[..., None] * apart).sum(1, keepdim=True)) / NOISE_3D
        data = seen.weight_2d * off.square().sum(-1) + seen.weight_3d * apart.square().sum(-1)
        return data.sum() + prior(state)[0].sum()

    with torch.enable_grad():
        optimise(step, cost)
    state = points.moved(start, step.detach())
    return scene_of(state, landmarks, model, CAMERA)


def adam(step: Tensor, cost: Callable, iterations: int = 300) -> None:
    optimiser = torch.optim.Adam([step], lr=0.02)
    for _ in range(iterations):
        optimiser.zero_grad()
        cost().backward()
        optimiser.step()


def lbfgs(step: Tensor, cost: Callable, iterations: int = 60) -> None:
    optimiser = torch.optim.LBFGS([step], max_iter=iterations, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = cost()
        value.backward()
        return value

    optimiser.step(closure)


METHODS = {
    "Levenberg-Marquardt": lambda landmarks, model: fit_hands(landmarks, model, CAMERA).scene,
    "Adam, 300 steps": lambda landmarks, model: descend(landmarks, model, adam),
    "LBFGS, 60 iterations": lambda landmarks, model: descend(landmarks, model, lbfgs),
}


def row(*cells) -> str:
    return "| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells) + " |"


def accuracy(model: HandModel, count: int) -> None:
    """Print how near fits come to the truth, for several numbers of starts."""
    print("| hands | landmarks | starts | mean | median | p95 | worst | target | px off |\n" + "|---" * 9 + "|")
    for kind, draw in {"gestures": gesture_poses, "any pose": any_poses}.items():
        scene = seen_from_all_sides(model, draw(count, 1), 1)
        cases = {name: (observe(scene, *noise), (1, 2, 4)) for name, noise in NOISES.items()}
        for name, noise in NOISES.items():
            seen = observe(scene, *noise)
            flat = replace(seen, keypoints_3d=torch.full_like(seen.keypoints_3d, float("nan")))
            cases[f"2D only, {name.split(' and ')[0]}"] = (flat, (1, 3, 6, 12))
        for name, (landmarks, choices) in cases.items():
            for starts in choices:
                fitted = fit_hands(landmarks, model, CAMERA, starts=starts)
                error = pa_mpjpe(fitted.scene.pose().keypoints.double(), scene.pose().keypoints.double())
                figures = error.mean(), error.median(), error.quantile(0.95), error.max()
                off = fitted.reprojection_error.mean()
                cells = [*(float(figure) for figure in figures), TARGETS.get(name, ""), float(off)]
                print(row(kind, name, starts, *cells), flush=True)


def times(model: HandModel, count: int, rounds: int) -> None:
    """Print what methods cost and reach, in turn on the same hands: all together, and one hand alone, milliseconds."""
    scene = seen_from_all_sides(model, gesture_poses(count, 2), 2)
    columns = f"{count} together: wall | processor | alone: wall | processor"
    print(f"\n| method | landmarks | mean | median | p95 | {columns} |\n" + "|---" * 9 + "|")
    for name, noise in NOISES.items():
        landmarks = observe(scene, *noise)
        spent = {method: ([], [], [], []) for method in METHODS}
        errors = {}
        for turn in range(rounds):
            for method, fit in METHODS.items():
                found, *together = timed(lambda fit=fit, landmarks=landmarks: fit(landmarks, model))
                one = landmarks.select([turn % count])
                _, *alone = timed(lambda fit=fit, one=one: fit(one, model))
                for kept, value in zip(spent[method], [each / count for each in together] + alone, strict=True):
                    kept.append(value)
                errors[method] = pa_mpjpe(found.pose().keypoints.double(), scene.pose().keypoints.double())
        for method, error in errors.items():
            figures = [float(figure) for figure in (error.mean(), error.median(), error.quantile(0.95))]
            print(row(method, name, *figures, *(statistics.median(each) for each in spent[method])), flush=True)


def timed(work: Callable) -> tuple:
    """Return what `work` returns, and the milliseconds of wall clock and of processor time that it took."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, (time.perf_counter() - wall) * 1e3, (time.process_time() - processor) * 1e3


def photographs(
    folder: Path, detector_folder: Path | None, overlays: Path | None, model: HandModel, fov: float
) -> None:
    """Print how far fitted hands lie from what the detector found in photographs, and draw them over the pictures."""
    import numpy as np
    from PIL import Image

    from sesahand.reconstruct.detection.detector import load_detector

    detector, shares = load_detector(detector_folder), []
    print("| photograph | hand | score | px off | share of the box | largest |\n|---|---|---|---|---|---|")
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")):
        picture = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).float()[None] / 255
        landmarks = detector(picture)
        fitted = fit_hands(landmarks, model, Camera.from_fov(landmarks.width, landmarks.height, fov))
        shares += fitted.relative_error.tolist()
        off = (fitted.scene.camera.project(fitted.scene.pose().keypoints) - landmarks.keypoints_2d).norm(dim=-1)
        for hand in range(len(fitted.scene)):
            pixels, share = float(fitted.reprojection_error[hand]), float(fitted.relative_error[hand])
            largest = float(off[hand].max()) / pixels * share
            score = f"{float(landmarks.score[hand]):.2f}"
            print(row(path.stem, landmarks.side[hand], score, f"{pixels:.1f}", f"{share:.1%}", f"{largest:.1%}"))
        if overlays:
            overlays.mkdir(parents=True, exist_ok=True)
            draw_over(picture, fitted.scene, landmarks).save(overlays / f"{path.stem}.png")
    if shares:
        print(f"\n{len(shares)} hands, median {statistics.median(shares):.1%}, worst {max(shares):.1%} of the box")


def draw_over(picture: Tensor, scene: HandScene, landmarks: HandLandmarks):
    """Return the picture, the hands over it, and the landmarks over it, side by side."""
    import numpy as np
    from PIL import Image

    from sesahand.render.keypoints import draw_keypoints
    from sesahand.render.maps import render_maps

    maps = render_maps(scene, ("normal", "mask"))
    mixed = torch.where(maps.mask[..., None] > 0.5, 0.35 * picture + 0.65 * maps.normal, picture)
    panels = [(255 * image[0]).round().byte().numpy().copy() for image in (picture, mixed, picture, picture)]
    scale = max(picture.shape[1:3]) / 512
    draw_keypoints(panels[2], landmarks.keypoints_2d.numpy(), scale)
    if len(scene):
        draw_keypoints(panels[3], scene.camera.project(scene.pose().keypoints).numpy(), scale)
    return Image.fromarray(np.concatenate(panels, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hands", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of Adam and LBFGS; the fit uses one")
    parser.add_argument("--only", choices=["accuracy", "times"], help="one table")
    parser.add_argument("--photos", type=Path, help="measure on the photographs of this folder instead")
    parser.add_argument("--detector", type=Path, help="folder with the detector's files")
    parser.add_argument("--overlays", type=Path, help="write pictures with the fitted hands to this folder")
    parser.add_argument("--fov", type=float, default=40.0, help="field of view of the photographs, degrees")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    model = load_builtin_hand()
    if arguments.photos:
        photographs(arguments.photos, arguments.detector, arguments.overlays, model, arguments.fov)
        return
    print(f"{model.name}, torch {torch.__version__}, {arguments.threads} threads\n")
    if arguments.only != "times":
        accuracy(model, arguments.hands)
    if arguments.only != "accuracy":
        times(model, arguments.hands, arguments.rounds)


if __name__ == "__main__":
    main()
