"""Writing hands to files for 3D programs, with their parameters beside them."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch

from ..errors import SesaHandError
from ..files.names import check_file_name
from ..files.writing import write_bytes
from ..scene.hand_scene import HandScene
from ..scene.scene_files import save_scene
from .formats import ALONG_FINGERS, FORMATS, MeshSettings

PARAMETER_FILES = ("json", "npz", "none")
MAX_FILE_BYTES = 2**30
MAX_FILES, MAX_HANDS, MAX_OBJECT_FACES, MAX_KEYS = 10_000, 1000, 500_000, 2_000_000
"""Files of one export; hands in a frame of one, and faces of all that they hold."""


def write_hands(
    scene: HandScene,
    path: str | Path,
    format: str = "glb rigged",
    fps: float = 24.0,
    forearm: bool = False,
    parameters: str = "json",
    metadata: dict | None = None,
    on_file: Callable[[int], None] | None = None,
    bones: str = ALONG_FINGERS,
) -> list[Path]:
    """Write the hands of a scene, and what they hold.

    Args:
        scene: The hands. Without any, the files hold the camera alone (GLB) or nothing (OBJ, PLY).
        path: The file; its ending must be the format's.
        format: One of `formats.FORMATS`. "glb rigged" holds all frames in one file. The others are still: of several
            frames, each is a file of its own, whose name has f0000, f0001 and so on before the ending.
        fps: Frames per second of a rigged hand's animation.
        forearm: Include the forearm of a hand model that has one.
        parameters: Also write the scene beside the mesh as "json" or "npz", to be read again by `load_scene`, or
            "none".
        metadata: Entries for the `asset.extras` of a GLB, which JSON can hold; other formats have no place for them.
        on_file: Called with the number of meshes written after each.
        bones: How the bones of a rig lie, one of `formats.BONES`.

    Returns:
        The files of meshes, then that of parameters.

    Raises:
        SesaHandError: If an argument is not one of these, a pose is not one, or a file cannot be written.
    """
    path = Path(path)
    check_file_name(path.name)
    if format not in FORMATS or parameters not in PARAMETER_FILES:
        raise SesaHandError(
            f"Hands are written as {', '.join(FORMATS)}, with parameters as {', '.join(PARAMETER_FILES)}; got "
            f"{format!r} and {parameters!r}."
        )
    known = FORMATS[format]
    if path.suffix.lower() != f".{known.ending}":
        raise SesaHandError(f"A file in the format '{format}' ends in .{known.ending}, got the name {path.name!r}.")
    check_extent(scene, format)
    settings = MeshSettings(fps, forearm, metadata, bones)
    parts: Iterable[tuple[Path, bytes]]
    if known.animated or scene.num_frames == 1:
        parts = [(path, known.write(scene, settings))]
    else:
        numbered = (path.with_name(f"{path.stem}f{frame:04}{path.suffix}") for frame in range(scene.num_frames))
        parts = ((name, known.write(only_frame(scene, frame), settings)) for frame, name in enumerate(numbered))
    written = []
    for name, data in parts:
        write_bytes(name, data, MAX_FILE_BYTES)
        written.append(name)
        if on_file is not None:
            on_file(len(written))
    if parameters != "none":
        written.append(path.with_suffix(f".{parameters}"))
        save_scene(scene, written[-1])
    return written


def check_extent(scene: HandScene, format: str) -> None:
    """Raise a SesaHandError if a scene would become too many files, or too large ones."""
    if not FORMATS[format].animated and scene.num_frames > MAX_FILES:
        whole = next(name for name, known in FORMATS.items() if known.animated)
        raise SesaHandError(
            f"The scene has {scene.num_frames} frames, each of which would be a file in the format '{format}', more "
            f"than {MAX_FILES}. Take fewer frames, or '{whole}', which holds all of them."
        )
    most = int(scene.frame.bincount().max()) if len(scene) else 0
    if most > MAX_HANDS:
        raise SesaHandError(
            f"A frame of the scene has {most} hands; a file of meshes holds at most {MAX_HANDS} in a frame."
        )
    if FORMATS[format].animated and most * scene.num_frames > MAX_KEYS:
        raise SesaHandError(
            f"The scene has {scene.num_frames} frames with up to {most} hands; an animation holds at most {MAX_KEYS} "
            "moments of all its hands. Take fewer frames or hands."
        )
    faces = Counter[int]()
    for held in scene.objects:
        faces[int(scene.frame[held.hand])] += held.num_faces
    if max(faces.values(), default=0) > MAX_OBJECT_FACES:
        raise SesaHandError(
            f"What the hands of a frame hold has {max(faces.values())} faces; a file of meshes holds at most "
            f"{MAX_OBJECT_FACES}. Take fewer hands, or simplify the meshes."
        )


def only_frame(scene: HandScene, frame: int) -> HandScene:
    """Return one frame of a scene as a scene of its own."""
    part = scene.select(scene.frame == frame)
    return replace(part, num_frames=1, frame=torch.zeros_like(part.frame))
