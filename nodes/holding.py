"""Hands that hold something."""

from comfy_api.latest import io

from ..sesahand.hands.objects import OBJECTS, SIZES
from ..sesahand.scene.changing import ALL, chosen_hands
from ..sesahand.scene.hand_scene import SIDES
from ..sesahand.scene.holding import describe_holding, hold_object
from ..sesahand.semantics.described_holding import hold_described
from . import wires
from .notices import show_on_node
from .progress import progress


@wires.checks()
class HoldObject(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandHoldObject",
            display_name="Hold Object (SesaHand)",
            category="SesaHand/hand",
            **wires.found_by("hand holding", "grasp object", "grip", "hold cup", "hold phone", "hold pen"),
            description="Puts an object into hands and closes their fingers on it until the skin touches. The object "
            "is drawn with the hand, goes where it goes, and is saved with it.",
            inputs=[
                wires.Hands.Input(
                    "hands",
                    tooltip="Hands of any frames, from Pose Hand, Place Hand or Load Hands. Their place, size and turn "
                    "stay; their fingers, and what they held before, are replaced.",
                ),
                io.Combo.Input(
                    "object",
                    options=list(OBJECTS),
                    default="sphere",
                    tooltip="What is held. It says how the hand grips it, too: a pen between thumb, index and middle "
                    "finger, a phone by its edges, all others in the palm. tool is a hammer.",
                ),
                io.Float.Input(
                    "size",
                    default=1.0,
                    min=SIZES[0],
                    max=SIZES[1],
                    step=0.05,
                    tooltip="How large it is, in times its usual size. Between 0.7 and 1.4 the grips are measured; "
                    "beyond, a finger may not reach, which the report says.",
                ),
                io.Combo.Input(
                    "side",
                    options=[ALL, *SIDES],
                    default=ALL,
                    tooltip="Which hands hold it: all, or the person's right or left ones, each one of its own.",
                ),
                io.Int.Input(
                    "number",
                    default=0,
                    min=0,
                    max=1000,
                    tooltip="Which of these hands in each picture: 1 is the first. 0 is all of them.",
                    **wires.rare(),
                ),
                wires.Semantics.Input(
                    "semantics",
                    optional=True,
                    tooltip="The same as Pose Hand got, in place of object: each hand holds what its words say, "
                    "'holding a red mug' the cup, 'writing with a pencil' the pen. A hand that holds nothing there "
                    "stays as it is.",
                ),
            ],
            outputs=[
                wires.Hands.Output("holding", display_name="hands", tooltip="The hands, with the object in them."),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="A line for each hand: which fingers touch, how deep the hand goes into the object at "
                    "most, and which finger does not reach it.",
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(cls, hands, object, size, side, number, semantics=None) -> io.NodeOutput:
        chosen, said = chosen_hands(hands, side, number), []
        if semantics is None:
            holding = hold_object(hands, object, size, chosen, on_hand=progress())
        else:
            holding, said = hold_described(hands, semantics, size, chosen, on_hand=progress())
        report = "\n".join([describe_holding(holding), *said])
        overridden = "" if semantics is None else f"overridden by semantics: object ({object})\n"
        show_on_node(overridden + report)
        return io.NodeOutput(holding.scene, report)


NODES = [HoldObject]
