"""Hold Object and what Render makes of it, in a real ComfyUI, which runs nodes without autograd."""

import json

import pytest
import torch
from sesahand_pack.nodes import condition, editor_answer, hand, holding
from sesahand_pack.sesahand.errors import SesaHandError


def run(node, **given):
    """Execute a node as a graph of today gives it: with all its widgets."""
    inputs = node.define_schema().inputs
    defaults = {i.id: i.default for i in inputs if getattr(i, "default", None) is not None}
    return node.execute(**defaults | given).result


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


def test_the_editor_is_sent_the_hands_alone(held):
    told = editor_answer.editor_answer(held[0], held[0], None, None)
    assert "objects" not in json.loads(told["sesahand_found"][0])
    assert "objects" in json.loads(held[0].to_json())


def test_a_side_that_no_hand_has_is_an_error(held):
    with pytest.raises(SesaHandError, match="right hands"):
        run(holding.HoldObject, hands=held[0], side="right")
