"""The library of gestures as files for 3D programs: a mesh and a picture of each, and an index of them.

Files are named after what they hold: `ok_right.glb`, `ok_right.png`, and `index.json` and `index.md` beside them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..callbacks import Progress
from ..errors import SesaHandError
from ..files.pictures import save_picture
from ..files.writing import write_bytes
from ..hands.gestures import Gesture, load_gestures
from ..hands.loading import load_hand_model
from ..hands.model import HandModel
from ..hands.pose import blend
from ..hands.rotations import mirror_rotation
from ..render.contact_sheet import to_pil
from ..render.overlay import draw_hands
from ..scene.hand_scene import SIDES, HandScene
from ..scene.placement import Placement
from ..scene.placing import Hand
from ..semantics.gestures import GESTURES, gesture_called
from .files import MAX_FILE_BYTES
from .formats import FORMATS, MeshSettings

INDEX, VERSION = "sesahand-gestures", 1
THUMBNAIL = 256
"""Pixels along each side."""
START, START_OF_IT = "relaxed", "open_palm"
"""The gesture out of which hands move, and the one out of which they move into that."""
SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class GestureFile:
    """One gesture of one hand, written.

    Attributes:
        gesture: Its name.
        side: "right" or "left".
        mesh: The file for 3D programs.
        thumbnail: Its picture, a PNG.
        picture: The same `[THUMBNAIL, THUMBNAIL, 3]`, 0..1.
    """

    gesture: str
    side: str
    mesh: Path
    thumbnail: Path
    picture: Tensor


def gesture_scene(
    gesture: Gesture, side: str, model: HandModel | None = None, animated: bool = False, fps: float = 24.0
) -> HandScene:
    """Return a hand in a gesture, in the view in which people know it.

    Args:
        gesture: The gesture.
        side: "right" or "left".
        model: The hand; the built-in one if None.
        animated: Let it move into the gesture for a second, in frames that begin and end gently: out of the relaxed
            hand, which itself comes out of the open one.
        fps: Frames per second of the motion.

    Returns:
        A scene of one frame, or of as many as the motion has, the gesture in the last.
    """
    scene = Placement().place(Hand.in_gesture(load_hand_model() if model is None else model, gesture), side)
    if not animated:
        return scene
    count = max(2, round(SECONDS * fps) + 1)
    first = gesture_called(START if gesture.name != START else START_OF_IT).hand_pose
    share = torch.linspace(0, 1, count)
    poses = torch.stack([blend(first, gesture.hand_pose, float(t)) for t in share * share * (3 - 2 * share)])
    return replace(
        scene.select([0] * count),
        num_frames=count,
        frame=torch.arange(count),
        hand_pose=(poses if side == "right" else mirror_rotation(poses)).to(scene.hand_pose),
    )


def export_gestures(
    folder: str | Path,
    names: Sequence[str] | None = None,
    sides: Sequence[str] = SIDES,
    model: HandModel | None = None,
    format: str = "glb rigged",
    animated: bool = False,
    settings: MeshSettings | None = None,
    on_file: Progress | None = None,
) -> list[GestureFile]:
    """Write gestures as meshes with their pictures and an index.

    Args:
        folder: Where to; it is made if it is not there. Files of these names in it are written anew.
        names: The gestures; all of the library if None.
        sides: Whose hands: "right", "left", or both.
        model: The hand; the built-in one if None.
        format: One of `formats.FORMATS`.
        animated: Let each hand move into its gesture, see `gesture_scene`; for formats that hold frames.
        settings: How the files are to be; the default if None.
        on_file: Called before each hand with how many are done and how many there are, and once at the end.

    Returns:
        What was written for each gesture, and of each for each side.

    Raises:
        SesaHandError: If a gesture, side or format is unknown, the format holds no frames, or a file cannot be written.
    """
    check_export(format, animated)
    if not sides or not set(sides) <= set(SIDES):
        raise SesaHandError(f"The sides are {list(sides)}, expected one or both of {', '.join(SIDES)}.")
    library, folder = load_gestures(), Path(folder)
    chosen = library if names is None else dict.fromkeys(gesture_called(name).name for name in names)
    gestures = [library[name] for name in chosen]
    settings = MeshSettings() if settings is None else settings
    model = load_hand_model() if model is None else model
    make_folder(folder)
    written: list[GestureFile] = []
    wanted = [(gesture, side) for gesture in gestures for side in sides]
    for done, (gesture, side) in enumerate(wanted):
        if on_file is not None:
            on_file(done, len(wanted))
        scene = gesture_scene(gesture, side, model, animated, settings.fps)
        path = folder / f"{gesture.name}_{side}.{FORMATS[format].ending}"
        data = FORMATS[format].write(scene, replace(settings, clip=gesture.name))
        write_bytes(path, data, MAX_FILE_BYTES)
        picture = draw_thumbnail(scene, settings.forearm)
        save_thumbnail(picture, path.with_suffix(".png"))
        written.append(GestureFile(gesture.name, side, path, path.with_suffix(".png"), picture))
    write_index(folder, written, model, format, animated)
    if on_file is not None:
        on_file(len(wanted), len(wanted))
    return written


def check_export(format: str, animated: bool) -> None:
    """Raise a SesaHandError if a format is unknown, or holds no frames although there will be some."""
    if format not in FORMATS:
        raise SesaHandError(f"Hands are written as {', '.join(FORMATS)}, got {format!r}.")
    if animated and not FORMATS[format].animated:
        able = ", ".join(name for name, known in FORMATS.items() if known.animated)
        raise SesaHandError(f"The format '{format}' holds no motion: take {able}, or the gestures still.")


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SesaHandError(f"The folder {str(folder)!r} cannot be made ({error}). Choose another one.") from error


def draw_thumbnail(scene: HandScene, forearm: bool = False) -> Tensor:
    """Return a picture `[THUMBNAIL, THUMBNAIL, 3]` of the last frame of a scene."""
    last = scene.select_frames([scene.num_frames - 1])
    return draw_hands(last.resized(THUMBNAIL, THUMBNAIL), None, "mesh", 1.0, forearm)[0]


def save_thumbnail(picture: Tensor, path: Path) -> None:
    """Write a picture `[THUMBNAIL, THUMBNAIL, 3]` of 0..1, or raise a SesaHandError."""
    try:
        save_picture(to_pil(picture), path)
    except (OSError, ValueError) as error:
        raise SesaHandError(f"The picture {str(path)!r} cannot be written ({error}). Choose another folder.") from error


def write_index(folder: Path, written: Sequence[GestureFile], model: HandModel, format: str, animated: bool) -> None:
    """Write `index.json` for programs and `index.md` for people."""
    entries: dict[str, dict] = {}
    for file in written:
        words = GESTURES[file.gesture]
        entry: dict[str, Any] = {
            "name": file.gesture,
            "description": words.description,
            "also_called": list(words.names),
            "files": {},
        }
        files = entries.setdefault(file.gesture, entry)["files"]
        files[file.side] = {"mesh": file.mesh.name, "thumbnail": file.thumbnail.name}
    about = {
        "format": INDEX,
        "version": VERSION,
        "hand_model": model.name,
        "licence": model.licence,
        "mesh_format": format,
        "animated": animated,
        "gestures": list(entries.values()),
    }
    sides = list(dict.fromkeys(file.side for file in written))
    lines = [
        "# Gestures",
        "",
        f"Hand: {model.name}. Licence: {model.licence}. Files: {format}{', animated' if animated else ''}.",
        "",
        "| gesture | what it looks like | " + " | ".join(sides) + " |",
        "|---" * (2 + len(sides)) + "|",
    ]
    for entry in entries.values():
        pictures = [
            f"![{entry['name']}, {side}]({f['thumbnail']})<br>`{f['mesh']}`" for side, f in entry["files"].items()
        ]
        lines.append(f"| {entry['name']} | {entry['description']} | " + " | ".join(pictures) + " |")
    write_bytes(folder / "index.json", (json.dumps(about, indent=1) + "\n").encode())
    write_bytes(folder / "index.md", ("\n".join(lines) + "\n").encode())
