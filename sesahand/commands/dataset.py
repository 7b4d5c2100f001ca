"""Look into a set of image-mesh pairs, check and repair it, or write it in the formats of others."""

import argparse
from pathlib import Path

from ..data.formats import FORMATS
from .progress import progress

HELP = "look into a set of image-mesh pairs, check it, or export it"
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
    return 0


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
