"""The progress bar of a node, and the user's Cancel.

No preview: the frontend goes on showing the last preview in place of the pictures that a node puts out.
"""

from collections.abc import Callable

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar


def progress(total: int = 1) -> Callable[..., None]:
    """Return what a loop calls after each step: it moves the node's bar, and ends a run that was interrupted.

    Args:
        total: Number of steps, where the loop does not tell.

    Returns:
        A function of the steps done and of how many there are (None: `total`).
    """
    bar = ProgressBar(total)

    def report(done: int, of: int | None = None) -> None:
        throw_exception_if_processing_interrupted()
        # Nothing to do is done: of no steps, the bar would show no part.
        bar.update_absolute(*((done, of) if of != 0 else (1, 1)))

    return report
