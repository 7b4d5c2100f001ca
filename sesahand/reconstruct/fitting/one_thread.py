"""Running many small operations in one thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class _Counted:
    """How many with blocks are open in all threads, and how many threads torch had before the first of them."""

    def __init__(self):
        self.lock, self.open, self.before = threading.Lock(), 0, 1


_counted = _Counted()


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one processor core, and give back the others afterwards.

    Matrices of the size of a hand's are too small to share: waking a second thread for each takes longer than the
    work, and where other programs keep the cores busy, thirty times longer.

    torch's number is partly the process's and partly each thread's. So a block that is entered while another is open
    gives back what was before that one, not the one core that it finds.
    """
    with _counted.lock:
        if not _counted.open:
            _counted.before = torch.get_num_threads()
        before = _counted.before
        _counted.open += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _counted.lock:
            _counted.open -= 1
            torch.set_num_threads(before)
