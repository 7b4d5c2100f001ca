"""SesaHandLoadControlNet: every kind of file it promises, and the mark that structural fusion follows."""

import json
import struct
from dataclasses import replace

import narrow_models
import pytest
import torch
from safetensors.torch import save_file
from sesahand_pack.nodes.control import LoadControlNet, StructuralFusion
from sesahand_pack.nodes.patches.control_loading import check_complete, load_controlnet
from sesahand_pack.sesahand.errors import InvalidFileError, UnsafeFileError
from sesahand_pack.sesahand.fusion.settings import FusionSettings

import comfy.cldm.cldm
import comfy.controlnet
import folder_paths

TRAINED_WITH = FusionSettings(mode="paper", layers="all", refine="coarsest")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    _, extensions = folder_paths.folder_names_and_paths["controlnet"]
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "controlnet", ([str(tmp_path)], extensions))
    monkeypatch.setattr(folder_paths, "filename_list_cache", {})
    yield tmp_path
    for path in tmp_path.iterdir():
        path.unlink()


@pytest.fixture(scope="module")
def state():
    """SD1.5-shaped with 320 channels at every level, which ComfyUI's detection takes as it is."""
    return narrow_models.random_weights(narrow_models.controlnet_shapes(narrow_models.THIN_SD15), dtype=torch.float16)


def load(name):
    return LoadControlNet.execute(control_net_name=name).args


def fuse(control_net, strength=0.5):
    use = {f"use_{resolution}": True for resolution in (64, 32, 16, 8)}
    return StructuralFusion.execute(
        control_net=control_net,
        mode="auto",
        strength=strength,
        refine="middle",
        layers="last",
        orientation="gather",
        **use,
    ).args[0]


@torch.no_grad()
def middle_residual(control_net):
    generator = torch.Generator().manual_seed(0)
    return control_net.control_model(
        x=torch.randn(1, 4, 8, 8, generator=generator),
        hint=torch.rand(1, 3, 64, 64, generator=generator),
        timesteps=torch.tensor([500.0]),
        context=torch.randn(1, 77, 768, generator=generator),
    )["middle"][0]


def test_files_of_the_controlnet_folder_are_offered(folder, state):
    save_file(state, folder / "one.safetensors")
    (folder / "readme.txt").write_text("no model")
    (choice,) = LoadControlNet.GET_SCHEMA().inputs
    assert choice.options == ["one.safetensors"]


@pytest.mark.parametrize("kind", ["ldm", "prefixed", "full.safetensors", "full.ckpt"])
def test_the_same_controlnet_comes_out_of_every_kind_of_file(folder, state, kind):
    content = state if kind == "ldm" else {f"control_model.{name}": value for name, value in state.items()}
    if kind.startswith("full"):
        content |= {"model.diffusion_model.input_blocks.0.0.weight": torch.ones(1)}
    name = kind if kind.startswith("full") else f"{kind}.safetensors"
    if name.endswith(".ckpt"):
        torch.save({"state_dict": content, "global_step": 1}, folder / name)
    else:
        save_file(content, folder / name)
    control_net, info = load(name)
    reference = comfy.controlnet.load_controlnet_state_dict(dict(state))
    assert type(control_net) is comfy.controlnet.ControlNet
    assert torch.equal(middle_residual(control_net), middle_residual(reference))
    assert info.startswith("SD1.5 ControlNet, 47.6 M parameters, float16, ldm names.")
    assert ("U-Net" in info) == kind.startswith("full")


def test_auto_mode_follows_what_the_weights_were_trained_with(folder, state):
    save_file(state, folder / "trained.safetensors", metadata=TRAINED_WITH.to_metadata())
    save_file(state, folder / "plain.safetensors")
    (trained, trained_info), (plain, plain_info) = load("trained.safetensors"), load("plain.safetensors")
    assert "Trained with structural fusion: paper mode" in trained_info
    assert "Not marked" in plain_info
    assert fuse(trained).control_model.settings == TRAINED_WITH
    assert fuse(trained.copy()).control_model.settings == TRAINED_WITH
    assert fuse(plain, 0.3).control_model.settings == FusionSettings(strength=0.3)
    assert fuse(trained, strength=0.0) is trained
    assert torch.equal(middle_residual(trained), middle_residual(plain))


def test_the_shuffle_controlnet_is_averaged_as_in_the_core_loader(folder, state):
    save_file(state, folder / "control_shuffle.safetensors")
    assert load("control_shuffle.safetensors")[0].global_average_pooling
    assert comfy.controlnet.load_controlnet(str(folder / "control_shuffle.safetensors")).global_average_pooling


def write_sparse(path, shapes, metadata=None):
    """A safetensors file of zeros that takes no space on the disk."""
    header, offset = {"__metadata__": metadata} if metadata else {}, 0
    for name, shape in shapes.items():
        size = 2 * torch.Size(shape).numel()
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + offset)


def diffusers_shapes():
    """The real SD1.5 ControlNet, as diffusers itself names and shapes its parameters."""
    from diffusers import ControlNetModel

    with torch.device("meta"):
        model = ControlNetModel(cross_attention_dim=768)
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def test_a_full_size_diffusers_file_loads(folder):
    write_sparse(folder / "diffusers.safetensors", diffusers_shapes(), TRAINED_WITH.to_metadata())
    control_net, weights = load_controlnet(str(folder / "diffusers.safetensors"))
    assert isinstance(control_net.control_model, comfy.cldm.cldm.ControlNet)
    assert weights.describe().startswith("SD1.5 ControlNet, 361.3 M parameters, float16, diffusers names.")
    assert fuse(control_net).control_model.settings == TRAINED_WITH
    lacking = replace(weights, state=dict(list(weights.state.items())[1:]))
    with pytest.raises(InvalidFileError, match="lacks 1 of its ControlNet's 340 tensors"):
        check_complete("x", control_net.control_model, lacking)


def test_an_incomplete_file_is_refused(folder, state):
    some = {name: value for name, value in state.items() if not name.startswith("middle_block_out")}
    save_file(some, folder / "some.safetensors")
    with pytest.raises(InvalidFileError, match="some.safetensors lacks 2 of"):
        load("some.safetensors")


@pytest.mark.parametrize("width", [1, 768])
def test_unknown_shapes_are_refused(folder, width):
    save_file(
        {"zero_convs.0.0.weight": torch.ones(2, 2), "x.attn2.to_k.weight": torch.ones(2, width)},
        folder / "strange.safetensors",
    )
    with pytest.raises(InvalidFileError, match="strange.safetensors"):
        load("strange.safetensors")


def test_other_files_are_refused_with_their_kind(folder, state):
    save_file({"lora_controlnet": torch.ones(1)}, folder / "lora.safetensors")
    with pytest.raises(InvalidFileError, match="Control-LoRA"):
        load("lora.safetensors")
    (folder / "noise.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(InvalidFileError, match="noise.safetensors"):
        load("noise.safetensors")
    torch.save({"state_dict": dict(state), "callback": print}, folder / "code.ckpt")
    with pytest.raises(UnsafeFileError, match="code.ckpt"):
        load("code.ckpt")


@pytest.mark.parametrize("name", ["gone.safetensors", "../gone.safetensors", "/etc/passwd"])
def test_files_outside_the_folder_are_not_found(folder, name):
    with pytest.raises(FileNotFoundError):
        load(name)
