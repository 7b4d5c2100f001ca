"""The watch over every node that these tests run sees what it is there for; conftest.py sets it."""

import os
import random
import warnings

import narrow_models
import numpy as np
import pytest
import torch
from sesahand_pack import nodes as pack_nodes
from side_effects import nothing_changes, watched

DEEDS = {
    "the environment": lambda: os.environ.__setitem__("SESAHAND_TEST", "1"),
    "random's state": random.random,
    "numpy's random state": np.random.rand,
    "torch's random state": lambda: torch.rand(1),
    "torch's number of threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "torch's default type": lambda: torch.set_default_dtype(torch.float64),
    "torch's modes of gradients": lambda: torch.set_grad_enabled(False),
    "the filters of warnings": lambda: warnings.simplefilter("ignore"),
    "the working directory": lambda: os.chdir(os.pardir),
}


@pytest.fixture
def put_back():
    """Undo what the deeds do."""
    environment, folder, threads = dict(os.environ), os.getcwd(), torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(), torch.enable_grad():
        yield
    os.chdir(folder)
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(threads)
    for name in set(os.environ) - set(environment):
        del os.environ[name]


@pytest.mark.usefixtures("put_back")
@pytest.mark.parametrize("what", DEEDS)
def test_a_node_that_changes_the_process_is_told_of(what):
    class Careless:
        @classmethod
        def execute(cls):
            DEEDS[what]()

    with watched([Careless]) as run, pytest.raises(AssertionError, match=f"Careless changed {what}"):
        Careless.execute()
    assert run == {"Careless"}


def spoil(value):
    value.setdefault("x", []).append(1)


@pytest.mark.parametrize(
    ("given", "deed"),
    [
        (torch.zeros(2, 3), lambda tensor: tensor[0].add_(1)),
        (torch.zeros(2, dtype=torch.bfloat16), lambda tensor: tensor.fill_(float("nan"))),
        ([[torch.zeros(1, 2), {"pooled": torch.zeros(1)}]], lambda conds: spoil(conds[0][1])),
        ({"samples": torch.zeros(1)}, lambda latent: latent.update(noise_mask=torch.ones(1))),
        (torch.nn.Linear(2, 2), lambda layer: layer.register_forward_hook(lambda *_: None)),
        (torch.nn.Linear(2, 2), lambda layer: layer.weight.detach().add_(1)),
        (torch.nn.Sequential(torch.nn.Linear(2, 2)), lambda layers: layers.append(torch.nn.ReLU())),
    ],
)
def test_a_changed_input_is_told_of(given, deed):
    with pytest.raises(AssertionError, match="its inputs"), nothing_changes("it", ((), {"given": given})):
        deed(given)


def test_a_patch_of_the_model_itself_and_not_of_a_clone_is_told_of():
    model = narrow_models.model("sd15")
    with nothing_changes("it", model):
        model.clone().set_model_attn2_patch(lambda q, k, v, _: (q, k, v))
    with pytest.raises(AssertionError, match="its inputs"), nothing_changes("it", model):
        model.set_model_attn2_patch(lambda q, k, v, _: (q, k, v))


def test_an_error_does_not_hide_what_was_changed():
    with pytest.raises(AssertionError, match="its inputs"), nothing_changes("it", given := []):
        given.append(1)
        raise ValueError


def test_every_node_of_the_pack_is_watched():
    assert all(node.execute.__func__.__wrapped__ for node in pack_nodes.load_families())
