"""A word on the sampler's node, before it samples, where a picture is far from the size that a model was trained on."""

import logging

from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key

from ..notices import show_on_node

logger = logging.getLogger(__name__)

KEY = "sesahand_size"
LATENT_PIXELS = 8
# Beyond this factor the small model paints several hands or none; the time grows with the square of the area.
FAR = 2.0


def describe_size(width: int, height: int, trained: int) -> str:
    """Return what is to be said of a picture's size in pixels, or nothing if it is near the one trained on."""
    if trained / FAR <= min(width, height) and max(width, height) <= trained * FAR:
        return ""
    return (
        f"The small model knows pictures of {trained} x {trained} pixels. This one has {width} x {height}: expect "
        f"several hands or none, and a long wait if it is larger. Set {trained} where the size is set, and enlarge "
        "the result."
    )


def tell_of_size(model: ModelPatcher, trained: int) -> None:
    """Make samplers of this MODEL say so, on their node and in the log, when a picture's size is far from `trained`."""

    def outer_sample(executor, noise, *args, **kwargs):
        height, width = (LATENT_PIXELS * side for side in noise.shape[-2:])
        notice = describe_size(width, height, trained)
        if notice:
            logger.warning("%s", notice)
            show_on_node(notice)
        return executor(noise, *args, **kwargs)

    add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, outer_sample, model.model_options, is_model_options=True)
