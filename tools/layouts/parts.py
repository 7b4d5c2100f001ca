"""What a workflow is described by: nodes in columns, columns in titled groups, and a note."""

from dataclasses import dataclass, field

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
    # The pictures that its thumbnail shows, side by side: "name.output", with ".k" behind it the k-th of a batch.
    thumbnail: tuple[str, ...] = ("render.mesh", "render.depth", "render.normal")
