"""The ways in which a palm network looks at a whole picture: what one of them misses, another may see."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PalmView:
    """One look at a picture.

    Attributes:
        light: Whether the smaller network looks.
        smooth: Whether the picture is made small with smoothing. The networks learnt from pictures that were made small
            without, and some palms they only see so.
        padding: How much larger than the picture the square is; hands that fill a picture are then small enough.
        gamma: Power that its values are raised to; less than 1 brightens dark hands.
    """

    light: bool = False
    smooth: bool = True
    padding: float = 1.0
    gamma: float = 1.0


# What is sure in these is a hand unless more looks at it say otherwise.
FIRST_VIEWS = (PalmView(), PalmView(smooth=False))
PALM_VIEWS = (
    *FIRST_VIEWS,
    PalmView(light=True),
    PalmView(light=True, smooth=False),
    PalmView(padding=1.6),
    PalmView(light=True, padding=1.6),
    PalmView(gamma=0.5),
    PalmView(light=True, gamma=0.5),
)
