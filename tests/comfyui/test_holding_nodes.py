"""Hold Object and what Render makes of it, in a real ComfyUI, which runs nodes without autograd."""

import json
from dataclasses import replace

import pytest
import torch
from sesahand_pack.nodes import assets, condition, dataset, editing, editor_answer, hand, holding
from sesahand_pack.sesahand.errors import SesaHandError

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


def test_an_exported_mesh_says_that_it_has_the_hands_alone(held, told, caplog):
    path = without_graph(assets.ExportMesh, hands=held[0])[1]
    assert told == ["Without what the hands hold (pen): the file of the mesh has the hands alone."]
    assert path and told[0] in caplog.text
    without_graph(assets.ExportMesh, hands=replace(held[0], objects=()))
    assert len(told) == 1


def test_a_saved_pair_says_which_files_will_have_the_hands_alone(held, told, caplog):
    picture = torch.zeros(1, held[0].camera.height, held[0].camera.width, 3)
    report = without_graph(dataset.SavePair, image=picture, hands=held[0])[3]
    (said,) = told
    assert "(pen): what other formats export" in said and said in report and said in caplog.text
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
