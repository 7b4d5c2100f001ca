"""How fast training data is drawn, and where the time goes.

Usage: python benchmarks/synthetic.py [--count 96] [--rounds 5]

One thread, as each of several drawing processes has one. Rounds of all rows are interleaved; medians are printed, wall
time and processor time: on a busy machine the latter is what a quiet one would need.
"""

import argparse
import statistics
import time

import torch

from sesahand.render.maps import render_maps
from sesahand.world.synthetic import SyntheticHands


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=96, help="samples a round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    small, large = SyntheticHands("train", 0, 128), SyntheticHands("train", 0, 256)
    scenes = [small[index].scene for index in range(arguments.count)]

    rows = {
        "words": lambda index: small.describe(index).composition,
        "words, posed and placed": small.stage,
        "whole sample, 128 pixels": lambda index: small[index],
        "whole sample, 256 pixels": lambda index: large[index],
        "the mesh map alone by render_maps, 128": lambda index: render_maps(scenes[index], ("mesh",), antialias=True),
    }
    taken = {name: [] for name in rows}
    for turn in range(arguments.rounds + 1):
        for name, make in rows.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for index in range(arguments.count):
                make(index)
            if turn:
                taken[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    print(f"torch {torch.__version__}, one thread, median of {arguments.rounds} rounds of {arguments.count}\n")
    print("| what | wall ms | cpu ms | samples a second |\n|---|---:|---:|---:|")
    for name, times in taken.items():
        wall, cpu = (1e3 * statistics.median(kind) / arguments.count for kind in zip(*times, strict=True))
        print(f"| {name} | {wall:.1f} | {cpu:.1f} | {1e3 / cpu:.0f} |")


if __name__ == "__main__":
    main()
