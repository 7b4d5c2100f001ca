"""The node that writes image-mesh pairs, called as ComfyUI calls it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import sesahand_pack
import torch
from sesahand_pack.nodes import condition, dataset, hand
from sesahand_pack.sesahand.data.pair_set import PairSet
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.scene.hand_scene import HandScene
from sesahand_pack.sesahand.semantics.behavior import BehaviorSemantics, ImageSemantics, SemanticsBatch

import folder_paths

ROOT = Path(sesahand_pack.__file__).parent


def defaults(node, **given):
    """Return the arguments that ComfyUI would give a node whose widgets were left alone."""
    inputs = node.define_schema().inputs
    return {i.id: i.default for i in inputs if not i.optional and getattr(i, "default", None) is not None} | given


def run(node, **given):
    return node.execute(**defaults(node, **given)).result


@pytest.fixture(autouse=True)
def folders(tmp_path):
    """Give the nodes output and temp folders of this test's own."""
    before = {kind: getattr(folder_paths, f"get_{kind}_directory")() for kind in ("output", "temp")}
    for kind in before:
        (tmp_path / kind).mkdir()
        getattr(folder_paths, f"set_{kind}_directory")(str(tmp_path / kind))
    yield tmp_path
    for kind, path in before.items():
        getattr(folder_paths, f"set_{kind}_directory")(path)


@pytest.fixture
def placed():
    return run(hand.PlaceHand, hands=run(hand.PoseHand)[0], width=96, height=64)[0]


def pictures(count=2):
    return torch.rand(count, 64, 96, 3, generator=torch.Generator().manual_seed(1))


def test_every_input_and_output_says_what_it_is_for():
    schema = dataset.SavePair.define_schema()
    assert schema.is_output_node and schema.display_name.endswith(" (SesaHand)")
    page = (ROOT / "web" / "docs" / f"{schema.node_id}.md").read_text(encoding="utf-8")
    for entry in [*schema.inputs, *schema.outputs]:
        assert entry.tooltip and entry.tooltip.endswith("."), entry.id
        assert f"`{entry.display_name or entry.id}`" in page, entry.id
    schema.validate()


def test_pictures_go_in_with_their_hands_maps_and_words(placed, folders):
    mesh, depth, normal, _, _, mask, *_ = run(condition.RenderCondition, hands=placed)
    said = ImageSemantics(BehaviorSemantics(pose="a man standing"), "typed", prompt="a man standing, five fingers")
    image = pictures()
    result = dataset.SavePair.execute(
        **defaults(dataset.SavePair, image=image, hands=placed, semantics=SemanticsBatch((said,)), mesh=mesh,
                   depth=depth, normal=normal, mask=mask, seed=2**64 - 1, scores="[0.25, 1]",
                   control_scales='{"strength": 0.8}')
    )  # fmt: skip
    passed, count, path, report = result.result
    assert passed is image and count == 2 and Path(path) == folders / "output" / "pairs" / "SesaHand"
    assert report.startswith("2 of 2 pairs written to pairs/SesaHand (00000000 to 00000001).")
    assert len(result.ui.as_dict()["images"]) == 2
    pairs = PairSet(path)
    for pair, picture in zip(pairs, image, strict=True):
        assert (pair.picture - picture.movedim(-1, 0)).abs().max() <= 0.5 / 255 + 1e-6
        assert pair.prompt == said.prompt and pair.semantics == said.behavior
        assert pair.facts.seed == 2**64 - 1 and pair.facts.control_scales == {"strength": 0.8}
        assert list(pair.maps) == ["mesh", "depth", "normal", "mask"]
        assert torch.equal(pair.scene.hand_pose, placed.hand_pose) and pair.scene.camera == placed.camera
    assert [pair.facts.score for pair in pairs] == [0.25, 1]


def test_size_and_day_are_filled_into_the_sets_name(placed, folders):
    name = "%year%/%width%x%height%_%second%_%other%"
    _, _, path, report = run(dataset.SavePair, image=pictures(), hands=placed, set_name=name)
    folder = Path(path).relative_to(folders / "output")
    assert re.fullmatch(r"20\d\d/96x64_\d\d_%other%", folder.as_posix()) and folder.as_posix() in report


def test_a_set_grows_from_run_to_run(placed):
    for expected in (2, 4):
        assert run(dataset.SavePair, image=pictures(), hands=placed, prompt="a hand")[1] == expected
    path = run(dataset.SavePair, image=pictures(1), hands=placed, picture_format="jpg")[2]
    assert [pair.record.picture for pair in PairSet(path)] == ["png"] * 4 + ["jpg"]


def test_pictures_below_the_minimum_score_are_counted_and_left_out(placed):
    image = pictures(3)
    given = {"image": image, "hands": placed, "minimum_score": 0.5}
    passed, count, path, report = run(dataset.SavePair, **given, scores="[0.9, 0.1, 0.5]")
    assert passed is image and count == 2 and "1 left out below the minimum score" in report
    assert run(dataset.SavePair, **given, score=0.4)[3].startswith("0 of 3 pairs written")
    with pytest.raises(SesaHandError, match="no score"):
        run(dataset.SavePair, **given)


def test_the_scores_of_score_hands_count_picture_by_picture(placed):
    from sesahand_pack.nodes.scoring import ScoreHands

    away = run(hand.PlaceHand, hands=placed, width=96, height=64, x=0.1)[0]
    found = run(hand.CombineHands, hands_1=placed, hands_2=away, join="next frames")[0]
    scores = run(ScoreHands, requested=placed, found=found)[1]
    path = run(dataset.SavePair, image=pictures(), hands=found, scores=scores)[2]
    assert [pair.facts.score for pair in PairSet(path)] == list(scores.pictures) and scores.pictures[0] > 0.99
    assert run(dataset.SavePair, image=pictures(), hands=found, scores=scores, minimum_score=0.9)[1] == 3


def test_without_a_detector_pairs_have_no_score_and_a_minimum_says_why_none_is_written(placed):
    from sesahand_pack.nodes.scoring import RepairGate, ScoreHands

    found = replace(HandScene.empty(placed.model, placed.camera, 2), note="The hand detector's files are missing.")
    score, scores, _, details, _ = run(ScoreHands, requested=found, found=found)
    assert score == 0.0 and json.loads(details)["mean"] is None
    image, other = pictures(2), pictures(2)
    assert run(RepairGate, score=scores, good=image, repaired=other)[1], "not taken for good"
    given = {"image": image, "hands": placed, "scores": scores}
    *_, path, report = run(dataset.SavePair, **given)
    assert [pair.facts.score for pair in PairSet(path)] == [None, None]
    record = next(Path(path).rglob("*.json")).read_text()
    assert '"score": 0' not in record
    report = run(dataset.SavePair, **given, minimum_score=0.5)[3]
    assert report.startswith("0 of 2 pairs written") and "could not be looked for" in report and found.note in report


def test_frames_go_with_their_pictures_and_frames_without_hands_are_left_out(placed):
    video = run(hand.CombineHands, hands_1=placed, hands_2=placed, join="next frames")[0]
    _, count, path, report = run(dataset.SavePair, image=pictures(), hands=video.select([1]))
    [pair] = PairSet(path)
    assert len(pair.scene) == count == 1 and (pair.picture.movedim(0, -1) - pictures()[1]).abs().max() < 0.003
    assert "1 of 2 pairs written" in report and "1 left out without hands." in report
    with pytest.raises(SesaHandError, match="3 pictures, but 2 frames"):
        run(dataset.SavePair, image=pictures(3), hands=video)


BAD_NAMES = ["../outside", "/tmp/x", "a/../../b", "", "a/", "C:\\x", "nul/x", "a<b", ".hid", "link", "link/x", "\ud800"]


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_a_bad_name_is_refused_and_leaves_nothing_behind(placed, name, folders):
    (folders / "elsewhere").mkdir()
    (folders / "output" / "link").symlink_to(folders / "elsewhere", target_is_directory=True)
    before = sorted(folders.rglob("*"))
    with pytest.raises(SesaHandError, match="set_name") as error:
        run(dataset.SavePair, image=pictures(), hands=placed, set_name=name)
    assert str(error.value).encode("utf-8")
    assert sorted(folders.rglob("*")) == before


@pytest.mark.parametrize(
    "given, said",
    [
        ({"scores": "0.5"}, "scores is '0.5', expected JSON"),
        ({"scores": "[0.5, NaN]"}, "expected JSON such as"),
        ({"scores": "[0.5, 2]"}, "score is 2"),
        ({"scores": '["a", 1]'}, "score is 'a'"),
        ({"scores": "[1, 1, 1]"}, "3 scores"),
        ({"scores": "[" * 9999}, "expected JSON"),
        ({"control_scales": "strength 0.8"}, "control_scales"),
        ({"control_scales": '{"strength": "high"}'}, "control_scales holds 'strength'"),
        ({"minimum_score": float("nan")}, "minimum_score"),
        ({"picture_format": "gif"}, "picture_format"),
        ({"image": torch.full((1, 64, 96, 3), float("nan"))}, "NaN"),
        ({"image": torch.zeros(1, 64, 64, 3)}, "aspect"),
        ({"mesh": torch.zeros(1, 32, 48, 3)}, "48x32 pixels, but the picture 96x64"),
    ],
)
def test_what_cannot_be_stored_is_named(placed, given, said):
    with pytest.raises(SesaHandError, match=said.replace("(", "\\(").replace("[", "\\[")):
        run(dataset.SavePair, **{"image": pictures(), "hands": placed, **given})


def test_another_writer_of_the_set_is_an_error(placed):
    from sesahand_pack.sesahand.data.writer import PairWriter

    path = run(dataset.SavePair, image=pictures(1), hands=placed)[2]
    with PairWriter(path), pytest.raises(SesaHandError, match="Somebody else"):
        run(dataset.SavePair, image=pictures(1), hands=placed)
    assert run(dataset.SavePair, image=pictures(1), hands=placed)[1] == 2


def test_the_graph_is_not_in_the_pictures(placed):
    from PIL import Image

    path = run(dataset.SavePair, image=pictures(1), hands=placed)[2]
    assert Image.open(PairSet(path)[0].path("picture")).info == {}


def test_no_path_of_this_machine_gets_into_the_set(placed, folders):
    path = Path(run(dataset.SavePair, image=pictures(1), hands=placed)[2])
    for file in path.rglob("*"):
        assert file.is_dir() or str(folders).encode() not in file.read_bytes()
    assert json.loads((path / "pairs.json").read_text()) == {"format": "sesahand-pairs", "version": 1}
