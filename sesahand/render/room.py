"""How much memory pictures may take."""

from ..errors import SesaHandError

MAX_BYTES = 8 << 30
"""Of what is drawn or scaled at once."""
# Another shape than a picture has may make it so many times as large for a while, or a few pixels to these.
MOST_GROWN, ALWAYS_ROOM = 16, 1 << 24


def check_pixels(
    frames: int, width: int, height: int, each: int, instead: str = "draw fewer frames at a time, or smaller ones"
) -> None:
    """Raise a SesaHandError if so many frames of pixels of so many bytes are more than memory should hold.

    Args:
        frames: How many there are.
        width: Of a frame, pixels.
        height: Likewise.
        each: Bytes of a pixel.
        instead: What to do, for the message.
    """
    needed = frames * height * width * each
    if needed > MAX_BYTES:
        raise SesaHandError(
            f"{frames} frames of {width}x{height} pixels take {needed / 2**30:.0f} GiB, more than {MAX_BYTES >> 30}: "
            f"{instead}."
        )


def check_shape(width: int, height: int, shown: int, what: str) -> None:
    """Raise a SesaHandError if a picture has to become much larger than what is shown of it, because it is so thin.

    Args:
        width: Of the whole that would be made, pixels.
        height: Likewise.
        shown: Pixels that come of it.
        what: What does not fit together, for the message.
    """
    if width * height > max(MOST_GROWN * shown, ALWAYS_ROOM):
        raise SesaHandError(f"{what}: their shapes are too different. Cut it to about that shape before.")
