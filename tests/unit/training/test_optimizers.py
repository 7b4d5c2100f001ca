"""The optimizer with 8 bits: only where it is asked for, gone on from exactly, and refused in a sentence if missing."""

import sys
from dataclasses import replace

import pytest
import torch
from toy_samples import ToySamples

from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.training.checkpoint_state import put_into_optimizer
from sesahand.training.config import MiniConfig, Steps
from sesahand.training.loop import Watcher, train
from sesahand.training.optimizers import make_optimizer
from sesahand.training.samples import TrainingSample

pytest.importorskip("accelerate")

CPU = torch.device("cpu")
EIGHT_BIT = Steps(6, 2, 1, 1e-2, warmup=1, average=0.9, optimizer="adamw8bit")


class Wide(torch.nn.Module):
    """One parameter of more numbers than bitsandbytes keeps in 32 bits, and one of fewer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = torch.nn.Conv2d(16, 40, 3).to(memory_format=torch.channels_last)

    def groups(self):
        return [(list(self.net.parameters()), 1.0)]

    def to_device(self, device):
        pass

    def batch(self, indices, samples, generator):
        return {"x": torch.randn(2, 16, 6, 6, generator=generator)}

    def forward(self, batch):
        return {"loss": (self.net(batch["x"]) - 1).square().mean()}


def trained(folder, steps, stop=None):
    config = MiniConfig(out=str(folder), precision="no", workers=1, checkpoint_every=2, validate_every=0, log_every=1)
    counts, task = iter(range(1, 100)), Wide()
    watcher = Watcher(stop=lambda: stop is not None and next(counts) >= stop)
    train(task, ToySamples(TrainingSample, 8, 16), steps, config, folder, watcher, {"optimizer": steps.optimizer})
    return task


def test_bitsandbytes_is_not_even_looked_for_unless_it_is_asked_for(tmp_path, monkeypatch):
    for name in ("bitsandbytes", "bitsandbytes.optim"):
        monkeypatch.setitem(sys.modules, name, None)
    trained(tmp_path, replace(EIGHT_BIT, optimizer="adamw"))
    with pytest.raises(SesaHandError, match="needs bitsandbytes: pip install bitsandbytes"):
        trained(tmp_path / "other", EIGHT_BIT)


def test_eight_bits_learn_as_thirty_two_do_and_are_gone_on_from_to_the_last_bit(tmp_path):
    pytest.importorskip("bitsandbytes")
    whole = trained(tmp_path / "whole", EIGHT_BIT)
    trained(tmp_path / "parts", EIGHT_BIT, stop=3)
    again = trained(tmp_path / "parts", EIGHT_BIT)
    start, plain = Wide(), trained(tmp_path / "plain", replace(EIGHT_BIT, optimizer="adamw"))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
        moved, wanted = value - start.state_dict()[name], plain.state_dict()[name] - start.state_dict()[name]
        assert 0 < (moved - wanted).norm() < 0.2 * wanted.norm() or name == "net.bias"


def test_the_state_of_one_optimizer_is_none_of_the_other():
    task = Wide()
    optimizer = make_optimizer([{"params": list(task.parameters())}], replace(EIGHT_BIT, optimizer="adamw"), CPU)
    with pytest.raises(ValueError, match="an optimizer's state of 0.state1"):
        put_into_optimizer(optimizer, {"0.state1": torch.zeros(40, 16, 3, 3, dtype=torch.uint8)})


def test_an_extended_list_that_is_none_is_refused(tmp_path):
    steps = replace(EIGHT_BIT, optimizer="adamw")
    trained(tmp_path, steps, stop=3)
    facts = max(tmp_path.glob("checkpoint-*")) / "state.json"
    facts.write_text(facts.read_text().replace('"updates"', '"extended": "much", "updates"'))
    with pytest.raises(InvalidFileError, match="how it was extended"):
        trained(tmp_path, steps)
