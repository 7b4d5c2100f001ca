"""What the library says of random hands, as JSON files, for the editor's modules in `web/js/core` to agree with."""

import base64
import json
import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from fuzz_readers import damaged, twisted
from long_faces import spindle
from torch import Tensor

from sesahand.errors import SesaHandError
from sesahand.hands import skeleton
from sesahand.hands.builtin import load_builtin_hand
from sesahand.hands.facts import hand_facts
from sesahand.hands.fingers import FingerChange, change_fingers
from sesahand.hands.gestures import find_gesture, gesture, gesture_names
from sesahand.hands.limits import angles_from_pose, clamp_to_limits, joint_frames, joint_limits, pose_from_angles
from sesahand.hands.object_mesh import ObjectMesh, stand_in
from sesahand.hands.objects import OBJECTS, object_distance, object_mesh
from sesahand.hands.objects import SIZES as OBJECT_SIZES
from sesahand.hands.pose import blend, compose_pose
from sesahand.hands.rotations import axis_angle_to_matrix, matrix_to_axis_angle, mirror_rotation
from sesahand.render.maps import render_maps
from sesahand.scene.camera import Camera
from sesahand.scene.editing import first_hand
from sesahand.scene.hand_scene import HandScene
from sesahand.scene.held_object import FARTHEST
from sesahand.scene.holding import held_surfaces, hold_object
from sesahand.scene.placement import Placement
from sesahand.scene.placing import Hand, view_rotation
from sesahand.semantics.editor_facts import editor_facts

MODEL = load_builtin_hand()
# Width and height of pictures.
SIZES = ((512, 512), (768, 512), (333, 777), (1024, 1024))
NUM_HANDS, NUM_SHAPES, NUM_TEXTS = 24, 30, 600


# Objects that hands of the mean shape hold, their sizes, and the hands' sides.
GRIPS = (
    ("sphere", 1.3, "right"),
    ("cup", 0.8, "left"),
    ("phone", 1.0, "right"),
    ("tool", 1.2, "left"),
    ("pen", 1.0, "left"),
)
SILHOUETTE = 72


def scene_of_mesh() -> HandScene:
    """Return a left hand that holds a mesh: two of the library's objects as one, which is no solid of its own."""
    parts = [object_mesh(kind) for kind in ("cup", "box")]
    (cup, faces), (box, others) = parts
    mesh = stand_in(
        "cup with lid.ply",
        torch.cat([cup, 0.4 * box + torch.tensor([0.0, 0.0, 0.06])]).numpy(),
        torch.cat([faces, others + len(cup)]).numpy(),
        "cup",
    )
    bare = Placement().place(Hand.in_gesture(MODEL, find_gesture("open_palm")), "left")
    return hold_object(bare, "cup", 1.0, torch.ones(1, dtype=torch.bool), mesh=mesh).scene


class Goldens:
    """Writes files of goldens into a folder, the same each time."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.generator = torch.Generator().manual_seed(7)
        self.frames = joint_frames(MODEL)

    def write(self) -> None:
        """Write all files."""
        hands = [self.hand(index) for index in range(NUM_HANDS)]
        contents = {
            "facts": hand_facts(MODEL),
            "skeleton": {name: getattr(skeleton, name) for name in vars(skeleton) if name.isupper()},
            "faces": MODEL.faces_for("right", closed=True).flatten().tolist(),
            "hands": hands,
            "beyond_limits": [self.beyond_limits() for _ in range(NUM_SHAPES)],
            "shapes": [self.shape(index) for index in range(NUM_SHAPES)],
            "cameras": [self.camera() for _ in range(NUM_SHAPES)],
            "views": [self.view(index) for index in range(NUM_SHAPES)],
            "editor_facts": editor_facts(MODEL),
            "object_sizes": OBJECT_SIZES,
            "farthest_object": FARTHEST,
            "distances": [self.distances(kind) for kind in OBJECTS],
            "grips": [self.grip(*each) for each in GRIPS],
            "mesh_distances": self.mesh_distances(),
            "first_scenes": [{"size": size, "scene": first_hand(MODEL, size).to_json()} for size in SIZES],
            "texts": texts_of_all_kinds(hands[0]["scene"]),
            "large_faces": self.large_faces(),
        }
        for name, content in contents.items():
            (self.folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)

    def share(self, least: float = 0.0, most: float = 1.0) -> float:
        return least + (most - least) * float(torch.rand((), generator=self.generator))

    def pose(self) -> Tensor:
        """A right hand's pose anywhere within its limits, `[15, 3, 3]`."""
        low, high = joint_limits().unbind(-1)
        return pose_from_angles(low + (high - low) * torch.rand(15, 3, generator=self.generator), self.frames)

    def hand(self, index: int) -> dict:
        """One hand in a scene: its text, and what is posed, seen and read off it."""
        right, side = self.pose(), ("right", "left")[index % 2]
        scene = HandScene(
            model=MODEL,
            camera=Camera(600 + 50.0 * index, (250.0 + index, 190.5), 512, 384),
            num_frames=3,
            frame=torch.tensor([index % 3]),
            side=(side,),
            global_orient=axis_angle_to_matrix(2 * self.normal(1, 3)),
            hand_pose=(right if side == "right" else mirror_rotation(right))[None],
            betas=self.normal(1, 10) * (index % 3),
            translation=0.1 * self.normal(1, 3) + torch.tensor([0.0, 0.0, 0.8]),
            score=torch.tensor([self.share()]),
        )
        posed = scene.pose()
        return {
            "scene": scene.to_json(),
            "vertices": posed.vertices.flatten().tolist(),
            "keypoints": posed.keypoints[0].tolist(),
            "pixels": scene.camera.project(posed.keypoints[0]).tolist(),
            "angles": angles_from_pose(right, self.frames).tolist(),
            "axis_angles": matrix_to_axis_angle(scene.hand_pose[0]).tolist(),
        }

    def distances(self, kind: str) -> dict:
        """Points in and around an object, and how far each is from its surface; a vessel counts as full."""
        points = 0.06 * self.normal(60, 3).double()
        distances = object_distance(kind, points, filled=True)
        return {"kind": kind, "points": points.tolist(), "distances": distances.tolist()}

    def mesh_distances(self) -> dict:
        """Points in and around a mesh, as a scene holds it, and how far each is from its surface."""
        points = 0.04 * self.normal(100, 3)
        scene = scene_of_mesh()
        distances = scene.objects[0].mesh.distance(points)
        return {"scene": scene.to_json(), "points": points.tolist(), "distances": distances.tolist()}

    def large_faces(self) -> dict:
        """Points in and around a mesh of long faces in their thousands, and how far each is from its surface."""
        vertices, faces = spindle(1000)
        points = 0.04 * self.normal(100, 3)
        distances = ObjectMesh("spindle", vertices, faces).distance(points)
        return {
            "vertices": vertices.flatten().tolist(),
            "faces": faces.flatten().tolist(),
            "points": points.tolist(),
            "distances": distances.tolist(),
        }

    def grip(self, kind: str, size: float, side: str) -> dict:
        """A hand that holds an object: its text, and where the object is and what of the picture both cover."""
        open_hand = Hand.in_gesture(MODEL, find_gesture("open_palm"))
        bare = Placement(size=(SILHOUETTE, SILHOUETTE)).place(open_hand, side)
        scene = replace(bare, global_orient=axis_angle_to_matrix(0.5 * self.normal(1, 3)) @ bare.global_orient)
        scene = hold_object(scene, kind, size, torch.ones(1, dtype=torch.bool)).scene
        ((_, vertices, _),) = held_surfaces(scene, scene.pose().keypoints)
        maps = render_maps(scene, antialias=False)
        return {
            "scene": scene.to_json(),
            "vertices": vertices.flatten().tolist(),
            "covered": (maps.metric_depth[0] > 0).flatten().tolist(),
        }

    def beyond_limits(self) -> dict:
        pose = axis_angle_to_matrix(self.normal(15, 3))
        return {"pose": pose.flatten(1).tolist(), "clamped": clamp_to_limits(pose, self.frames).flatten(1).tolist()}

    def shape(self, index: int) -> dict:
        """A gesture, or a pose beyond the limits, changed in each of the ways there are."""
        names = gesture_names()
        base, other = gesture(names[index % len(names)]), gesture(names[(7 * index + 3) % len(names)])
        base = axis_angle_to_matrix(self.normal(15, 3)) if index % 4 == 3 else base
        finger = skeleton.FINGERS[index % 5]
        curl, spread, opposition, twist, share = self.share(), *(self.share(-1) for _ in range(3)), self.share()
        changes = {
            "spreaded": FingerChange(spread={finger: spread}),
            "opposed": FingerChange(thumb_opposition=opposition),
            "twisted": FingerChange(thumb_twist=twist),
        }
        poses = {
            "base": base,
            "other": other,
            "curled": compose_pose(base, curl={finger: curl}, frames=self.frames),
            "fanned": compose_pose(base, spread=dict.fromkeys(("index", "ring", "pinky"), spread), frames=self.frames),
            "blended": blend(base, other, share),
            **{name: change_fingers(base, change, self.frames) for name, change in changes.items()},
        }
        settings = {"finger": finger, "curl": curl, "spread": spread, "opposition": opposition, "twist": twist}
        return settings | {"share": share} | {name: pose.flatten(1).tolist() for name, pose in poses.items()}

    def camera(self) -> dict:
        """A camera with points before it and where it sees them, float64."""
        camera = Camera(self.share(100, 3000), (self.share(-50, 600), self.share(-50, 600)), 640, 480)
        points = self.normal(8, 3).double() * 0.1 + torch.tensor([0.0, 0.0, 1.0])
        return {
            "focalLength": camera.focal_length,
            "principalPoint": camera.principal_point,
            "width": camera.width,
            "height": camera.height,
            "points": points.tolist(),
            "pixels": camera.project(points).tolist(),
        }

    def view(self, index: int) -> dict:
        """How a hand is turned, and a lens that it may be seen through."""
        side, angles = ("right", "left")[index % 2], [self.share(-179, 179), self.share(-89, 89), self.share(-179, 179)]
        width, height, fov = 512 + 10 * index, 640, self.share(2, 150)
        return {
            "side": side,
            "angles": dict(zip(("roll", "pitch", "yaw"), angles, strict=True)),
            "global_orient": view_rotation(side, *angles).flatten().tolist(),
            "fov": fov,
            "width": width,
            "height": height,
            "focal_length": Camera.from_fov(width, height, fov).focal_length,
        }


def plate(scale: float = 0.05) -> dict:
    """A square of two faces as a scene's text has it."""
    corners = scale * np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    return {"name": "plate.obj", "vertices": packed(corners, "<f4"), "faces": packed([[0, 1, 2], [0, 2, 3]], "<u2")}


def packed(rows, kind: str) -> str:
    return base64.b64encode(np.asarray(rows).astype(kind).tobytes()).decode()


def meshes_of_all_kinds() -> list[dict]:
    """Return changes of a mesh after which it is one or nearly so."""
    names = ("", "a" * 80, "a" * 81, "tab\t", "\u200b", "\ud800", "\u00e9\u676f \U0001f44b", "a\u00a0b", None, 7)
    sizes = (0.005, 0.0049, 2.0, 2.01, 1e38)
    texts = ["", "AAAA", "A", "AAA=", "AA==", "AAAA\n", "!AAA", "AAAAAAAAAAAAAAAA", None, 7, ["AAAA"], "\u00e9AAA"]
    many = [[0, 1, 2]] * 6000
    return [
        *({"name": name} for name in names),
        *({"vertices": plate(size)["vertices"]} for size in sizes),
        *({"vertices": packed([[0, 0, 0], [0.1, 0, 0], [0, 0, 0], [x, 0, 0]], "<f4")} for x in (np.inf, np.nan)),
        *({name: text} for name in ("vertices", "faces") for text in texts),
        *({"faces": packed(faces, "<u2")} for faces in ([[0, 1, 4]], many, [*many, [0, 1, 2]], [[0, 0, 0]])),
        {"vertices": packed([[0.1 * (k % 2), 0, 0] for k in range(18_001)], "<f4")},
        {"colour": "red"},
    ]


def texts_of_all_kinds(scene: str) -> list[dict]:
    """Return texts that are scenes or nearly so, with whether Python reads them and what it says if not.

    Args:
        scene: One with a single hand.
    """
    data = json.loads(scene)
    [hand] = data["hands"]
    flat = {**hand, "global_orient": [0.1, 0.2, 0.3], "hand_pose": [0.01 * k for k in range(45)]}
    rows = {**flat, "side": "left", "hand_pose": [[0.1, -0.2, 0.05]] * 15}
    least = {name: rows[name] for name in ("side", "translation", "global_orient", "hand_pose")}
    whole = data | {"hands": [hand, flat, rows, least]}

    def with_hand(**changes) -> str:
        return json.dumps(data | {"hands": [rows | changes]})

    held = {"kind": "cup", "hand": 1, "position": [0, -0.05, 0.01], "orient": [[1, 0, 0], [0, 0, -1], [0, 1, 0]]}

    def with_objects(*objects) -> str:
        return json.dumps(whole | {"objects": [held | changes for changes in objects]})

    def with_mesh(**changes) -> str:
        return json.dumps(whole | {"objects": [held | {"mesh": 0}], "meshes": [plate() | changes]})

    def with_camera(**changes) -> str:
        return json.dumps(data | {"camera": data["camera"] | changes})

    texts = [
        *(json.dumps(each) for each in (data, whole, data | {"hands": []}, [], {}, None, 1, "")),
        *(
            json.dumps({k: v for k, v in whole.items() if k not in left_out})
            for left_out in ("units", "dtype", "camera")
        ),
        *("", "{", "[" * 100_000, scene + "x", "\ufeff" + scene, scene.replace("[", "[[", 1)),
        *(scene.replace('"version": 1', f'"version": {other}') for other in ("1.0", "1e0", "2", "true", '"1"', "null")),
        *(json.dumps(data | {"dtype": kind}) for kind in ("float64", "float16", None, 32)),
        *(json.dumps(data | {"taken_from": note}) for note in ("", "a" * 128, "\U0001f44b" * 128, "\ud800")),
        *(json.dumps(data | {"taken_from": note}) for note in ("a" * 129, "\U0001f44b" * 129, None, 1, ["a"])),
        *(json.dumps(data | {"num_frames": count}) for count in (0, 1, 10**6, 10**6 + 1, 3.0, True)),
        *(with_hand(translation=[x, 0, 1]) for x in (1e38, 1e39, 10**400, math.nan, math.inf, "0", None, True, [0])),
        *(with_hand(betas=[beta] + [0] * 9) for beta in (20, -20, 20.0000001, 20.1)),
        *(with_hand(betas=betas) for betas in (None, [], [0] * 9, [0] * 11)),
        *(with_hand(score=score) for score in (0, 1, -0.1, 1.1, None, [1])),
        *(with_hand(frame=frame) for frame in (2, 3, -1, 1.0, None, True)),
        *(with_hand(side=side) for side in ("both", "", None, ["right"])),
        *(with_hand(global_orient=g) for g in ([0, 0, 0], [1e10, 0, 0], [1e200, 0, 0], [0, 0], [[0, 0, 0]])),
        with_hand(global_orient=[[1, 0, 0], [0, 1, 0], [0, 0, -1]]),
        with_hand(global_orient=[[1.0004, 0, 0], [0, 1, 0], [0, 0, 1]]),
        with_hand(global_orient=[[1.001, 0, 0], [0, 1, 0], [0, 0, 1]]),
        with_hand(hand_pose=[[[1, 0, 0], [0, 1, 0], [0, 0, 1]]] * 14 + [[0, 0, 0]]),
        *(with_hand(hand_pose=pose) for pose in ([], [0] * 44, [[0, 0, 0]] * 14, [[[[[0]]]]], [[]] * 15)),
        with_hand(translation="deep").replace('"deep"', "[" * 50_000 + "]" * 50_000),
        *(with_hand(extra=1), with_hand(__proto__=1)),
        *(with_objects(*objects) for objects in ([], [{}], [{}, {"hand": 3}], [{}, {}], [{"hand": 3}, {}], [{}] * 5)),
        *(json.dumps(whole | {"objects": objects}) for objects in (None, {}, 7, [7], [None], [[]], [{"hand": 1}])),
        *(with_objects({"kind": kind}) for kind in (*OBJECTS, "elephant", None, 1, ["cup"])),
        *(with_objects({"hand": number}) for number in (-1, 0, 4, 1.0, True, None)),
        *(with_objects({"size": size}) for size in (0.5, 2, 1.25, 0.49, 2.01, None, True, [1], math.nan)),
        *(with_objects({"position": at}) for at in ([0, 0], [1e39, 0, 0], [1e38, 0, 0], [0, 0, None], 0)),
        *(with_objects({"position": at}) for at in ([0, 10, 0], [0, 6, 8.00001])),
        *(with_mesh(**changes) for changes in meshes_of_all_kinds()),
        *(with_objects({"mesh": number}) for number in (0, -1, None, 0.0)),
        *(json.dumps(whole | {"objects": [held | {"mesh": n}], "meshes": [plate()]}) for n in (0, 1, -1, 0.0, True)),
        *(
            json.dumps(whole | {"meshes": meshes})
            for meshes in (None, {}, [None], [{}], [plate()] * 256, [plate()] * 257)
        ),
        *(with_objects({"orient": o}) for o in ([0, 0, 0], [[1, 0, 0], [0, 1, 0], [0, 0, -1]], [[2, 0, 0]] * 3, None)),
        with_objects({"colour": "red"}),
        *(with_camera(focal_length=f) for f in (0, -1, 1e-300, 1e300, [1])),
        *(with_camera(width=w) for w in (0, 1, 16384, 16385, 512.0)),
        *(with_camera(principal_point=p) for p in ([1e300, 0], [0], 0, [0, 0, 0])),
    ]
    chance = random.Random(7)
    compact = json.dumps(whole | {"objects": [held]}).encode()
    for _ in range(NUM_TEXTS):
        change = twisted if chance.random() < 0.8 else damaged
        texts.append(change(compact, chance).decode("utf-8", "replace"))
    refusals = [(text, refusal(text)) for text in texts]
    return [{"text": text, "accepted": said is None, "said": said} for text, said in refusals]


def refusal(text: str) -> str | None:
    """What Python says to a text that is no scene; None if it reads it."""
    try:
        HandScene.from_json(text, MODEL)
    except SesaHandError as error:
        return str(error)
    return None
