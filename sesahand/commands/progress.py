"""A bar on standard error for commands that take a while."""

import sys
import time
from collections.abc import Iterable, Iterator


def progress(items: Iterable, total: int, what: str) -> Iterator:
    """Yield the items, with a bar on standard error once it has taken a second, if that is a terminal."""
    begin = shown = time.monotonic()
    visible = sys.stderr.isatty()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if visible and now - begin > 1 and (now - shown > 0.2 or done == total):
            shown, width = now, 30 * done // max(total, 1)
            left = (now - begin) / done * (total - done)
            bar = f"{what} [{'#' * width:30}] {done}/{total}, {done / (now - begin):.0f} a second, {left:.0f} s left "
            print(f"\r{bar}", end="\n" if done == total else "", file=sys.stderr, flush=True)
