"""Time condition maps, side by side with OpenGL where it can be had, in one interleaved run.

    python benchmarks/render.py [--threads N] [--rounds N]
    python benchmarks/render.py --memory HANDS [--antialias]

Every row is the median over the rounds, in milliseconds of wall clock and of processor time (all threads together).
With --memory: how much memory all maps of so many hands take that lie one behind the other, each as large as a picture
of 2048 x 2048 pixels; one number a process, since memory is only counted up to its highest.
"""

import argparse
import statistics
import time
from dataclasses import replace

import numpy as np
import torch

from sesahand.hands.builtin import load_builtin_hand
from sesahand.render.maps import render_maps
from sesahand.render.rasterizer import rasterize
from sesahand.scene.camera import Camera
from sesahand.scene.hand_scene import HandScene
from sesahand.scene.held_object import HeldObject
from sesahand.scene.placing import Hand, place_in_box

AIMS = {
    "all maps, 512": 15,
    "all maps, 512, antialiased": 40,
    "all maps, 1024": 60,
    "all maps, 16 frames of 512": 200,
}


def open_palm(size: int, num_frames: int = 1) -> HandScene:
    """Return an open right hand that fills most of the picture's height, once in each frame."""
    orient = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    return HandScene(
        model=load_builtin_hand(),
        camera=Camera.from_fov(size, size),
        num_frames=num_frames,
        frame=torch.arange(num_frames),
        side=("right",) * num_frames,
        global_orient=orient.expand(num_frames, 3, 3),
        hand_pose=torch.eye(3).expand(num_frames, 15, 3, 3),
        betas=torch.zeros(num_frames, 10),
        translation=torch.tensor([0.0, 0.09, 0.35]).expand(num_frames, 3),
        score=torch.ones(num_frames),
    )


def posed_mesh(scene: HandScene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return vertices, vertex normals and faces of a scene's first hand."""
    vertices = scene.pose().vertices[0].numpy()
    faces = scene.model.faces_for("right", closed=True).numpy()
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, faces[:, k], np.cross(b - a, c - a))
    return vertices, normals / np.linalg.norm(normals, axis=1, keepdims=True), faces


def moderngl_renderer(scene: HandScene):
    """Return a function that draws normals and depth of a scene's first hand with OpenGL and reads them back."""
    import moderngl

    context = moderngl.create_context(standalone=True, backend="egl")
    width, height, focal = scene.camera.width, scene.camera.height, scene.camera.focal_length
    program = context.program(
        vertex_shader="""
            #version 330
            in vec3 position; in vec3 normal; out vec4 seen;
            uniform vec2 lens;
            void main() {
                seen = vec4(normal, position.z);
                gl_Position = vec4(position.xy * lens, 1.002 * position.z - 0.02, position.z);
            }""",
        fragment_shader="#version 330\nin vec4 seen; out vec4 color; void main() { color = seen; }",
    )
    # Rows are read back from the bottom up, so y needs no flip.
    program["lens"] = (2 * focal / width, 2 * focal / height)
    vertices, normals, faces = posed_mesh(scene)
    buffer = context.buffer(reserve=6 * 4 * len(vertices))
    array = context.vertex_array(
        program, [(buffer, "3f 3f", "position", "normal")], context.buffer(faces.astype("i4").tobytes())
    )
    target = context.framebuffer(
        [context.texture((width, height), 4, dtype="f4")], context.depth_renderbuffer((width, height))
    )
    context.enable(moderngl.DEPTH_TEST)

    def draw() -> np.ndarray:
        target.use()
        context.clear()
        buffer.write(np.concatenate([vertices, normals], 1).astype("f4").tobytes())
        array.render()
        return np.frombuffer(target.read(components=4, dtype="f4"), "f4").reshape(height, width, 4)

    draw.device = context.info["GL_RENDERER"]
    return draw


def pyrender_renderer(scene: HandScene):
    """Return a function that draws color and depth of a scene's first hand with pyrender."""
    import os

    os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    import pyrender

    vertices, normals, faces = posed_mesh(scene)
    stage = pyrender.Scene(ambient_light=(0.5, 0.5, 0.5))
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    mesh = pyrender.Mesh([pyrender.Primitive(positions=vertices, normals=normals, indices=faces)])
    stage.add(mesh, pose=flip)
    camera = scene.camera
    stage.add(pyrender.IntrinsicsCamera(camera.focal_length, camera.focal_length, *camera.principal_point))
    renderer = pyrender.OffscreenRenderer(camera.width, camera.height)
    return lambda: renderer.render(stage)


def median_times(rows: dict, rounds: int) -> dict[str, tuple[float, float]]:
    """Run every row once a round and return its median wall and processor time in milliseconds."""
    taken = {name: [] for name in rows}
    for turn in range(rounds + 2):
        for name, draw in rows.items():
            wall, cpu = time.perf_counter(), time.process_time()
            draw()
            spent = (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3
            if turn >= 2:
                taken[name].append(spent)
    return {name: tuple(statistics.median(kind) for kind in zip(*spent, strict=True)) for name, spent in taken.items()}


def memory_of(hands: int, antialias: bool) -> float:
    """Return how much memory the maps of hands behind each other take beyond what this process had before, in MiB."""
    import resource

    camera = Camera.from_fov(2048, 2048)
    one = place_in_box(Hand(load_builtin_hand()), camera, (0, 0, 2048, 2048))
    behind = 1 + torch.linspace(0, 0.2, hands)[:, None]
    scene = replace(one.select([0] * hands), translation=one.translation * behind)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    render_maps(scene, antialias=antialias)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--memory", type=int, metavar="HANDS")
    parser.add_argument("--antialias", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory:
        print(f"{arguments.memory} hands: {memory_of(arguments.memory, arguments.antialias):.0f} MiB")
        return

    one, large, batch = open_palm(512), open_palm(1024), open_palm(512, 16)
    holding = replace(one, objects=(HeldObject("cup", 0, torch.tensor([0.09, -0.05, 0.0]), torch.eye(3)),))
    vertices, faces = one.pose().vertices, one.model.faces_for("right", closed=True)
    rows = {
        "pose only": lambda: one.pose(),
        "rasterise, 512": lambda: rasterize(vertices, faces, one.camera),
        "normals and depth, 512": lambda: render_maps(one, ("normal", "depth")),
        "all maps, 512": lambda: render_maps(one),
        "all maps, 512, holding a cup": lambda: render_maps(holding),
        "all maps, 512, antialiased": lambda: render_maps(one, antialias=True),
        "all maps, 1024": lambda: render_maps(large),
        "all maps, 16 frames of 512": lambda: render_maps(batch),
    }
    remarks = {name: f"aim {aim}" for name, aim in AIMS.items()}
    mask = render_maps(one, ("mask",)).mask[0].numpy() > 0
    print(
        f"{len(vertices[0])} vertices, {len(faces)} faces, {mask.mean():.0%} of the picture; torch {torch.__version__},"
    )
    print(f"{arguments.threads} threads, median of {arguments.rounds} rounds\n")
    for name, make in (("moderngl with EGL", moderngl_renderer), ("pyrender", pyrender_renderer)):
        row = f"normals and depth, 512, {name}"
        try:
            draw = make(one)
        except ImportError:
            remarks[row] = "not installed"
        except Exception as error:
            remarks[row] = f"cannot draw here: {error}"
        else:
            rows[row] = draw
            if name.startswith("moderngl"):
                differ = int(((draw()[..., 3] > 0) != mask).sum())
                remarks[row] = f"{draw.device.split(' (')[0]}; {differ} pixels of the mask differ from ours"

    times = median_times(rows, arguments.rounds)
    print("| what | wall ms | cpu ms | |\n|---|---:|---:|---|")
    for name in {**rows, **remarks}:
        wall, cpu = (f"{value:.1f}" for value in times[name]) if name in times else ("", "")
        print(f"| {name} | {wall} | {cpu} | {remarks.get(name, '')} |")


if __name__ == "__main__":
    main()
