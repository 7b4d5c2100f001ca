"""Error and shape of fitted hands on real pictures whose keypoints are known in 3D, beside the raw landmarks.

    python benchmarks/real_keypoints.py FOLDER

FOLDER holds the test samples of RHD and InterHand2.6M as mmpose keeps them: `rhd/test_rhd.json` and
`interhand2.6m/test_interhand2.6m_{data,camera,joint_3d}.json` beside their pictures. Each hand is looked for in the box
around its true points, 15 % wider, as the side it is. PA-MPJPE in mm; the knuckles' breadth is from the index finger's
to the little one's.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sesahand.files.pictures import read_picture
from sesahand.metrics.joint_errors import pa_mpjpe
from sesahand.reconstruct.detection.detector import load_detector
from sesahand.reconstruct.detection.external import HandBox
from sesahand.reconstruct.fitting.fit import fit_hands
from sesahand.scene.camera import Camera

MARGIN = 0.15
# Where OpenPose's keypoints stand in either set: fingers are told from the tip to the palm, the wrist first or last.
RHD_ORDER = [0, *(4 * finger + 4 - joint for finger in range(5) for joint in range(4))]
INTERHAND_ORDER = [20, *(4 * finger + 3 - joint for finger in range(5) for joint in range(4))]


@dataclass
class TrueHand:
    """A hand in a picture: points `[21, 2]` in pixels and `[21, 3]` in metres before its camera."""

    picture: Path
    side: str
    pixels: Tensor
    metres: Tensor
    focal: float
    centre: tuple[float, float]


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


def breadth(points: Tensor) -> float:
    """Return the breadth of the knuckles of `[21, 3]` metres, mm."""
    return 1e3 * float((points[17] - points[5]).norm())


def measure(detector, hand: TrueHand) -> tuple[dict[str, float], Tensor] | None:
    """Return the figures of one hand and its betas, or None where nothing is found in its box."""
    picture = read_picture(hand.picture)[..., :3]
    low, high = hand.pixels.amin(0), hand.pixels.amax(0)
    margin = MARGIN * (high - low).max()
    left, top, right, bottom = *(low - margin).tolist(), *(high + margin).tolist()
    found = detector(picture, 0.0, boxes=[HandBox(0, (left, top, right, bottom), hand.side)])
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
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


if __name__ == "__main__":
    main()
