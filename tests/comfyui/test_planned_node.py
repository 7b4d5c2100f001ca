"""Read Plan in a real ComfyUI: a graph asks for the words, hands and seeds that the command makes of the same plan."""

import json

import pytest
import torch
from sesahand_pack.nodes import planned
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.generate.plan import PlannedJobs, read_plan

import folder_paths

CAPTIONS = ("A woman makes a fist in front of a red wall", "A man in a garden shows an ok sign", "A thumbs up")


@pytest.fixture
def plan(tmp_path):
    """A plan in the input folder, which is a folder of this test's own."""
    before = folder_paths.get_input_directory()
    folder_paths.set_input_directory(str(tmp_path))
    (tmp_path / "captions.txt").write_text("\n".join(CAPTIONS))
    yield write(tmp_path, "plan.toml")
    folder_paths.set_input_directory(before)


def write(folder, name, **values):
    said = {"captions": "captions.txt", "pairs": 5, "seed": 3, "size": [96, 64], **values}
    lines = [f"{key} = {json.dumps(value)}" for key, value in said.items() if value is not None]
    (folder / name).write_text("\n".join(lines))
    return folder / name


def run(**given):
    return planned.ReadPlan.execute(**{"plan": "plan.toml", "number": 0, "count": 1, **given}).result


def test_a_graph_asks_for_what_the_command_makes(plan):
    jobs = PlannedJobs(read_plan(plan), (96, 64), True)
    assert planned.ReadPlan.define_schema().inputs[0].options == ["plan.toml"]
    for number in (4, 0):
        semantics, hands, seed, prompts, report = run(number=number)
        job = jobs(number)
        assert [image.prompt for image in semantics.images] == prompts == [job.request.semantics.prompt]
        assert seed == job.seed == 3 + number and f"pair {number}: seed {seed}" in report
        assert hands.num_frames == 1 and hands.camera == job.request.scene.camera
        for name in ("global_orient", "hand_pose", "betas", "translation"):
            assert torch.equal(getattr(hands, name), getattr(job.request.scene, name))
    semantics, hands, seed, prompts, report = run(number=3, count=4)
    assert len(semantics.images) == len(prompts) == hands.num_frames == len(report.splitlines()) == 2
    assert seed == 6 and hands.frame.tolist() == [0, 1], "to the plan's end"
    with pytest.raises(SesaHandError, match="5 is past its end"):
        run(number=5)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"captions": "../captions.txt"}, "cannot be a file name"),
        ({"base": "some.safetensors", "size": None}, "says no size"),
        ({"captions": "link.txt"}, "is a link"),
    ],
)
def test_a_plan_that_a_graph_cannot_take_is_refused_before_it_runs(plan, values, said):
    (plan.parent / "link.txt").symlink_to(plan.parent / "captions.txt")
    write(plan.parent, "plan.toml", **values)
    assert said in planned.ReadPlan.validate_inputs(plan="plan.toml")


def test_other_captions_in_the_same_file_are_another_input(plan):
    first = planned.ReadPlan.fingerprint_inputs(plan="plan.toml", number=0)
    (plan.parent / "captions.txt").write_text("\n".join(CAPTIONS[::-1]))
    assert planned.ReadPlan.fingerprint_inputs(plan="plan.toml", number=0) != first
