"""What the hand does in each gesture of the library: the input of `solve_gestures.py`.

Angles are degrees: (MCP, PIP, DIP flexion, MCP abduction) of a finger, (CMC flexion, CMC abduction, CMC twist, MCP
flexion, IP flexion) of the thumb; see `sesahand/hands/limits.py`. A spot on the skin is (finger, bone 1 to 3, share of
the way along the bone, side).
"""

from dataclasses import dataclass, field

Spot = tuple[str, int, float, str]


@dataclass(frozen=True)
class Spec:
    """One gesture.

    Attributes:
        thumb, index, middle, ring, pinky: Angles to start from and stay near.
        touch: Pairs of spots that are to meet.
        held: The object in the hand, if any: "cylinder", "sphere", "slab" or "pen".
        grip: Spots that are to lie on the held object.
        free: Fingers that may leave their angles as easily as the thumb.
        view: Roll, pitch and yaw in degrees from the open hand's view to how people know the gesture.
    """

    thumb: tuple[float, ...]
    index: tuple[float, ...]
    middle: tuple[float, ...]
    ring: tuple[float, ...]
    pinky: tuple[float, ...]
    touch: tuple[tuple[Spot, Spot], ...] = ()
    held: str | None = None
    grip: tuple[Spot, ...] = field(default=())
    free: tuple[str, ...] = ()
    view: tuple[float, float, float] = (0, 0, 0)


def pad(finger: str) -> Spot:
    return (finger, 3, 0.55, "palmar")


def back(finger: str, bone: int = 2, along: float = 0.5) -> Spot:
    return (finger, bone, along, "dorsal")


FOLDED = {"index": (78, 98, 52, -6), "middle": (80, 98, 52, 3), "ring": (80, 98, 52, 10), "pinky": (80, 96, 52, 17)}
STRAIGHT = {"index": (0, 4, 3, 2), "middle": (0, 4, 3, 0), "ring": (0, 5, 3, 0), "pinky": (0, 6, 4, 0)}
TOGETHER = {"index": (1, 2, 2, -18), "middle": (3, 2, 2, 0), "ring": (3, 2, 2, 13), "pinky": (1, 3, 2, 22)}
ASIDE = (0, 0, 0, 0, 0)
OVER_FINGERS = (30, 20, 10, 35, 40)
PADS = (pad("thumb"), pad("index"), pad("middle"), pad("ring"), pad("pinky"))

SPECS = {
    "open_palm": Spec(
        ASIDE, **STRAIGHT,
    ),
    "relaxed": Spec(
        (8, 2, 6, 10, 18),
        index=(16, 24, 14, -4), middle=(22, 30, 17, 0), ring=(27, 34, 19, 4), pinky=(30, 36, 20, 8),
    ),
    "fist": Spec(
        OVER_FINGERS, **FOLDED,
        touch=((pad("thumb"), back("index", 2, 0.8)),),
        view=(0, 0, -30),
    ),
    "point": Spec(
        OVER_FINGERS, **{**FOLDED, "index": (4, 5, 3, -2)},
        touch=((pad("thumb"), back("middle", 2, 0.45)),),
    ),
    "victory": Spec(
        (42, 20, 12, 35, 35), **{**FOLDED, "index": (0, 4, 3, 8), "middle": (0, 4, 3, -5)},
        touch=((pad("thumb"), back("ring", 2, 0.5)),),
    ),
    "three": Spec(
        (48, 22, 15, 40, 40),
        **{**STRAIGHT, "ring": (2, 6, 4, -2), "pinky": (80, 85, 45, 22)},
        touch=((pad("thumb"), back("pinky", 3, 0.5)),), free=("pinky",),
    ),
    "four": Spec(
        (50, -28, 15, 55, 35), **STRAIGHT,
    ),
    "thumbs_up": Spec(
        (-22, -12, 0, -10, -15), **FOLDED, view=(-90, 0, 0),
    ),
    "ok": Spec(
        (22, 22, 12, 18, 30),
        index=(50, 55, 30, 0), middle=(14, 18, 10, 0), ring=(5, 14, 8, 0), pinky=(-4, 10, 6, -2),
        touch=((pad("thumb"), pad("index")),), free=("index",),
        view=(0, 0, -40),
    ),
    "pinch": Spec(
        (22, 22, 12, 15, 15),
        index=(55, 40, 20, -2), middle=(52, 52, 30, 2), ring=(60, 60, 35, 8), pinky=(62, 60, 35, 14),
        touch=((pad("thumb"), pad("index")),), free=("index",),
        view=(0, 0, -55),
    ),
    "key_grip": Spec(
        (28, -5, 5, 20, 25),
        index=(60, 75, 40, -4), middle=(68, 80, 45, 3), ring=(72, 84, 48, 9), pinky=(74, 84, 48, 15),
        touch=((pad("thumb"), ("index", 2, 0.6, "radial")),),
        view=(0, 0, 60),
    ),
    "call_me": Spec(
        (-12, 0, 0, -5, -10), **{**FOLDED, "pinky": (-5, 5, 4, -8)},
    ),
    "horns": Spec(
        (38, 20, 12, 35, 35), **{**FOLDED, "index": (0, 4, 3, 0), "pinky": (0, 6, 4, 4)},
        touch=((pad("thumb"), back("middle", 2, 0.7)),),
    ),
    "love_you": Spec(
        (-8, 0, 0, -5, -8), **{**FOLDED, "index": (0, 4, 3, 2), "pinky": (-2, 6, 4, 0)},
    ),
    "finger_gun": Spec(
        (-18, -10, 0, -8, -12), **{**FOLDED, "index": (2, 3, 2, -4)}, view=(-90, 0, 0),
    ),
    "finger_heart": Spec(
        (20, 12, 5, 10, 15), **{**FOLDED, "index": (62, 62, 20, -4)},
        touch=((("thumb", 3, 0.35, "palmar"), ("index", 3, 0.4, "radial")),), free=("index",),
        view=(0, 0, -35),
    ),
    "claw": Spec(
        (0, 10, 5, 20, 50),
        index=(0, 62, 42, 8), middle=(0, 64, 42, 0), ring=(0, 64, 42, -4), pinky=(0, 62, 42, -8),
    ),
    "hook": Spec(
        (14, -4, 4, 10, 15),
        index=(12, 88, 50, -8), middle=(14, 90, 52, 2), ring=(14, 90, 52, 9), pinky=(14, 88, 50, 16),
        view=(0, 0, -55),
    ),
    "flat_stop": Spec(
        (22, -18, 5, 5, 5), **TOGETHER,
    ),
    "grasp_cylinder": Spec(
        (18, 28, 20, 20, 25),
        index=(48, 50, 30, -6), middle=(50, 52, 32, 2), ring=(52, 54, 33, 9), pinky=(52, 52, 33, 15),
        held="cylinder", grip=PADS, free=("index", "middle", "ring", "pinky"),
        view=(0, 0, -50),
    ),
    "grasp_sphere": Spec(
        (8, 30, 18, 18, 25),
        index=(38, 40, 28, 8), middle=(40, 42, 28, 0), ring=(42, 42, 28, -4), pinky=(46, 42, 28, -8),
        held="sphere", grip=PADS, free=("index", "middle", "ring", "pinky"),
        view=(0, 0, -50),
    ),
    "hold_pen": Spec(
        (18, 18, 10, 18, 22),
        index=(50, 42, 18, -4), middle=(56, 52, 28, 4), ring=(62, 66, 38, 10), pinky=(62, 68, 38, 16),
        held="pen", grip=(pad("thumb"), pad("index"), ("middle", 3, 0.4, "radial")), free=("index", "middle"),
        view=(-20, 20, 60),
    ),
    "hold_phone": Spec(
        (4, 22, 10, 12, 20),
        index=(34, 46, 26, -4), middle=(36, 48, 28, 2), ring=(38, 50, 28, 8), pinky=(40, 48, 28, 14),
        held="slab", grip=(pad("thumb"), pad("middle"), pad("ring")), free=("index", "middle", "ring", "pinky"),
        view=(0, 0, -35),
    ),
}  # fmt: skip
