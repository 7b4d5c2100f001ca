"""What CONTRIBUTING says of adding a map, a gesture and a format, done: where they then stand in the nodes."""

import json

import pytest
import torch
from sesahand_pack.nodes import assets, condition, hand
from sesahand_pack.sesahand.export.formats import FORMATS, MeshFormat
from sesahand_pack.sesahand.hands import gestures
from sesahand_pack.sesahand.render import maps as drawing
from sesahand_pack.sesahand.render.map_table import MAPS, MapKind

import folder_paths


def run(node, **given):
    inputs = node.define_schema().inputs
    defaults = {i.id: i.default for i in inputs if not i.optional and getattr(i, "default", None) is not None}
    return node.execute(**(defaults | given)).result


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_a_new_map_comes_after_all_outputs_that_workflows_know(monkeypatch, color, first):
    posed = run(hand.PoseHand)[0]
    known, before = condition.RenderCondition.define_schema().outputs, run(condition.RenderCondition, hands=posed)

    class MoreMaps(drawing.ConditionMaps):
        @property
        def halved(self):
            return self.mesh / 2 if color else self.mask / 2

    new = {"halved": MapKind("halved", "A map for this test.", color)}
    monkeypatch.setattr(condition, "MAPS", new | MAPS if first else MAPS | new)
    monkeypatch.setattr(drawing, "ConditionMaps", MoreMaps)
    outputs, after = condition.RenderCondition.define_schema().outputs, run(condition.RenderCondition, hands=posed)
    assert [output.as_dict() for output in outputs[:-1]] == [output.as_dict() for output in known]
    assert (outputs[-1].id, outputs[-1].io_type) == ("halved", "IMAGE" if color else "MASK")
    assert all(torch.equal(before[n], after[n]) for n in (*range(6), 9)) and before[7:9] == after[7:9]
    assert torch.equal(after[-1], (before[0] if color else before[5]) / 2)


def test_a_new_gesture_is_the_last_choice(monkeypatch, tmp_path):
    known = {entry.id: entry.options for entry in hand.PoseHand.define_schema().inputs if "gesture" in entry.id}
    stored = json.loads(gestures.ASSET.read_text(encoding="utf-8"))
    stored["gestures"]["vulcan"] = stored["gestures"]["four"]
    (tmp_path / "gestures.json").write_text(json.dumps(stored))
    monkeypatch.setattr(gestures, "ASSET", tmp_path / "gestures.json")
    chosen = {entry.id: entry.options for entry in hand.PoseHand.define_schema().inputs if "gesture" in entry.id}
    assert chosen == {name: [*options, "vulcan"] for name, options in known.items()} and len(known) == 2
    posed, four = (run(hand.PoseHand, gesture=name)[0] for name in ("vulcan", "four"))
    assert torch.equal(posed.hand_pose, four.hand_pose)


def test_a_new_format_is_the_last_choice_and_is_written(monkeypatch, tmp_path):
    known = assets.ExportMesh.define_schema().inputs[1].options
    monkeypatch.setitem(FORMATS, "count", MeshFormat("txt", lambda scene, settings: str(len(scene)).encode()))
    assert assets.ExportMesh.define_schema().inputs[1].options == [*known, "count"]
    before = folder_paths.get_output_directory()
    folder_paths.set_output_directory(str(tmp_path))
    try:
        run(assets.ExportMesh, hands=run(hand.PoseHand)[0], format="count", parameters="none")
    finally:
        folder_paths.set_output_directory(before)
    assert [path.read_text() for path in tmp_path.rglob("*.txt")] == ["1"]
