"""The letters of captions, labels and headings."""

from typing import cast

from PIL import ImageFont


def load_font(size: float) -> ImageFont.FreeTypeFont:
    """Return the font that comes with Pillow.

    Args:
        size: Of its letters, in pixels.
    """
    # A size is taken since Pillow 10.1; only without one does it fall back to a font of fixed pixels.
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))
