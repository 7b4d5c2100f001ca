"""Fingers: what can be said of a single one, and the node that changes those of any hand."""

from comfy_api.latest import io

from ..sesahand.hands.fingers import FingerChange
from ..sesahand.hands.skeleton import FINGERS
from ..sesahand.scene.changing import ALL, change_hands, chosen_hands
from ..sesahand.scene.hand_scene import SIDES
from . import wires

OUTWARDS = {
    "thumb": "1 turns the thumb away from the index finger, -1 towards it",
    "index": "1 turns the index finger away from the middle finger, -1 towards and across it",
    "middle": "1 turns the middle finger towards and across the index finger, -1 the ring finger",
    "ring": "1 turns the ring finger away from the middle finger, -1 towards and across it",
    "pinky": "1 turns the pinky away from the ring finger, -1 towards and across it",
}


def share(name: str, tooltip: str, least: float = -1.0, **settings) -> io.Float.Input:
    """Return a slider up to 1 that changes nothing at 0."""
    return io.Float.Input(name, default=0.0, min=least, max=1.0, step=0.05, tooltip=tooltip, **settings)


def spreads_and_thumb(**settings) -> list[io.Float.Input]:
    """Return the sliders for the sideways place of each finger and for the thumb's own turns."""
    spreads = [
        share(
            f"{finger}_spread",
            f"Sideways, for this finger alone: {OUTWARDS[finger]}; 25 degrees at most, as far as its joint goes. "
            "0 leaves it.",
            **settings,
        )
        for finger in FINGERS
    ]
    opposition = share(
        "thumb_opposition",
        "Brings the thumb before the palm with its pad to the fingers, as to touch the pinky (1), or back beside the "
        "palm (-1), as far as its joint goes. 0 leaves it. thumb_curl then closes it.",
        **settings,
    )
    twist = share(
        "thumb_twist",
        "Turns the thumb about itself, 30 degrees at most: its pad to the palm (1) or away from it (-1), for the last "
        "touch of a grip. 0 leaves it.",
        **settings,
    )
    return [*spreads, opposition, twist]


def read_change(given: dict[str, float], *kinds: str) -> FingerChange:
    """Return the change that sliders say.

    Args:
        given: The sliders' values by their ids. What an older graph has no slider for does not change.
        kinds: Which of curl, spread and straighten the node has for each finger.
    """
    parts = {kind: {finger: given.get(f"{finger}_{kind}", 0.0) for finger in FINGERS} for kind in kinds}
    thumb = {name: given.get(name, 0.0) for name in ("thumb_opposition", "thumb_twist")}
    return FingerChange(**parts, **thumb)


@wires.checks()
class AdjustFingers(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        def straighten(finger: str) -> io.Float.Input:
            tooltip = (
                f"Takes the bend out of the {finger}, however it is bent: 1 makes it straight, 0.5 halves its bend, 0 "
                "leaves it. It comes before curl, so that both together set a bend."
            )
            return share(f"{finger}_straighten", tooltip, least=0.0)

        def curl(finger: str) -> io.Float.Input:
            tooltip = (
                f"Bends each joint of the {finger} further (1 adds the bend of a fist) or back (-1), as far as they "
                "go. 0 leaves it."
            )
            return share(f"{finger}_curl", tooltip)

        return io.Schema(
            node_id="SesaHandAdjustFingers",
            display_name="Adjust Fingers (SesaHand)",
            category="SesaHand/hand",
            **wires.found_by("straighten finger", "edit hand pose", "bend finger", "thumb opposition"),
            description="Changes single fingers of hands from anywhere, also of those that were fitted to a "
            "photograph: straightens, bends and spreads them within what joints can do. All else stays.",
            inputs=[
                wires.Hands.Input(
                    "hands", tooltip="Hands of any frames, from Pose Hand, Load Hands or Reconstruct Hands."
                ),
                io.Combo.Input(
                    "side",
                    options=[ALL, *SIDES],
                    default=ALL,
                    tooltip="Which hands to change: all, or the person's right or left ones. The same numbers do the "
                    "same to both, as in a mirror.",
                ),
                *(straighten(finger) for finger in FINGERS),
                *(curl(finger) for finger in FINGERS),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of the whole change is made: 1 all of it, 0 none, which is the hands as they "
                    "came.",
                ),
                io.Int.Input(
                    "number",
                    default=0,
                    min=0,
                    max=1000,
                    tooltip="Which of these hands in each picture, in the order of the report: 1 is the first. 0 is "
                    "all of them.",
                    **wires.rare(),
                ),
                *spreads_and_thumb(**wires.rare()),
            ],
            outputs=[
                wires.Hands.Output(
                    "adjusted", display_name="hands", tooltip="The hands, with their place, size and turn as before."
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(cls, hands, side, strength, number, **fingers) -> io.NodeOutput:
        change = read_change(fingers, "curl", "spread", "straighten").scaled(strength)
        return io.NodeOutput(change_hands(hands, change, chosen_hands(hands, side, number)))


NODES = [AdjustFingers]
