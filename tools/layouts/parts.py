"""What a workflow is described by: nodes in columns, columns in titled groups, and a note."""

from dataclasses import dataclass, field

# What a note says of the detector. In a block: newer frontends show code within a sentence as blue on blue.
GET_DETECTOR = """\
1. Once, in the folder of SesaHand (*custom_nodes/sesahand*), with ComfyUI's Python:
   ```
   python -m sesahand get-detector
   ```"""
TEAL, BLUE, PURPLE, GREEN = "#6fb3a8", "#7fa6dc", "#b08fd0", "#a3c878"


@dataclass(frozen=True)
class Node:
    """One node: a name to wire it by, its type, its settings, the inputs' sources ("name.output") and its size."""

    name: str
    type: str
    widgets: dict = field(default_factory=dict)
    inputs: dict = field(default_factory=dict)
    width: int = 300
    height: int = 0
    models: tuple[dict, ...] = ()


@dataclass(frozen=True)
class Group:
    """A titled box around columns of nodes."""

    title: str
    columns: tuple[tuple[Node, ...], ...]
    color: str


@dataclass(frozen=True)
class Workflow:
    """A workflow: its file's name, the text of its note, and its groups from left to right."""

    name: str
    note: str
    groups: tuple[Group, ...]
    note_size: tuple[int, int] = (400, 460)
    # The first ComfyUI that has all its nodes, if the floor lacks one.
    since: str = ""
    # What its thumbnail shows: "name.output", with ".k" behind it the k-th of a batch. One fills it, of two the second
    # lies small in a corner of the first, of three the first is above the others; four are two rows, six are three.
    thumbnail: tuple[str, ...] = ("render.mesh",)
