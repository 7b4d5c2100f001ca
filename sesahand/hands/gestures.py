"""The library of gestures: right hands as JSON, solved on the built-in hand by `tools/solve_gestures.py`.

The words for them are `sesahand.semantics.gestures`' part.
"""

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import InvalidFileError, SesaHandError
from .rotations import axis_angle_to_matrix, mirror_rotation

ASSET = Path(__file__).resolve().parents[1] / "assets" / "gestures.json"


@dataclass(frozen=True, eq=False)
class Gesture:
    """A named pose of the hand.

    Attributes:
        name: Its name in the library.
        touching: Pairs of fingers whose skins meet.
        hand_pose: A right hand's absolute joint rotations `[15, 3, 3]`, MANO order.
        view: Roll, pitch and yaw in degrees in which a right hand shows the gesture as people know it; see `placing`.
    """

    name: str
    touching: tuple[tuple[str, str], ...]
    hand_pose: Tensor
    view: tuple[float, float, float]


def load_gestures() -> dict[str, Gesture]:
    """Read the whole library, in its order.

    Raises:
        InvalidFileError: If the asset is missing or damaged, which means that the installation is.
    """
    try:
        stored = json.loads(ASSET.read_text(encoding="utf-8"))["gestures"]
        return {
            name: Gesture(
                name,
                tuple(tuple(pair.split("-")) for pair in entry["touching"]),
                axis_angle_to_matrix(torch.tensor(entry["hand_pose"]).reshape(15, 3)),
                tuple(entry["view"]),
            )
            for name, entry in stored.items()
        }
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InvalidFileError(f"{ASSET} cannot be read ({error}). Reinstall SesaHand to get it back.") from error


def gesture_names() -> list[str]:
    """Return the names of all gestures, in the library's order."""
    return list(load_gestures())


def gesture(name: str, side: str = "right") -> Tensor:
    """Return a gesture's `hand_pose` `[15, 3, 3]`.

    Args:
        name: One of `gesture_names()`. Case, spaces and hyphens do not matter.
        side: "right", or "left" for the mirrored pose as a left hand's own parameters.

    Raises:
        SesaHandError: If there is no such gesture or side; the message lists the names and the closest one.
    """
    if side not in ("right", "left"):
        raise SesaHandError(f"The side of a hand is 'right' or 'left', got {side!r}.")
    pose = find_gesture(name).hand_pose
    return pose if side == "right" else mirror_rotation(pose)


def find_gesture(name: str, spellings: Mapping[str, str] | None = None) -> Gesture:
    """Return a gesture by name. Case, spaces and hyphens do not matter.

    Args:
        name: One of `gesture_names()`.
        spellings: Names by other words for them, only to guess what an unknown name meant.

    Raises:
        SesaHandError: If there is none; the message lists the names and the closest one.
    """
    gestures = load_gestures()
    key = "_".join(str(name).lower().replace("-", " ").replace("_", " ").split())
    if key not in gestures:
        hint = closest_hint(key, gestures, spellings or {})
        raise SesaHandError(f"There is no gesture {name!r}.{hint} Known: {', '.join(gestures)}.")
    return gestures[key]


def closest_hint(key: str, names: Collection[str], spellings: Mapping[str, str]) -> str:
    """Return " Did you mean ...?" for the name spelled most like `key`, itself or in other words, or nothing."""
    known = {word.replace(" ", "_"): name for word, name in spellings.items()} | {name: name for name in names}
    close = difflib.get_close_matches(key, known, n=1)
    return f" Did you mean {known[close[0]]!r}?" if close else ""
