"""Pose and place a hand, or load a scene, and write its condition maps as PNG files."""

import argparse
import logging
from pathlib import Path

from .saying import say

# `scene.placing.FACINGS` as options, without what it takes to load them.
FACINGS = ("palm", "back", "as-posed", "thumb-side", "little-finger-side")
AS_SEEN = "as-seen"
LEFTS = ("mirrored", "own")
HELP = "pose and place a hand, or load a scene, and write its condition maps"


logger = logging.getLogger(__name__)

SMALLEST = 16
DEFAULT_FOV = 40.0

# Options that have no say beside another; each is None unless it is given.
EXCLUDED = {
    "scene": ("gesture", "side", "fov", "box", "mask", "roll", "pitch", "yaw", "facing"),
    "mask": ("size", "box"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("gesture", nargs="?", help="a name that `sesahand gestures` lists (default: open_palm)")
    add_hand_arguments(parser, (*FACINGS, AS_SEEN))
    parser.add_argument(
        "--beside",
        type=Path,
        metavar="FILE",
        help="the picture that the hand goes into, or OpenPose's keypoints of it (.json), which may have faces too: "
        "warns if the hand would be far too small beside the hands and faces there; with --facing as-seen the hand is "
        "turned as the one seen in the mask",
    )
    parser.add_argument("--forearm", action="store_true", help="draw the forearm too")
    parser.add_argument("--antialias", action="store_true", help="soft edges")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder to write into (default: out)")


def add_hand_arguments(parser: argparse._ActionsContainer, facings: tuple[str, ...] = FACINGS) -> None:
    """Add the options by which hands are loaded, or posed and placed."""
    parser.add_argument(
        "--scene",
        type=Path,
        help="hands from a file (.json or .npz) instead of a gesture: a scene, or what HaMeR or WiLoR write",
    )
    parser.add_argument("--side", choices=("right", "left", "both"), help="whose hand (default: right)")
    parser.add_argument(
        "--size",
        type=picture_size,
        metavar="WxH",
        help="pixels (default 512x512); with --scene, of the picture HaMeR or WiLoR saw if the file does not say",
    )
    parser.add_argument("--fov", type=float, help=f"degrees across the longer side (default {DEFAULT_FOV:g})")
    parser.add_argument("--box", type=box, metavar="X0,Y0,X1,Y1", help="fit the hand into this box, in pixels")
    parser.add_argument(
        "--mask",
        type=Path,
        help="place the hand over the white region of this picture: a mask, or a photograph painted white there",
    )
    parser.add_argument("--roll", type=float, help="degrees clockwise in the picture")
    parser.add_argument("--pitch", type=float, help="degrees, fingers towards the camera")
    parser.add_argument("--yaw", type=float, help="degrees about the vertical; 180 shows the back")
    parser.add_argument(
        "--facing",
        choices=facings,
        help="with --mask, what faces the viewer: palm (default), another side, or as-posed, the hand as it is, turned "
        "by --roll, --pitch and --yaw, which is the default where one of these is given",
    )
    parser.add_argument(
        "--lefts",
        choices=LEFTS,
        help="with --scene, left hands of HaMeR or WiLoR: mirrored as the networks predict them (default), or own, as "
        "WiLoR-mini and most data sets have them",
    )
    parser.add_argument("--hand-model", default="builtin", help="a MANO file, or a folder that holds one")


def run(options: argparse.Namespace) -> int:
    """Write one PNG per map and frame and the scene as JSON, and print their paths."""
    from ..hands.loading import load_hand_model

    check_options(options)
    model = load_hand_model(options.hand_model)
    people = None if options.beside is None else read_people(options.beside)
    if options.scene:
        scene = loaded_hands(options, model)
    else:
        scene = hand_as_seen(options, model, people) if options.facing == AS_SEEN else placed_hand(options, model)
    if people is not None:
        warn_of_small(scene, people)
    for path in write_maps(scene, options.out, antialias=options.antialias, forearm=options.forearm):
        say(path)
    return 0


def check_options(options: argparse.Namespace) -> None:
    """Raise a SesaHandError for options of which one would be passed over in silence."""
    from ..errors import SesaHandError

    for strong, weak in EXCLUDED.items():
        given = [name if name == "gesture" else f"--{name}" for name in weak if getattr(options, name) is not None]
        if getattr(options, strong) is not None and given:
            raise SesaHandError(f"--{strong} settles what {', '.join(given)} would: leave out one or the other.")
    if options.mask is not None and options.side == "both":
        raise SesaHandError("A mask takes one hand, got --side both: choose right or left.")
    if options.facing is not None and options.mask is None:
        raise SesaHandError("--facing tells how a hand lies over a mask: it needs --mask. Else turn it with --yaw.")
    if options.facing == AS_SEEN and options.beside is None:
        raise SesaHandError("--facing as-seen needs to know the picture's hands: name the picture with --beside.")
    if options.lefts is not None and options.scene is None:
        raise SesaHandError("--lefts tells how a file holds left hands: it needs --scene.")


def read_people(path: Path):
    """Return the hands of a picture, or the text of OpenPose's keypoints in a JSON file."""
    from ..files.pictures import read_picture
    from ..reconstruct.detection.detector import as_colour, load_detector
    from .given_places import read_text

    if path.suffix.lower() == ".json":
        return read_text(path)
    return load_detector()(as_colour(read_picture(path)))


def warn_of_small(scene, people) -> None:
    """Log which hands of a scene are far too small beside those of a picture."""
    from ..reconstruct.size_beside import too_small

    for notice in too_small(scene, people):
        logger.warning("%s", notice)


def hand_as_seen(options: argparse.Namespace, model, people):
    """Return the scene of one hand over a mask, turned as the hand that is seen there and then by the angles."""
    from ..reconstruct.as_seen import place_as_seen
    from ..scene.camera import Camera
    from ..scene.placing import mirror_hand

    hand, mask = gesture_hand(options, model), read_mask(options.mask)
    hand = mirror_hand(hand) if options.side == "left" else hand
    fov = DEFAULT_FOV if options.fov is None else options.fov
    turn = (options.roll or 0.0, options.pitch or 0.0, options.yaw or 0.0)
    return place_as_seen(hand, Camera.from_fov(mask.shape[1], mask.shape[0], fov), mask[None], people, turn=turn)


def loaded_hands(options: argparse.Namespace, model):
    """Return the scene in the file that the options name."""
    from ..errors import SesaHandError
    from ..scene.hand_files import load_hands

    scene = load_hands(options.scene, model, options.lefts or LEFTS[0], options.size)
    seen = (scene.camera.width, scene.camera.height)
    if options.size not in (None, seen):
        raise SesaHandError(
            f"The hands in {options.scene} are in a picture of {seen[0]}x{seen[1]} pixels, not of "
            f"{options.size[0]}x{options.size[1]}: leave out --size."
        )
    return scene


def placed_hand(options: argparse.Namespace, model):
    """Return the scene of one hand, or of a pair, that the options describe."""
    return placement(options).place(gesture_hand(options, model), options.side or "right")


def gesture_hand(options: argparse.Namespace, model):
    """Return the right hand in the gesture that the options name."""
    from ..scene.placing import Hand
    from ..semantics.gestures import gesture_called

    return Hand.in_gesture(model, gesture_called("open_palm" if options.gesture is None else options.gesture))


def placement(options: argparse.Namespace):
    """Return where the options put a hand."""
    from ..scene import placing
    from ..scene.placement import Placement

    names = ("size", "fov", "box", "roll", "pitch", "yaw", "facing")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.facing is not None:
        spelled = {name.replace(" ", "-"): name for name in placing.FACINGS}
        given["facing"] = spelled[options.facing]
    return Placement(**given, mask=None if options.mask is None else read_mask(options.mask))


def write_maps(scene, folder: Path, **settings) -> list[Path]:
    """Render a scene's maps into `folder`, one PNG per map and frame, beside `scene.json`; return the paths."""
    from ..errors import SesaHandError
    from ..files.pictures import save_picture
    from ..render.contact_sheet import to_pil
    from ..render.map_table import ALL_MAPS, HAND_MAPS
    from ..render.maps import render_maps
    from ..scene.scene_files import save_scene

    maps = render_maps(scene, **settings)
    pictures = {
        folder / (f"{name}_{frame:04d}.png" if scene.num_frames > 1 else f"{name}.png"): picture
        for name in (ALL_MAPS if scene.objects else HAND_MAPS)
        for frame, picture in enumerate(getattr(maps, name))
    }
    scene_path = folder / "scene.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (scene_path, *pictures):
            if path.is_dir():
                raise IsADirectoryError(f"{path} is a folder")
        for path, picture in pictures.items():
            save_picture(to_pil(picture), path)
    except (OSError, ValueError) as error:
        raise SesaHandError(
            f"The maps cannot be written into {str(folder)!r} ({error}). Choose another folder with --out."
        ) from error
    save_scene(scene, scene_path)
    return [scene_path, *pictures]


def read_mask(path: Path):
    """Read a picture as a mask `[H, W]` of 0..1."""
    import torch

    from ..files.pictures import read_mask_levels

    return torch.from_numpy(read_mask_levels(path)).float() / 255


def picture_size(text: str) -> tuple[int, int]:
    """Parse "512x768" as width and height."""
    from ..scene.camera import MAX_SIZE

    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: expected WIDTHxHEIGHT in pixels, such as 512x768")
    size = int(width[:9]), int(height[:9])
    if not all(SMALLEST <= side <= MAX_SIZE for side in size):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be made: sides are {SMALLEST} to {MAX_SIZE} pixels")
    return size


def box(text: str) -> tuple[float, float, float, float]:
    """Parse "x0,y0,x1,y1"."""
    try:
        x0, y0, x1, y1 = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no box: expected LEFT,TOP,RIGHT,BOTTOM in pixels, such as 100,60,400,480"
        ) from None
    return x0, y0, x1, y1
