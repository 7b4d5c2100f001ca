"""Time the writing, opening and reading of a set of image-mesh pairs.

    python benchmarks/pairs.py [--count N] [--rounds N] [--folder FOLDER]
    python benchmarks/pairs.py --stages [--count N] [--batch-size N] [--folder FOLDER]
    python benchmarks/pairs.py --large [--folder FOLDER]

A pair is a picture of 512 x 512 with one hand, its prompt and semantics, and four maps (mesh, depth, normal, mask) that
were rendered before. The floor is what the encoding of the same pixels alone takes, without any file.

With --stages, processor time of making pairs with the small model instead, stage by stage: one at a time, as `generate`
does it, and by a plan. It needs the detector's files.

With --large, processor time and memory of opening the index of a million pairs, whose files are not there, of finding a
pair in it, and of reading all of its records in one pass.
"""

import argparse
import dataclasses
import resource
import statistics
import tempfile
import time
from pathlib import Path

import torch
from render import open_palm

from sesahand.commands.generate import EXAMPLES
from sesahand.data.check import gather_statistics
from sesahand.data.pair_set import PairSet
from sesahand.data.picture_files import encode, to_levels
from sesahand.data.record import PairFacts
from sesahand.data.writer import PairWriter
from sesahand.generate.picture_folder import PictureFolder
from sesahand.generate.plan import Plan
from sesahand.generate.planned import Examiner, Painter
from sesahand.generate.workshop import Workshop, add_pair
from sesahand.reconstruct.scoring.picture_scorer import PictureScorer
from sesahand.render.maps import render_maps
from sesahand.semantics.behavior import BehaviorSemantics

MAPS = ("mesh", "depth", "normal", "mask")
LARGE = 1_000_000
STAGES = ("paint", "examine", "write")


def noisy_picture(maps) -> torch.Tensor:
    """Return a picture `[512, 512, 3]` that compresses about as badly as a photograph."""
    generator = torch.Generator().manual_seed(0)
    grain = 0.06 * torch.randn(512, 512, 3, generator=generator)
    return (0.4 + 0.3 * maps.mesh[0] + grain).clamp(0, 1)


def grow_index(root: Path, count: int) -> None:
    """Make the index of a set as long as that of `count` pairs, whose files are not there."""
    path = root / "index.jsonl"
    line = path.read_bytes().splitlines(keepends=True)[0]
    key = line[9:17]
    with path.open("wb") as file:
        file.writelines(line.replace(key, f"{number:08d}".encode(), 1) for number in range(count))


def time_one_by_one(plan: Plan, painter: Painter, scorer: PictureScorer, folder: Path) -> dict[str, float]:
    """Return the processor seconds of each stage for all pairs of a plan, made one at a time with all their files."""
    spent = dict.fromkeys(STAGES, 0.0)

    def examine(picture, scene):
        begin = time.process_time()
        scored = scorer(picture, scene)
        spent["examine"] += time.process_time() - begin
        return scored

    begin = time.process_time()
    order = dataclasses.replace(plan.order(), sentences=plan.captions, count=-(-plan.pairs // len(plan.captions)))
    workshop = Workshop(painter.generator, painter.sampled.settings, scorer=examine, more_maps=plan.pair_maps)
    pictures = PictureFolder(folder / "pictures")
    with PairWriter(folder / "one_by_one") as writer:
        for done in workshop.make(order.jobs(painter.generator.base)[: plan.pairs]):
            writing = time.process_time()
            pictures.write(dataclasses.replace(done, name=pictures.next_name()))
            add_pair(writer, done)
            spent["write"] += time.process_time() - writing
    spent["paint"] = time.process_time() - begin - spent["examine"] - spent["write"]
    return spent


def time_planned(plan: Plan, painter: Painter, scorer: PictureScorer, folder: Path) -> dict[str, float]:
    """Return the same for pairs made by their plan; encoding counts as examining."""
    spent = dict.fromkeys(STAGES, 0.0)
    examiner = Examiner(plan, painter.sampled, scorer, painter.jobs)

    def clocked(stage, run, *arguments):
        begin = time.process_time()
        answer = run(*arguments)
        spent[stage] += time.process_time() - begin
        return answer

    with PairWriter(folder / "planned") as writer:
        for group in plan.groups([*range(plan.pairs)]):
            pictures, maps = clocked("paint", painter, group)
            pairs = clocked("examine", lambda *about: [*examiner(*about)], group, pictures, maps, range(plan.pairs))
            clocked("write", lambda pairs=pairs: [writer.append(pair) for pair in pairs])
    return spent


def time_stages(count: int, batch_size: int, folder: str | None) -> None:
    """Print the table of stages."""
    plan = Plan(EXAMPLES, count, batch_size=batch_size, shard_size=batch_size)
    painter, scorer = Painter(plan, "cpu"), PictureScorer()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        warm = dataclasses.replace(plan, pairs=1)
        time_one_by_one(warm, painter, scorer, Path(place) / "warm")
        ways = {"one at a time": time_one_by_one, f"by a plan, {batch_size} at a time": time_planned}
        print(f"| processor seconds a pair | {' | '.join(STAGES)} | all |\n|---|{'---:|' * (len(STAGES) + 1)}")
        for name, way in ways.items():
            spent = {stage: seconds / count for stage, seconds in way(plan, painter, scorer, Path(place)).items()}
            print(f"| {name} | {' | '.join(f'{spent[s]:.3f}' for s in STAGES)} | {sum(spent.values()):.3f} |")


def time_large(folder: str | None) -> None:
    """Print the table of a set of `LARGE` pairs; memory is what the process takes more than before, at its peak."""
    scene = open_palm(64)
    drawn = render_maps(scene, antialias=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        root = Path(place) / "large"
        with PairWriter(root) as writer:
            writer.add(drawn.mesh[0], scene, PairFacts("a woman waves " * 8, score=0.5), {"depth": drawn.depth[0]})
        grow_index(root, LARGE)
        before = peak()
        print("| what | processor seconds | MiB more |\n|---|---:|---:|")

        def clock(name: str, run) -> PairSet:
            begin = time.process_time()
            answer = run()
            print(f"| {name} | {time.process_time() - begin:.3f} | {peak() - before:.0f} |", flush=True)
            return answer

        pairs = clock(f"open a set of {LARGE} pairs", lambda: PairSet(root))
        clock("find one of them by its key", lambda: pairs.find(f"{LARGE // 2:08d}"))
        clock("read all records in one pass", lambda: gather_statistics(pairs))


def peak() -> float:
    """The most memory that this process has taken so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20, help="pairs a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where to write (default: the system's folder for temporary files)")
    parser.add_argument("--stages", action="store_true", help="time the stages of making pairs")
    parser.add_argument("--large", action="store_true", help="time a set of a million pairs")
    parser.add_argument("--batch-size", type=int, default=16, help="pictures made at a time, for --stages")
    arguments = parser.parse_args()
    if arguments.large:
        time_large(arguments.folder)
        return
    if arguments.stages:
        time_stages(arguments.count, arguments.batch_size, arguments.folder)
        return
    scene = open_palm(512)
    drawn = render_maps(scene, antialias=True)
    maps = {name: getattr(drawn, name)[0] for name in MAPS}
    picture = noisy_picture(drawn)
    facts = PairFacts("a woman waves " * 8, BehaviorSemantics("standing", "waving", "open hand", "a park"), seed=1)
    times, sizes = {}, {}

    def clock(name: str, run, count: int) -> None:
        begin = time.perf_counter()
        run()
        times.setdefault(name, []).append((time.perf_counter() - begin) / count)

    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for turn in range(arguments.rounds):
            for kind in ("png", "jpg"):
                root = Path(folder) / f"{kind}{turn}"
                with PairWriter(root, kind) as writer:

                    def write(writer=writer):
                        for _ in range(arguments.count):
                            writer.add(picture, scene, facts, maps)

                    clock(f"write, {kind}", write, arguments.count)
                pairs = PairSet(root)
                clock(
                    f"read picture, mesh map and hands, {kind}",
                    lambda pairs=pairs: [(pair.picture, pair.map("mesh"), pair.scene) for pair in pairs],
                    arguments.count,
                )
                used = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
                sizes[f"write, {kind}"] = used / arguments.count

                def encode_only(kind=kind):
                    encode(to_levels(picture, ""), kind)
                    for value in maps.values():
                        encode(to_levels(value, ""), "png")

                clock(f"floor: encode the pixels, {kind}", encode_only, 1)
    print("| what | ms | a second | KiB a pair |\n|---|---:|---:|---:|")
    for name in sorted(times):
        median = statistics.median(times[name])
        size = f"{sizes[name] / 1024:.0f}" if name in sizes else ""
        print(f"| {name} | {1e3 * median:.1f} | {1 / median:.1f} | {size} |")


if __name__ == "__main__":
    main()
