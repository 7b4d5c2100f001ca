"""Look into a set of image-mesh pairs, check and repair it, or write it in the formats of others."""

import argparse
from pathlib import Path

from ..data.formats import FORMATS
from .progress import progress
from .reconstruct import count, say, share

HELP = "look into a set of image-mesh pairs, add photographs, check it, or export it"
MAX_NAMED = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    stats = actions.add_parser("stats", help="count what is in a set")
    check = actions.add_parser("check", help="read every file of a set and say what is wrong")
    export = actions.add_parser("export", help="write a set in a format of others")
    for action, run_action in ((stats, show_stats), (check, check_set), (export, export_set)):
        action.add_argument("folder", type=Path, help="the set: a folder that Save Image-Mesh Pair wrote")
        action.set_defaults(run_action=run_action)
    add = actions.add_parser("add-photographs", help="fit the hands of photographs and add them as pairs")
    add.add_argument("folder", type=Path, help="the set, made if it is new")
    add.add_argument("photographs", nargs="+", type=Path, help="pictures, or folders of them; NAME.txt is a caption")
    add.add_argument("--vlm", metavar="FOLDER_OR_URL", help="captions them: a model's folder, or a server's base URL")
    add.add_argument("--model", default="", help="name of the model at the server")
    add.add_argument("--credential", default="", help="name of an entry in the credentials file")
    add.add_argument(
        "--maps", default="mesh,mask", metavar="NAMES", help="maps to draw, with commas (default mesh,mask)"
    )
    add.add_argument("--forearm", action="store_true", help="draw the forearm in the maps too")
    add.add_argument("--fov", type=float, default=40.0, help="degrees across the longer side (default 40)")
    add.add_argument("--longest", type=count, default=1024, help="pixels of the longer side at most (default 1024)")
    add.add_argument("--threshold", type=share, default=0.5, help="how sure a hand must be, 0 to 1 (default 0.5)")
    add.add_argument("--format", choices=("png", "jpg"), default="jpg", help="of the photographs in the set")
    add.add_argument("--hand-model", default="builtin", help="a MANO file, or a folder that holds one")
    add.add_argument("--detector", type=Path, metavar="FOLDER", help="where `get-detector --to` put its files")
    add.set_defaults(run_action=add_photographs)
    stats.add_argument(
        "--target",
        metavar="NAME",
        help="also count views, gestures, bends, sizes, sides, skins, shapes and near duplicates against a target: "
        "even, or the folder of another set",
    )
    stats.add_argument("--picture", type=Path, metavar="FILE", help="draw these histograms (target: even)")
    check.add_argument(
        "--repair", action="store_true", help="drop damaged pairs, and delete unfinished files and those of no pair"
    )
    export.add_argument("--format", required=True, choices=FORMATS, help="whose format")
    export.add_argument("--out", required=True, type=Path, help="a new or empty folder")
    export.add_argument("--minimum-score", type=float, default=0.0, help="leave out pairs below this score (0 to 1)")
    export.add_argument(
        "--hand-model", default="builtin", help="the MANO file of a MANO set; needed only to draw maps it lacks"
    )


def run(options: argparse.Namespace) -> int:
    """Do what was asked for."""
    return options.run_action(options)


def show_stats(options: argparse.Namespace) -> int:
    """Print the counts, and a line for each kind of stray file."""
    from ..data.check import describe, find_strays, gather_statistics
    from ..data.pair_set import PairSet

    pairs = PairSet(options.folder)
    print(describe(gather_statistics(progress(pairs, len(pairs), "reading"))))
    if pairs.index.torn:
        print(f"problem: the last record is torn ({pairs.index.torn} bytes); the next writer drops it")
    for kind, paths in find_strays(pairs).items():
        if paths:
            print(f"problem: {len(paths)} {kind} files, such as {paths[0].relative_to(pairs.root).as_posix()}")
    if options.target is not None or options.picture is not None:
        show_coverage(pairs, options.target or "even", options.picture)
    return 0


def add_photographs(options: argparse.Namespace) -> int:
    """Add photographs as pairs, say what became of each, and return 1 if one could not be used."""
    from ..data.photographs import PhotographPairs
    from ..data.writer import PairWriter
    from ..errors import SesaHandError
    from ..files.pictures import find_pictures
    from ..hands.loading import load_hand_model
    from ..reconstruct.scoring.picture_scorer import PictureScorer
    from ..vlm.opening import open_vlm

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


def show_coverage(pairs, target_name: str, path: Path | None) -> None:
    """Print a set's histograms against a target, and draw them into a file if there is one."""
    from ..data.coverage import Coverage, describe_coverage, pair_facts
    from ..data.coverage_picture import draw_coverage
    from ..errors import SesaHandError
    from ..files.pictures import save_picture
    from ..generate.filling import open_target

    target = open_target(target_name)
    facts = [fact for pair in progress(pairs, len(pairs), "measuring") for fact in pair_facts(pair)]
    coverage = Coverage.of(facts)
    print(describe_coverage(coverage, target, facts))
    if path is None:
        return
    try:
        save_picture(draw_coverage(coverage, target), path)
    except (OSError, ValueError) as error:
        raise SesaHandError(f"{path} cannot be written ({error}). Choose another file with --picture.") from error
    print(path)


def check_set(options: argparse.Namespace) -> int:
    """Print what is wrong with each pair, repair it if asked, and return 1 if anything is wrong and stays so."""
    from ..data.check import find_damage, find_strays, repair
    from ..data.pair_set import PairSet
    from ..errors import InvalidFileError

    try:
        pairs = PairSet(options.folder)
    except InvalidFileError as error:
        if not options.repair:
            raise
        print(error)
        print("\n".join(repair(options.folder)))
        pairs = PairSet(options.folder)
    found = zip(pairs.keys, find_damage(pairs), strict=True)
    damaged = {key: fault for key, fault in progress(found, len(pairs), "checking") if fault}
    for fault in list(damaged.values())[:MAX_NAMED]:
        print(fault)
    strays = {kind: paths for kind, paths in find_strays(pairs).items() if paths}
    for kind, paths in strays.items():
        print(f"{len(paths)} {kind} files, such as {paths[0].relative_to(pairs.root).as_posix()}")
    print(f"{len(pairs) - len(damaged)} of {len(pairs)} pairs are whole")
    if options.repair:
        print("\n".join(repair(options.folder, damaged) or ["nothing to repair"]))
        return 0
    return 1 if damaged or "partial" in strays or "orphan" in strays or pairs.index.torn else 0


def export_set(options: argparse.Namespace) -> int:
    """Write the set and print how many pairs were written and left out."""
    from ..data.formats import export_pairs
    from ..data.pair_set import PairSet
    from ..hands.loading import load_hand_model

    pairs = PairSet(options.folder, [load_hand_model(options.hand_model)])
    chosen = (pair for pair in progress(pairs, len(pairs), "writing") if is_good(pair, options.minimum_score))
    done = export_pairs(chosen, options.format, options.out)
    below = len(pairs) - done.written - done.left_out
    print(f"{done.written} pairs written to {options.out}")
    if done.left_out:
        print(f"{done.left_out} left out: no hand to be seen, which the format cannot hold")
    if below:
        print(f"{below} left out below the minimum score, or without one")
    return 0


def is_good(pair, minimum_score: float) -> bool:
    """Tell whether a pair's score reaches a minimum; one without a score reaches only 0."""
    return minimum_score <= 0 or (pair.facts.score is not None and pair.facts.score >= minimum_score)
