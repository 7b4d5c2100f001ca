"""Blender as a Python module, if it is on this machine: in an environment of its own, which nothing here makes."""

import json
import os
import subprocess
from pathlib import Path

SCRIPT = """
import json, sys
import bpy

def vertices(mesh):
    evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return [list(mesh.matrix_world @ vertex.co) for vertex in evaluated.data.vertices]

def look():
    bpy.context.view_layer.update()
    rigs, meshes = {}, {}
    for shown in bpy.data.objects:
        if shown.type == "ARMATURE":
            turn = shown.matrix_world.to_3x3()
            rigs[shown.name] = {
                bone.name: {"head": list(shown.matrix_world @ bone.head), "y": list(turn @ bone.y_axis.normalized())}
                for bone in shown.pose.bones
            }
        elif shown.type == "MESH" and shown.parent is not None:
            meshes[shown.name] = vertices(shown)
    return {"rigs": rigs, "meshes": meshes}

def clear():
    for shown in bpy.data.objects:
        if shown.type == "ARMATURE":
            for bone in shown.pose.bones:
                bone.matrix_basis.identity()

seen = []
for file in json.load(open(sys.argv[1])):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=file)
    bpy.context.scene.frame_set(0)
    posed = look()
    last = bpy.context.scene.frame_end
    moved = None
    if bpy.data.actions:
        bpy.context.scene.frame_set(last)
        moved = look()
        bpy.context.scene.frame_set(0)
    clear()
    seen.append({"version": bpy.app.version_string, "posed": posed, "moved": moved, "cleared": look()})
json.dump(seen, open(sys.argv[2], "w"))
"""
HOW_TO = "needs a Python with `pip install bpy` in an environment of its own, and its path in BLENDER_PYTHON"


class NoBlender(Exception):
    """Blender cannot be asked; the message says how to get it."""


def open_in_blender(files: list[Path], folder: Path) -> list[dict]:
    """Return what Blender makes of GLB files, all in its own axes (z up, metres).

    Args:
        files: The files.
        folder: A folder for what is said between the two programs.

    Returns:
        For each file "posed" at frame 0, "moved" at the last frame of an animation or None, and "cleared" with the pose
        of each rig cleared. Each holds "meshes", vertices `[V, 3]` by name, and "rigs", by name the bones by name, each
        with where it begins ("head") and its direction ("y").

    Raises:
        NoBlender: If there is none.
    """
    python = os.environ.get("BLENDER_PYTHON")
    if not python or not Path(python).is_file():
        raise NoBlender(HOW_TO)
    question, answer = folder / "files.json", folder / "seen.json"
    question.write_text(json.dumps([str(file) for file in files]), encoding="utf-8")
    subprocess.run(
        [python, "-c", SCRIPT, str(question), str(answer)], check=True, timeout=300, capture_output=True, text=True
    )
    return json.loads(answer.read_text(encoding="utf-8"))
