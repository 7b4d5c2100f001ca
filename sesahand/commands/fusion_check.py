"""Say whether a ControlNet's self-attention is such that structural fusion can help, before anybody trains with it.

It looks at the summed maps of the ControlNet over rendered hands of known mask, at three noises: how much of a place's
row is the place itself, how much is the same for all places, and how much of what places of a hand attend to is hand.
"""

import argparse

from .reconstruct import count
from .saying import say

HELP = "say whether structural fusion can help a ControlNet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument("controlnet", help="a diffusers folder or a file; with the small model also sf or plain")
    parser.add_argument("--base", default="embedded", help="the base it belongs to (default: the small model)")
    parser.add_argument("--samples", type=count, default=16, help="hands that are looked at (default 16)")
    parser.add_argument("--batch-size", type=count, default=4, help="pictures at a time (default 4)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps (default: auto)")
    parser.add_argument("--dtype", default="auto", help="auto, float32, float16, bfloat16 (default: auto)")


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    from ..evaluation.fusion_check import check_fusion, describe_figures
    from ..generate.pipeline import HandGenerator
    from .generate import hush_transformers

    if not options.verbose:
        hush_transformers()
    generator = HandGenerator.load(options.base, options.controlnet, options.device, options.dtype)
    say(describe_figures(check_fusion(generator, options.samples, options.batch_size), generator.controlnet.name))
    return 0
