"""The command line: `sesahand COMMAND ...`. Results go to standard output, errors to standard error with status 2."""

import argparse
import importlib
import logging
import sys

from . import __version__
from .errors import SesaHandError

COMMANDS = ("demo", "gestures", "render", "describe", "convert-mano")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="sesahand", description="Pictures whose hands obey both a sentence and a posed 3D hand."
    )
    parser.add_argument("--version", action="version", version=f"sesahand {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="say more about what is going on")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        command = importlib.import_module(f".commands.{name.replace('-', '_')}", __package__)
        sub = commands.add_parser(name, help=command.HELP, description=command.__doc__)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        return options.run(options)
    except SesaHandError as error:
        print(f"sesahand: {error}", file=sys.stderr)
        return 2
