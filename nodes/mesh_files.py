"""Meshes of the user's in ComfyUI's input folder, by the names under which a graph knows them."""

import os

import folder_paths

from ..sesahand.errors import SesaHandError, quote
from ..sesahand.files.folders import file_names
from ..sesahand.files.meshes import MESH_SUFFIXES

NO_MESH = "none"
"""The choice of no file."""
# Where core's Load 3D puts what is uploaded.
UPLOADED = "3d"


def mesh_files() -> list[str]:
    """Return the names of meshes in the input folder, then in its folder of uploaded ones."""
    root = folder_paths.get_input_directory()
    found = [_names(root), [f"{UPLOADED}/{name}" for name in _names(os.path.join(root, UPLOADED))]]
    return [name for names in found for name in names]


def mesh_path(name: str) -> str:
    """Return the path of a mesh, however its name came here."""
    root = folder_paths.get_input_directory()
    if name not in mesh_files():
        raise SesaHandError(
            f"There is no mesh {quote(name)} in {root}. Copy a .glb, .obj, .ply or .stl file there, or upload it with "
            "Load 3D, then press R."
        )
    return os.path.join(root, *name.split("/"))


def _names(folder: str) -> list[str]:
    """Return the names of the meshes in a folder, no links among them; none in one that may not be looked into."""
    return [name for name in file_names(folder, follow=False) if os.path.splitext(name)[1].lower() in MESH_SUFFIXES]
