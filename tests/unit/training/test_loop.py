"""The training loop: the loss falls, and an interrupted training goes on to the last bit."""

import builtins
import json
from dataclasses import replace

import pytest
import torch
from toy_samples import ToySamples

from sesahand.errors import SesaHandError
from sesahand.models.small.layout import MiniLayout
from sesahand.models.small.model_files import read_mini, read_mini_controlnet
from sesahand.training.average import WeightAverage
from sesahand.training.config import MiniConfig, ReconstructorConfig, Steps, changed_since, load_config, to_dict
from sesahand.training.loop import Watcher, checkpoints, train
from sesahand.training.reconstructor_settings import HandData, HandSource
from sesahand.training.samples import Batches, TrainingSample
from sesahand.training.small_model import MODEL_FILE, MiniTraining

pytest.importorskip("accelerate")

STEPS = Steps(4, 2, 2, 1e-3, warmup=1, average=0.9)
LAYOUT = MiniLayout(widths=(64, 64), text_width=64, text_layers=1, size=32, autoencoder_widths=(8, 16, 24))


def config(folder, **changes):
    small = MiniConfig(
        out=str(folder),
        layout=LAYOUT,
        precision="no",
        workers=1,
        checkpoint_every=2,
        validate_every=0,
        log_every=1,
        validation_steps=2,
        autoencoder=STEPS,
        base=STEPS,
        controls=replace(STEPS, steps=2, accumulation=1),
    )
    return replace(small, **changes)


def toys(split, count):
    return ToySamples(TrainingSample, min(count, 12), LAYOUT.size)


class StopAfter:
    """Ends each start of a training after so many steps."""

    def __init__(self, steps):
        self.steps = steps

    def __call__(self):
        self.steps -= 1
        return self.steps <= 0


def files_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.safetensors"))}


def without_times(files):
    """The tensors' bytes; the header says how long it took."""
    return {name: data[8 + int.from_bytes(data[:8], "little") :] for name, data in files.items()}


def test_interrupted_anywhere_the_small_model_is_the_same_to_the_last_bit(tmp_path):
    assert MiniTraining(config(tmp_path / "whole"), make_samples=toys).run()
    paths, starts = None, 0
    while paths is None:
        starts += 1
        # Every third step, so that stages are interrupted on and off their regular checkpoints.
        paths = MiniTraining(config(tmp_path / "parts"), StopAfter(3), make_samples=toys).run()
    assert starts > 3
    whole, parts = files_of(tmp_path / "whole"), files_of(tmp_path / "parts")
    assert list(whole) == [
        MODEL_FILE,
        "sesahand_mini_control_plain.safetensors",
        "sesahand_mini_control_sf.safetensors",
    ]
    assert without_times(whole) == without_times(parts)
    logs = [(tmp_path / name / "base" / "log.jsonl").read_text().splitlines() for name in ("whole", "parts")]
    losses = [[(entry["step"], entry["loss"]) for entry in map(json.loads, log)] for log in logs]
    assert losses[0] == losses[1] and len(losses[0]) == STEPS.steps


def test_a_given_autoencoder_is_taken_as_it_is(tmp_path):
    first, *_ = MiniTraining(config(tmp_path / "first"), make_samples=toys).run()
    again = config(tmp_path / "again", seed=3, autoencoder_of=str(first))
    second, *_ = MiniTraining(again, make_samples=toys).run()
    assert not (tmp_path / "again" / "autoencoder").exists()
    one, other = (read_mini(path) for path in (first, second))
    theirs = other.autoencoder.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in one.autoencoder.state_dict().items())
    assert not torch.equal(one.unet.conv_in.weight, other.unet.conv_in.weight)
    assert set(other.facts["stages"]) == {"base"}


def test_on_a_given_base_only_controlnets_are_trained(tmp_path):
    first, *_ = MiniTraining(config(tmp_path / "first"), make_samples=toys).run()
    given = config(tmp_path / "again", base_of=str(first), control_start="unet")
    second, plain, _ = MiniTraining(given, make_samples=toys).run()
    assert {path.name for path in (tmp_path / "again").iterdir() if path.is_dir()} == {"plain", "sf", "pictures"}
    one, other = read_mini(first), read_mini(second)
    theirs = other.unet.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in one.unet.state_dict().items())
    assert other.facts == one.facts
    # Another fusion is another ControlNet, and the plain one is still the same.
    before = plain.read_bytes()
    other_fusion = replace(given, fusion=replace(given.fusion, refine="middle"))
    with pytest.raises(SesaHandError, match="fusion.refine"):
        MiniTraining(other_fusion, make_samples=toys).run()
    assert without_times({"": plain.read_bytes()}) == without_times({"": before})


def test_a_given_base_of_another_shape_is_refused_also_as_the_autoencoders_file(tmp_path):
    first, *_ = MiniTraining(config(tmp_path / "first"), make_samples=toys).run()
    wider = replace(LAYOUT, text_width=128)
    given = config(
        tmp_path / "again", layout=wider, base_of=str(first), autoencoder_of=str(first), control_start="unet"
    )
    with pytest.raises(SesaHandError, match=r"set layout\.text_width=64"):
        MiniTraining(given, make_samples=toys).run()


def test_a_given_base_has_no_scaffold(tmp_path):
    with pytest.raises(SesaHandError, match="control_start=unet"):
        config(tmp_path, base_of="embedded")


def test_the_plain_controlnet_of_a_given_base_can_be_trained_on_alone(tmp_path):
    first, plain, _ = MiniTraining(config(tmp_path / "first"), make_samples=toys).run()
    given = config(tmp_path / "again", base_of=str(first), control_start="plain", only="plain")
    still = replace(given, controls=replace(given.controls, learning_rate=0.0))
    base, again = MiniTraining(still, make_samples=toys).run()
    assert (base.name, again.name) == (first.name, plain.name)
    before, after = (read_mini_controlnet(path, LAYOUT)[0].state_dict() for path in (plain, again))
    assert all(torch.equal(value, after[name]) for name, value in before.items()), "it starts where that one ended"
    moved = replace(given, out=str(tmp_path / "moved"))
    _, moved = MiniTraining(moved, make_samples=toys).run()
    after = read_mini_controlnet(moved, LAYOUT)[0].state_dict()
    assert not all(torch.equal(value, after[name]) for name, value in before.items())


def test_maps_with_and_without_what_hands_hold_are_two_trainings(tmp_path):
    first, *_ = MiniTraining(config(tmp_path / "first"), make_samples=toys).run()
    given = config(tmp_path / "again", base_of=str(first), control_start="plain", only="plain")
    assert MiniTraining(given, make_samples=toys).run()
    with pytest.raises(SesaHandError, match="held_in_map"):
        MiniTraining(replace(given, held_in_map=True), make_samples=toys).run()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"control_start": "sf"}, "choose scaffold, unet or plain"),
        ({"control_start": "plain"}, "beside the model of base_of"),
        ({"only": "both"}, "choose one of plain, sf"),
    ],
)
def test_a_start_or_a_choice_of_controlnets_that_is_none_is_refused(tmp_path, changes, said):
    with pytest.raises(SesaHandError, match=said):
        config(tmp_path, **changes)


def test_a_given_autoencoder_of_another_width_is_refused(tmp_path):
    with pytest.raises(SesaHandError, match=r"layout\.autoencoder_widths=\[32, 64, 96\]"):
        MiniTraining(config(tmp_path, autoencoder_of="embedded"), make_samples=toys).run()


class Line(torch.nn.Module):
    """A task of one weight, whose loss is the distance from 3."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = []

    def groups(self):
        return [([self.weight], 1.0)]

    def to_device(self, device):
        pass

    def batch(self, indices, samples, generator):
        self.seen.append(list(indices))
        return {"noise": torch.randn(1, generator=generator)}

    def forward(self, batch):
        return {"loss": (self.weight - 3 + 0.01 * batch["noise"]).square().sum()}


def test_the_loss_falls_and_the_average_is_what_remains(tmp_path):
    task, steps = Line(), Steps(300, 1, 1, 0.05, warmup=1, weight_decay=0.0, average=0.9)
    entries = []
    outcome = train(task, toys("", 12), steps, config(tmp_path), tmp_path, Watcher(report=entries.append))
    assert outcome.finished and outcome.step == 300
    assert entries[0]["loss"] > 8 and entries[-1]["loss"] < 0.01
    assert float(task.weight) == pytest.approx(3, abs=0.05)


def test_every_sample_comes_once_before_any_comes_again():
    batches = Batches(toys("", 12), seed=3, per_step=8)
    order = [index for step in range(6) for index in batches.indices(step)]
    for epoch in range(4):
        assert sorted(order[12 * epoch : 12 * epoch + 12]) == list(range(12))
    assert order[:12] != order[12:24]
    assert Batches(toys("", 12), 3, 8).indices(4) == order[32:40]


def test_old_checkpoints_go_and_half_ones_are_not_used(tmp_path):
    settings = config(tmp_path, keep_checkpoints=1)
    train(Line(), toys("", 12), STEPS, settings, tmp_path, Watcher(stop=StopAfter(3)))
    (kept,) = checkpoints(tmp_path)
    assert kept.name.endswith("00000003")
    (tmp_path / "checkpoint-00000009").mkdir()
    (tmp_path / "checkpoint.partial").mkdir()
    assert train(Line(), toys("", 12), STEPS, settings, tmp_path).step == STEPS.steps


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    train(Line(), toys("", 12), STEPS, config(tmp_path), tmp_path, Watcher(stop=StopAfter(2)))
    with pytest.raises(SesaHandError, match=r"text_rate \(was 2.0, is 3.0\)"):
        train(Line(), toys("", 12), STEPS, config(tmp_path, text_rate=3.0), tmp_path)


def test_a_diverged_training_ends_with_an_error(tmp_path):
    task = Line()
    task.weight.data.fill_(float("inf"))
    with pytest.raises(SesaHandError, match="diverged"):
        train(task, toys("", 12), STEPS, config(tmp_path), tmp_path)


def test_without_accelerate_the_error_names_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def fail(name, *args, **kwargs):
        if name == "accelerate":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(SesaHandError, match=r"pip install accelerate"):
        train(Line(), toys("", 12), STEPS, config(tmp_path), tmp_path)


def test_the_average_is_the_exponential_one_and_can_be_lent():
    weight = torch.nn.Parameter(torch.zeros(3))
    average, wanted = WeightAverage([weight], 0.9), torch.zeros(3)
    for update in range(1, 200):
        weight.data.copy_(torch.full((3,), float(update % 7)))
        decay = min(0.9, update / (update + 9))
        wanted = decay * wanted + (1 - decay) * weight.data
        average.update()
    assert torch.allclose(average.averages[0], wanted, rtol=1e-5)
    before = weight.detach().clone()
    with average.applied():
        assert torch.allclose(weight, wanted, rtol=1e-5)
    assert torch.equal(weight, before)


def test_the_whole_recipe_can_be_shown_as_json(capsys):
    from sesahand.cli import main

    assert main(["train", "--config", "mini", "--scale", "0.01", "--show"]) == 0
    shown = json.loads(capsys.readouterr().out)
    whole = load_config("mini")
    assert shown["base"]["steps"] == round(whole.base.steps * 0.01)
    assert shown["base"]["learning_rate"] == whole.base.learning_rate


def weights_of(task):
    return {name: value.clone() for name, value in task.state_dict().items()}


def extended(folder, first, steps, task=None):
    """Train to the end of `first`, and then on to the end of `steps` in the same folder."""
    kind = task or Line
    settings = replace(RECONSTRUCTOR, out=str(folder))
    for part in (first, steps):
        learner, settings = kind(), replace(settings, training=part)
        outcome = train(learner, toys("", 12), part, settings, folder)
        assert outcome.finished and outcome.step == part.steps
    return learner, outcome


RECONSTRUCTOR = ReconstructorConfig(
    data=HandData((HandSource("pairs"),)), precision="no", checkpoint_every=3, validate_every=0, log_every=1
)


def test_a_finished_training_is_extended_as_if_it_had_been_that_long(tmp_path):
    short = Steps(5, 2, 2, 0.05, warmup=2, decay_from=1.0, average=0.9)
    for name, first in (("constant", short), ("still_high", replace(short, steps=8, decay_from=0.9))):
        whole = replace(first, steps=11)
        once = Line()
        train(once, toys("", 12), whole, replace(RECONSTRUCTOR, training=whole), tmp_path / f"{name}_whole")
        learner, outcome = extended(tmp_path / name, first, whole)
        assert outcome.extended == () and torch.equal(learner.weight, once.weight), name
        logs = [(tmp_path / folder / "log.jsonl").read_text().splitlines() for folder in (name, f"{name}_whole")]
        losses = [[(entry["step"], entry["loss"], entry["rate"]) for entry in map(json.loads, log)] for log in logs]
        assert losses[0] == losses[1]


def test_where_the_rate_had_fallen_the_extension_is_said_and_remembered(tmp_path, caplog):
    first, then = Steps(6, 2, 1, 0.05, decay_from=0.5, average=0.0), Steps(10, 2, 1, 0.05, decay_from=0.5, average=0.0)
    _, outcome = extended(tmp_path, first, then)
    assert outcome.extended == (6,) and "not the one of 10 steps in one go" in caplog.text
    rates = [json.loads(line)["rate"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rates[5] == first.rate(5) < rates[6] == then.rate(6)
    # Also when it goes on once more, from a checkpoint of the extension.
    assert extended(tmp_path, then, replace(then, steps=12))[1].extended == (6, 10)


def test_nothing_but_more_steps_extends_a_training(tmp_path):
    steps = Steps(4, 2, 1, 0.05, decay_from=1.0)
    train(Line(), toys("", 12), steps, replace(RECONSTRUCTOR, training=steps), tmp_path)
    for change, message in (
        ({"steps": 3}, r"training.steps \(was 4, is 3\)"),
        ({"steps": 8, "learning_rate": 0.06}, r"learning_rate \(was 0.05"),
        ({"steps": 8, "warmup": 99}, r"training.warmup \(was 100, is 99\)"),
    ):
        other = replace(steps, **change)
        with pytest.raises(SesaHandError, match=message):
            train(Line(), toys("", 12), other, replace(RECONSTRUCTOR, training=other), tmp_path)
    eight_bit = replace(RECONSTRUCTOR, training=replace(steps, optimizer="adamw8bit"))
    (change,) = changed_since(to_dict(replace(RECONSTRUCTOR, training=steps)), to_dict(eight_bit))
    assert change == "training.optimizer (was 'adamw', is 'adamw8bit')"


def test_a_checkpoint_of_before_a_setting_was_there_is_gone_on_from(tmp_path):
    steps = Steps(4, 2, 1, 0.05)
    settings = replace(RECONSTRUCTOR, training=steps)
    train(Line(), toys("", 12), steps, settings, tmp_path, Watcher(stop=StopAfter(2)))
    (newest,) = checkpoints(tmp_path)
    before = json.loads((newest / "config.json").read_text())
    del before["training"]["optimizer"]
    (newest / "config.json").write_text(json.dumps(before))
    assert train(Line(), toys("", 12), steps, settings, tmp_path).finished
