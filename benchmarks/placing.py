"""Whether a hand placed into a mask points where the picture's own hand does, and shows the same side.

    python benchmarks/placing.py PICTURES... [--overlays OUT]

PICTURES are files or folders. The mask is the hull around each hand that the detector finds, the truth the hand fitted
to it; of what was placed the direction from the wrist to the middle knuckle in the picture and the side seen are
compared. A hand in the library's relaxed pose is placed, of the true side, without a choice (palm), and with one: what
faces the viewer, where the fingers point, or "as seen". Fitted hands that are wrong make wrong truths: look at the
overlays. Also: over how many of these masks, and of masks over the index finger alone, a hand is said to be too small
beside the picture's hands.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sesahand.files.pictures import is_picture, read_picture, save_picture
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.gestures import find_gesture
from sesahand.reconstruct.as_seen import place_as_seen
from sesahand.reconstruct.detection.detector import as_colour, load_detector
from sesahand.reconstruct.detection.landmark_pictures import mask_landmarks
from sesahand.reconstruct.landmarks import HandLandmarks
from sesahand.reconstruct.reconstructing import reconstruct_hands
from sesahand.reconstruct.scoring.facing import palm_towards_viewer
from sesahand.reconstruct.size_beside import too_small
from sesahand.render.contact_sheet import to_pil
from sesahand.render.overlay import draw_hands
from sesahand.scene.hand_scene import HandScene, combine
from sesahand.scene.placing import PALM, Hand, mirror_hand, place_in_mask

WRIST, INDEX, MIDDLE, PINKY = 0, 5, 9, 17
# Degrees by which a hand may point elsewhere in the picture, and its palm face elsewhere in space.
LARGEST_OFF, LARGEST_TURN = 45.0, 60.0
# A hand shows its palm or back where the palm's normal is within 60 degrees of the viewer's direction, else an edge.
FACE = 0.5


@dataclass(frozen=True)
class View:
    """How a hand is seen: where it points, degrees clockwise from up; its palm's normal `[3]`; which side it shows."""

    direction: float
    normal: Tensor
    facing: str


def view_of(scene: HandScene) -> View:
    """Return how the only hand of a scene is seen."""
    keypoints = scene.pose().keypoints
    pixels = scene.camera.project(keypoints)[0]
    x, y = (pixels[MIDDLE] - pixels[WRIST]).tolist()
    palm = float(palm_towards_viewer(keypoints, scene.is_right)[0])
    index, pinky = keypoints[0, INDEX] - keypoints[0, WRIST], keypoints[0, PINKY] - keypoints[0, WRIST]
    normal = index.cross(pinky, dim=0) * (1 if scene.side[0] == "right" else -1)
    edge = "thumb side" if keypoints[0, INDEX, 2] < keypoints[0, PINKY, 2] else "little-finger side"
    facing = edge if abs(palm) < FACE else PALM if palm > 0 else "back"
    return View(math.degrees(math.atan2(x, -y)), normal / normal.norm(), facing)


def off(one: View, other: View) -> float:
    return abs((one.direction - other.direction + 180) % 360 - 180)


def fits(found: View, true: View) -> bool:
    turned = math.degrees(math.acos(max(-1.0, min(1.0, float(found.normal @ true.normal)))))
    return off(found, true) <= LARGEST_OFF and turned <= LARGEST_TURN


def finger_mask(landmarks: HandLandmarks, index: int) -> Tensor:
    """Return a mask `[H, W]` over the index finger of a hand, a tenth wider on each side."""
    points = landmarks.keypoints_2d[index, 5:9]
    low, high = points.amin(0), points.amax(0)
    around = 0.1 * (high - low).max() + 1
    (left, top), (right, bottom) = (low - around).int().tolist(), (high + around).int().tolist()
    mask = torch.zeros(landmarks.height, landmarks.width)
    mask[max(top, 0) : bottom, max(left, 0) : right] = 1
    return mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--overlays", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    detector, relaxed = load_detector(), find_gesture("relaxed")
    right = Hand(load_builtin_hand(), relaxed.hand_pose)
    paths = [each for path in options.pictures for each in (sorted(path.iterdir()) if path.is_dir() else [path])]
    tally = {"nothing chosen": 0, "side chosen": 0, "direction chosen": 0, "as seen": 0}
    directions = {"nothing chosen": 0, "side chosen": 0, "as seen": 0}
    count, told = 0, {"whole hand": 0, "whole hand, others known": 0, "index finger": 0}
    known = 0
    print("| picture | hand | shows | palm: off by | that side chosen: off by | as seen: off by | right with |")
    print("|---|---|---|---:|---:|---:|---|")
    for path in paths:
        if not is_picture(path) or path.stem.endswith("_mask"):
            continue
        picture = as_colour(read_picture(path))
        landmarks = detector(picture)
        if not len(landmarks):
            continue
        fitted, shown = reconstruct_hands(landmarks, picture).scene, []
        for index, side in enumerate(fitted.side):
            true = view_of(fitted.select([index]))
            hand = right if side == "right" else mirror_hand(right)
            mask = mask_landmarks(landmarks.select([index]))[0]
            ways = {
                "nothing chosen": {},
                "side chosen": {"facing": true.facing},
                "direction chosen": {"fingers": true.direction},
            }
            placed = {way: place_in_mask(hand, fitted.camera, mask, **chosen) for way, chosen in ways.items()}
            placed["as seen"] = place_as_seen(hand, fitted.camera, mask[None], landmarks)
            views = {way: view_of(scene) for way, scene in placed.items()}
            right_in = [way for way, view in views.items() if fits(view, true)]
            count += 1
            for way in right_in:
                tally[way] += 1
            for way in directions:
                directions[way] += off(views[way], true) <= LARGEST_OFF
            shown.append(placed["as seen"])
            others = landmarks.select([each for each in range(len(landmarks)) if each != index])
            known += bool(len(others))
            told["whole hand"] += bool(too_small(placed["as seen"], landmarks))
            told["whole hand, others known"] += bool(too_small(placed["as seen"], others))
            finger = place_in_mask(hand, fitted.camera, finger_mask(landmarks, index))
            told["index finger"] += bool(too_small(finger, landmarks))
            print(
                f"| {path.stem} | {index + 1}, {side} | {true.facing} | {off(views['nothing chosen'], true):.0f} | "
                f"{off(views['side chosen'], true):.0f} | {off(views['as seen'], true):.0f} | {', '.join(right_in)} |"
            )
        if options.overlays:
            options.overlays.mkdir(parents=True, exist_ok=True)
            view = draw_hands(combine(shown), picture, "both", 0.6)
            save_picture(to_pil(view[0]), options.overlays / f"{path.stem}.png")
    print(f"\n{count} hands; direction and side right with:", ", ".join(f"{w} {n}" for w, n in tally.items()))
    print("direction alone within 45 degrees:", ", ".join(f"{way} {number}" for way, number in directions.items()))
    print(f"{known} beside others; said to be too small over the", ", ".join(f"{w} {n}" for w, n in told.items()))


if __name__ == "__main__":
    main()
