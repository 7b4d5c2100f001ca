"""The shipped subgraph blueprints, described: the nodes within, and which inputs and outputs are seen outside."""

from dataclasses import dataclass, replace
from typing import ClassVar

from layouts import posed_repair
from layouts.parts import BLUE, TEAL, Group, Node

from sesahand.render.map_table import HAND_MAPS


@dataclass(frozen=True)
class Blueprint:
    """A subgraph: its name and file's name, what it is for, its groups, and its ports.

    Attributes:
        category: Where the node library lists it; the names are those of core's own blueprints.
        search_words: What else it is found by.
        inputs: Of each input, the inputs of nodes within ("name.input") that it feeds. Sources of nodes that are not
            within are left open.
        outputs: Of each output, where it comes from ("name.output").
    """

    name: str
    description: str
    category: str
    search_words: tuple[str, ...]
    groups: tuple[Group, ...]
    inputs: dict[str, tuple[str, ...]]
    outputs: dict[str, str]
    # The floor has all their nodes.
    since: ClassVar[str] = ""


def part(group: Group, *without: str, **changes: Node) -> Group:
    """Return a group without some of its nodes, and with others in the place of those of their names."""
    columns = (
        tuple(changes.get(node.name, node) for node in column if node.name not in without) for column in group.columns
    )
    return replace(group, columns=tuple(column for column in columns if column))


def named(group: Group, name: str) -> Node:
    return next(node for column in group.columns for node in column if node.name == name)


# Graphs know these outputs by their positions; new maps come after all others.
FIRST_MAPS = ("depth", "normal", "keypoints", "mesh", "parts", "mask")

POSE_TO_MAPS = Blueprint(
    name="Pose to control maps",
    description="Poses a hand, places it at a point or into a mask, and renders depth, normal, keypoint, mesh and part "
    "maps for ControlNets, and its mask.",
    category="Conditioning & Preprocessors/Pose",
    search_words=("hand", "gesture", "hand pose", "depth hand", "hand control", "ControlNet map"),
    groups=(
        Group(
            "Hand",
            (
                (
                    Node("pose", "SesaHandPoseHand", {"gesture": "open_palm"}),
                    Node("place", "SesaHandPlaceHand", {}, {"hands": "pose.hands"}),
                ),
            ),
            TEAL,
        ),
        Group(
            "Maps",
            ((Node("render", "SesaHandRenderCondition", {"forearm": True}, {"hands": "place.hands"}, 400, 720),),),
            BLUE,
        ),
    ),
    inputs={
        "mask": ("place.mask",),
        "hand_model": ("pose.hand_model",),
        "gesture": ("pose.gesture",),
        "side": ("pose.side",),
        "width": ("place.width",),
        "height": ("place.height",),
        "x": ("place.x",),
        "y": ("place.y",),
        "size": ("place.size",),
        "roll": ("place.roll",),
        "pitch": ("place.pitch",),
        "yaw": ("place.yaw",),
        "forearm": ("render.forearm",),
    },
    outputs={
        **{name: f"render.{name}" for name in FIRST_MAPS},
        "hands": "place.hands",
        **{name: f"render.{name}" for name in HAND_MAPS if name not in FIRST_MAPS},
    },
)

# A real model's sizes and settings in the place of the small model's.
_CROP = replace(named(posed_repair.HAND, "crop"), widgets={"width": 512, "height": 512, "context": 1.5})
_CONTROL = named(posed_repair.REPAINT, "control")
_SAMPLER = named(posed_repair.REPAINT, "sampler")
_GROW = named(posed_repair.REPAINT, "grow")

REPAIR_HAND = Blueprint(
    name="Repair hand",
    description="Lays a posed hand into the masked region of a picture, repaints it four times at the model's own size "
    "with a depth ControlNet of Stable Diffusion, and pastes the attempt with the best hand back. Needs the hand "
    "detector. For the small model open it and connect mesh in place of depth, and set 128 pixels and strength 1.",
    category="Image generation and editing/Inpaint image",
    search_words=("hand", "fix hands", "bad hands", "hand detailer", "inpaint hand", "ADetailer"),
    groups=(
        part(posed_repair.HAND, crop=_CROP),
        part(
            posed_repair.REPAINT,
            "show_mask",
            "attempts",
            grow=replace(_GROW, widgets={"expand": 16}),
            control=replace(
                _CONTROL,
                widgets={"strength": 0.75, "end_percent": 0.8},
                inputs=_CONTROL.inputs | {"image": "render.depth"},
            ),
            sampler=replace(
                _SAMPLER,
                widgets={
                    "seed": 20,
                    "steps": 20,
                    "cfg": 7,
                    "sampler_name": "dpmpp_2m",
                    "scheduler": "karras",
                    "denoise": 0.85,
                },
            ),
        ),
        part(posed_repair.SCORE, "report"),
        posed_repair.RESULT,
    ),
    inputs={
        "image": ("crop.image",),
        "mask": ("crop.mask",),
        "model": ("sampler.model",),
        "positive": ("control.positive",),
        "negative": ("control.negative",),
        "vae": ("encode.vae", "decode.vae"),
        "control_net": ("control.control_net",),
        "gesture": ("pose.gesture",),
        "side": ("pose.side",),
        "mask_direction": ("place.mask_direction",),
        "roll": ("place.roll",),
        "width": ("crop.width",),
        "height": ("crop.height",),
        "context": ("crop.context",),
        "strength": ("control.strength",),
        "attempts": ("four.amount",),
        "seed": ("sampler.seed",),
        "steps": ("sampler.steps",),
        "cfg": ("sampler.cfg",),
        "denoise": ("sampler.denoise",),
        "feather": ("paste.feather",),
    },
    outputs={
        "image": "paste.image",
        "score": "best.score",
        "attempts": "decode.IMAGE",
        "report": "score.report",
        "hands": "best.hands",
    },
)

BLUEPRINTS = (POSE_TO_MAPS, REPAIR_HAND)
