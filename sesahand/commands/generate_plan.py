"""`sesahand generate --plan`: the pairs of a plan, all or in parts, here or on Ray, from where the last run ended."""

import argparse
import os
import time
from pathlib import Path

from ..errors import SesaHandError
from .progress import Bar, progress
from .reconstruct import INTERRUPTED
from .saying import note, say

ALLOWED = ("plan", "part", "ray", "status", "pairs", "device", "detector")
"""Options beside --plan; all others stand in the plan."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of plans to the parser of `generate`."""
    plan = parser.add_argument_group("a plan (see the page From a plan to ten million pairs)")
    plan.add_argument("--plan", type=Path, metavar="FILE", help="make this plan's pairs, in the folder of --pairs")
    plan.add_argument("--part", metavar="K/N", help="only the K-th of N parts, or rank: as RANK and WORLD_SIZE say")
    plan.add_argument("--ray", nargs="?", const="", metavar="ADDRESS", help="on Ray: here, or on the cluster there")
    plan.add_argument("--status", action="store_true", help="say what is still missing, and make nothing")


def check_alone(options: argparse.Namespace, defaults: dict) -> None:
    """Raise a SesaHandError for options that stand in the plan, or that need one.

    Args:
        options: Of `generate`.
        defaults: What each is if it is not given.
    """
    if options.plan is None:
        given = [f"--{name}" for name in ("part", "ray") if getattr(options, name) is not None]
        if given or options.status:
            raise SesaHandError(f"{', '.join(given) or '--status'} belongs to a plan: add --plan.")
        return
    others = [name for name, value in defaults.items() if name not in ALLOWED and getattr(options, name) != value]
    if others:
        raise SesaHandError(f"A plan says all of that: leave out {', '.join(others)}, or write it into {options.plan}.")
    if options.pairs is None:
        raise SesaHandError("--plan makes pairs: say into which folder with --pairs.")
    if options.ray is not None and options.part is not None:
        raise SesaHandError("Ray deals the work out by itself: leave out --part or --ray.")


def run_plan(options: argparse.Namespace) -> int:
    """Make what is missing of a plan, and print how much there is."""
    from ..data.shards import SHARDS, make_shards
    from ..generate.plan import read_plan
    from ..generate.planned import check_captions

    plan = read_plan(options.plan)
    part, device = chosen_part(options.part), options.device
    shards = plan.shards(options.pairs.absolute())
    if options.status:
        tell_missing(shards)
        return 0
    if not (shards.root / SHARDS).exists():
        for _ in progress(check_captions(plan), len(plan.captions), "reading captions"):
            pass
    make_shards(shards)
    if part[0] >= len(shards):
        say(f"The plan has {len(shards)} shards of {shards.size} pairs: nothing is left for part {part[0] + 1}.")
        return 0
    left = shards.planned(part) - sum(shards.made(part).values())
    bar, made, begin, interrupted = Bar("making pairs"), 0, time.monotonic(), False
    try:
        for made, _ in enumerate(pairs_of(options, plan, shards, part, device), 1):
            bar(made, left)
    except KeyboardInterrupt:
        interrupted = True
    seconds = time.monotonic() - begin
    speed = f", {made / seconds:.2f} a second" if made else ""
    # Counted anew: others may have worked on this part, too.
    missing = shards.planned(part) - sum(shards.made(part).values())
    say(f"{made} pairs made{speed}; {missing} of this part are missing in {options.pairs}")
    others = left - made - missing
    if others > 0:
        note(f"Another process writes to the same shards: it has made {others} of this part's pairs meanwhile.")
    return INTERRUPTED if interrupted else int(missing > 0)


def pairs_of(options: argparse.Namespace, plan, shards, part: tuple[int, int], device: str):
    """Return what makes the pairs one by one."""
    from ..generate.on_ray import make_on_ray
    from ..generate.planned import Painter, make_part, open_scorer

    scorer = open_scorer(plan, options.detector)
    if options.ray is None:
        return make_part(Painter(plan, own_device(options)), shards, part, scorer)
    # Ray tells its makers of each cluster that it starts, unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    return make_on_ray(plan, shards, options.ray, device, options.detector)


def chosen_part(text: str | None) -> tuple[int, int]:
    """Return which part is meant, from 0, and of how many."""
    if text == "rank":
        rank, world = os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")
        if not (rank.isdecimal() and world.isdecimal() and int(rank) < int(world)):
            raise SesaHandError("--part rank reads RANK and WORLD_SIZE, which accelerate and torchrun set.")
        return int(rank), int(world)
    which, _, parts = (text or "1/1").partition("/")
    if not (which.isdecimal() and parts.isdecimal() and 1 <= int(which) <= int(parts)):
        raise SesaHandError(f"--part is K/N such as 1/2, the first of two parts, or rank; got {text!r:.40}.")
    return int(which) - 1, int(parts)


def own_device(options: argparse.Namespace) -> str:
    """Return the device of this process: of several on one machine, each has a GPU of its own."""
    import torch

    rank = os.environ.get("LOCAL_RANK", "")
    if options.part == "rank" and options.device == "auto" and rank.isdecimal() and torch.cuda.is_available():
        return f"cuda:{int(rank) % torch.cuda.device_count()}"
    return options.device


def tell_missing(shards) -> None:
    """Print how many pairs of a planned set are there, and which are not; raises as `find_begun` for another plan."""
    from ..data.shards import SHARDS, find_begun

    begun_with = find_begun(shards).count if (shards.root / SHARDS).exists() else shards.count
    if begun_with < shards.count:
        say(f"{shards.root} was begun with {begun_with} pairs, and the plan has {shards.count} now")
    made = shards.made()
    lacks = {shard: len(shards.numbers(shard)) - count for shard, count in made.items() if count}
    begun = [f"{shard} ({count})" for shard, count in lacks.items() if count]
    total = sum(made.values())
    say(f"{total} of {shards.count} pairs are there, in {len(shards)} shards of {shards.size}")
    if total < shards.count:
        say(f"{shards.count - total} are missing: {len(shards) - len(lacks)} shards are not begun" + (
            f", and of others these lack some: {', '.join(begun[:10])}" if begun else ""))  # fmt: skip
