"""Export Hand Mesh and Draw Hands, called as ComfyUI calls them."""

import json

import pytest
import torch
from comfy_execution.graph_utils import ExecutionBlocker
from glb_reader import Glb
from sesahand_pack.nodes import assets, hand, output_files
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.scene.hand_scene import HandScene, concatenate_frames
from sesahand_pack.sesahand.scene.scene_files import load_scene

import comfy.model_management
import folder_paths
from comfy_api.latest import io

PROMPT = {"1": {"class_type": "SesaHandPoseHand", "inputs": {"gesture": "ok"}}}
WORKFLOW = {"nodes": [], "version": 0.4}


def run(node, **given):
    """Return what a node returns with its other widgets left alone, queued as a part of a graph."""
    hidden = io.HiddenHolder.from_dict({"PROMPT": PROMPT, "EXTRA_PNGINFO": {"workflow": WORKFLOW}})
    queued = type(node.__name__, (node,), {"hidden": hidden})
    inputs = node.define_schema().inputs
    defaults = {i.id: i.default for i in inputs if not i.optional and getattr(i, "default", None) is not None}
    return queued.execute(**defaults | given)


@pytest.fixture(autouse=True)
def output(tmp_path):
    before = {kind: getattr(folder_paths, f"get_{kind}_directory")() for kind in ("output", "temp")}
    for kind in before:
        (tmp_path / kind).mkdir()
        getattr(folder_paths, f"set_{kind}_directory")(str(tmp_path / kind))
    yield tmp_path / "output"
    for kind, path in before.items():
        getattr(folder_paths, f"set_{kind}_directory")(path)


@pytest.fixture
def posed():
    inputs = hand.PoseHand.define_schema().inputs
    return hand.PoseHand.execute(**{i.id: i.default for i in inputs if not i.optional} | {"gesture": "ok"}).result[0]


@pytest.mark.parametrize("format", ["glb rigged", "glb posed", "obj", "ply"])
def test_it_writes_a_numbered_file_with_its_parameters_and_tells_where(posed, output, format):
    ending = format.split()[0]
    for number in (1, 2):
        answer = run(assets.ExportMesh, hands=posed, format=format, filename_prefix="my/hand")
        mesh, path, model_3d = answer.result
        assert path == f"my/hand_{number:05}_.{ending}", "seen from the output folder, as Preview 3D takes it"
        assert answer.ui == {"3d": [{"subfolder": "my", "filename": path[3:], "type": "output"}]}
        assert (output / path).stat().st_size > 50_000
        again = load_scene((output / path).with_suffix(".json"))
        assert torch.equal(again.hand_pose, posed.hand_pose) and again.camera == posed.camera
        assert mesh.vertices.shape[1] >= 1609 and mesh.faces.shape[0] == 1
        source = model_3d if isinstance(model_3d, str) else model_3d.get_source()
        assert source == str((output / path).resolve()), "what Preview 3D (Advanced) reads"
    assert len(list((output / "my").iterdir())) == 4


def test_the_graph_is_where_cores_save_glb_puts_it(posed, output, monkeypatch):
    [_, path, _] = run(assets.ExportMesh, hands=posed, parameters="none").result
    extras = Glb((output / path).read_bytes()).document["asset"]["extras"]
    assert json.loads(extras["prompt"]) == PROMPT and json.loads(extras["workflow"]) == WORKFLOW
    assert extras["sesahand"]["licence"] == posed.model.licence
    monkeypatch.setattr(output_files.args, "disable_metadata", True)
    [_, path, _] = run(assets.ExportMesh, hands=posed, parameters="none").result
    assert set(Glb((output / path).read_bytes()).document["asset"]["extras"]) == {"sesahand"}


def test_metadata_can_be_left_out_of_one_file(posed, output):
    [_, path, _] = run(assets.ExportMesh, hands=posed, parameters="none", metadata=False).result
    assert set(Glb((output / path).read_bytes()).document["asset"]["extras"]) == {"sesahand"}


@pytest.mark.parametrize("bones", ["along the fingers", "unturned"])
def test_bones_lie_as_they_are_asked_to(posed, output, bones):
    [_, path, _] = run(assets.ExportMesh, hands=posed, bones=bones).result
    glb = Glb((output / path).read_bytes())
    [skin] = glb.entries("skins")
    turned = abs(glb.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4)[:, :3, :3] - torch.eye(3).numpy()).max()
    assert (turned > 0.5) == (bones == "along the fingers")


def test_the_library_is_a_folder_of_files_with_an_index_and_its_pictures(output):
    for number in (1, 2):
        answer = run(assets.ExportGestures, sides="left", filename_prefix="my/library", format="obj")
        path, thumbnails = answer.result
        folder = output / f"my/library_{number:05}_"
        assert path == f"my/library_{number:05}_/index.json"
        index = json.loads((output / path).read_text())
        assert len(index["gestures"]) == len(thumbnails) == len(list(folder.glob("*_left.obj")))
        assert not list(folder.glob("*right*"))
        assert thumbnails.shape[1:] == (256, 256, 3) and len(answer.ui.as_dict()["images"]) == 1
    with pytest.raises(SesaHandError, match="no motion"):
        run(assets.ExportGestures, format="obj", animated=True)


def test_the_library_carries_the_graph_unless_it_is_not_to(output):
    for metadata in (True, False):
        path, _ = run(assets.ExportGestures, sides="right", metadata=metadata).result
        extras = Glb((output / path).with_name("ok_right.glb").read_bytes()).document["asset"]["extras"]
        assert ("workflow" in extras) == metadata and "sesahand" in extras


def test_frames_become_an_animation_or_one_file_each(posed, output):
    film = concatenate_frames([posed, posed, HandScene.empty(posed.model, posed.camera)])
    answer = run(assets.ExportMesh, hands=film, fps=2.0, filename_prefix="film")
    glb = Glb((output / answer.result[1]).read_bytes())
    times = [glb.array(sampler["input"])[:, 0] for sampler in glb.entries("animations")[0]["samplers"]]
    assert times[0].tolist() == [0, 0.5] and max(float(each.max()) for each in times) == 1
    answer = run(assets.ExportMesh, hands=film, format="obj", filename_prefix="still")
    names = [entry["filename"] for entry in answer.ui["3d"]]
    assert names == [f"still_00001_f{frame:04}.obj" for frame in range(3)] and answer.result[1] == names[0]
    answer = run(assets.ExportMesh, hands=film, format="obj", filename_prefix="still")
    assert answer.result[1] == "still_00002_f0000.obj"


def test_without_hands_there_is_no_file_and_what_would_take_it_does_not_run(posed, output, monkeypatch):
    told = []
    monkeypatch.setattr(assets, "show_on_node", told.append)
    none = HandScene.empty(posed.model, posed.camera)
    answer = run(assets.ExportMesh, hands=none)
    assert told == ["There are no hands, and so no file of them."]
    assert len(answer.result) == 3 and all(isinstance(each, ExecutionBlocker) for each in answer.result)
    assert all(each.message is None for each in answer.result) and not list(output.iterdir()), "and that is no error"
    overlay, turntable = run(assets.DrawHands, hands=none, views=2).result
    assert overlay.shape == (1, 512, 512, 3) and isinstance(turntable, ExecutionBlocker)


@pytest.mark.parametrize("prefix", ["../out", "/etc/x", "a/../../b", "CON", ""])
def test_nothing_is_written_outside_the_output_folder(posed, output, prefix):
    with pytest.raises(SesaHandError, match="filename_prefix"):
        run(assets.ExportMesh, hands=posed, filename_prefix=prefix)
    assert list(output.iterdir()) == []


def test_hands_are_drawn_on_the_picture_and_all_around(posed):
    picture = torch.rand(2, 256, 256, 3)
    before = picture.clone()
    answer = run(assets.DrawHands, hands=posed, image=picture, style="both", views=3)
    overlay, turntable = answer.result
    assert overlay.shape == (2, 256, 256, 3) and turntable.shape == (3, 512, 512, 3)
    for found in (overlay, turntable):
        assert found.dtype == torch.float32 and found.is_contiguous() and 0 <= found.min() and found.max() <= 1
    assert torch.equal(picture, before) and not torch.equal(overlay, before)
    assert torch.equal(overlay[:, 0], picture[:, 0]), "nothing is drawn along the edge"
    assert len(answer.ui.as_dict()["images"]) == 2


def test_a_picture_of_other_proportions_is_refused_with_what_to_do(posed):
    with pytest.raises(SesaHandError, match="proportions.*Crop or resize"):
        run(assets.DrawHands, hands=posed, image=torch.zeros(1, 256, 300, 3))


def test_a_turntable_can_be_interrupted(posed):
    comfy.model_management.interrupt_current_processing(True)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        run(assets.DrawHands, hands=posed, views=100)
