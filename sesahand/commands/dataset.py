"""Look into sets of image-mesh pairs, check and repair them, make new ones of them, or write the formats of others."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from ..data.formats import FORMATS
from ..errors import SesaHandError, in_one_line, quote
from . import photographs
from .progress import progress
from .saying import say

HELP = "look into sets of image-mesh pairs, add photographs, check, merge, filter, dedupe, split or export them"
MAX_NAMED = 10


def relative_name(path: Path, root: Path) -> str:
    """Return where a file is within a set, for a message: in one line, whatever its name holds."""
    return in_one_line(path.relative_to(root).as_posix())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    stats = actions.add_parser("stats", help="count what is in sets")
    check = actions.add_parser("check", help="read every file of sets and say what is wrong")
    export = actions.add_parser("export", help="write sets in a format of others")
    merge = actions.add_parser("merge", help="make one set of several; goes on where it was stopped")
    keep = actions.add_parser("filter", help="make a set of the pairs that are wanted")
    dedupe = actions.add_parser("dedupe", help="make a set without near duplicates in pose and view")
    split = actions.add_parser("split", help="deal pairs out into sets, all of one pose into the same")
    for action, run_action in (
        (stats, show_stats), (check, check_sets), (export, export_sets), (merge, merge_sets), (keep, filter_sets),
        (split, split_sets), (dedupe, dedupe_sets),
    ):  # fmt: skip
        action.add_argument(
            "folders", type=Path, nargs="+", metavar="FOLDER",
            help="a set: a folder that Save Image-Mesh Pair or `generate --pairs` wrote; of several, keys begin "
            "with their folders' names",
        )  # fmt: skip
        action.set_defaults(run_action=run_action)
    photographs.add_arguments(actions.add_parser("add-photographs", help=photographs.HELP))
    stats.add_argument(
        "--target",
        metavar="NAME",
        help="also count views, gestures, bends, sizes, sides, skins, shapes and near duplicates against a target: "
        "even, or the folder of another set",
    )
    stats.add_argument("--picture", type=Path, metavar="FILE", help="draw these histograms (target: even)")
    for action in (merge, keep, dedupe):
        action.add_argument("--out", required=True, type=Path, help="the new set")
    keep.add_argument("--minimum-score", type=float, help="0 to 1")
    keep.add_argument("--minimum-detector-score", type=float, help="0 to 1")
    keep.add_argument("--maximum-mse-2d", type=float, help="mean squared error of the keypoints")
    keep.add_argument(
        "--maximum-doubt", type=float,
        help="how far points of a hand may move from look to look, as a part of its size, such as 0.05",
    )  # fmt: skip
    keep.add_argument(
        "--cover", metavar="TARGET",
        help="of all these, only what brings the new set nearer to a target of views, gestures, bends, sizes, sides, "
        "skins and shapes: even, or the folder of another set",
    )  # fmt: skip
    keep.add_argument("--gesture", nargs="+", help="only these gestures")
    keep.add_argument("--side", choices=("right", "left"), help="only pictures whose hands are all of this side")
    keep.add_argument("--hands", type=int, help="only pictures of so many hands")
    keep.add_argument("--minimum-size", type=float, help="of each hand's box, as a part of the picture's shorter side")
    dedupe.add_argument(
        "--near", type=float, default=0.05,
        help="what counts as near: root mean square of the joints, in palm lengths (default 0.05)",
    )  # fmt: skip
    split.add_argument("--out", required=True, type=Path, help="the folder that the sets are made in")
    split.add_argument(
        "--share", nargs="+", type=named_share, default=[("train", 0.9), ("test", 0.1)], metavar="NAME=SHARE",
        help="the sets and their shares (default: train=0.9 test=0.1)",
    )  # fmt: skip
    split.add_argument("--seed", type=int, default=0, help="another seed deals otherwise")
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


def named_share(text: str) -> tuple[str, float]:
    """Parse NAME=SHARE."""
    name, _, share = text.partition("=")
    try:
        return name, float(share)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected NAME=SHARE, such as train=0.9, got {text!r:.40}") from error


def open_sources(options: argparse.Namespace, targets: Sequence[Path], models: Sequence = ()):
    """Return the pairs of the sets to read, apart from where is written to, and say which sets are not finished."""
    from ..data.apart import check_sources, check_target
    from ..data.several_sets import PairSets

    check_sources(options.folders)
    for target in targets:
        check_target(target, options.folders)
    pairs = PairSets(options.folders, models)
    for root, there, planned in pairs.unfinished():
        say(f"{root} is not finished: {there} of its {planned} planned pairs are there")
    return pairs


def say_others(out: Path, kept: int) -> None:
    """Say how many pairs a set has beside those that were chosen, which were there or came from elsewhere."""
    from ..data.index import read_index

    others = len(read_index(out)) - kept
    if others:
        say(f"{others} other pairs are in {out} too, which its sources no longer give; a new folder holds none")


def show_stats(options: argparse.Namespace) -> int:
    """Print the counts, and a line for each kind of stray file."""
    from ..data.check import describe, find_strays, gather_statistics
    from ..data.several_sets import PairSets

    pairs = PairSets(options.folders)
    say(describe(gather_statistics(progress(pairs, len(pairs), "reading"))))
    for each in pairs.sets:
        if each.index.torn:
            say(f"problem: the last record is torn ({each.index.torn} bytes); the next writer drops it")
        for kind, paths in find_strays(each).items():
            if paths:
                say(f"problem: {len(paths)} {kind} files, such as {relative_name(paths[0], each.root)}")
    if options.target is not None or options.picture is not None:
        show_coverage(pairs, options.target or "even", options.picture)
    return 0


def show_coverage(pairs, target_name: str, path: Path | None) -> None:
    """Print a set's histograms against a target, and draw them into a file if there is one."""
    from ..data.coverage import Coverage, describe_coverage, pair_facts
    from ..data.coverage_picture import draw_coverage
    from ..files.pictures import save_picture
    from ..generate.filling import open_target

    target = open_target(target_name)
    facts = [fact for pair in progress(pairs, len(pairs), "measuring") for fact in pair_facts(pair)]
    coverage = Coverage.of(facts)
    say(describe_coverage(coverage, target, facts))
    if path is None:
        return
    try:
        save_picture(draw_coverage(coverage, target), path)
    except (OSError, ValueError) as error:
        raise SesaHandError(f"{path} cannot be written ({error}). Choose another file with --picture.") from error
    say(path)


def check_sets(options: argparse.Namespace) -> int:
    """Check the sets one by one; 1 if anything is wrong with one and stays so."""
    from ..data.shards import sets_in

    found, folders = [0], [path for _, paths in sets_in(options.folders) for path in paths]
    for folder in folders:
        if len(folders) > 1:
            say(f"{folder}:")
        found.append(check_set(folder, options.repair))
    return max(found)


def check_set(folder: Path, repaired: bool) -> int:
    """Print what is wrong with each pair, repair it if asked, and return 1 if anything is wrong and stays so."""
    from ..data.check import find_damage, find_strays, repair
    from ..data.pair_set import PairSet
    from ..errors import InvalidFileError

    try:
        pairs = PairSet(folder)
    except InvalidFileError as error:
        if not repaired:
            raise
        say(error)
        say("\n".join(repair(folder)))
        pairs = PairSet(folder)
    found = zip(pairs.index.keys(), find_damage(pairs), strict=True)
    damaged = {key: fault for key, fault in progress(found, len(pairs), "checking") if fault}
    for fault in list(damaged.values())[:MAX_NAMED]:
        say(fault)
    strays = {kind: paths for kind, paths in find_strays(pairs).items() if paths}
    for kind, paths in strays.items():
        say(f"{len(paths)} {kind} files, such as {relative_name(paths[0], pairs.root)}")
    say(f"{len(pairs) - len(damaged)} of {len(pairs)} pairs are whole")
    if repaired:
        say("\n".join(repair(folder, damaged) or ["nothing to repair"]))
        return 0
    return 1 if damaged or "partial" in strays or "orphan" in strays or pairs.index.torn else 0


def export_sets(options: argparse.Namespace) -> int:
    """Write the sets and print how many pairs were written and left out."""
    from ..data.arranging import Wanted
    from ..data.formats import export_pairs
    from ..hands.loading import load_hand_model

    wanted = Wanted(score=options.minimum_score or None)
    pairs = open_sources(options, [options.out], [load_hand_model(options.hand_model)])
    chosen = (pair for pair in progress(pairs, len(pairs), "writing") if wanted.keeps(pair))
    done = export_pairs(chosen, options.format, options.out)
    below = len(pairs) - done.written - done.left_out
    say(f"{done.written} pairs written to {options.out}")
    if done.left_out:
        say(f"{done.left_out} left out: no hand to be seen, which the format cannot hold")
    if below:
        say(f"{below} left out below the minimum score, or without one")
    return 0


def merge_sets(options: argparse.Namespace) -> int:
    """Write one set of several and print how many pairs it has."""
    from ..data.arranging import copy_pairs
    from ..data.made_of import MadeOf

    pairs = open_sources(options, [options.out])
    made_of = MadeOf.of("merge", {}, options.folders)
    kept = copy_pairs(progress(pairs, len(pairs), "copying"), options.out, made_of=made_of)
    say(f"{kept} pairs of {len(options.folders)} sets are in {options.out}")
    say_others(options.out, kept)
    return 0


def filter_sets(options: argparse.Namespace) -> int:
    """Write the wanted pairs and print how many they are."""
    from ..data.arranging import Wanted, copy_pairs
    from ..data.covering import Covering
    from ..data.made_of import MadeOf, beginning_of
    from ..generate.filling import EVEN, open_target

    wanted = Wanted(
        score=options.minimum_score,
        detector_score=options.minimum_detector_score,
        mse_2d=options.maximum_mse_2d,
        doubt=options.maximum_doubt,
        gestures=None if options.gesture is None else tuple(sorted(set(options.gesture))),
        side=options.side,
        hands=options.hands,
        hand_size=options.minimum_size,
    )
    covering = None if options.cover is None else Covering(open_target(options.cover))
    pairs = open_sources(options, [options.out])
    check_gestures(wanted.gestures or (), pairs)
    target = options.cover if options.cover in (None, EVEN) else beginning_of(Path(options.cover))
    made_of = MadeOf.of("filter", {**dataclasses.asdict(wanted), "cover": target}, options.folders)

    def keeps(pair) -> bool:
        return wanted.keeps(pair) and (covering is None or covering.keeps(pair))

    kept = copy_pairs(progress(pairs, len(pairs), "filtering"), options.out, keeps, made_of)
    say(f"{kept} of {len(pairs)} pairs are in {options.out}")
    say_others(options.out, kept)
    return 0


def check_gestures(names: Sequence[str], pairs) -> None:
    """Refuse gestures that neither the library nor one of the pairs has.

    Raises:
        SesaHandError: If there is one; the message lists those of the library and the closest one.
    """
    from ..hands.gestures import find_gesture, gesture_names

    unknown = {*names} - {*gesture_names()}
    if unknown:
        unknown -= {pair.facts.gesture for pair in pairs}
    for name in sorted(unknown):
        find_gesture(name)
        raise SesaHandError(f"No pair has the gesture {quote(name)}: spell it as `sesahand gestures` does.")


def dedupe_sets(options: argparse.Namespace) -> int:
    """Write the pairs that repeat no earlier one and print how many they are."""
    from ..data.arranging import copy_pairs
    from ..data.made_of import MadeOf
    from ..data.near_duplicates import NearDuplicates

    if not 0 < options.near <= 10:
        raise SesaHandError(f"--near is {options.near:g}, expected a number above 0, in palm lengths, such as 0.05.")
    pairs = open_sources(options, [options.out])
    made_of = MadeOf.of("dedupe", {"near": options.near}, options.folders)
    is_new = NearDuplicates(options.near).is_new
    kept = copy_pairs(progress(pairs, len(pairs), "comparing"), options.out, is_new, made_of)
    say(f"{kept} of {len(pairs)} pairs are in {options.out}; {len(pairs) - kept} repeat an earlier pose and view")
    say_others(options.out, kept)
    return 0


def split_sets(options: argparse.Namespace) -> int:
    """Deal the pairs out and print how many went where."""
    from ..data.arranging import split_pairs
    from ..data.made_of import MadeOf
    from ..files.folders import inside
    from ..files.names import check_file_name

    names = [check_file_name(name) for name, _ in options.share]
    if len({*names}) < len(names):
        raise SesaHandError(f"--share names {quote(names)}, of which two are one: give each set a name of its own.")
    targets = [inside(options.out, name) for name in names]
    pairs = open_sources(options, targets)
    made_of = MadeOf.of("split", {"share": options.share, "seed": options.seed}, options.folders)
    dealt = progress(pairs, len(pairs), "dealing")
    counts = split_pairs(dealt, options.out, dict(options.share), options.seed, made_of)
    for target, count in zip(targets, counts.values(), strict=True):
        say(f"{count} pairs are in {target}")
        say_others(target, count)
    return 0
