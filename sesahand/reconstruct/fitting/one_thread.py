"""Running many small operations in one thread."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one processor core, and give back the others afterwards.

    Matrices of the size of a hand's are too small to share: waking a second thread for each takes longer than the
    work, and where other programs keep the cores busy, thirty times longer.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
