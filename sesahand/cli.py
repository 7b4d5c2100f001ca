"""The command line: `sesahand COMMAND ...`. Results go to standard output, errors to standard error with status 2."""

import argparse
import importlib
import importlib.util
import logging
import os
import re
import sys

from . import __version__
from .commands.saying import PrintableFormatter, note
from .errors import SesaHandError

COMMANDS = (
    "demo",
    "gestures",
    "export-gestures",
    "render",
    "describe",
    "convert-mano",
    "get-detector",
    "reconstruct",
    "evaluate",
    "dataset",
    "render-samples",
    "train-judge",
    "train",
    "generate",
    "fusion-check",
)

LEFT_OUT = {"train-judge": ".evaluation.reader"}
"""Commands whose room the archive of the Comfy Registry leaves out, see .comfyignore."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="sesahand", description="Pictures whose hands obey both a sentence and a posed 3D hand."
    )
    parser.add_argument("--version", action="version", version=f"sesahand {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more about what is going on")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        if name in LEFT_OUT and importlib.util.find_spec(LEFT_OUT[name], __package__) is None:
            continue
        command = importlib.import_module(f".commands.{name.replace('-', '_')}", __package__)
        sub = commands.add_parser(name, help=command.HELP, description=command.__doc__)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    options = parser.parse_args(attach_negatives(sys.argv[1:] if arguments is None else arguments))
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, handlers=[handler])
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except SesaHandError as error:
        note(f"sesahand: {error}")
        return 2
    except BrokenPipeError:
        # Who read along, such as `head`, has seen enough. What is left must not be written again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def attach_negatives(arguments: list[str]) -> list[str]:
    """Write `--box -5,0,90,90` as `--box=-5,0,90,90`: argparse takes what begins with a minus for an option."""
    attached: list[str] = []
    for argument in arguments:
        if attached and re.match(r"-[\d.]", argument) and re.fullmatch(r"--[a-z-]*[a-z]", attached[-1]):
            attached[-1] += f"={argument}"
        else:
            attached.append(argument)
    return attached
