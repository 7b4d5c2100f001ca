"""Names of saved files: core's variables, names that every system allows, and nothing outside the output folder."""

import re
import time
from pathlib import Path

import pytest
import torch
from sesahand_pack.nodes import assets, caption, dataset, hand, output_files, wires
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.scene.hand_scene import HandScene

import folder_paths
from comfy_api.latest import io

PROMPT = {
    "3": {
        "class_type": "KSampler",
        "inputs": {"seed": 42, "cfg": 7.5, "sampler_name": "dpm/2:a"},
        "_meta": {"title": "A"},
    },
    "7": {
        "class_type": "SesaHandPoseHand",
        "inputs": {"gesture": "fist", "semantics": ["3", 0]},
        "_meta": {"title": "My"},
    },
    "9": {"class_type": "Note", "inputs": {"up": "../../x", "on": True, "long": "y" * 300}},
}
WORKFLOW = {"nodes": [{"id": 7, "properties": {"Node name for S&R": "The pose"}}, {"id": 3, "title": "Sampling"}, 5]}


@pytest.fixture(autouse=True)
def folders(tmp_path):
    before = {kind: getattr(folder_paths, f"get_{kind}_directory")() for kind in ("output", "temp", "input")}
    for kind in before:
        (tmp_path / kind).mkdir()
        getattr(folder_paths, f"set_{kind}_directory")(str(tmp_path / kind))
    yield tmp_path
    for kind, path in before.items():
        getattr(folder_paths, f"set_{kind}_directory")(path)


@pytest.fixture(scope="module")
def placed():
    return run(hand.PlaceHand, hands=run(hand.PoseHand)[0], width=96, height=64)[0]


def queued(node):
    hidden = io.HiddenHolder.from_dict({"PROMPT": PROMPT, "EXTRA_PNGINFO": {"workflow": WORKFLOW}})
    return type(node.__name__, (node,), {"hidden": hidden})


def run(node, **given):
    inputs = node.define_schema().inputs
    defaults = {i.id: i.default for i in inputs if not i.optional and getattr(i, "default", None) is not None}
    return node.execute(**(defaults | given)).result


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "name, filled",
    [
        ("%width%x%height%", "96x64"),
        ("%KSampler.seed%", "42"),
        ("%A.cfg%-%Sampling.seed%", "7.5-42"),
        ("%SesaHandPoseHand.gesture%/%The pose.gesture% %My.gesture%", "fist/fist fist"),
        ("%KSampler.sampler_name%", "dpm_2_a"),
        ("%Note.on%", "true"),
        ("%Note.up%x", ".._.._xx"),
        ("hands\\left\\x", "hands/left/x"),
        ("100%", "100%"),
        (
            "%Nobody.seed%%KSampler.no%%SesaHandPoseHand.semantics%",
            "%Nobody.seed%%KSampler.no%%SesaHandPoseHand.semantics%",
        ),
        ("%unknown%_%KSampler.%_%.seed%", "%unknown%_%KSampler.%_%.seed%"),
    ],
)
def test_variables_are_filled_in_as_core_and_its_frontend_do(name, filled):
    assert output_files.fill_in(name, 96, 64, queued(hand.SaveHands).hidden) == filled


def test_dates_are_filled_in_as_the_frontend_does(monkeypatch):
    moment = time.struct_time((2026, 3, 7, 4, 5, 6, 5, 66, 0))
    monkeypatch.setattr(output_files.time, "localtime", lambda *_: moment)
    for name, filled in {
        "%date:yyyy-MM-dd%": "2026-03-07",
        "%date:yy%%date:M-d%": "263-7",
        "%date:yyyy/MM/dd hh.mm.ss%": "2026/03/07 04.05.06",
        "%date:hh:mm%": "04_05",
        "%date:h-m-s%": "4-5-6",
        "%year%%month%%day%-%hour%%minute%%second%": "20260307-040506",
    }.items():
        assert output_files.fill_in(name, 1, 1) == filled


@pytest.mark.parametrize("hidden", [None, {"PROMPT": None}, {"PROMPT": []}, {"PROMPT": {"1": 5, "2": {"inputs": []}}},
                                    {"PROMPT": PROMPT, "EXTRA_PNGINFO": {"workflow": {"nodes": 3}}}])  # fmt: skip
def test_a_graph_of_any_kind_leaves_unknown_variables_as_they_are(hidden):
    holder = hidden and io.HiddenHolder.from_dict(hidden)
    assert output_files.fill_in("%x.y%", 1, 1, holder) == "%x.y%"


@pytest.mark.parametrize(
    "node, given, written",
    [
        (hand.SaveHands, {}, r"x/96_42_fist_\d{5}_\.json"),
        (assets.ExportMesh, {"parameters": "none"}, r"x/96_42_fist_\d{5}_\.glb"),
    ],
)
def test_save_nodes_fill_in_size_and_widgets(placed, folders, node, given, written):
    run(queued(node), hands=placed, filename_prefix="x/%width%_%KSampler.seed%_%SesaHandPoseHand.gesture%", **given)
    (name,) = files(folders / "output")
    assert re.fullmatch(written, name)


def test_save_pair_fills_in_size_and_widgets(placed, folders):
    name = "sets\\%date:yyyy%/%KSampler.seed% %height%"
    run(queued(dataset.SavePair), image=torch.rand(1, 64, 96, 3), hands=placed, set_name=name)
    assert (folders / "output" / "sets" / time.strftime("%Y") / "42 64" / "pairs.json").is_file()


@pytest.mark.parametrize("name", ["a\u200cb\u200dc", "\U0001f468\u200d\U0001f3a8", "می\u200cخواهم"], ids=ascii)
def test_names_with_joiners_are_names(placed, folders, name):
    run(hand.SaveHands, hands=placed, filename_prefix=name)
    assert files(folders / "output") == [f"{name}_00001_.json"]


@pytest.mark.parametrize(
    "name", ["%Note.up%/x", "COM¹", "a/lpt²/x", "CONIN$", "%Note.long%/" * 3, "..\\x", "\\x", "a\u202eb"], ids=ascii
)
@pytest.mark.parametrize("node", [hand.SaveHands, assets.ExportMesh])
def test_names_that_some_system_refuses_are_refused_and_leave_nothing(placed, folders, node, name):
    with pytest.raises(SesaHandError, match="filename_prefix"):
        run(queued(node), hands=placed, filename_prefix=name)
    assert files(folders) == []


def test_no_hands_are_no_file(placed, folders, caplog):
    none = HandScene.empty(placed.model, placed.camera)
    given = run(queued(assets.ExportMesh), hands=none)
    assert {type(value).__name__ for value in given} == {"ExecutionBlocker"} and files(folders / "output") == []
    assert "no hands" in caplog.text


def test_a_combo_without_choices_has_one_that_says_what_to_do(folders):
    (entry, *_) = hand.LoadHands.define_schema().inputs
    assert entry.options == [wires.NOTHING_YET]
    with pytest.raises(SesaHandError, match="nothing to choose from yet.*input folder"):
        hand.LoadHands.validate_inputs(file=wires.NOTHING_YET, left_hands="mirrored")
    (folders / "input" / "a.json").write_text("{}")
    assert hand.LoadHands.define_schema().inputs[0].options == ["a.json"]


@pytest.mark.parametrize("name", [None, "", wires.NOTHING_YET, "nowhere"])
def test_load_vlm_without_a_model_says_so_in_a_sentence(name):
    with pytest.raises(SesaHandError, match=r"There is no model folder .*Put the folder of a model"):
        caption.LoadVLM.execute(name, "auto", "auto")


def save(**given):
    return dataset.SavePair.execute(**{"set_name": "set", "picture_format": "png", "minimum_score": 0.0, **given})


class TestSavePair:
    @pytest.mark.parametrize(
        "channels, dtype",
        [(1, torch.float32), (4, torch.float32), (3, torch.bfloat16), (3, torch.float16), (3, torch.float64)],
    )
    def test_a_picture_that_is_stored_is_shown_as_it_is_stored(self, placed, folders, channels, dtype):
        answer = save(image=torch.rand(1, 64, 96, channels).to(dtype), hands=placed)
        assert answer.result[1] == 1
        (shown,) = answer.ui.as_dict()["images"]
        from PIL import Image

        stored = Image.open(folders / "output" / "set" / "00000" / "00000000.png").convert("RGB")
        assert stored.tobytes() == Image.open(folders / "temp" / shown["filename"]).convert("RGB").tobytes()

    def test_a_batch_of_which_one_cannot_be_stored_leaves_none(self, placed, folders):
        pictures = torch.rand(3, 64, 96, 3)
        pictures[2, 0, 0, 0] = float("nan")
        for _ in range(2):
            with pytest.raises(SesaHandError, match="Picture 3 of 3: .*NaN"):
                run(dataset.SavePair, image=pictures, hands=placed, set_name="set")
        assert not list((folders / "output").rglob("*.png"))
        assert run(dataset.SavePair, image=pictures[:2], hands=placed, set_name="set")[1] == 2

    def test_only_what_was_written_is_shown(self, placed, folders):
        answer = save(image=torch.rand(3, 64, 96, 3), hands=placed, minimum_score=0.5, scores="[0.1, 0.9, 0.2]")
        assert len(answer.ui.as_dict()["images"]) == 1
        answer = save(image=torch.rand(1, 64, 96, 3), hands=placed, minimum_score=0.5, scores="[0.1]")
        assert answer.ui is None


def test_the_graph_is_looked_through_once_however_many_variables_a_name_has(monkeypatch):
    looked = []
    found = output_files._nodes_by_name
    monkeypatch.setattr(output_files, "_nodes_by_name", lambda hidden: looked.append(1) or found(hidden))
    holder = queued(hand.SaveHands).hidden
    assert output_files.fill_in("%KSampler.seed%%A.seed%%Q.x%" * 30, 1, 1, holder) == "4242%Q.x%" * 30
    assert looked == [1]


def test_a_name_longer_than_any_is_refused_before_it_is_filled_in(monkeypatch):
    monkeypatch.setattr(output_files, "_nodes_by_name", None)
    with pytest.raises(SesaHandError, match="filename_prefix cannot be used: a name of 6000 characters"):
        output_files.check_prefix("%Q.x%%" * 1000, (1, 1), queued(hand.SaveHands).hidden)


def test_of_a_long_value_only_what_can_be_in_a_name_is_looked_at():
    class Unread(str):
        def __iter__(self):
            raise AssertionError("all of it was read")

    assert output_files._allowed(Unread("a:" * 1000)) == "a_" * 40
