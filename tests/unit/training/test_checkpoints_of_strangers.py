"""Going on with a training folder runs nothing that is in it, and every damage is an error that names the folder."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from toy_samples import ToySamples

from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.evaluation.reader.config import ReaderConfig
from sesahand.evaluation.reader.network import ReaderNetwork
from sesahand.evaluation.reader.training import resume, save_state
from sesahand.training.checkpoint_state import FACTS, TENSORS
from sesahand.training.config import MiniConfig, Steps
from sesahand.training.loop import Watcher, checkpoints, train
from sesahand.training.samples import TrainingSample

pytest.importorskip("accelerate")

STEPS = Steps(6, 2, 2, 1e-2, warmup=1, average=0.9)


class Curve(torch.nn.Module):
    """A small task whose optimizer and average remember much."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = torch.nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def groups(self):
        return [([self.net.weight], 1.0), ([self.net.bias], 0.5)]

    def to_device(self, device):
        pass

    def batch(self, indices, samples, generator):
        return {"x": torch.randn(2, 3, 8, 8, generator=generator)}

    def forward(self, batch):
        self.count += 1
        return {"loss": (self.net(batch["x"]) - 1).square().mean()}


class Calls:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def start(folder, stop=None, task=None):
    task = Curve() if task is None else task
    config = MiniConfig(out=str(folder), precision="no", workers=1, checkpoint_every=2, validate_every=0, log_every=1)
    counts = iter(range(1, 100))
    watcher = Watcher(stop=lambda: stop is not None and next(counts) >= stop)
    return train(task, ToySamples(TrainingSample, 12, 32), STEPS, config, Path(folder), watcher), task


def test_a_checkpoint_holds_numbers_and_json_alone_and_goes_on_to_the_last_bit(tmp_path):
    _, whole = start(tmp_path / "whole")
    start(tmp_path / "parts", stop=3)
    (checkpoint,) = checkpoints(tmp_path / "parts")[-1:]
    assert {path.suffix for path in checkpoint.iterdir()} == {".json", ".safetensors"}
    outcome, parts = start(tmp_path / "parts")
    assert outcome.step == STEPS.steps
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True))


@pytest.mark.parametrize(
    "name", ["custom_checkpoint_0.pkl", "optimizer.bin", "random_states_0.pkl", "scaler.pt", "model.pth", "x.PKL"]
)
@pytest.mark.parametrize("beside", [True, False])
def test_a_folder_whose_checkpoint_would_be_unpickled_is_refused_and_nothing_runs(tmp_path, name, beside):
    start(tmp_path / "run", stop=3)
    checkpoint = checkpoints(tmp_path / "run")[-1]
    if not beside:
        (checkpoint / TENSORS).unlink()
    (checkpoint / name).write_bytes(pickle.dumps(Calls(tmp_path / "mark")))
    with pytest.raises(InvalidFileError, match="earlier version.*run code"):
        start(tmp_path / "run")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / TENSORS).write_bytes(b""),
        lambda folder: (folder / TENSORS).write_bytes(pickle.dumps(Calls("mark"))),
        lambda folder: (folder / TENSORS).write_bytes((folder / TENSORS).read_bytes()[:-5]),
        lambda folder: (folder / FACTS).write_text("[]"),
        lambda folder: (folder / FACTS).write_text("{"),
        lambda folder: (folder / FACTS).unlink(),
        lambda folder: (folder / FACTS).write_text('{"progress": {"step": "x"}, "updates": 1}'),
        lambda folder: (folder / FACTS).write_text(
            json.dumps({"progress": {"step": -1, "seconds": 0, "passes": 0}, "updates": 1})
        ),
        lambda folder: (folder / FACTS).write_text(
            json.dumps({"progress": {"step": 3, "seconds": 0, "passes": 0}, "updates": -10})
        ),
        lambda folder: (folder / FACTS).write_text(
            json.dumps({"progress": {"step": 3, "seconds": 0, "passes": 1.5}, "updates": 1})
        ),
        lambda folder: (folder / FACTS).write_text(
            json.dumps({"progress": {"step": 3, "seconds": 10**400, "passes": 0}, "updates": 1})
        ),
    ],
)
def test_a_damaged_checkpoint_is_an_error_of_it(tmp_path, damage):
    start(tmp_path / "run", stop=3)
    damage(checkpoints(tmp_path / "run")[-1])
    with pytest.raises(InvalidFileError, match="run"):
        start(tmp_path / "run")


def test_a_link_in_the_place_of_a_checkpoints_file_is_not_followed(tmp_path):
    start(tmp_path / "run", stop=3)
    checkpoint = checkpoints(tmp_path / "run")[-1]
    (checkpoint / TENSORS).rename(tmp_path / "elsewhere")
    (checkpoint / TENSORS).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SesaHandError, match="link"):
        start(tmp_path / "run")


def test_a_checkpoint_of_other_parameters_is_an_error_of_it(tmp_path):
    start(tmp_path / "run", stop=3)
    other = Curve()
    other.net = torch.nn.Conv2d(3, 5, 3)
    with pytest.raises(InvalidFileError, match="no checkpoint of this training"):
        start(tmp_path / "run", task=other)


@pytest.mark.parametrize("old", [True, False])
def test_a_judges_state_that_is_a_pickle_is_refused_and_nothing_runs(tmp_path, old):
    network, path = ReaderNetwork(), tmp_path / "judge.state"
    optimizer = torch.optim.AdamW(network.parameters())
    kept = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "step": 3, "config": {}}
    torch.save(kept, path) if old else path.write_bytes(pickle.dumps(Calls(tmp_path / "mark")))
    with pytest.raises(InvalidFileError, match="judge.state cannot be read.*run code"):
        resume(path, network, optimizer, ReaderConfig())
    assert not (tmp_path / "mark").exists()


def test_a_judges_state_comes_back_whole(tmp_path):
    from dataclasses import asdict

    torch.manual_seed(0)
    network, path = ReaderNetwork().to(memory_format=torch.channels_last), tmp_path / "judge.state"
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    network.mask.weight.sum().backward()
    optimizer.step()
    kept = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
    save_state(path, kept | {"step": 5, "config": asdict(ReaderConfig())})
    twin = ReaderNetwork().to(memory_format=torch.channels_last)
    other = torch.optim.AdamW(twin.parameters(), lr=0.1)
    assert resume(path, twin, other, ReaderConfig()) == 5
    for a, b in zip(network.state_dict().values(), twin.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    mine, theirs = optimizer.state_dict()["state"], other.state_dict()["state"]
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[k][name], theirs[k][name]) for k in mine for name in mine[k])
    with pytest.raises(SesaHandError, match="of another training"):
        resume(path, twin, other, ReaderConfig(steps=7))
