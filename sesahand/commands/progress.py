"""A bar on standard error for commands that take a while."""

import sys
import time
from collections.abc import Iterable, Iterator


class Bar:
    """Shown on standard error once the work has taken a second, if that is a terminal.

    Args:
        what: What is being done, in a word.
    """

    def __init__(self, what: str):
        self.what, self.visible = what, sys.stderr.isatty()
        self.begin = self.shown = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` is done."""
        now = time.monotonic()
        passed = now - self.begin
        if self.visible and passed > 1 and (now - self.shown > 0.2 or done == total):
            self.shown, width = now, 30 * done // max(total, 1)
            left = passed / done * (total - done)
            bar = f"{self.what} [{'#' * width:30}] {done}/{total}, {_rate(done / passed)}, {left:.0f} s left "
            print(f"\r{bar}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def progress(items: Iterable, total: int, what: str) -> Iterator:
    """Yield the items, with a bar over them."""
    bar = Bar(what)
    for done, item in enumerate(items, 1):
        yield item
        bar(done, total)


def _rate(speed: float) -> str:
    return f"{speed:.0f} a second" if speed >= 1 else f"{1 / speed:.0f} s each"
