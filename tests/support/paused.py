"""Runs a piece of work in another thread up to a module's call, and holds it there while the test does something."""

import itertools
import threading
from contextlib import contextmanager


@contextmanager
def paused_in(module, work, call=1):
    """Start `work` in a thread, wait until it calls `module` for the nth time, and let it go on after the block.

    Yields:
        A list that holds the work's result, or what it raised, once the block has ended.
    """
    arrived, go_on, outcome = threading.Event(), threading.Event(), []

    calls = itertools.count(1)

    def wait_here(*_):
        if threading.current_thread() is thread and next(calls) == call:
            arrived.set()
            go_on.wait(60)

    def run():
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)
        finally:
            arrived.set()

    thread = threading.Thread(target=run, daemon=True)
    handle = module.register_forward_pre_hook(wait_here)
    try:
        thread.start()
        assert arrived.wait(60), "the other thread never came to the module"
        yield outcome
    finally:
        go_on.set()
        thread.join(60)
        handle.remove()
