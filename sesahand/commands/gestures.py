"""List the gestures of the pose library."""

import argparse

from .saying import say

HELP = "list the gestures of the pose library"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to its parser: there are none."""


def run(options: argparse.Namespace) -> int:
    """Print a line for each gesture: its name and what it is."""
    from ..hands.gestures import gesture_names
    from ..semantics.gestures import describe_gesture

    width = max(map(len, gesture_names()))
    for name in gesture_names():
        say(f"{name:{width}}  {describe_gesture(name)}")
    return 0
