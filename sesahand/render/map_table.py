"""The condition maps there are: their names, what they show, and what they are for. New ones go last.

The files of image-mesh pairs name their maps in this order, and the outputs of Render Hand Depth & Maps follow it.
How a map is drawn is `sesahand.render.maps`' part.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class MapKind:
    """One kind of condition map.

    Attributes:
        name: In the library, of files, and of the node's output.
        purpose: What it shows and who is shown it, in a line or two for users.
        color: Whether it is a picture of three channels; else a mask.
        of_hands: Whether it shows hands, also such as hold nothing.
    """

    name: str
    purpose: str
    color: bool = True
    of_hands: bool = True


MAPS = {
    kind.name: kind
    for kind in (
        MapKind("mesh", "Near-white shaded hands on black, for mesh-conditioned ControlNets."),
        MapKind("depth", "Near is bright. For depth ControlNets."),
        MapKind("normal", "Surface directions. For normal ControlNets."),
        MapKind("parts", "One colour per finger bone and hand side. For segmentation."),
        MapKind("keypoints", "OpenPose hand skeletons. For openpose ControlNets."),
        MapKind("mask", "1 where a hand is. For inpainting or regional prompts.", color=False),
        MapKind(
            "object_mask",
            "1 where an object that a hand holds is seen. For inpainting that leaves it as it is.",
            color=False,
            of_hands=False,
        ),
    )
}
ALL_MAPS = tuple(MAPS)
HAND_MAPS = tuple(kind.name for kind in MAPS.values() if kind.of_hands)
"""Those that show hands."""
COLOR_MAPS = tuple(kind.name for kind in MAPS.values() if kind.color)
