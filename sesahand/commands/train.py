"""Train a ControlNet or a LoRA on Stable Diffusion, the small model, or a reconstructor of hands.

An interrupted training (Ctrl-C, --minutes, a power cut) goes on exactly where it was when the same command runs again.
On several GPUs: accelerate launch -m sesahand train ...
"""

import argparse
import json
import os
import signal
import time

from .saying import say, say_json

HELP = "train a ControlNet with structural fusion, a LoRA, the small model, or a reconstructor of hands"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser."""
    parser.add_argument(
        "--config", required=True, metavar="FILE|mini", help="a .toml or .json file, or mini: the small model's recipe"
    )
    parser.add_argument("--out", help="folder of the run (default: the config's)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="changes",
        help="replace a setting of the config, such as training.steps=2000; may be repeated",
    )
    parser.add_argument("--minutes", type=float, help="stop after so many minutes, with a checkpoint to go on from")
    parser.add_argument("--scale", type=float, help="mini only: this fraction of its steps and samples, to try it out")
    parser.add_argument("--show", action="store_true", help="print the whole configuration as JSON and end")


def run(options: argparse.Namespace) -> int:
    """Train, print the log as it grows, and where the exported files are; 3 if it was stopped before the end."""
    from ..errors import SesaHandError
    from ..training.config import MiniConfig, load_config, to_dict

    changes = [*options.changes, *([f"out={json.dumps(options.out)}"] if options.out else [])]
    config = load_config(options.config, changes)
    if options.scale is not None:
        from ..training.small_model import small_config

        if not isinstance(config, MiniConfig) or not 0 < options.scale <= 1:
            raise SesaHandError(
                f"--scale is a fraction of the small model's recipe, above 0 and at most 1, got {options.scale:g}; "
                "leave it out for any other training."
            )
        config = small_config(config, options.scale)
    if options.show:
        say_json(json.dumps(to_dict(config), indent=2))
        return 0
    stop = Stop(options.minutes)
    previous = signal.signal(signal.SIGINT, stop.ask)
    try:
        paths = _train(config, stop)
    finally:
        signal.signal(signal.SIGINT, previous)
    # Under accelerate launch this runs in several processes, of which one speaks.
    speaks = os.environ.get("RANK", "0") == "0"
    if paths is None:
        if speaks:
            say(f"stopped; the same command goes on from the last checkpoint in {config.out}")
        return 3
    for path in paths if speaks else ():
        say(path)
    return 0


class Stop:
    """Whether to end: the time is over, or somebody pressed Ctrl-C. A second Ctrl-C ends at once.

    Args:
        minutes: After how long, or None.
    """

    def __init__(self, minutes: float | None = None):
        self.end = None if minutes is None else time.monotonic() + 60 * minutes
        self.asked = False

    def __call__(self) -> bool:
        return self.asked or (self.end is not None and time.monotonic() >= self.end)

    def ask(self, *_) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def _train(config, stop: Stop) -> list | None:
    from ..training.config import LoraConfig, MiniConfig, ReconstructorConfig
    from ..training.controlnet import train_controlnet
    from ..training.lora import train_lora
    from ..training.reconstructor import train_reconstructor
    from ..training.small_model import MiniTraining

    if isinstance(config, ReconstructorConfig):
        return _paths(train_reconstructor(config, stop, lambda entry: report("reconstructor", entry)))
    if isinstance(config, MiniConfig):
        return MiniTraining(config, stop, report).run()
    if isinstance(config, LoraConfig):
        return _paths(train_lora(config, stop, lambda entry: report("lora", entry)))
    return _paths(train_controlnet(config, stop, lambda entry: report("controlnet", entry)))


def _paths(answer: tuple) -> list | None:
    _, path = answer
    if path is None:
        return None
    best = path.with_name(f"{path.stem}_best{path.suffix}")
    return [*([best] if best.is_file() else []), path]


def report(stage: str, entry: dict) -> None:
    """Print an entry of the log in one line."""
    shown = (f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in entry.items())
    say(f"{stage}: {', '.join(shown)}")
