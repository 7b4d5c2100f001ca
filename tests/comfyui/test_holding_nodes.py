"""Hold Object and what Render makes of it, in a real ComfyUI, which runs nodes without autograd."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sesahand_pack.nodes import assets, condition, dataset, editing, editor_answer, hand, holding, inpaint, repair
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.semantics.extractor import extract_semantics

import folder_paths
from comfy_api.latest import io


def run(node, **given):
    """Execute a node as a graph of today gives it: with all its widgets."""
    inputs = node.define_schema().inputs
    defaults = {i.id: i.default for i in inputs if getattr(i, "default", None) is not None}
    return node.execute(**defaults | given).result


def without_graph(node, **given):
    """Execute a node that writes files, which know no graph; optional widgets are left alone."""
    queued = type(node.__name__, (node,), {"hidden": io.HiddenHolder.from_dict({})})
    inputs = node.define_schema().inputs
    defaults = {i.id: i.default for i in inputs if not i.optional and getattr(i, "default", None) is not None}
    return queued.execute(**defaults | given).result


@pytest.fixture(scope="module")
def held():
    """A hand with a pen, whose place is searched by slopes, and the report."""
    with torch.inference_mode():
        (posed, *_) = run(hand.PoseHand, side="left")
        return run(holding.HoldObject, hands=posed, object="pen")


def test_a_hand_holds_an_object_where_comfyui_runs_nodes(held):
    scene, report = held
    assert [item.kind for item in scene.objects] == ["pen"]
    assert "left hand, pen x 1: thumb, index" in report


def test_render_draws_the_object_or_leaves_it_out(held):
    names = [output.id for output in condition.RenderCondition.define_schema().outputs]
    assert names[-1] == "object_mask"
    with_object, without = (
        dict(zip(names, run(condition.RenderCondition, hands=held[0], objects=shown), strict=True))
        for shown in (True, False)
    )
    assert with_object["object_mask"].sum() > 100 and not without["object_mask"].any()
    assert with_object["mask"].sum() < without["mask"].sum()


@pytest.fixture
def told(monkeypatch, tmp_path):
    """What nodes show of what they leave out; files go into a folder of this test's own."""
    before, texts = folder_paths.get_output_directory(), []
    folder_paths.set_output_directory(str(tmp_path))
    for node in (assets, condition, dataset):
        monkeypatch.setattr(node, "show_on_node", texts.append)
    yield texts
    folder_paths.set_output_directory(before)


def test_render_says_that_its_mesh_has_the_hands_alone(held, told, caplog):
    run(condition.RenderCondition, hands=held[0], objects=False)
    assert told == [], "as was asked"
    run(condition.RenderCondition, hands=held[0])
    assert told == ["Without what the hands hold (pen): hand_mesh has the hands alone."]
    assert told[0] in caplog.text
    run(condition.RenderCondition, hands=replace(held[0], objects=()))
    assert len(told) == 1


def test_an_exported_file_has_the_object_and_the_mesh_that_goes_on_says_that_it_has_not(held, told, caplog):
    path = without_graph(assets.ExportMesh, hands=held[0])[1]
    assert told == ["Without what the hands hold (pen): the output mesh has the hands alone."]
    assert b"left_hand_pen" in Path(folder_paths.get_output_directory(), path).read_bytes() and told[0] in caplog.text
    without_graph(assets.ExportMesh, hands=replace(held[0], objects=()))
    assert len(told) == 1


def test_a_saved_pair_keeps_the_object_and_says_which_formats_will_not(held, told, caplog):
    picture = torch.zeros(1, held[0].camera.height, held[0].camera.width, 3)
    maps = {"object_mask": picture[..., 0], "parts": picture}
    _, _, path, report = without_graph(dataset.SavePair, image=picture, hands=held[0], **maps)
    (said,) = told
    assert "(pen): what is exported of this set as" in said and "hamer" in said and "coco" not in said
    assert said in report and said in caplog.text
    (line,) = Path(path, "index.jsonl").read_text().splitlines()
    assert json.loads(line)["objects"] == [{"name": "pen", "kind": "pen", "hand": 0}]
    assert json.loads(line)["maps"] == ["parts", "object_mask"]
    without_graph(dataset.SavePair, image=picture, hands=replace(held[0], objects=()))
    assert len(told) == 1


def test_edit_hands_passes_on_what_hands_hold_and_shows_it(held):
    edited = run(editing.EditHands, hands=held[0])[0]
    assert edited.objects == held[0].objects
    told = editor_answer.editor_answer(held[0], edited, None, None)
    for text in (*told["sesahand_found"], *told["sesahand_scene"]):
        (shown,) = json.loads(text)["objects"]
        assert shown["kind"] == "pen" and shown["position"] == held[0].objects[0].position.tolist()
    again = run(editing.EditHands, scene=told["sesahand_scene"][0])[0]
    assert again.to_json() == held[0].to_json()


def test_a_side_that_no_hand_has_is_an_error(held):
    with pytest.raises(SesaHandError, match="right hands"):
        run(holding.HoldObject, hands=held[0], side="right")


def stl_of_a_box(length):
    """Return a box of 44 x 56 mm and a length in metres as binary STL."""
    sides = (0.044, 0.056, length)
    faces = b""
    for axis in range(3):
        for sign in (-0.5, 0.5):
            corners = []
            for u, v in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))[:: 1 if sign > 0 else -1]:
                place = [0.0, 0.0, 0.0]
                place[axis], place[(axis + 1) % 3], place[(axis + 2) % 3] = sign, u, v
                corners.append([a * side for a, side in zip(place, sides, strict=True)])
            for triangle in ((0, 1, 2), (0, 2, 3)):
                faces += struct.pack("<12fH", 0, 0, 0, *(x for n in triangle for x in corners[n]), 0)
    return bytes(80) + struct.pack("<I", 12) + faces


@pytest.fixture
def input_folder(tmp_path):
    before = folder_paths.get_input_directory()
    folder_paths.set_input_directory(str(tmp_path))
    (tmp_path / "3d").mkdir()
    (tmp_path / "3d" / "milk.stl").write_bytes(stl_of_a_box(0.12))
    (tmp_path / "notes.txt").write_text("no mesh")
    (tmp_path / "link.stl").symlink_to(tmp_path / "3d" / "milk.stl")
    yield tmp_path
    folder_paths.set_input_directory(before)


def test_a_mesh_of_the_input_folder_is_held_in_the_place_of_the_object(input_folder):
    (mesh,) = [entry for entry in holding.HoldObject.define_schema().inputs if entry.id == "mesh"]
    assert mesh.options == ["none", "3d/milk.stl"] and mesh.default is None
    with torch.inference_mode():
        (posed, *_) = run(hand.PoseHand)
        scene, report = run(holding.HoldObject, hands=posed, object="box", mesh="3d/milk.stl")
        (larger,) = run(holding.HoldObject, hands=posed, object="box", mesh="3d/milk.stl", mesh_length=150)[0].objects
    (item,) = scene.objects
    assert item.name == "milk.stl" and "right hand, milk.stl x 1: thumb, index" in report
    assert item.mesh.longest_side == pytest.approx(0.12, abs=1e-6)
    assert larger.mesh.longest_side == pytest.approx(0.15, abs=1e-6)


def test_a_mesh_that_is_not_there_is_refused_and_a_changed_one_is_read_again(input_folder):
    before = holding.HoldObject.fingerprint_inputs(mesh="3d/milk.stl")
    (input_folder / "3d" / "milk.stl").write_bytes(stl_of_a_box(0.13))
    assert holding.HoldObject.fingerprint_inputs(mesh="3d/milk.stl") != before
    assert holding.HoldObject.fingerprint_inputs(mesh="none") == holding.HoldObject.fingerprint_inputs()
    for name in ("gone.glb", "../secret.stl", "link.stl"):
        with pytest.raises(SesaHandError, match="no mesh"):
            holding.check_mesh(name)


def test_what_a_hand_holds_can_be_kept_from_repainting():
    picture, mask = torch.zeros(1, 64, 64, 3), torch.zeros(1, 64, 64)
    mask[:, 16:48, 16:48] = 1
    with torch.inference_mode():
        (posed, *_) = run(hand.PoseHand)
        (placed, *_) = run(hand.PlaceHand, hands=posed, width=64, height=64)
        crop = run(inpaint.CropToMask, image=picture, mask=mask, width=64, height=64, context=1.0)[2]
        keep = torch.zeros(1, 64, 64)
        keep[:, :32] = 1
        (left,) = run(repair.RepaintMask, crop=crop, hands=placed, keep=keep)
        (whole,) = run(repair.RepaintMask, crop=crop, hands=placed)
    assert 0 < left.sum() < whole.sum()


def test_with_semantics_the_hand_holds_what_the_sentence_says(monkeypatch, input_folder):
    shown = []
    monkeypatch.setattr(holding, "show_on_node", shown.append)
    said = extract_semantics(["A man holds a red mug in his left hand."])
    (posed, *_) = run(hand.PoseHand, semantics=said)
    scene, report = run(holding.HoldObject, hands=posed, object="pen", semantics=said)
    assert [(item.kind, scene.side[item.hand]) for item in scene.objects] == [("cup", "left")]
    assert report.startswith("frame 0, left hand, cup x 1: thumb")
    assert shown == [f"overridden by semantics: object (pen)\n{report}"]
    with pytest.raises(SesaHandError, match="mesh and semantics both say what is held"):
        run(holding.HoldObject, hands=posed, semantics=said, mesh="3d/milk.stl")
    with pytest.raises(SesaHandError, match="disconnect semantics and choose the object here"):
        run(holding.HoldObject, hands=run(hand.PoseHand)[0], semantics=extract_semantics(["making a fist"]))
