"""Error and shape of fitted hands on real pictures whose keypoints are known in 3D, beside the raw landmarks.

    python benchmarks/real_keypoints.py FOLDER [--reconstructor FILE ... [--labelled FOLDER]]

FOLDER holds the test samples of RHD and InterHand2.6M as mmpose keeps them: `rhd/test_rhd.json` and
`interhand2.6m/test_interhand2.6m_{data,camera,joint_3d}.json` beside their pictures. Each hand is looked for in the box
around its true points, 15 % wider, as the side it is. PA-MPJPE in mm; the knuckles' breadth is from the index finger's
to the little one's.

With files of `sesahand train`, what they tell from crops around the same true points stands beside it, and so do the
fits that begin with their hands. Of FreiHAND (`freihand/test_freihand.json`) only points in the picture are known:
there the error is the square root of MSE-2D, in percent of the hand's size. A second table takes a network for a
second opinion: its hand in place of the fit's where the landmarks are doubted most, and wherever the truth would have
it so, which no rule can outdo.

--labelled is a folder of photographs whose hands are counted in its `hands.json`, without points. There the landmarks
themselves stand for the truth, of the clear hands that are found as the side they are: how far a network is from what
the detector sees, in percent of the hand's size. The fit, which is made to lie on them, is no rival there.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from sesahand.files.pictures import read_picture
from sesahand.hands.builtin import load_builtin_hand
from sesahand.metrics.joint_errors import mpjpe, pa_mpjpe
from sesahand.metrics.keypoint_errors import mse_2d
from sesahand.reconstruct.detection.detector import load_detector
from sesahand.reconstruct.detection.external import HandBox
from sesahand.reconstruct.fitting.fit import fit_hands, refine_hands
from sesahand.reconstruct.landmarks import HandLandmarks
from sesahand.reconstruct.learned.checkpoints import load_network
from sesahand.reconstruct.learned.reconstructor import LearnedReconstructor
from sesahand.scene.camera import Camera

MARGIN = 0.15
SURE = 0.5
# Where OpenPose's keypoints stand in either set: fingers are told from the tip to the palm, the wrist first or last.
RHD_ORDER = [0, *(4 * finger + 4 - joint for finger in range(5) for joint in range(4))]
INTERHAND_ORDER = [20, *(4 * finger + 3 - joint for finger in range(5) for joint in range(4))]


@dataclass
class TrueHand:
    """A hand in a picture: points `[21, 2]` in pixels and, if they are known, `[21, 3]` in metres before its camera."""

    picture: Path
    side: str
    pixels: Tensor
    metres: Tensor | None
    focal: float
    centre: tuple[float, float]


def read_freihand(folder: Path) -> Iterator[TrueHand]:
    data = json.loads((folder / "test_freihand.json").read_text())
    images = {image["id"]: image for image in data["images"]}
    for hand in data["annotations"]:
        image = images[hand["image_id"]]
        size = image["width"], image["height"]
        camera = Camera.from_fov(*size)
        pixels = torch.tensor(hand["keypoints"]).reshape(21, 3)[:, :2]
        yield TrueHand(folder / image["file_name"], "right", pixels, None, camera.focal_length, camera.principal_point)


def read_rhd(folder: Path) -> Iterator[TrueHand]:
    data = json.loads((folder / "test_rhd.json").read_text())
    images = {image["id"]: image for image in data["images"]}
    for hand in data["annotations"]:
        image = images[hand["image_id"]]
        pixels, metres = (
            torch.tensor(hand["keypoints"])[RHD_ORDER, :2],
            torch.tensor(hand["joint_cam"])[RHD_ORDER] / 1e3,
        )
        camera = image["cam_param"]
        yield TrueHand(
            folder / image["file_name"], hand["hand_type"], pixels, metres, camera["focal"][0], tuple(camera["princpt"])
        )


def read_interhand(folder: Path) -> Iterator[TrueHand]:
    data, cameras, joints = (
        json.loads((folder / f"test_interhand2.6m_{name}.json").read_text()) for name in ("data", "camera", "joint_3d")
    )
    images = {image["id"]: image for image in data["images"]}
    for hands in data["annotations"]:
        image = images[hands["image_id"]]
        capture, name = str(image["capture"]), image["camera"]
        rotation, place, focal, centre = (
            torch.tensor(cameras[capture][part][name]) for part in ("camrot", "campos", "focal", "princpt")
        )
        world = torch.tensor(joints[capture][str(image["frame_idx"])]["world_coord"])
        metres = (world - place) @ rotation.T / 1e3
        pixels = metres[:, :2] / metres[:, 2:] * focal + centre
        for first, side in ((0, "right"), (21, "left")):
            if torch.tensor(hands["joint_valid"]).flatten()[first : first + 21].all():
                order = [first + point for point in INTERHAND_ORDER]
                yield TrueHand(
                    folder / image["file_name"],
                    side,
                    pixels[order],
                    metres[order],
                    float(focal[0]),
                    tuple(centre.tolist()),
                )


def read_labelled(folder: Path, detector) -> Iterator[TrueHand]:
    """Yield the clear hands that are found where they are, with the landmarks in the place of true points."""
    for name, labels in json.loads((folder / "hands.json").read_text()).items():
        picture = read_picture(folder / name)[..., :3]
        found = detector(picture, SURE, thorough=True)
        camera = Camera.from_fov(found.width, found.height)
        size = torch.tensor([found.width, found.height])
        for label in labels:
            middle = torch.tensor([label["x"], label["y"]]) * size
            inside = (found.box[:, :2] <= middle).all(1) & (found.box[:, 2:] >= middle).all(1)
            sides = torch.tensor([label["side"] in (None, side) for side in found.side], dtype=torch.bool)
            numbers = (inside & sides).nonzero()[:, 0].tolist()
            if label["clear"] and numbers:
                n = min(numbers, key=lambda n: float((found.box[n].reshape(2, 2).mean(0) - middle).norm()))
                points = found.keypoints_2d[n].float()
                yield TrueHand(folder / name, found.side[n], points, None, camera.focal_length, camera.principal_point)


def found_in_box(detector, hand: TrueHand, picture: Tensor) -> HandLandmarks:
    """Return what the detector finds in the box around a hand's true points."""
    low, high = hand.pixels.amin(0), hand.pixels.amax(0)
    margin = MARGIN * (high - low).max()
    left, top, right, bottom = *(low - margin).tolist(), *(high + margin).tolist()
    return detector(picture, 0.0, boxes=[HandBox(0, (left, top, right, bottom), hand.side)])


def breadth(points: Tensor) -> float:
    """Return the breadth of the knuckles of `[21, 3]` metres, mm."""
    return 1e3 * float((points[17] - points[5]).norm())


def measure(detector, hand: TrueHand) -> tuple[dict[str, float], Tensor] | None:
    """Return the figures of one hand and its betas, or None where nothing is found in its box."""
    found = found_in_box(detector, hand, read_picture(hand.picture)[..., :3])
    if not len(found):
        return None
    fitted = fit_hands(found, None, Camera(hand.focal, hand.centre, found.width, found.height))
    points = fitted.scene.pose().keypoints
    figures = {
        "landmarks": float(pa_mpjpe(found.keypoints_3d, hand.metres[None])),
        "fit": float(pa_mpjpe(points, hand.metres[None])),
        "off": float(fitted.relative_error[0]),
        "landmark_breadth": breadth(found.keypoints_3d[0]),
        "fit_breadth": breadth(points[0]),
        "true_breadth": breadth(hand.metres),
    }
    return figures, fitted.scene.betas[0]


def error_of(points: Tensor, seen: Tensor, hand: TrueHand) -> tuple[float, float]:
    """Return PA-MPJPE and MPJPE of points `[21, 3]`, mm; without points in space the error in the picture, %, twice."""
    if hand.metres is not None:
        return float(pa_mpjpe(points[None], hand.metres[None])), float(mpjpe(points[None], hand.metres[None]))
    size = (hand.pixels.amax(0) - hand.pixels.amin(0)).amax()
    off = 100 * float(mse_2d(seen[None].float(), hand.pixels[None].float(), size[None])) ** 0.5
    return off, off


@dataclass
class Compared:
    """PA-MPJPE and MPJPE of the fit, and of each network's hand and of the fit from it; and the fit's doubt."""

    errors: list[tuple[float, float]]
    doubt: float


def compare(detector, networks: list[LearnedReconstructor], hand: TrueHand) -> Compared | None:
    """Return how far the fit, each network's hand and the fit that begins with it are off."""
    picture = read_picture(hand.picture)[..., :3]
    found = found_in_box(detector, hand, picture)
    if not len(found):
        return None
    camera = Camera(hand.focal, hand.centre, found.width, found.height)
    box = torch.cat([hand.pixels.amin(0), hand.pixels.amax(0)])[None].float()
    scenes = [fit_hands(found, None, camera).scene]
    for network in networks:
        told = network(picture, replace(found, box=box))
        scenes += [told, refine_hands(told, found, model=told.model, camera=camera).scene]
    points = [scene.pose().keypoints[0] for scene in scenes]
    errors = [error_of(each, scene.camera.project(each), hand) for each, scene in zip(points, scenes, strict=True)]
    return Compared(errors, float(found.doubt[0, 0]))


def print_networks(detector, files: list[Path], sets: list[tuple[str, Iterator[TrueHand]]]) -> None:
    """Print the tables of networks: PA-MPJPE and MPJPE over each set, and what they are worth beside the fit."""
    networks = [LearnedReconstructor(load_network(file), load_builtin_hand()) for file in files]
    names = ["fit", *(name for file in files for name in (file.parent.name, f"fit from {file.parent.name}"))]
    print(f"\n| set | hands | {' | '.join(names)} |\n|{'---|' * (len(names) + 2)}")
    compared = {name: [each for hand in hands if (each := compare(detector, networks, hand))] for name, hands in sets}
    for name, rows in compared.items():
        means = torch.tensor([each.errors for each in rows]).mean(0).tolist()
        cells = (f"{aligned:.1f} / {plain:.1f}" for aligned, plain in means)
        print(f"| {name} | {len(rows)} | {' | '.join(cells)} |")
    print("\nPA-MPJPE / MPJPE, mm; of FreiHAND and labelled hands the error in the picture, % of the hand, twice.")
    print_opinions(names[1::2], compared)


def print_opinions(names: list[str], compared: dict[str, list[Compared]]) -> None:
    """Print the error of each set if a network's hand stands in for the fit's, by doubt and by truth."""
    print("\n| set | fit | network | where doubted most, a quarter | wherever it is nearer |\n|---|---|---|---|---|")
    for title, rows in compared.items():
        errors, doubt = (
            torch.tensor([each.errors for each in rows])[..., 0],
            torch.tensor([each.doubt for each in rows]),
        )
        doubted = doubt.argsort(descending=True)[: max(1, len(rows) // 4)]
        for number, name in enumerate(names):
            fit, told = errors[:, 0], errors[:, 1 + 2 * number]
            mixed = fit.clone()
            mixed[doubted] = told[doubted]
            means = (fit.mean(), mixed.mean(), torch.minimum(fit, told).mean())
            print(f"| {title} | {means[0]:.1f} | {name} | {means[1]:.1f} | {means[2]:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--reconstructor", type=Path, nargs="*", default=[], metavar="FILE", help="of `sesahand train`")
    parser.add_argument("--labelled", type=Path, metavar="FOLDER", help="photographs with hands.json")
    options = parser.parse_args()
    folder = options.folder
    torch.set_num_threads(1)
    detector = load_detector()
    columns = ("set", "hands", "landmarks", "fit", "off in the picture", "beta 1", "beta 2", "largest beta",
               "knuckles: landmarks", "fit", "truth")  # fmt: skip
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for name, hands in (("RHD", read_rhd(folder / "rhd")), ("InterHand2.6M", read_interhand(folder / "interhand2.6m"))):
        measured = [found for found in (measure(detector, hand) for hand in hands) if found is not None]
        mean = {key: sum(each[key] for each, _ in measured) / len(measured) for key in measured[0][0]}
        betas = torch.stack([betas for _, betas in measured])
        print(
            f"| {name} | {len(measured)} | {mean['landmarks']:.1f} | {mean['fit']:.1f} | {mean['off']:.1%} | "
            f"{betas[:, 0].mean():.1f} | {betas[:, 1].mean():.1f} | {betas.abs().max():.1f} | "
            f"{mean['landmark_breadth']:.0f} | {mean['fit_breadth']:.0f} | {mean['true_breadth']:.0f} |"
        )
    if options.reconstructor:
        readers = (("FreiHAND", read_freihand), ("RHD", read_rhd), ("InterHand2.6M", read_interhand))
        sets = [(name, read(folder / name.lower())) for name, read in readers]
        if options.labelled is not None:
            sets.append(("labelled", read_labelled(options.labelled, detector)))
        print_networks(detector, options.reconstructor, sets)


if __name__ == "__main__":
    main()
