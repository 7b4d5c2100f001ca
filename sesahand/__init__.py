"""SesaHand: pictures whose hands obey both a sentence and a posed 3D hand.

What a script needs is here by name and loaded when it is first used; `import sesahand` itself loads nothing heavy::

    import sesahand

    [made] = sesahand.generate_pictures("A person raises a right fist in front of a plain green wall.")
    maps = sesahand.render_maps(made.record.scene)

The rooms behind it are described in `docs/concepts`; everything in them can be imported from its own module.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .data.pair_set import PairSet as PairSet
    from .data.record import PairFacts as PairFacts
    from .data.writer import PairWriter as PairWriter
    from .errors import SesaHandError as SesaHandError
    from .export.files import write_hands as write_hands
    from .generate.pictures import generate_pictures as generate_pictures
    from .generate.pipeline import HandGenerator as HandGenerator
    from .generate.requests import describe as describe
    from .hands.gestures import gesture_names as gesture_names
    from .hands.loading import load_hand_model as load_hand_model
    from .reconstruct.reconstructing import reconstruct_picture as reconstruct_picture
    from .reconstruct.scoring.score import score_hands as score_hands
    from .render.maps import render_maps as render_maps
    from .scene.camera import Camera as Camera
    from .scene.hand_files import load_hands as load_hands
    from .scene.hand_scene import HandScene as HandScene
    from .scene.placement import Placement as Placement
    from .scene.placing import Hand as Hand
    from .scene.scene_files import save_scene as save_scene
    from .semantics.posing import place_gesture as place_gesture
    from .vlm.opening import open_vlm as open_vlm

_ROOMS = {
    "load_hand_model": "hands.loading",
    "gesture_names": "hands.gestures",
    "place_gesture": "semantics.posing",
    "Hand": "scene.placing",
    "Placement": "scene.placement",
    "Camera": "scene.camera",
    "HandScene": "scene.hand_scene",
    "load_hands": "scene.hand_files",
    "save_scene": "scene.scene_files",
    "render_maps": "render.maps",
    "open_vlm": "vlm.opening",
    "describe": "generate.requests",
    "generate_pictures": "generate.pictures",
    "HandGenerator": "generate.pipeline",
    "reconstruct_picture": "reconstruct.reconstructing",
    "score_hands": "reconstruct.scoring.score",
    "write_hands": "export.files",
    "PairSet": "data.pair_set",
    "PairWriter": "data.writer",
    "PairFacts": "data.record",
    "SesaHandError": "errors",
}
"""The face: each name, and the module that it is in."""

__all__ = ["__version__", *_ROOMS]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(_ROOMS)}")
    return getattr(import_module(f".{_ROOMS[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
