"""SesaHandLoadControlNet: every kind of file it promises, and the mark that structural fusion follows."""

import json
import struct
from dataclasses import replace

import diffusers_twins
import narrow_models
import pytest
import torch
from safetensors.torch import save_file
from sesahand_pack.nodes.control import LoadControlNet, StructuralFusion
from sesahand_pack.nodes.patches.control_loading import check_complete, load_controlnet
from sesahand_pack.sesahand.errors import InvalidFileError, SesaHandError, UnsafeFileError
from sesahand_pack.sesahand.fusion.settings import FusionSettings

import comfy.cldm.cldm
import comfy.controlnet
import comfy.model_detection
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


def fuse(control_net, strength=0.5, mode="auto"):
    use = {f"use_{resolution}": True for resolution in (64, 32, 16, 8)}
    return StructuralFusion.execute(
        control_net=control_net,
        mode=mode,
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


def test_an_unreadable_mark_matters_only_to_auto_mode(folder, state):
    save_file(state, folder / "new.safetensors", metadata={"sesahand.sf_mode": "paper", "sesahand.sf_magic": "1"})
    control_net, info = load("new.safetensors")
    assert "magic" in info
    with pytest.raises(InvalidFileError, match="magic.*instead of auto"):
        fuse(control_net)
    assert fuse(control_net, mode="blend").control_model.settings == FusionSettings()
    assert fuse(control_net, strength=0.0) is control_net


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_diffusers_file_computes_what_diffusers_does(folder, monkeypatch, family):
    """Weights of diffusers' own making, so that no table of names of ours is between the two."""
    from diffusers import ControlNetModel

    layout = narrow_models.NARROW[family]
    torch.manual_seed(0)
    model = ControlNetModel(
        block_out_channels=tuple(layout.width * multiplier for multiplier in layout.multipliers),
        cross_attention_dim=layout.context,
        **diffusers_twins.CONTROLNET_CONFIG[family],
    ).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.1)
    save_file(model.state_dict(), folder / "twin.safetensors")
    # ComfyUI knows diffusers' layouts at their full width and depth only.
    full = diffusers_twins.CONTROLNET_CONFIG[family] | {"attention_head_dim": 8}
    full |= {"transformer_layers_per_block": (1, 2, 10)} if family == "sdxl" else {}
    widths = (320, 640, 1280, 1280)[: len(layout.multipliers)]
    with torch.device("meta"):
        full = ControlNetModel(block_out_channels=widths, cross_attention_dim=layout.context, **full).state_dict()
    config = comfy.model_detection.unet_config_from_diffusers_unet(full) | {"model_channels": layout.width}
    if family == "sdxl":
        config |= {"transformer_depth": [0, 0, 2, 2, 2, 2], "transformer_depth_middle": layout.middle_depth}
    monkeypatch.setattr(comfy.model_detection, "unet_config_from_diffusers_unet", lambda *_: dict(config))
    control_net, _ = load_controlnet(str(folder / "twin.safetensors"))

    generator = torch.Generator().manual_seed(1)
    latent, hint = torch.randn(1, 4, 16, 16, generator=generator), torch.rand(1, 3, 128, 128, generator=generator)
    text, pooled = torch.randn(1, 77, layout.context, generator=generator), torch.randn(1, 1280, generator=generator)
    sizes, extra = torch.tensor([[512.0, 512, 0, 0, 512, 512]]), {}
    with torch.no_grad():
        if family == "sdxl":
            extra = {"y": torch.cat([pooled, model.add_time_proj(sizes.flatten()).reshape(1, -1)], dim=1)}
        ours = control_net.control_model(x=latent, hint=hint, timesteps=torch.tensor([500.0]), context=text, **extra)
        added = {"text_embeds": pooled, "time_ids": sizes}
        down, middle = model(latent, 500, text, hint, added_cond_kwargs=added, return_dict=False)
    for mine, theirs in zip([*ours["output"], *ours["middle"]], [*down, middle], strict=True):
        assert theirs.norm() > 0
        assert (mine - theirs).norm() < 2e-5 * theirs.norm()


@pytest.mark.parametrize(
    ("lost", "added", "missing"),
    [
        (["controlnet_mid_block.weight"], ["controlnet_mid_blok.weight"], r"1 of .*middle_block_out.0.weight\)"),
        (["controlnet_down_blocks.3.weight", "conv_in.bias"], ["a", "b"], "2 of .*input_blocks.0.0.bias, zero_convs.3"),
        (["controlnet_down_blocks.11.bias"], ["controlnet_down_blocks.12.bias"], "1 of .*zero_convs.11.0.bias"),
    ],
    ids=["renamed", "replaced by junk", "misnumbered"],
)
def test_a_diffusers_file_is_complete_by_names_not_by_number(folder, lost, added, missing):
    shapes = diffusers_shapes()
    lost_shapes = [shapes.pop(name) for name in lost]
    shapes |= dict(zip(added, lost_shapes, strict=True))
    write_sparse(folder / "some.safetensors", shapes)
    with pytest.raises(InvalidFileError, match=f"some.safetensors lacks {missing}"):
        load("some.safetensors")


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
def test_files_outside_the_folder_are_no_choice(folder, name):
    with pytest.raises(SesaHandError, match="control_net_name"):
        load(name)
