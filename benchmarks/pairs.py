"""Time the writing, opening and reading of a set of image-mesh pairs.

    python benchmarks/pairs.py [--count N] [--rounds N] [--folder FOLDER]

A pair is a picture of 512 x 512 with one hand, its prompt and semantics, and four maps (mesh, depth, normal, mask) that
were rendered before. The floor is what the encoding of the same pixels alone takes, without any file.
"""

import argparse
import statistics
import tempfile
import time
import tracemalloc
from pathlib import Path

import torch
from render import open_palm

from sesahand.data.pair_set import PairSet
from sesahand.data.picture_files import encode, to_levels
from sesahand.data.record import PairFacts
from sesahand.data.writer import PairWriter
from sesahand.render.maps import render_maps
from sesahand.semantics.behavior import BehaviorSemantics

MAPS = ("mesh", "depth", "normal", "mask")
LARGE = 1_000_000


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20, help="pairs a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where to write (default: the system's folder for temporary files)")
    arguments = parser.parse_args()
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
        grow_index(Path(folder) / "png0", LARGE)
        tracemalloc.start()
        PairSet(Path(folder) / "png0")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        for _ in range(arguments.rounds):
            clock(f"open a set of {LARGE} pairs", lambda: PairSet(Path(folder) / "png0"), 1)
    print("| what | ms | a second | KiB a pair |\n|---|---:|---:|---:|")
    for name in sorted(times):
        median = statistics.median(times[name])
        size = f"{sizes[name] / 1024:.0f}" if name in sizes else ""
        print(f"| {name} | {1e3 * median:.1f} | {1 / median:.1f} | {size} |")
    print(f"\nOpening the set of {LARGE} pairs took at most {peak / 2**20:.0f} MiB.")


if __name__ == "__main__":
    main()
