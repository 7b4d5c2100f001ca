"""Draw training data of the small world into a folder of memory-mapped arrays, or go on where that was interrupted."""

import argparse
from pathlib import Path

from .saying import say

HELP = "draw training data of the small world: pictures, maps, masks and keypoints"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("--out", type=Path, required=True, help="folder; about 100 KB a sample of 128 pixels")
    parser.add_argument("--count", type=int, default=20000, help="how many samples (default 20000)")
    parser.add_argument("--split", default="train", help="train or heldout (default train)")
    parser.add_argument("--seed", type=int, default=0, help="which sequence of the split (default 0)")
    parser.add_argument("--size", type=int, default=128, help="side of the pictures in pixels (default 128)")
    parser.add_argument(
        "--part", default="1/1", metavar="K/N", help="draw the K-th of N shares; run N processes to share the work"
    )
    parser.add_argument("--sheet", type=Path, help="also write a contact sheet of the first 64 to this PNG file")


def run(options: argparse.Namespace) -> int:
    """Draw the samples and print where they are."""
    from ..errors import SesaHandError
    from ..world.cache import render_samples

    which, _, parts = options.part.partition("/")
    if not (which.isdecimal() and parts.isdecimal() and 1 <= int(which) <= int(parts)):
        raise SesaHandError(f"--part is K/N such as 1/2, the first of two shares; got {options.part!r}.")
    samples = render_samples(
        options.out,
        options.count,
        options.split,
        options.seed,
        options.size,
        (int(which) - 1, int(parts)),
        lambda done, count: say(f"{done} of {count}", "\r" if done < count else "\n"),
    )
    say(f"{options.out}: {int(samples.done.sum())} of {len(samples)} samples drawn")
    if options.sheet is not None:
        write_sheet(samples, options.sheet)
        say(options.sheet)
    return 0


def write_sheet(samples, path: Path, columns: int = 8, rows: int = 8) -> None:
    """Write the first pictures side by side."""
    import numpy as np
    from PIL import Image

    from ..errors import SesaHandError
    from ..files.pictures import save_picture

    size = samples.source.size
    sheet = np.zeros((rows * size, columns * size, 3), np.uint8)
    for index in range(min(rows * columns, len(samples))):
        top, left = index // columns * size, index % columns * size
        sheet[top : top + size, left : left + size] = samples.pictures[index]
    try:
        save_picture(Image.fromarray(sheet), path)
    except (OSError, ValueError) as error:
        raise SesaHandError(
            f"The sheet cannot be written to {path} ({error}). Choose another file with --sheet."
        ) from error
