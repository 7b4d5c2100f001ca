"""Detection: exactness of the networks, hands found in photographs, and time, beside MediaPipe's own runner.

    python benchmarks/detection.py PICTURES [--labelled] [--mediapipe PYTHON] [--overlays FOLDER]

PICTURES is a folder of photographs (.jpg, .png). With --labelled its file hands.json says where their hands are, and
what is counted is which of them are found: {"name.jpg": [{"x": 0.4, "y": 0.6, "side": "left", "clear": true}]}, places
as shares of the picture, side null if it cannot be told, clear false for hands that are hidden or small. PYTHON is an
interpreter that can import mediapipe 1.x, in an environment of its own; without it the columns that compare with
MediaPipe stay empty. ai-edge-litert is needed for the table of exactness. The files come with
`python -m sesahand get-detector`.
"""

import argparse
import hashlib
import json
import statistics
import subprocess
import tempfile
import time
import zipfile
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sesahand.hands.gestures import find_gesture, gesture_names
from sesahand.hands.loading import load_hand_model
from sesahand.metrics.joint_errors import pa_mpjpe
from sesahand.reconstruct.detection.crops import Picture
from sesahand.reconstruct.detection.detector import TIPS, load_detector, squares_around
from sesahand.reconstruct.detection.detector_files import LANDMARK_FILE, NETWORKS, PALM_FILE, find_detector_folder
from sesahand.reconstruct.detection.landmark_pictures import draw_landmarks
from sesahand.reconstruct.detection.network import Network
from sesahand.reconstruct.detection.tflite import read_tflite
from sesahand.reconstruct.landmarks import HandLandmarks
from sesahand.render.contact_sheet import to_pil
from sesahand.render.maps import render_maps
from sesahand.scene.camera import Camera
from sesahand.scene.placing import Hand, mirror_hand, place_in_box

THRESHOLD = 0.2
# The node's default, for labelled hands; how far from the middle of a found hand, in its sizes, a labelled one may be.
LABELLED_THRESHOLD, NEAR = 0.5, 0.6
HALVES = ("chosen on", "kept back")
SKIN, WALL = (0.88, 0.68, 0.58), (0.35, 0.40, 0.45)

# Runs in the other interpreter: prints, for each picture, the hands that MediaPipe's task runner finds and its time.
RUNNER = """
import json, statistics, sys, time
import mediapipe, numpy
from mediapipe.tasks.python import BaseOptions, vision
from PIL import Image
bundle, threshold, *paths = sys.argv[1:]
options = vision.HandLandmarkerOptions(
    base_options=BaseOptions(model_asset_path=bundle), num_hands=16,
    min_hand_detection_confidence=float(threshold), min_hand_presence_confidence=float(threshold))
answers = {"version": mediapipe.__version__}
with vision.HandLandmarker.create_from_options(options) as landmarker:
    for path in paths:
        pixels = numpy.ascontiguousarray(Image.open(path).convert("RGB"))
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            found = landmarker.detect(image)
            times.append(1e3 * (time.perf_counter() - start))
        height, width = pixels.shape[:2]
        answers[path] = {"ms": statistics.median(times), "hands": [
            {"side": side[0].category_name.lower(), "points": [[p.x * width, p.y * height] for p in points]}
            for side, points in zip(found.handedness, found.hand_landmarks)]}
print(json.dumps(answers))
"""


def mediapipe_answers(python: str, folder: Path, paths: list[Path], threshold: float) -> dict:
    """Return what MediaPipe's task runner finds, with the same two networks in a bundle."""
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / "hand_landmarker.task"
        with zipfile.ZipFile(bundle, "w", zipfile.ZIP_STORED) as archive:
            archive.write(folder / PALM_FILE, "hand_detector.tflite")
            archive.write(folder / LANDMARK_FILE, "hand_landmarks_detector.tflite")
        command = [python, "-c", RUNNER, str(bundle), str(threshold), *map(str, paths)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def print_exactness(folder: Path, paths: list[Path]) -> None:
    """Print the largest difference from TensorFlow Lite's runtime over the pictures and over noise."""
    from ai_edge_litert.interpreter import Interpreter

    print("| network | largest difference | of values up to | ms | LiteRT ms |\n|---|---:|---:|---:|---:|")
    for name in NETWORKS:
        network = Network(read_tflite(folder / name))
        interpreter = Interpreter(str(folder / name), num_threads=1)
        interpreter.allocate_tensors()
        size = network.input_shape[1]
        inputs = [np.random.default_rng(seed).random((1, size, size, 3), dtype=np.float32) for seed in range(4)]
        inputs += [
            np.asarray(Image.open(path).convert("RGB").resize((size, size)), dtype=np.float32)[None] / 255
            for path in paths
        ]
        worst, largest, ours_ms, theirs_ms = 0.0, 0.0, [], []
        details = sorted(interpreter.get_output_details(), key=lambda detail: detail["name"])
        for picture in inputs:
            start = time.perf_counter()
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
            interpreter.invoke()
            theirs_ms.append(1e3 * (time.perf_counter() - start))
            expected = [interpreter.get_tensor(detail["index"]) for detail in details]
            start = time.perf_counter()
            with torch.no_grad():
                found = network(torch.from_numpy(picture))
            ours_ms.append(1e3 * (time.perf_counter() - start))
            for ours, theirs in zip(found, expected, strict=True):
                worst = max(worst, float(np.abs(ours.numpy() - theirs).max()))
                largest = max(largest, float(np.abs(theirs).max()))
        times = f"{statistics.median(ours_ms):.1f} | {statistics.median(theirs_ms):.1f}"
        print(f"| {name} | {worst:.1e} | {largest:.0f} | {times} |")


def rendered_hands() -> list[tuple[torch.Tensor, str, torch.Tensor, torch.Tensor]]:
    """Return pictures of every gesture, turned at random, each with side, keypoints in pixels and in metres."""
    camera, generator = Camera.from_fov(512, 512, 40.0), torch.Generator().manual_seed(0)
    model, hands = load_hand_model("builtin"), []
    for index, name in enumerate([*gesture_names(), *gesture_names()]):
        gesture = find_gesture(name)
        hand = Hand(model, gesture.hand_pose).turned(*gesture.view)
        side = ("right", "left")[index % 2]
        angles = (torch.rand(3, generator=generator) * 2 - 1) * torch.tensor([60.0, 30.0, 40.0])
        scene = place_in_box(
            mirror_hand(hand) if side == "left" else hand, camera, (110, 110, 402, 402), *angles.tolist()
        )
        maps = render_maps(scene, ("mesh", "mask"), antialias=True, forearm=True)
        picture = maps.mesh * torch.tensor(SKIN) + (1 - maps.mask[..., None]) * torch.tensor(WALL)
        keypoints = scene.pose().keypoints
        hands.append((picture[0], side, camera.project(keypoints)[0], keypoints[0]))
    return hands


@torch.no_grad()
def print_second_look(detector) -> None:
    """Print what a second look and its mirror image are worth, on rendered hands."""
    rows = {"one look": [], "second look": [], "second look and mirror image": []}
    hands = rendered_hands()
    for pixels, side, points, metres in hands:
        picture = Picture(pixels)
        palms = detector.palms_in(detector.palm, picture, picture.whole[None], THRESHOLD).select(slice(1))
        if not len(palms):
            continue
        first = detector.look(picture, palms.squares())
        second = squares_around(first.keypoints_2d)
        looks = (first, detector.look(picture, second), detector.look(picture, second, mirrored=True))
        size = (points.amax(0) - points.amin(0)).max()
        for row, look in zip(rows.values(), looks, strict=True):
            distance = float((look.keypoints_2d[0] - points)[1:].norm(dim=-1).mean() / size)
            same = (float(look.right[0]) >= 0.5) == (side == "right")
            row.append((distance, float(pa_mpjpe(look.keypoints_3d[:1], metres[None])), float(same)))
    print(f"\n| {len(hands)} rendered hands | found | distance without wrist | PA-MPJPE mm | side right |")
    print("|---|---:|---:|---:|---:|")
    for name, row in rows.items():
        distance, error, same = (statistics.mean(values) for values in zip(*row, strict=True))
        print(f"| {name} | {len(row)} | {distance:.1%} | {error:.1f} | {same:.0%} |")


def sides(names) -> str:
    return " ".join(sorted(names)) or "none"


def compare(found: HandLandmarks, hands: list[dict]) -> str:
    """Return for each of MediaPipe's hands the mean distance of our nearest one, in pixels and parts of its size.

    The fingertips are left out: ours are the ends of the fingers, MediaPipe's lie on the nails.
    """
    distances = []
    for hand in hands:
        points = torch.tensor(hand["points"])
        if len(found):
            away = (found.keypoints_2d - points).norm(dim=-1)
            away[:, TIPS] = torch.nan
            distance = float(away.nanmean(-1).min())
            distances.append(f"{distance:.1f} px ({distance / float((points.amax(0) - points.amin(0)).max()):.1%})")
    return ", ".join(distances)


def timed(run) -> tuple[HandLandmarks, float]:
    """Return the result and the median time of a few runs in milliseconds."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        result = run()
        times.append(1e3 * (time.perf_counter() - start))
    return result, statistics.median(times)


def print_photographs(detector, paths: list[Path], answers: dict, overlays: Path | None) -> None:
    """Print what is found in each picture, with and without a thorough search, beside MediaPipe."""
    print("| picture | size | found | scores | thorough | MediaPipe | distance | ms | thorough ms | MediaPipe ms |")
    print("|---|---|---|---|---|---|---|---:|---:|---:|")
    for path in paths:
        picture = torch.from_numpy(np.array(Image.open(path).convert("RGB")))[None].float() / 255
        found, spent = timed(lambda: detector(picture, THRESHOLD))  # noqa: B023
        thorough, thorough_spent = timed(lambda: detector(picture, THRESHOLD, thorough=True))  # noqa: B023
        theirs = answers.get(str(path), {"hands": [], "ms": None})
        size = f"{picture.shape[2]} x {picture.shape[1]}"
        scores = " ".join(f"{score:.2f}" for score in found.score.tolist())
        reference = sides(hand["side"] for hand in theirs["hands"]) if answers else ""
        their_ms = "" if theirs["ms"] is None else f"{theirs['ms']:.0f}"
        print(
            f"| {path.stem} | {size} | {sides(found.side)} | {scores} | {sides(thorough.side)} | {reference} | "
            f"{compare(found, theirs['hands'])} | {spent:.0f} | {thorough_spent:.0f} | {their_ms} |"
        )
        if overlays:
            overlays.mkdir(parents=True, exist_ok=True)
            to_pil(draw_landmarks(picture, thorough)[0]).save(overlays / f"{path.stem}.png")


@dataclass
class Tally:
    """What was found of labelled hands."""

    clear: int = 0
    clear_found: int = 0
    hard_found: int = 0
    found: int = 0
    false: int = 0
    sided: int = 0
    wrong_side: int = 0
    seconds: float = 0.0

    def add(self, labels: list[dict], size: tuple[int, int], points: torch.Tensor, side: list[str]) -> None:
        """Count the hands of one picture.

        Args:
            labels: Its hands.
            size: Width and height in pixels.
            points: Found landmarks `[N, 21, 2]` in pixels.
            side: Their sides.
        """
        of_label = match(labels, size, points)
        self.clear += sum(label["clear"] for label in labels)
        self.clear_found += sum(labels[index]["clear"] for index in of_label)
        self.hard_found += sum(not labels[index]["clear"] for index in of_label)
        self.found += len(points)
        self.false += len(points) - len(of_label)
        named = [(labels[index]["side"], side[hand]) for index, hand in of_label.items() if labels[index]["side"]]
        self.sided += len(named)
        self.wrong_side += sum(expected != found for expected, found in named)

    def row(self, pictures: int) -> str:
        share = f"{self.clear_found} of {self.clear} ({self.clear_found / max(self.clear, 1):.0%})"
        false = f"{self.false} of {self.found} ({self.false / max(self.found, 1):.1%})"
        wrong = f"{self.wrong_side} of {self.sided} ({self.wrong_side / max(self.sided, 1):.1%})"
        return f"{share} | {self.hard_found} | {false} | {wrong} | {self.seconds / max(pictures, 1):.2f}"


def match(labels: list[dict], size: tuple[int, int], points: torch.Tensor) -> dict[int, int]:
    """Return which found hand is which labelled one: at most `NEAR` of its size from the middle of its box, once."""
    from scipy.optimize import linear_sum_assignment

    if not labels or not len(points):
        return {}
    low, high = points.amin(1), points.amax(1)
    places = torch.tensor([[label["x"] * size[0], label["y"] * size[1]] for label in labels])
    away = ((low + high) / 2 - places[:, None]).norm(dim=-1) / (high - low).amax(1)
    away[away > NEAR] = 1e3
    pairs = zip(*linear_sum_assignment(away.numpy()), strict=True)
    return {int(label): int(hand) for label, hand in pairs if away[label, hand] <= NEAR}


def half_of(name: str) -> str:
    """Return which half of the labelled pictures one belongs to: settings were chosen on the first alone."""
    return HALVES[int(hashlib.md5(name.encode()).hexdigest(), 16) % 2]


def print_labelled(detector, folder: Path, paths: list[Path], answers: dict, overlays: Path | None) -> None:
    """Print what is found of labelled hands, by half of the pictures, beside MediaPipe."""
    labels = json.loads((folder / "hands.json").read_text())
    paths = [path for path in paths if path.name in labels]
    ways = {"SesaHand": False, "SesaHand, thorough": True}
    tallies = {(way, half): Tally() for half in HALVES for way in [*ways, "MediaPipe"]}
    for path in paths:
        picture = torch.from_numpy(np.array(Image.open(path).convert("RGB")))[None].float() / 255
        size, half = (picture.shape[2], picture.shape[1]), half_of(path.name)
        for way, thorough in ways.items():
            start = time.process_time()
            found = detector(picture, LABELLED_THRESHOLD, thorough=thorough)
            tallies[way, half].seconds += time.process_time() - start
            tallies[way, half].add(labels[path.name], size, found.keypoints_2d, list(found.side))
        if overlays:
            overlays.mkdir(parents=True, exist_ok=True)
            to_pil(draw_landmarks(picture, found)[0]).save(overlays / f"{path.stem}.png")
        if str(path) in answers:
            hands, tally = answers[str(path)]["hands"], tallies["MediaPipe", half]
            points = torch.tensor([hand["points"] for hand in hands]).reshape(-1, 21, 2)
            tally.add(labels[path.name], size, points, [hand["side"] for hand in hands])
            tally.seconds += answers[str(path)]["ms"] / 1e3
    print("| pictures | | clear hands found | hard ones too | no hands | wrong side | s a picture |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for half in (*HALVES, "all"):
        count = sum(half in (half_of(path.name), "all") for path in paths)
        for way in [*ways, *(["MediaPipe"] if answers else [])]:
            parts = [tallies[way, each] for each in HALVES if half in (each, "all")]
            total = Tally(*(sum(values) for values in zip(*map(astuple, parts), strict=True)))
            print(f"| {count}, {half} | {way} | {total.row(count)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--labelled", action="store_true", help="count which hands of hands.json are found")
    parser.add_argument("--mediapipe", metavar="PYTHON")
    parser.add_argument("--overlays", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    folder = find_detector_folder()
    paths = sorted(path for path in arguments.pictures.iterdir() if path.suffix.lower() in (".jpg", ".png"))
    threshold = LABELLED_THRESHOLD if arguments.labelled else THRESHOLD
    print(f"torch {torch.__version__}, {arguments.threads} threads, threshold {threshold}\n")
    if not arguments.labelled:
        print_exactness(folder, paths)
    answers = mediapipe_answers(arguments.mediapipe, folder, paths, threshold) if arguments.mediapipe else {}
    print(f"\nMediaPipe {answers.get('version', 'was not run')}\n")
    detector = load_detector(folder)
    if arguments.labelled:
        print_labelled(detector, arguments.pictures, paths, answers, arguments.overlays)
        return
    print_photographs(detector, paths, answers, arguments.overlays)
    print_second_look(detector)


if __name__ == "__main__":
    main()
