"""Files of published networks: safetensors, torch files with and without foreign objects, and hostile ones."""

import io
import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict

import pytest
import torch
from hand_network_reference import SMALL_LAYERS, random_weights
from hostile import run_limited
from safetensors.torch import save_file

from sesahand.errors import InvalidFileError, UnsafeFileError
from sesahand.reconstruct.learned.checkpoints import load_network, read_weights

TRAINING = {
    "discriminator.fc.weight": torch.ones(2, 2),
    "mano.v_template": torch.ones(778, 3),
    "initialized": torch.tensor(True),
}


@pytest.fixture(params=SMALL_LAYERS)
def weights(request):
    return random_weights(SMALL_LAYERS[request.param]())


@pytest.fixture
def foreign(monkeypatch):
    """Classes under the names of libraries that checkpoints mention and that are not installed for the reader."""
    made = {}
    for module, name, base in (
        ("yacs.config", "CfgNode", dict),
        ("omegaconf.dictconfig", "DictConfig", object),
        ("omegaconf.listconfig", "ListConfig", list),
        ("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint", object),
    ):
        for end in range(1, module.count(".") + 2):
            package = ".".join(module.split(".")[:end])
            monkeypatch.setitem(sys.modules, package, sys.modules.get(package) or types.ModuleType(package))
        made[name] = type(name, (base,), {"__module__": module})
        # A class says where it is; pickle then looks there.
        setattr(sys.modules[module], name, made[name])
    yield made


def lightning(weights, foreign):
    """What Lightning's `save_checkpoint` writes: weights, configuration, an optimizer's state."""
    config = foreign["CfgNode"](MODEL=foreign["CfgNode"](IMAGE_SIZE=256, BACKBONE={"TYPE": "vit"}))
    config.__dict__["__immutable__"] = False
    tree = foreign["DictConfig"]()
    tree.__dict__.update(_content={"a": foreign["ListConfig"]([1, 2])}, _metadata=OrderedDict(flags={"x"}))
    step = {"step": torch.tensor(3.0), "exp_avg": torch.ones(2), "betas": (0.9, 0.999)}
    return {
        "epoch": 5,
        "state_dict": OrderedDict(weights | TRAINING),
        "hyper_parameters": {"cfg": config, "tree": tree},
        "callbacks": {foreign["ModelCheckpoint"]: {"best": None, "paths": [b"x", 1.5, True, -7, 10**12]}},
        "optimizer_states": [{"state": {0: step}, "param_groups": [{"lr": 1e-5, "params": [0]}]}],
    }


def assert_holds(network, weights):
    state = network.state_dict()
    assert state.keys() == weights.keys()
    for name, value in weights.items():
        assert torch.equal(state[name], value), name
    assert not network.training and not any(value.requires_grad for value in network.parameters())


def test_safetensors_are_read(tmp_path, weights):
    save_file(weights | TRAINING, tmp_path / "net.safetensors")
    assert_holds(load_network(tmp_path / "net.safetensors"), weights)


@pytest.mark.parametrize("wrap", [dict, lambda weights: {"state_dict": weights, "epoch": 1}], ids=["plain", "wrapped"])
def test_torch_files_of_plain_data_are_read(tmp_path, weights, wrap):
    torch.save(wrap(weights | TRAINING), tmp_path / "net.ckpt")
    assert_holds(load_network(tmp_path / "net.ckpt"), weights)


def test_lightning_checkpoints_with_foreign_objects_are_read_without_them(tmp_path, weights, foreign, monkeypatch):
    path = tmp_path / "net.ckpt"
    torch.save(lightning(weights, foreign), path)
    for name in ("yacs", "omegaconf", "pytorch_lightning"):
        for module in [key for key in sys.modules if key.split(".")[0] == name]:
            monkeypatch.delitem(sys.modules, module)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    assert_holds(load_network(path), weights)
    assert not {"yacs", "omegaconf", "pytorch_lightning"} & set(sys.modules)


def test_the_restricted_reader_restores_views_and_all_number_types(tmp_path, foreign):
    base = torch.arange(24.0).reshape(4, 6)
    odd = {
        "slice": base[1:, ::2], "turned": base.mT, "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(base[0].clone()),
        **{str(kind): torch.tensor([1, 0, 2]).to(kind) for kind in (torch.float16, torch.bfloat16, torch.float64,
           torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool)},
    }  # fmt: skip
    torch.save({"state_dict": odd, "hyper_parameters": foreign["CfgNode"]()}, tmp_path / "odd.ckpt")
    found = read_weights(tmp_path / "odd.ckpt")
    assert found.keys() == odd.keys()
    for name, value in odd.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value.detach()), name


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_come_in_the_precision_asked_for(tmp_path, weights, dtype):
    save_file(weights, tmp_path / "net.safetensors")
    state = load_network(tmp_path / "net.safetensors", dtype).state_dict()
    assert {value.dtype for name, value in state.items() if "num_batches" not in name} == {dtype}


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "named"),
    [(os.system, "system"), (eval, "eval"), (exec, "exec"), (getattr, "getattr"), (open, "open"),
     (torch.load, "load"), (__import__, "__import__")],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_hostile_files_are_refused_by_name_and_nothing_runs(tmp_path, function, named):
    weights = random_weights(SMALL_LAYERS["WiLoR"]())
    canary = tmp_path / "canary"
    argument = f"open({str(canary)!r}, 'w')" if function in (eval, exec) else str(canary)
    arguments = {os.system: (f"touch {canary}",), open: (str(canary), "w"), getattr: (os, "system")}
    torch.save(
        {"state_dict": weights, "hyper_parameters": Calls(function, *arguments.get(function, (argument,)))}
        if function is not getattr
        else {"state_dict": weights, "hyper_parameters": Calls(getattr, "text", "upper")},
        tmp_path / "net.ckpt",
    )
    with pytest.raises(UnsafeFileError, match=rf"net.ckpt was refused: it asks for \S*\.{named}"):
        load_network(tmp_path / "net.ckpt")
    assert not canary.exists()


def test_missing_unknown_and_misshapen_layers_are_named(tmp_path, weights):
    gone = next(name for name in weights if "blocks.0.mlp.fc2.bias" in name)
    weights["backbone.blocks.0.extra"] = weights.pop(gone)
    weights["backbone.last_norm.bias"] = torch.zeros(3)
    save_file(weights, tmp_path / "net.safetensors")
    with pytest.raises(InvalidFileError) as error:
        load_network(tmp_path / "net.safetensors")
    for part in ("1 missing: " + gone, "1 unknown: backbone.blocks.0.extra", "last_norm.bias [3] instead of [64]"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("kind", "part"),
    [("HaMeR", "backbone.blocks.{}.norm1"), ("WiLoR", "backbone.blocks.{}.norm1"),
     ("HaMeR", "mano_head.transformer.transformer.layers.{}.0.norm")],
)  # fmt: skip
def test_layers_of_nothing_but_names_are_not_built(tmp_path, kind, part):
    weights = random_weights(SMALL_LAYERS[kind]())
    named = {f"{part.format(number)}.weight": torch.zeros(0) for number in range(40_000)}
    save_file(named | weights, tmp_path / "net.safetensors")
    read = "sesahand.reconstruct.learned.checkpoints:load_network"
    says = run_limited(read, tmp_path / "net.safetensors", megabytes=400, seconds=15).refused()
    assert "net.safetensors names 40000 layers" in says


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64])
def test_weights_that_are_no_fractions_are_refused_before_a_hand_is_looked_at(tmp_path, weights, dtype):
    weights["backbone.last_norm.bias"] = weights["backbone.last_norm.bias"].to(dtype)
    save_file(weights, tmp_path / "net.safetensors")
    with pytest.raises(InvalidFileError, match=rf"1 of other numbers: backbone\.last_norm\.bias of {dtype}"):
        load_network(tmp_path / "net.safetensors")


def test_another_network_is_named_as_such(tmp_path):
    save_file({"model.diffusion_model.out.weight": torch.zeros(2)}, tmp_path / "net.safetensors")
    with pytest.raises(InvalidFileError, match="neither HaMeR nor WiLoR; it holds 'model.diffusion_model.out"):
        load_network(tmp_path / "net.safetensors")


def test_a_missing_file_says_where_to_get_which_one_and_under_what_terms(tmp_path):
    with pytest.raises(InvalidFileError) as error:
        load_network(tmp_path / "hamer.ckpt")
    for part in (
        "hamer.ckpt from https://github.com/geopavlakos/hamer",
        "models/hand_recon/wilor",
        "CC-BY-NC-ND",
        "MIT",
    ):
        assert part in str(error.value)


def rewritten(raw: bytes, change) -> bytes:
    """Return a zip file with `change(name, content) -> content or None` applied to each member."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return out.getvalue()


DAMAGES = {
    "empty": lambda raw: b"",
    "error page": lambda raw: b"<!DOCTYPE html><html>404</html>",
    "half": lambda raw: raw[: len(raw) // 2],
    "no pickle": lambda raw: rewritten(raw, lambda name, data: None if name.endswith("data.pkl") else data),
    "short numbers": lambda raw: rewritten(raw, lambda name, data: data[:-4] if "/data/" in name else data),
    "missing numbers": lambda raw: rewritten(raw, lambda name, data: None if name.endswith("/data/3") else data),
    "cut pickle": lambda raw: rewritten(raw, lambda name, data: data[:500] if name.endswith("data.pkl") else data),
    "big endian": lambda raw: rewritten(raw, lambda name, data: b"big" if name.endswith("byteorder") else data),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused(tmp_path, damage, foreign):
    whole = tmp_path / "whole.ckpt"
    torch.save(lightning(random_weights(SMALL_LAYERS["WiLoR"]()), foreign), whole)
    (tmp_path / "net.ckpt").write_bytes(DAMAGES[damage](whole.read_bytes()))
    with pytest.raises(InvalidFileError, match="net.ckpt"):
        load_network(tmp_path / "net.ckpt")
    save = tmp_path / "net.safetensors"
    save.write_bytes(DAMAGES["half"](whole.read_bytes()))
    with pytest.raises(InvalidFileError, match="net.safetensors"):
        load_network(save)


def test_flipped_bytes_never_get_past_as_another_error(tmp_path, foreign):
    """Whatever a damaged pickle says: a file is read, or refused as damaged or unsafe."""
    whole = tmp_path / "whole.ckpt"
    torch.save({"state_dict": {"a": torch.ones(2, 3)}, "hyper_parameters": foreign["CfgNode"](x=1)}, whole)
    random = torch.Generator().manual_seed(0)
    path = tmp_path / "net.ckpt"
    for _ in range(300):
        place, value = (int(torch.randint(2**31, (1,), generator=random)) for _ in range(2))

        def flip(name, data, place=place, value=value):
            if not name.endswith("data.pkl"):
                return data
            changed = bytearray(data)
            changed[place % len(data)] = value % 256
            return bytes(changed)

        path.write_bytes(rewritten(whole.read_bytes(), flip))
        try:
            read_weights(path)
        except InvalidFileError:
            pass
