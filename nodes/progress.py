"""The progress bar of a node, with a picture of what was just done, and the user's Cancel."""

from collections.abc import Callable

from PIL import Image
from torch import Tensor

from comfy.model_management import throw_exception_if_processing_interrupted
from comfy.utils import ProgressBar

# Longer side of the picture on a node while it works, in pixels.
PREVIEW_SIDE = 512


def progress(total: int = 1) -> Callable[..., None]:
    """Return what a loop calls after each step: it moves the node's bar, and ends a run that was interrupted.

    Args:
        total: Number of steps, where the loop does not tell.

    Returns:
        A function of the steps done, how many there are (None: `total`), and a picture `[H, W, 3]` in 0..1 or None.
    """
    bar = ProgressBar(total)

    def report(done: int, of: int | None = None, picture: Tensor | None = None) -> None:
        throw_exception_if_processing_interrupted()
        preview = None
        if picture is not None:
            levels = (picture.detach().float().clamp(0, 1) * 255).round().byte().cpu().numpy()
            preview = ("JPEG", Image.fromarray(levels), PREVIEW_SIDE)
        # Nothing to do is done: of no steps, the bar would show no part.
        bar.update_absolute(*((done, of) if of != 0 else (1, 1)), preview)

    return report
