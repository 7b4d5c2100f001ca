"""Convert a MANO pickle of your own to safetensors, without unpickling anything but plain arrays."""

import argparse
from pathlib import Path

from .saying import say

HELP = "convert your MANO_RIGHT.pkl or MANO_LEFT.pkl to safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("source", type=Path, help="MANO_RIGHT.pkl or MANO_LEFT.pkl from mano.is.tue.mpg.de")
    parser.add_argument(
        "destination", type=Path, nargs="?", help="the .safetensors to write (default: beside the source)"
    )


def run(options: argparse.Namespace) -> int:
    """Convert the file and print where the result is."""
    from ..hands.mano import convert_mano

    destination = options.destination or options.source.parent / f"{options.source.stem}.safetensors"
    convert_mano(options.source, destination)
    say(destination)
    return 0
