"""Write the gestures of the pose library as files for 3D programs, with their pictures and an index."""

import argparse
from pathlib import Path

from ..export.formats import ALONG_FINGERS, FORMATS, UNTURNED
from .saying import say

HELP = "write the gestures of the pose library for Blender and other 3D programs"
MESHES = {name.replace(" ", "-"): name for name in FORMATS}
SIDES = {"both": ("right", "left"), "right": ("right",), "left": ("left",)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("gestures", nargs="*", help="names that `sesahand gestures` lists (default: all of them)")
    parser.add_argument("--mesh", choices=MESHES, default="glb-rigged", help="what meshes are (default: glb-rigged)")
    parser.add_argument("--side", choices=SIDES, default="both", help="whose hands (default: both)")
    parser.add_argument("--animated", action="store_true", help="let each hand move into its gesture, in a rigged GLB")
    parser.add_argument("--fps", type=float, default=24.0, help="frames per second of the motion (default: 24)")
    parser.add_argument(
        "--unturned",
        action="store_true",
        help="bones of a rig without a rotation in the bind pose, so that theirs are MANO's; else along the fingers",
    )
    parser.add_argument("--forearm", action="store_true", help="include the forearm, if the hand has one")
    parser.add_argument("--hand-model", default="builtin", help="a MANO file, or a folder that holds one")
    parser.add_argument("--out", type=Path, default=Path("gestures"), help="folder to write into (default: gestures)")


def run(options: argparse.Namespace) -> int:
    """Write the files, and print where they are."""
    from ..export.formats import MeshSettings
    from ..export.gesture_library import export_gestures
    from ..hands.loading import load_hand_model

    written = export_gestures(
        options.out,
        options.gestures or None,
        SIDES[options.side],
        load_hand_model(options.hand_model),
        MESHES[options.mesh],
        options.animated,
        MeshSettings(options.fps, options.forearm, bones=UNTURNED if options.unturned else ALONG_FINGERS),
    )
    say(f"{options.out / 'index.md'}: {len(written)} hands, each a mesh and a picture")
    return 0
