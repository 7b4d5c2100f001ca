"""Measure predicted hands against true ones: MPJPE, PA-MPJPE, AUC, errors of meshes, F-scores, two hands.

PREDICTIONS and TRUTH are each a file or folder of these: hand scenes or the MANO parameters of HaMeR and WiLoR (.json,
.npz), a folder of them such as `sesahand reconstruct` writes, a pair set, FreiHAND's or HO-3D's lists (pred.json, or a
folder with evaluation_xyz.json), a COCO file with hands' keypoints. With --out the folder gets `results.json`, and
`worst.png` with the twenty worst hands.
"""

import argparse
import json
from pathlib import Path

from ..evaluation.hands.conventions import CONVENTIONS
from .progress import Bar
from .render import LEFTS, picture_size
from .saying import say, say_json

HELP = "measure predicted hands against true ones"
RESULTS, PICTURE = "results.json", "worst.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("predictions", type=Path, help="the predicted hands")
    parser.add_argument("truth", type=Path, help="the true hands")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write results.json and worst.png there")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument(
        "--convention",
        choices=CONVENTIONS,
        default="freihand",
        help="joints and axes of lists and COCO files: freihand's (wrist, thumb to pinky, palm to tip; y down, z "
        "forward; the default), ho3d's (MANO's joints, then the tips; y up, z backward), rhd's (tip to palm)",
    )
    parser.add_argument(
        "--reflect", action="store_true", help="let Procrustes mirror too, as FreiHAND's and HO-3D's scripts do"
    )
    parser.add_argument("--hand-model", default="builtin", help="a MANO file, or a folder that holds one")
    parser.add_argument(
        "--lefts", choices=LEFTS, default=LEFTS[0], help="left hands of MANO parameters, as of `render`"
    )
    parser.add_argument(
        "--size", type=picture_size, metavar="WxH", help="of the picture, for MANO parameters that do not say"
    )


def run(options: argparse.Namespace) -> int:
    """Measure, print the table, and write what was asked for."""
    from ..evaluation.hands.hand_errors import hand_errors, two_hand_errors
    from ..evaluation.hands.opening import ReadingSettings, open_hands
    from ..evaluation.hands.pairing import pair_hands
    from ..evaluation.hands.report import HandEvaluation
    from ..hands.loading import load_hand_model

    model = load_hand_model(options.hand_model)
    settings = ReadingSettings(model, options.lefts, options.size, options.convention)
    found, truth = (open_hands(path, settings, Bar("reading")) for path in (options.predictions, options.truth))
    pairs = pair_hands(found, truth)
    evaluation = HandEvaluation(
        pairs,
        hand_errors(pairs, options.reflect, Bar("measuring")),
        *two_hand_errors(pairs),
        {"convention": options.convention, "reflect": options.reflect},
    )
    text = json.dumps(evaluation.to_dict(), indent=1) + "\n"
    if options.out is not None:
        write_results(options.out, text, evaluation)
    say_json(text.rstrip()) if options.json else say(evaluation.table())
    return 0


def write_results(folder: Path, text: str, evaluation) -> None:
    """Write the results, and the worst hands as a picture if any was measured."""
    from ..errors import SesaHandError
    from ..evaluation.hands.worst_hands import draw_worst_hands
    from ..files.folders import delete_file
    from ..files.pictures import save_picture
    from ..files.writing import write_whole
    from ..render.contact_sheet import to_pil

    sheet = draw_worst_hands(evaluation)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / RESULTS, text.encode())
        if sheet is None:
            # One of an earlier run would be of other hands.
            delete_file(folder, PICTURE)
        else:
            save_picture(to_pil(sheet[0]), folder / PICTURE)
    except (OSError, ValueError) as error:
        raise SesaHandError(
            f"The results cannot be written into {str(folder)!r} ({error}). Choose another folder with --out."
        ) from error
