"""Pose and render every gesture with the built-in hand: a contact sheet, and the maps and scene of each gesture."""

import argparse
from pathlib import Path

from .saying import say

HELP = "make a contact sheet of all gestures, both sides, in every condition map"
TILE = (208, 130)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder to write into (default: demo)")


def run(options: argparse.Namespace) -> int:
    """Write `contact_sheet.png` and a folder of maps per gesture, and print where they are."""
    from ..files.folders import inside
    from ..files.pictures import save_picture
    from ..hands.builtin import load_builtin_hand
    from ..hands.gestures import load_gestures
    from ..render.contact_sheet import contact_sheet
    from ..render.map_table import HAND_MAPS
    from ..scene.placement import Placement
    from ..scene.placing import Hand
    from .render import write_maps

    model = load_builtin_hand()
    placement = Placement((4 * TILE[0], 4 * TILE[1]))
    rows = []
    for name, gesture in load_gestures().items():
        scene = placement.place(Hand.in_gesture(model, gesture), "both")
        write_maps(scene, inside(options.out, name), antialias=True)
        rows.append((name.replace("_", " "), tiles(scene.resized(*TILE))))
    note = f"{len(rows)} gestures of the built-in hand, right and left, and the maps that ControlNets follow"
    sheet = contact_sheet(rows, HAND_MAPS, "SesaHand: the pose library", note, blocks=2)
    path = options.out / "contact_sheet.png"
    save_picture(sheet, path)
    say(f"{path}: {len(rows)} gestures, {len(HAND_MAPS)} maps; the maps in full size are beside it")
    return 0


def tiles(scene) -> list:
    """Return the maps of a one-frame scene as small pictures, in the order of `HAND_MAPS`."""
    import numpy as np

    from ..render.contact_sheet import to_pil
    from ..render.keypoints import draw_keypoints
    from ..render.map_table import HAND_MAPS
    from ..render.maps import render_maps

    maps = render_maps(scene, antialias=True)
    # At the size that ControlNets expect the skeleton would be hairlines here: draw it as in a larger picture.
    canvas = np.zeros((scene.camera.height, scene.camera.width, 3), np.uint8)
    draw_keypoints(canvas, scene.camera.project(scene.pose().keypoints).numpy(), scale=0.75)
    keypoints = maps.drawn("keypoints")
    keypoints[0] = keypoints.new_tensor(canvas) / 255
    return [to_pil(maps.drawn(name)[0]).convert("RGB") for name in HAND_MAPS]
