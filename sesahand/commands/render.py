"""Pose and place a hand, or load a scene, and write its condition maps as PNG files."""

import argparse
from pathlib import Path

HELP = "pose and place a hand, or load a scene, and write its condition maps"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("gesture", nargs="?", default="open_palm", help="a name that `sesahand gestures` lists")
    parser.add_argument("--scene", type=Path, help="a scene file (.json or .npz) instead of a gesture")
    parser.add_argument("--side", choices=("right", "left", "both"), default="right")
    parser.add_argument("--size", type=picture_size, default=(512, 512), metavar="WxH", help="pixels (default 512x512)")
    parser.add_argument("--fov", type=float, default=40.0, help="degrees across the longer side (default 40)")
    parser.add_argument("--box", type=box, metavar="X0,Y0,X1,Y1", help="fit the hand into this box, in pixels")
    parser.add_argument("--mask", type=Path, help="place the hand over the white region of this picture")
    parser.add_argument("--roll", type=float, default=0.0, help="degrees clockwise in the picture")
    parser.add_argument("--pitch", type=float, default=0.0, help="degrees, fingers towards the camera")
    parser.add_argument("--yaw", type=float, default=0.0, help="degrees about the vertical; 180 shows the back")
    parser.add_argument("--forearm", action="store_true", help="draw the forearm too")
    parser.add_argument("--antialias", action="store_true", help="soft edges")
    parser.add_argument("--hand-model", default="builtin", help="a MANO file, or a folder that holds one")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder to write into (default: out)")


def run(options: argparse.Namespace) -> int:
    """Write one PNG per map and frame and the scene as JSON, and print their paths."""
    from ..hands.loading import load_hand_model
    from ..hands.scene_files import load_scene

    model = load_hand_model(options.hand_model)
    scene = load_scene(options.scene, model) if options.scene else placed_hand(options, model)
    for path in write_maps(scene, options.out, antialias=options.antialias, forearm=options.forearm):
        print(path)
    return 0


def placed_hand(options: argparse.Namespace, model):
    """Return the scene of one hand, or of a pair, that the options describe."""
    from ..hands.gestures import find_gesture
    from ..hands.placing import Hand, mirror_hand, place_in_box, place_in_mask, place_pair
    from ..render.camera import Camera

    gesture = find_gesture(options.gesture)
    hand = Hand(model, gesture.hand_pose).turned(*gesture.view)
    hand = mirror_hand(hand) if options.side == "left" else hand
    if options.mask:
        mask = read_mask(options.mask)
        return place_in_mask(hand, Camera.from_fov(mask.shape[1], mask.shape[0], options.fov), mask)
    width, height = options.size
    camera = Camera.from_fov(width, height, options.fov)
    target = options.box or (width * 0.08, height * 0.08, width * 0.92, height * 0.92)
    place = place_pair if options.side == "both" else place_in_box
    return place(hand, camera, target, options.roll, options.pitch, options.yaw)


def write_maps(scene, folder: Path, **settings) -> list[Path]:
    """Render a scene's maps into `folder`, one PNG per map and frame, beside `scene.json`; return the paths."""
    from ..errors import SesaHandError
    from ..hands.scene_files import save_scene
    from ..render.contact_sheet import to_pil
    from ..render.maps import ALL_MAPS, render_maps

    maps = render_maps(scene, **settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SesaHandError(f"The folder {folder} cannot be made ({error}). Choose another with --out.") from error
    paths = [folder / "scene.json"]
    save_scene(scene, paths[0])
    for name in ALL_MAPS:
        for frame, picture in enumerate(getattr(maps, name)):
            suffix = f"_{frame:04d}" if scene.num_frames > 1 else ""
            paths.append(folder / f"{name}{suffix}.png")
            to_pil(picture).save(paths[-1])
    return paths


def read_mask(path: Path):
    """Read a picture as a mask `[H, W]` of 0..1."""
    import numpy as np
    import torch
    from PIL import Image

    from ..errors import InvalidFileError

    try:
        with Image.open(path) as picture:
            return torch.from_numpy(np.array(picture.convert("L"), dtype=np.float32) / 255)
    except (OSError, Image.DecompressionBombError) as error:
        raise InvalidFileError(f"{path} cannot be read as a picture ({error}). Use a PNG or JPEG mask.") from error


def picture_size(text: str) -> tuple[int, int]:
    """Parse "512x768" as width and height."""
    width, height = text.lower().split("x")
    return int(width), int(height)


def box(text: str) -> tuple[float, float, float, float]:
    """Parse "x0,y0,x1,y1"."""
    x0, y0, x1, y1 = map(float, text.split(","))
    return x0, y0, x1, y1
