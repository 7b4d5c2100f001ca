"""Find the hands in pictures, fit a 3D hand to each, and write overlays, scenes, rigged meshes and a table.

For a picture `victory.jpg` the folder gets `victory_overlay.png`, `victory_hands.json` and `victory_hands.glb`; the
table of all hands is printed and is in `summary.csv` and `summary.json`. A picture that cannot be used is a line of the
table and does not stop the others; the exit status is then 1.
"""

import argparse
import os
from pathlib import Path

from ..errors import InvalidFileError, SesaHandError
from ..export.formats import FORMATS
from . import given_places
from .progress import progress
from .saying import say

HELP = "find the hands in pictures, fit 3D hands, and write overlays, meshes and a table"
MESHES = {**{name.replace(" ", "-"): name for name in FORMATS}, "none": None}
DEFAULT_FOV = 40.0
# Overlays are for looking at; those of longer pictures are made smaller.
LARGEST_OVERLAY = 4096
OPACITY = 0.7
LOCK = ".sesahand.lock"
# What a shell reports of a program that was stopped by Ctrl+C.
INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("pictures", nargs="+", type=Path, help="pictures, or folders of them")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--threshold", type=share, default=0.5, help="how sure a hand must be, 0 to 1 (default 0.5)")
    parser.add_argument("--max-hands", type=count, help="keep at most this many hands of a picture, the surest")
    parser.add_argument(
        "--thorough",
        "--small-hands",
        dest="thorough",
        action="store_true",
        help="look for small hands in parts of every picture, not only where none or only small ones are found; "
        "seconds a picture",
    )
    given_places.add_arguments(parser)
    parser.add_argument(
        "--second-reading",
        action="store_true",
        help="where the table says that a finger may be straight or bent, take it for that",
    )
    parser.add_argument(
        "--camera",
        choices=("perspective", "hamer"),
        default="perspective",
        help="the lens assumed: of --fov (default), or the very long one of HaMeR and WiLoR",
    )
    parser.add_argument("--fov", type=float, help=f"degrees across the longer side (default {DEFAULT_FOV:g})")
    parser.add_argument("--hand-model", default="builtin", help="a MANO file, or a folder that holds one")
    parser.add_argument(
        "--reconstructor",
        type=Path,
        metavar="FILE",
        help="a network instead of fitting: what `sesahand train` exported, or HaMeR's or WiLoR's checkpoint (.ckpt or "
        ".safetensors), which need MANO as --hand-model",
    )
    parser.add_argument(
        "--refine", action="store_true", help="with --reconstructor: fit its hands to the detector's points afterwards"
    )
    parser.add_argument("--mesh", choices=MESHES, default="glb-rigged", help="what meshes are (default glb-rigged)")
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="SCENE",
        help="score the hands against those of this file (.json or .npz): one frame for all pictures, or one for each",
    )
    parser.add_argument("--detector", type=Path, metavar="FOLDER", help="where `get-detector --to` put its files")


def run(options: argparse.Namespace) -> int:
    """Write everything, print the table, and return 1 if a picture could not be used."""
    from ..files.locks import WriterLock
    from ..files.pictures import find_pictures
    from ..files.writing import write_bytes
    from ..reconstruct.summary import PictureOutcome, counted, summary_csv, summary_json, summary_text

    pictures = find_pictures(options.pictures)
    work = PictureReconstruction(options, len(pictures))
    open_folder(options.out, pictures)
    outcomes, interrupted = [], False
    # Pictures of one name in two runs at once would end with each other's hands.
    with WriterLock(options.out / LOCK, "folder with --out"):
        try:
            for number, path in enumerate(progress(pictures, len(pictures), "reconstructing")):
                outcome = PictureOutcome(str(path))
                work.reconstruct(path, number, outcome)
                outcomes.append(outcome)
        except KeyboardInterrupt:
            interrupted = True
        write_bytes(options.out / "summary.csv", summary_csv(outcomes).encode("utf-8", "backslashreplace"))
        write_bytes(options.out / "summary.json", summary_json(outcomes).encode())
    failed = sum(outcome.error is not None for outcome in outcomes)
    hands = sum(len(outcome.hands) for outcome in outcomes)
    say(summary_text(outcomes))
    if interrupted:
        say(f"Stopped after {len(outcomes)} of {len(pictures)} pictures.")
    if any(outcome.error is None and not outcome.hands for outcome in outcomes):
        from ..reconstruct.detection.sides import WHAT_IS_NOT_KNOWN

        say(f"Pictures without hands: {WHAT_IS_NOT_KNOWN}")
    found = f"{counted(hands, 'hand')} in {len(outcomes)} of {counted(len(pictures), 'picture')}"
    say(f"{found}, {failed} with an error. See {options.out}.")
    return INTERRUPTED if interrupted else int(failed > 0)


def open_folder(out: Path, pictures: list[Path]) -> None:
    """Make the folder for the results.

    Raises:
        SesaHandError: If it cannot be made, or a picture lies in it: the next run would take results for pictures.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        inside = [path for path in pictures if os.path.exists(path) and path.parent.resolve() == out.resolve()]
    except (OSError, ValueError) as error:
        raise SesaHandError(f"The folder {str(out)!r} cannot be made ({error}). Choose another with --out.") from error
    if inside:
        raise SesaHandError(f"{inside[0]} lies in the folder for the results. Choose another with --out.")


class PictureReconstruction:
    """What all pictures share: the detector, the hand model, what to compare with, and the names already taken."""

    def __init__(self, options: argparse.Namespace, total: int):
        from ..hands.loading import load_hand_model
        from ..reconstruct.detection.detector import load_detector

        self.options = options
        # A field of view that cannot be is told before anything is loaded.
        self.camera(64, 64)
        self.model = load_hand_model(options.hand_model)
        self.requested = None if options.compare is None else load_requested(options.compare, self.model, total)
        self.given = given_places.GivenPlaces(options, total)
        self.detector = None if options.keypoints is not None else load_detector(options.detector)
        self.reconstructor = open_reconstructor(options, self.model)
        self.taken: set[str] = set()

    def camera(self, width: int, height: int):
        """Return the camera that the options ask for."""
        from ..scene.camera import Camera

        if self.options.camera == "perspective":
            return Camera.from_fov(width, height, DEFAULT_FOV if self.options.fov is None else self.options.fov)
        if self.options.fov is not None:
            raise SesaHandError("--camera hamer has a field of view of its own: leave out --fov.")
        return Camera.hamer(width, height)

    def reconstruct(self, path: Path, number: int, outcome) -> None:
        """Do all for one picture and tell it in its outcome, also what is wrong with it."""
        try:
            self.find_and_write(path, number, outcome)
        # torch raises a RuntimeError where memory is short, which it is for huge pictures.
        except (SesaHandError, OSError, MemoryError, RuntimeError) as error:
            outcome.error = f"{SesaHandError(error)}" or type(error).__name__

    def find_and_write(self, path: Path, number: int, outcome) -> None:
        """Find, fit, write and compare the hands of one picture."""
        from ..files.pictures import read_picture
        from ..reconstruct.detection.detector import as_colour
        from ..reconstruct.fitting.fit import Fitting
        from ..reconstruct.reconstructing import reconstruct_hands
        from ..reconstruct.summary import describe_hands
        from ..render.overlay import shrink_view

        options = self.options
        picture = as_colour(read_picture(path))
        camera = self.camera(picture.shape[2], picture.shape[1])
        landmarks = self.find(path, number, picture)
        fitting = Fitting(self.model, camera)
        fitted = reconstruct_hands(
            landmarks, picture, self.reconstructor or fitting, fitting if options.refine else None
        )
        outcome.hands = describe_hands(fitted)
        outcome.error = "; ".join(f"left out: {fault}" for fault in fitted.left_out) or None
        name = self.free_name(path)
        self.clear(name)
        view, seen = shrink_view(fitted.scene, picture, LARGEST_OVERLAY)
        self.write(name, fitted.scene, view, seen, outcome)
        if self.requested is not None:
            self.compare(name, number, view, seen, outcome)

    def find(self, path: Path, number: int, picture):
        """Return the hands of one picture `[1, H, W, 3]`, as they are given or as the detector finds them."""
        options, (height, width) = self.options, picture.shape[1:3]
        landmarks = self.given.landmarks(number, width, height)
        if landmarks is not None or self.detector is None:
            return landmarks
        boxes = self.given.places(path, number, width, height)
        found = self.detector(picture, options.threshold, options.thorough, options.max_hands, boxes)
        return found.second_reading() if options.second_reading else found

    def free_name(self, path: Path) -> str:
        """Return the start of a picture's file names; the same stem of another folder or type gets a number."""
        from ..files.names import to_file_name

        start = name = to_file_name(path.stem)
        number = 1
        # Names that differ in case alone are one file on Windows and macOS.
        while name.casefold() in self.taken:
            number += 1
            name = f"{start}_{number}"
        self.taken.add(name.casefold())
        return name

    def clear(self, name: str) -> None:
        """Remove what an earlier run wrote for a picture of this name, which may have had other hands."""
        from ..files.folders import delete_file

        ends = ["_overlay.png", "_score.png", "_hands.json", *(f"_hands.{known.ending}" for known in FORMATS.values())]
        for end in ends:
            delete_file(self.options.out, f"{name}{end}")

    def write(self, name: str, scene, view, seen, outcome) -> None:
        """Write the overlay, the scene and, if there are hands, their mesh.

        Args:
            name: Start of the files' names.
            scene: The hands.
            view: The same hands at the size of the overlay.
            seen: The picture at that size, `[1, H, W, 3]`.
            outcome: Gets the names of the files.
        """
        from ..export.files import write_hands
        from ..render.overlay import draw_hands
        from ..scene.scene_files import save_scene

        self.write_picture(f"{name}_overlay.png", draw_hands(view, seen, "both", OPACITY), outcome)
        path = self.options.out / f"{name}_hands.json"
        save_scene(scene, path)
        outcome.files.append(path.name)
        mesh = MESHES[self.options.mesh]
        if mesh is not None and len(scene):
            written = write_hands(scene, path.with_suffix(f".{FORMATS[mesh].ending}"), mesh, parameters="none")
            outcome.files += [file.name for file in written]

    def compare(self, name: str, number: int, view, seen, outcome) -> None:
        """Score the found hands against the requested ones, and write the picture of it."""
        from ..reconstruct.scoring.score import score_hands
        from ..reconstruct.scoring.score_picture import draw_scores
        from ..reconstruct.scoring.score_report import describe_scores

        requested = self.requested
        if requested is None:
            raise SesaHandError("There are no requested hands to compare with; name their file with --compare.")
        scores = score_hands(requested.select_frames([number]) if requested.num_frames > 1 else requested, view)
        outcome.match, outcome.comparison = scores.mean, describe_scores(scores)
        self.write_picture(f"{name}_score.png", draw_scores(scores, seen), outcome)

    def write_picture(self, name: str, pictures, outcome) -> None:
        """Write the only picture of a batch."""
        from ..files.pictures import save_picture
        from ..render.contact_sheet import to_pil

        save_picture(to_pil(pictures[0]), self.options.out / name)
        outcome.files.append(name)


def open_reconstructor(options: argparse.Namespace, model):
    """Return the network that the options name, or None for fitting."""
    if options.reconstructor is None:
        if options.refine:
            raise SesaHandError("--refine fits a network's hands afterwards: name one with --reconstructor.")
        return None
    from ..generate.pipeline import choose_device
    from ..reconstruct.learned.checkpoints import load_network, told_hand_model
    from ..reconstruct.learned.reconstructor import LearnedReconstructor, check_hand_model

    check_hand_model(model, told_hand_model(options.reconstructor), "A hand reconstructor")
    network = load_network(options.reconstructor)
    return LearnedReconstructor(network.to(choose_device("auto")).eval(), model)


def load_requested(path: Path, model, total: int):
    """Read the hands that were asked for in `total` pictures: of the hand model in use, or of the built-in hand."""
    from ..scene.hand_files import load_hands

    try:
        requested = load_hands(path, model)
    except InvalidFileError:
        raise
    except SesaHandError:
        requested = load_hands(path)
    if requested.num_frames not in (1, total):
        raise SesaHandError(
            f"{path} has {requested.num_frames} frames, but there are {total} pictures; expected one frame for all of "
            "them, or one for each."
        )
    return requested


def share(text: str) -> float:
    """Parse a number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r:.40}")
    return value


def count(text: str) -> int:
    """Parse a whole number from 1 on."""
    if not (text.isdecimal() and int(text[:9]) >= 1):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r:.40}")
    return int(text[:9])
