"""What hands can be written as for 3D programs, in one table: the choices of node and command. New ones go last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..scene.hand_scene import HandScene

ALONG_FINGERS, UNTURNED = "along the fingers", "unturned"
BONES = (ALONG_FINGERS, UNTURNED)
"""How the bones of a rig lie, see `bones.bone_axes`."""


@dataclass(frozen=True)
class MeshSettings:
    """How a file of hands is to be.

    Attributes:
        fps: Frames per second of an animation.
        forearm: Include the forearm of a hand model that has one.
        metadata: Entries that JSON can hold, for formats that have a place for them.
        bones: How the bones of a rig lie, one of `BONES`.
        clip: Name of an animation.
    """

    fps: float = 24.0
    forearm: bool = False
    metadata: dict | None = None
    bones: str = ALONG_FINGERS
    clip: str = "hands"


@dataclass(frozen=True)
class MeshFormat:
    """One format.

    Attributes:
        ending: Of a file's name, without the dot.
        write: Returns the bytes of a file of a scene: of all its frames if `animated`, else of its only one.
        animated: Whether one file holds all frames.
    """

    ending: str
    write: Callable[[HandScene, MeshSettings], bytes]
    animated: bool = False


def _glb_rigged(scene: HandScene, settings: MeshSettings) -> bytes:
    from .rigged_hand import rigged_glb

    return rigged_glb(scene, settings.fps, settings.forearm, settings.metadata, settings.bones, settings.clip)


def _glb_posed(scene: HandScene, settings: MeshSettings) -> bytes:
    from .posed_hands import posed_glb

    return posed_glb(scene, settings.forearm, settings.metadata)


def _obj(scene: HandScene, settings: MeshSettings) -> bytes:
    from .posed_hands import posed_obj

    return posed_obj(scene, settings.forearm)


def _ply(scene: HandScene, settings: MeshSettings) -> bytes:
    from .posed_hands import posed_ply

    return posed_ply(scene, settings.forearm)


FORMATS = {
    "glb rigged": MeshFormat("glb", _glb_rigged, animated=True),
    "glb posed": MeshFormat("glb", _glb_posed),
    "obj": MeshFormat("obj", _obj),
    "ply": MeshFormat("ply", _ply),
}
