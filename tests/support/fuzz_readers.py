"""Damage files in all the ways there are, and see that each reader of foreign files answers with a sentence.

Whole files are made here, then bytes are changed, cut and repeated, and of JSON the values. What a reader may answer is
a value or a SesaHandError. The file that made it do anything else is left where the answer says; keep it, while it is
small, in `tests/fuzz/corpus/<reader>/`, which the tests read again each time. `tools/fuzz.py` goes on for hours.
"""

import dataclasses
import io
import json
import random
import shutil
import struct
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
MOST_BYTES = 1 << 20
# What programs of this kind trip over.
NUMBERS = (0, 1, -1, 2**31 - 1, 2**31, -(2**31), 2**32, 2**63, -(2**63), 10**30, 0.5, 1e308, -1e308, 1e-320, 65536)
VALUES = (
    *NUMBERS,
    None,
    True,
    False,
    "",
    "x",
    "\u0000",
    "\ud800",
    "a" * 300,
    "../x",
    "/x",
    "CON",
    [],
    {},
    [[]],
    [[[1]]],
    {"a": 1},
)


@dataclass(frozen=True)
class Reader:
    """A reader of foreign files.

    Attributes:
        seeds: Makes whole files: names to contents.
        read: Reads one, given its path, with a folder for what must stand around it.
        json: Whether its files are JSON, or lines of it, so that their values are changed too.
    """

    seeds: Callable[[Path], dict[str, bytes]]
    read: Callable[[Path], object]
    json: bool = False


def _mano(folder: Path) -> dict[str, bytes]:
    from mano_fixture import write_mano

    path = write_mano(folder, "right")
    return {path.name: path.read_bytes()}


def _read_mano(path: Path):
    from sesahand.hands.mano import load_mano

    return load_mano(path)


def _checkpoints(folder: Path) -> dict[str, bytes]:
    import torch

    seeds = {}
    for modern in (True, False):
        stream = io.BytesIO()
        base = torch.arange(12.0)
        state = {"zero_convs.0.0.weight": base.reshape(3, 4), "b": base[::2], "c": torch.nn.Parameter(base.half())}
        torch.save({"state_dict": state, "hyper": {"lr": [1e-3]}}, stream, _use_new_zipfile_serialization=modern)
        seeds[f"{modern}.ckpt"] = stream.getvalue()
    return seeds


def _read_checkpoint(path: Path):
    from sesahand.errors import SesaHandError
    from sesahand.files.checkpoint_pickle import read_checkpoint_tensors
    from sesahand.models.controlnet_files import read_controlnet_weights
    from sesahand.reconstruct.learned.checkpoints import load_network

    found = {name: value.sum() for name, value in read_checkpoint_tensors(path).items()}
    for read in (read_controlnet_weights, load_network):
        try:
            read(path)
        except SesaHandError:
            continue
    return found


def _safetensors(folder: Path) -> dict[str, bytes]:
    import torch
    from safetensors.torch import save

    from sesahand.fusion.settings import FusionSettings

    state = {"zero_convs.0.0.weight": torch.ones(2, 2, 1, 1), "input_blocks.1.1.attn2.to_k.weight": torch.ones(4, 768)}
    layout = {"sesahand.mini": '{"widths": [64, 128], "text_heads": 4}', "sesahand.training": '{"kind": "controlnet"}'}
    judge = (ROOT / "sesahand" / "assets" / "sesahand_judge.safetensors").read_bytes()
    mini = (ROOT / "sesahand" / "assets" / "sesahand_mini.safetensors").read_bytes()
    header = json.loads(mini[8 : 8 + int.from_bytes(mini[:8], "little")])["__metadata__"]
    vocabulary = {"sesahand.token_ids": torch.tensor([1, 2, 49406, 49407], dtype=torch.int32)}
    network = {"hand_model": "builtin", "size": 32, "widths": [8, 8], "hidden": 8}
    own = {"sesahand.reconstructor": json.dumps(network), "sesahand.training": "{}"}
    return {
        "reconstructor.safetensors": save({"head.weight": torch.ones(2, 2)}, own),
        "control.safetensors": save(state, FusionSettings().to_metadata() | layout),
        "mini.safetensors": save(state | vocabulary, header),
        "judge.safetensors": judge[: 8 + int.from_bytes(judge[:8], "little") + 4096],
    }


def _read_safetensors(path: Path):
    from sesahand.errors import SesaHandError
    from sesahand.evaluation.reader.network import load_world_reader
    from sesahand.files.arrays import read_safetensors
    from sesahand.models.controlnet_files import read_controlnet_weights
    from sesahand.models.small.model_files import read_mini
    from sesahand.reconstruct.learned.checkpoints import load_network
    from sesahand.training.checkpoint_state import read_state

    for read in (read_controlnet_weights, read_safetensors, read_mini, load_network, load_world_reader, read_state):
        try:
            read(path)
        except SesaHandError:
            continue


def _tflite(folder: Path) -> dict[str, bytes]:
    from sesahand.reconstruct.detection.detector_files import cache_folder

    found = sorted(cache_folder().rglob("palm*.tflite"))
    return {"palm.tflite": found[0].read_bytes()} if found else {}


def _read_tflite(path: Path):
    from sesahand.reconstruct.detection.network import Network
    from sesahand.reconstruct.detection.tflite import read_tflite

    return Network(read_tflite(path))


def _npz(folder: Path) -> dict[str, bytes]:
    import numpy as np
    from pair_scenes import make_scene

    from sesahand.scene.scene_files import scene_to_npz

    plain = io.BytesIO()
    np.savez(plain, global_orient=np.zeros((2, 3)), hand_pose=np.zeros((2, 45)), betas=np.zeros((2, 10), np.float16))
    packed = io.BytesIO()
    np.savez_compressed(packed, global_orient=np.zeros((1, 3, 3)), is_right=np.array([True]))
    scenes = {"scene.npz": scene_to_npz(make_scene()), "held.npz": scene_to_npz(_holding())}
    return {"a.npz": plain.getvalue(), "b.npz": packed.getvalue()} | scenes


def _holding():
    """A hand with something in it."""
    import torch
    from pair_scenes import make_scene

    from sesahand.scene.held_object import HeldObject

    cup = HeldObject("cup", 0, torch.tensor([0.0, -0.05, 0.02]), torch.eye(3), 1.25)
    return dataclasses.replace(make_scene(3), objects=(cup,))


def _read_npz(path: Path):
    from sesahand.errors import SesaHandError
    from sesahand.files.arrays import read_npz
    from sesahand.hands.builtin import load_builtin_hand
    from sesahand.scene.hand_files import load_hands
    from sesahand.scene.mano_parameters import read_mano_parameters

    read_npz(path)
    model = load_builtin_hand()
    for read in (load_hands, lambda path: read_mano_parameters(path, model)):
        try:
            read(path)
        except SesaHandError:
            continue


def _meshes(folder: Path) -> dict[str, bytes]:
    import numpy as np
    import trimesh

    ball = trimesh.creation.icosphere(1, 0.04)
    stood = trimesh.Scene()
    stood.add_geometry(trimesh.creation.box((0.03, 0.05, 0.2)), transform=np.diag([1.0, 2.0, 1.0, 1.0]))
    stood.add_geometry(ball, parent_node_name=next(iter(stood.graph.nodes_geometry)))
    files = {"ball": ball, "stood": stood.to_mesh()}
    seeds = {f"{name}.{kind}": mesh.export(file_type=kind) for name, mesh in files.items() for kind in ("obj", "stl")}
    seeds |= {"stood.glb": stood.export(file_type="glb"), "told.stl": ball.export(file_type="stl_ascii")}
    seeds |= {f"{name}.ply": ball.export(file_type="ply", encoding=name) for name in ("ascii", "binary")}
    return {name: data.encode() if isinstance(data, str) else data for name, data in seeds.items()}


def _read_mesh(path: Path):
    from sesahand.files.meshes import read_mesh
    from sesahand.hands.object_mesh import stand_in

    mesh = stand_in(path.name, *read_mesh(path), "cup", 0.12)
    return mesh.drawn, mesh.distance(mesh.vertices[:4])


def _scene(folder: Path) -> dict[str, bytes]:
    from pair_scenes import make_scene

    from sesahand.scene.scene_files import scene_to_json

    scene = make_scene(1, ("right", "left"))
    keypoints = [{"people": [{"hand_left_keypoints_2d": [1.0] * 63}], "canvas_width": 64, "canvas_height": 48}]
    parameters = {"global_orient": [[0.1, 0, 0]], "hand_pose": [[0.0] * 45], "betas": [[0.0] * 10], "is_right": [1]}
    return {
        "scene.json": scene_to_json(scene).encode(),
        "held.json": scene_to_json(_holding()).encode(),
        "keypoints.json": json.dumps(keypoints).encode(),
        "parameters.json": json.dumps(parameters).encode(),
        "boxes.json": b'[{"x": 1, "y": 2, "width": 9, "height": 8, "label": "left hand"}]',
    }


def _read_scene(path: Path):
    from sesahand.errors import SesaHandError
    from sesahand.generate.record import read_record
    from sesahand.reconstruct.detection.external import read_boxes, read_keypoints
    from sesahand.scene.hand_files import load_hands
    from sesahand.scene.scene_files import load_scene
    from sesahand.semantics.behavior import SemanticsBatch

    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        value = None
    reads = [
        lambda: _use_scene(load_scene(path)), lambda: load_hands(path), lambda: read_record(path),
        lambda: read_boxes(value),
        lambda: read_keypoints(value, 64, 48), lambda: SemanticsBatch.from_json(path.read_text(encoding="latin1")),
    ]  # fmt: skip
    for read in reads:
        try:
            read()
        except SesaHandError:
            continue


def _use_scene(scene):
    """Ask of a scene what nodes ask: its surfaces, those of what it holds, and itself as text."""
    from sesahand.scene.hand_scene import HandScene
    from sesahand.scene.holding import held_surfaces

    if len(scene) <= 8:
        held_surfaces(scene, scene.pose().keypoints)
    return HandScene.from_json(scene.to_json())


def _evaluated(folder: Path) -> dict[str, bytes]:
    from pair_scenes import make_scene

    from sesahand.scene.scene_files import scene_to_json

    lists = [[[[0.01 * k, 0.02, 0.5] for k in range(21)]] * 2, [[[0.0, 0.1, 0.5]] * 9] * 2]
    hand = {"image_id": 1, "keypoints": [1.5, 2.5, 2] * 21, "hand_type": "left", "joint_cam": [[1.0, 2.0, 500.0]] * 21}
    people = {"image_id": 1, "keypoints": [0] * 51, "lefthand_kpts": [1, 2, 1] * 21, "righthand_kpts": [0] * 63}
    pictures = [{"id": 1, "file_name": "a/b.jpg", "width": 64, "height": 48}]
    return {
        "lists.json": json.dumps(lists).encode(),
        "coco.json": json.dumps({"images": pictures, "annotations": [hand, people]}).encode(),
        "scene.json": scene_to_json(make_scene(1, ("right", "left"))).encode(),
    }


def _read_evaluated(path: Path):
    from sesahand.evaluation.hands.hand_errors import hand_errors, two_hand_errors
    from sesahand.evaluation.hands.opening import open_hands
    from sesahand.evaluation.hands.pairing import pair_hands
    from sesahand.evaluation.hands.report import HandEvaluation
    from sesahand.evaluation.hands.worst_hands import draw_worst_hands

    pairs = pair_hands(open_hands(path), open_hands(path))
    evaluation = HandEvaluation(pairs, hand_errors(pairs), *two_hand_errors(pairs), {})
    json.dumps(evaluation.to_dict(), allow_nan=False)
    draw_worst_hands(evaluation)


def _pairs(folder: Path) -> dict[str, bytes]:
    from pair_scenes import make_facts, make_picture, make_scene

    from sesahand.data.writer import PairWriter

    with PairWriter(folder / "set") as writer:
        for seed in range(2):
            writer.add(make_picture(seed), make_scene(seed), make_facts(seed))
    return {"index.jsonl": (folder / "set" / "index.jsonl").read_bytes()}


def _read_pairs(path: Path):
    from sesahand.data.check import describe, find_damage, gather_statistics
    from sesahand.data.pair_set import PairSet

    root = path.parent / "set"
    shutil.copy(path, root / "index.jsonl")
    pairs = PairSet(root)
    damage = list(find_damage(pairs))
    good = [pair for pair, fault in zip(pairs, damage, strict=True) if fault is None]
    return describe(gather_statistics(good))


def _read_arranged(path: Path):
    from sesahand.data.arranging import Wanted, copy_pairs
    from sesahand.data.coverage import Coverage, pair_facts
    from sesahand.data.formats import export_pairs
    from sesahand.data.near_duplicates import NearDuplicates
    from sesahand.data.several_sets import PairSets
    from sesahand.errors import SesaHandError

    root = path.parent / "set"
    # Damaged in turn: what the set says of its pairs, and the hands of one.
    shutil.rmtree(root)
    shutil.copytree(path.parent / "whole", root)
    shutil.copy(path, root / "index.jsonl" if path.suffix == ".jsonl" else next(root.rglob("*.npz")))
    pairs, new = PairSets([root, root]), NearDuplicates()
    for out in ("copied", "exported"):
        shutil.rmtree(path.parent / out, ignore_errors=True)
    uses = [
        lambda: copy_pairs(pairs, path.parent / "copied", lambda pair: Wanted(score=0.0, hand_size=0.0).keeps(pair)),
        lambda: export_pairs(pairs, "webdataset", path.parent / "exported"),
        lambda: Coverage.of([fact for pair in pairs for fact in pair_facts(pair)]),
        lambda: [new.is_new(pair) for pair in pairs],
    ]
    for use in uses:
        try:
            use()
        except SesaHandError:
            continue


def _arranged(folder: Path) -> dict[str, bytes]:
    index = _pairs(folder)
    shutil.copytree(folder / "set", folder / "whole")
    return index | {"hands.npz": next((folder / "set").rglob("*.npz")).read_bytes()}


def _pictures(folder: Path) -> dict[str, bytes]:
    import numpy as np
    from PIL import Image, features

    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8))
    formats = ["PNG", "JPEG", "BMP", "GIF", "TIFF", "PPM", "WEBP" if features.check("webp") else "BMP"]
    formats += ["AVIF"] if "AVIF" in Image.SAVE and features.check("avif") else []
    seeds = {}
    for kind in formats:
        stream = io.BytesIO()
        picture.save(stream, kind)
        seeds[f"{kind}.png"] = stream.getvalue()
    stream = io.BytesIO()
    picture.convert("L").save(stream, "TIFF", compression="tiff_lzw")
    return seeds | {"grey.tif": stream.getvalue()}


def _read_picture(path: Path):
    from sesahand.files.pictures import read_mask_levels, read_picture

    read_picture(path)
    return read_mask_levels(path)


def _configs(folder: Path) -> dict[str, bytes]:
    from sesahand.training.config import ControlNetConfig, Data, load_config, to_dict

    mini = to_dict(load_config("mini")) | {"kind": "mini"}
    control = to_dict(ControlNetConfig(base="base", out="out", data=Data("pairs"))) | {"kind": "controlnet"}
    toml = b'kind = "mini"\nout = "x"\n[layout]\nwidths = [64, 128]\n[base]\nsteps = 3\n'
    return {"mini.json": json.dumps(mini).encode(), "control.json": json.dumps(control).encode(), "mini.toml": toml}


def _read_config(path: Path):
    from sesahand.training.config import load_config, to_dict

    return to_dict(load_config(path))


def _plans(folder: Path) -> dict[str, bytes]:
    captions = ["a woman waves her right hand", "his left hand is a fist"]
    plan = {"captions": captions, "pairs": 9, "seed": 5, "vary": ["view", "shape"], "gesture": "fist", "side": "both"}
    plan |= {"size": [512, 512], "fov": 40, "lambda": 0.5, "steps": 9, "pair_maps": ["mask"], "prefix": "photo"}
    shards = {"format": "sesahand-shards", "version": 1, "count": 9, "size": 4, "plan": {"seed": 5}}
    toml = b'captions = ["a fist", "an open palm"]\npairs = 3\nvary = "all"\nsize = [64, 64]\ncfg = 4.0\n'
    listed = b'captions = "captions.txt"\npairs = 3\ngesture = "victory"\n'
    return {
        "plan.json": json.dumps(plan).encode(),
        "shards.json": json.dumps(shards).encode(),
        "plan.toml": toml,
        "listed.toml": listed,
        "captions.txt": "\n".join(captions).encode(),
    }


def _read_plan(path: Path):
    from sesahand.data.shards import open_shards
    from sesahand.generate.plan import PlannedJobs, read_plan

    if path.name == "shards.json":
        shards = open_shards(path.parent)
        return shards.sets(), shards.made(), shards.planned(), shards.missing(len(shards) - 1)
    for name in ("listed.toml", "captions.txt"):
        if path.name != name:
            path.with_name(name).write_bytes(_plans(path.parent)[name])
    plan = read_plan(path.with_name("listed.toml") if path.suffix == ".txt" else path)
    width, height = plan.size or (64, 64)
    plan.to_dict()
    return PlannedJobs(plan, (width, height), True)(plan.pairs - 1)


def _gguf(folder: Path) -> dict[str, bytes]:
    from tiny_gguf import gguf

    return {"model.gguf": gguf()}


def _read_gguf(path: Path):
    from sesahand.files.gguf_header import read_gguf_header
    from sesahand.vlm import gguf_models

    # Without the package, nothing would be looked at.
    gguf_models.has_gguf = lambda: True
    read_gguf_header(path)
    return gguf_models.check_gguf(path)


def _vlm(folder: Path) -> dict[str, bytes]:
    text = {"model_type": "llama", "hidden_size": 8, "_attn_implementation": "sdpa", "quantization_config": None}
    config = {"model_type": "llava", "text_config": text, "vision_config": {"backbone": None}, "auto_map": {}}
    index = {"weight_map": {"a": "model.safetensors"}}
    return {
        "config.json": json.dumps(config).encode(),
        "processor_config.json": b'{"processor_class": "LlavaProcessor", "image_processor": {"size": {"height": 8}}}',
        "model.safetensors.index.json": json.dumps(index).encode(),
    }


def _read_vlm(path: Path):
    from sesahand.errors import SesaHandError
    from sesahand.files.model_folders import check_model_folder
    from sesahand.vlm.folders import find_model_folders, needs_remote_code, read_config

    folder = path.parent / "models" / "vlm"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _vlm(folder).items():
        (folder / name).write_bytes(content)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    shutil.copy(path, folder / path.name)
    try:
        check_model_folder(folder)
    except SesaHandError:
        pass
    read_config(folder)
    return needs_remote_code(folder), find_model_folders([folder.parent])


def _answers(folder: Path) -> dict[str, bytes]:
    said = "<think>The left hand?</think> ```json\n" + json.dumps(
        {
            "pose": "a man stands",
            "action": ["waves"],
            "hand_action": "his left hand is a fist",
            "environment": "a street",
        }
    )
    message = {"role": "assistant", "content": said, "refusal": None}
    completion = {"choices": [{"index": 0, "message": message, "finish_reason": "length"}], "usage": {"tokens": 9}}
    error = {"error": {"message": "max_tokens: use max_completion_tokens; key sk-%41bcdefgh", "param": ["seed"]}}
    parts = {"choices": [{"message": {"content": [{"type": "text", "text": "two hands"}, {"text": None}]}}]}
    return {name: json.dumps(body).encode() for name, body in (("a", completion), ("b", error), ("c", parts))}


def _read_answer(path: Path):
    from sesahand.errors import SesaHandError
    from sesahand.semantics.composer import compose_batch
    from sesahand.semantics.extractor import read_answers
    from sesahand.vlm.endpoint import Endpoint
    from sesahand.vlm.exchange import Reply
    from sesahand.vlm.openai_vlm import _answer_text, _error_message, _retry_after, _without_refused_part

    body, key, server = path.read_bytes(), "sk-Abcdefgh", Endpoint.parse("http://127.0.0.1:1/v1")
    reply = Reply(400, {"retry-after": body[:20].decode("latin1")}, body)
    asked = {"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}], "max_tokens": 9}
    assert _retry_after(reply, 1.0) >= 0 and key not in _error_message(body, key)
    _without_refused_part(asked, reply)
    texts = [body.decode("utf-8", "replace")]
    try:
        texts.append(_answer_text(server, body, 64, key))
    except SesaHandError as error:
        assert key not in str(error)
    batch = read_answers(["a woman waves"], texts)
    return compose_batch(type(batch).from_json(batch.to_json()))


READERS = {
    "pickle": Reader(_mano, _read_mano),
    "ckpt": Reader(_checkpoints, _read_checkpoint),
    "safetensors": Reader(_safetensors, _read_safetensors),
    "tflite": Reader(_tflite, _read_tflite),
    "npz": Reader(_npz, _read_npz),
    "mesh": Reader(_meshes, _read_mesh),
    "scene": Reader(_scene, _read_scene, json=True),
    "evaluated": Reader(_evaluated, _read_evaluated, json=True),
    "pairs": Reader(_pairs, _read_pairs, json=True),
    "arranged": Reader(_arranged, _read_arranged, json=True),
    "picture": Reader(_pictures, _read_picture),
    "config": Reader(_configs, _read_config, json=True),
    "plan": Reader(_plans, _read_plan, json=True),
    "gguf": Reader(_gguf, _read_gguf),
    "vlm": Reader(_vlm, _read_vlm, json=True),
    "answer": Reader(_answers, _read_answer, json=True),
}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, cut out, repeated, or replaced by numbers that programs trip over."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(out) + 1) if chance.random() < 0.6 else chance.randrange(min(len(out), 300) + 1)
        kind = chance.randrange(7)
        if kind == 0 and out:
            out[min(at, len(out) - 1)] = chance.randrange(256)
        elif kind == 1 and out:
            out[min(at, len(out) - 1)] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del out[at : at + chance.choice((1, 4, 64))]
        elif kind == 3:
            out[at:at] = out[at : at + chance.choice((1, 8, 64))]
        elif kind == 4:
            number = chance.choice(NUMBERS[:10]) % 2**64
            out[at : at + 4] = struct.pack(chance.choice("<>") + "I", number % 2**32)
        elif kind == 5:
            del out[chance.randrange(len(out) + 1) :]
        else:
            out[at:at] = bytes(chance.randrange(256) for _ in range(chance.choice((1, 3, 20))))
    return bytes(out[:MOST_BYTES]) if len(data) < MOST_BYTES else bytes(out)


def twisted(data: bytes, chance: random.Random) -> bytes:
    """JSON with some of its values replaced, dropped, repeated or moved; lines are twisted one by one."""
    if data.count(b"\n") > 1:
        lines = data.splitlines(keepends=True)
        k = chance.randrange(len(lines))
        lines[k] = twisted(lines[k].strip(), chance) + b"\n"
        return b"".join(lines)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return damaged(data, chance)
    for _ in range(chance.choice((1, 1, 2, 5))):
        value = _twist(value, chance)
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _twist(value, chance: random.Random, depth: int = 0):
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        kind = chance.randrange(12)
        if kind == 0:
            return {name: item for name, item in value.items() if name != key}
        if kind == 1:
            return value | {key + "x": value[key]}
        return value | {key: _twist(value[key], chance, depth + 1)}
    if isinstance(value, list) and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        kind = chance.randrange(6)
        if kind == 0:
            return value[:at] + value[at + 1 :]
        if kind == 1:
            return value + value[at:]
        return value[:at] + [_twist(value[at], chance, depth + 1)] + value[at + 1 :]
    return chance.choice(VALUES)


def fuzz(name: str, seconds: float, seed: int = 0, most: int = 10**9) -> tuple[int, list[tuple[str, str]]]:
    """Damage files of a reader for a while.

    Returns:
        How many were read, and for each that did not end in a value or a SesaHandError, its path and what happened.
    """
    from sesahand.errors import SesaHandError

    reader, chance, found, seen = READERS[name], random.Random(f"{name}{seed}"), [], set()
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    seeds, count, end = reader.seeds(folder), 0, time.monotonic() + seconds
    kept = [(path.name, path.read_bytes()) for path in sorted((CORPUS / name).glob("*")) if path.is_file()]
    while seeds and (count < len(kept) or time.monotonic() < end) and count < most:
        if count < len(kept):
            file, data = kept[count]
        else:
            file = chance.choice(sorted(seeds))
            data = (twisted if reader.json and chance.random() < 0.75 else damaged)(seeds[file], chance)
        path = folder / file
        # Before it is read, so that it is there if nothing else is any more.
        path.write_bytes(data)
        count += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                reader.read(path)
        except SesaHandError:
            continue
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            mark = (type(error).__name__, place.filename, place.lineno)
            if mark in seen:
                continue
            seen.add(mark)
            left = folder / f"{len(seen)}-{file}"
            left.write_bytes(data)
            found.append((str(left), "".join(traceback.format_exception(error)[-4:])))
    if not found:
        shutil.rmtree(folder, ignore_errors=True)
    return count, found


def fuzz_all(seconds: float, seed: int = 0) -> dict[str, tuple[int, list[tuple[str, str]]]]:
    """`fuzz` for each reader, an equal part of the time each."""
    return {name: fuzz(name, seconds / len(READERS), seed) for name in READERS}
