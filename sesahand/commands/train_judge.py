"""Train the judge that reads pictures of the small world, and prove it on held-out renders.

Draw both sets with render-samples first. The same command takes up an interrupted training where it was.
"""

import argparse
from dataclasses import fields
from pathlib import Path

from .saying import say

HELP = "train and prove the network that reads pictures of the small world"
EVERY = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    from ..evaluation.reader.config import ReaderConfig

    parser.add_argument("--samples", type=Path, required=True, help="folder of drawn training samples")
    parser.add_argument("--heldout", type=Path, required=True, help="folder of drawn held-out samples")
    parser.add_argument("--out", type=Path, default=Path("judge.safetensors"), help="file (default judge.safetensors)")
    parser.add_argument("--start", type=Path, help="a judge to go on from, instead of from nothing")
    parser.add_argument("--first", type=int, help="learn from this many of the samples only")
    for field in fields(ReaderConfig):
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, type=field.type, default=field.default, help=f"default {field.default}")


def run(options: argparse.Namespace) -> int:
    """Train, and print what the judge reads how well, and whether that passes its bar."""
    from ..evaluation.reader.config import ReaderConfig
    from ..evaluation.reader.network import load_world_reader
    from ..evaluation.reader.training import train_reader
    from ..world.cache import open_samples

    config = ReaderConfig(**{field.name: getattr(options, field.name) for field in fields(ReaderConfig)})
    samples = open_samples(options.samples)
    samples = samples if options.first is None else samples.first(options.first)
    start = None if options.start is None else load_world_reader(options.start)
    judge = train_reader(samples, open_samples(options.heldout), options.out, config, report, start)
    say(table(judge.facts))
    say(options.out)
    return 0


def report(step: int, parts: dict) -> None:
    if step % EVERY == 0:
        shown = {name: parts[name] for name in ("mask", "keypoints", "gesture", "background", "skin") if name in parts}
        say(f"{step}: " + ", ".join(f"{name} {value:.3f}" for name, value in shown.items()))


def table(facts: dict) -> str:
    """Return the results as a table in Markdown."""
    from ..evaluation.reader.network import bar_of

    rows = ["| read | bar | held-out renders | degraded | publishes |", "|---|---:|---:|---:|---|"]
    for name, value in facts["results"].items():
        passed = "yes" if facts["passed"][name] else "no"
        rows.append(f"| {name} | {bar_of(name):.2f} | {value:.3f} | {facts['degraded'][name]:.3f} | {passed} |")
    return "\n".join(rows)
