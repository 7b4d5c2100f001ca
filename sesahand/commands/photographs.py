"""Add photographs to a set of image-mesh pairs: what is said of them, fitted hands, maps and a score."""

import argparse
from pathlib import Path

from .progress import progress
from .reconstruct import count, share
from .saying import say

HELP = "fit the hands of photographs and add them as pairs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `dataset add-photographs` to its parser."""
    parser.add_argument("folder", type=Path, help="the set, made if it is new")
    parser.add_argument("photographs", nargs="+", type=Path, help="pictures, or folders of them; NAME.txt is a caption")
    parser.add_argument(
        "--vlm", metavar="FOLDER_OR_URL", help="captions them: a model's folder, or a server's base URL"
    )
    parser.add_argument("--model", default="", help="name of the model at the server")
    parser.add_argument("--credential", default="", help="name of an entry in the credentials file")
    parser.add_argument(
        "--maps", default="mesh,mask", metavar="NAMES", help="maps to draw, with commas (default mesh,mask)"
    )
    parser.add_argument("--forearm", action="store_true", help="draw the forearm in the maps too")
    parser.add_argument("--fov", type=float, default=40.0, help="degrees across the longer side (default 40)")
    parser.add_argument("--longest", type=count, default=1024, help="pixels of the longer side at most (default 1024)")
    parser.add_argument("--threshold", type=share, default=0.5, help="how sure a hand must be, 0 to 1 (default 0.5)")
    parser.add_argument("--format", choices=("png", "jpg"), default="jpg", help="of the photographs in the set")
    parser.add_argument("--hand-model", default="builtin", help="a MANO file, or a folder that holds one")
    parser.add_argument("--detector", type=Path, metavar="FOLDER", help="where `get-detector --to` put its files")
    parser.set_defaults(run_action=run)


def run(options: argparse.Namespace) -> int:
    """Add photographs as pairs, say what became of each, and return 1 if one could not be used."""
    from ..data.apart import check_target
    from ..data.photographs import PhotographPairs
    from ..data.writer import PairWriter
    from ..errors import SesaHandError
    from ..files.pictures import find_pictures
    from ..hands.loading import load_hand_model
    from ..reconstruct.scoring.picture_scorer import PictureScorer
    from ..vlm.opening import open_vlm

    check_target(options.folder)
    maps, model = known_maps(options.maps), load_hand_model(options.hand_model)
    vlm = None if options.vlm is None else open_vlm(options.vlm, options.model, options.credential)
    scorer, photographs = PictureScorer(options.detector), find_pictures(options.photographs)
    failed = 0
    with PairWriter(options.folder, options.format) as pairs:
        maker = PhotographPairs(
            pairs,
            scorer,
            maps,
            model,
            vlm=vlm,
            fov=options.fov,
            longest=options.longest,
            threshold=options.threshold,
            forearm=options.forearm,
        )
        for path in progress(photographs, len(photographs), "fitting"):
            try:
                said = maker.add(path)
            except SesaHandError as error:
                said, failed = str(error), failed + 1
            say(f"{path.name}: {said}")
        say(f"{len(pairs)} pairs in {options.folder}")
    return int(failed > 0)


def known_maps(text: str) -> tuple[str, ...]:
    """The maps of a list with commas; a SesaHandError names what is none."""
    from ..errors import SesaHandError
    from ..render.map_table import ALL_MAPS

    names = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    for name in names:
        if name not in ALL_MAPS:
            raise SesaHandError(f"There is no map {name!r:.40}; maps are {', '.join(ALL_MAPS)}.")
    return names
