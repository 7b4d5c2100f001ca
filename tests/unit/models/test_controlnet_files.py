"""Reading ControlNet weight files: what is recognised, what is refused, and what the error says."""

import pickle

import pytest
import torch
from narrow_models import NARROW, controlnet_shapes, random_weights
from safetensors.torch import save_file

from sesahand.errors import InvalidFileError, UnsafeFileError
from sesahand.fusion.settings import FusionSettings
from sesahand.models.controlnet_files import read_controlnet_weights


@pytest.fixture(scope="module")
def state():
    return random_weights(controlnet_shapes(NARROW["sd15"]), dtype=torch.float16)


def full_checkpoint(state):
    rest = {"model.diffusion_model.input_blocks.0.0.weight": torch.ones(2), "first_stage_model.x": torch.ones(2)}
    return {f"control_model.{name}": value for name, value in state.items()} | rest


def test_bare_ldm_weights_with_the_mark_of_their_training(state, tmp_path):
    trained_with = FusionSettings(mode="paper", refine="to_16")
    save_file(state, tmp_path / "a.safetensors", metadata=trained_with.to_metadata())
    weights = read_controlnet_weights(tmp_path / "a.safetensors")
    assert (weights.layout, weights.family, weights.has_unet) == ("ldm", "SD1.5", False)
    assert weights.settings == trained_with
    assert all(torch.equal(weights.state[name], value) for name, value in state.items())
    assert "Trained with structural fusion: paper mode" in weights.describe()
    assert f"{sum(v.numel() for v in state.values()) / 1e6:.1f} M parameters, float16" in weights.describe()


def test_a_file_without_the_mark_says_so(state, tmp_path):
    save_file(state, tmp_path / "a.safetensors")
    weights = read_controlnet_weights(tmp_path / "a.safetensors")
    assert weights.settings is None and "blend mode" in weights.describe()


@pytest.mark.parametrize("name", ["a.safetensors", "a.ckpt", "old.ckpt", "a.pth"])
def test_the_control_part_is_taken_out_of_a_full_checkpoint(state, tmp_path, name):
    content = full_checkpoint(state)
    if name.endswith("safetensors"):
        save_file(content, tmp_path / name)
    else:
        lightning = {"state_dict": content, "epoch": 3, "global_step": 10, "optimizer_states": [{"lr": 1e-5}]}
        torch.save(lightning, tmp_path / name, _use_new_zipfile_serialization=name != "old.ckpt")
    weights = read_controlnet_weights(tmp_path / name)
    assert set(weights.state) == set(state) and weights.has_unet
    assert all(torch.equal(weights.state[key], value) for key, value in state.items())
    assert "U-Net" in weights.describe()


def test_sdxl_is_told_by_its_text_width(tmp_path):
    save_file(random_weights(controlnet_shapes(NARROW["sdxl"]), dtype=torch.float16), tmp_path / "xl.safetensors")
    assert read_controlnet_weights(tmp_path / "xl.safetensors").family == "SDXL"


def test_a_width_of_text_that_is_none_is_no_family(tmp_path):
    key = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    save_file({"zero_convs.0.0.weight": torch.ones(1), key: torch.ones(4)}, tmp_path / "c.safetensors")
    assert read_controlnet_weights(tmp_path / "c.safetensors").family == "unknown (text width None)"


def test_diffusers_names_are_recognised(tmp_path):
    state = {
        "controlnet_cond_embedding.conv_in.weight": torch.ones(2),
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": torch.ones(4, 768),
    }
    save_file(state, tmp_path / "a.safetensors")
    weights = read_controlnet_weights(tmp_path / "a.safetensors")
    assert (weights.layout, weights.family) == ("diffusers", "SD1.5")


class Intruder:
    def __reduce__(self):
        return print, ("this must never be printed",)


def test_a_torch_file_that_would_run_code_is_refused_unread(state, tmp_path, capsys):
    torch.save({"state_dict": full_checkpoint(state), "callbacks": Intruder()}, tmp_path / "evil.ckpt")
    with pytest.raises(UnsafeFileError, match="evil.ckpt.*safetensors"):
        read_controlnet_weights(tmp_path / "evil.ckpt")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Intruder()))
    with pytest.raises(UnsafeFileError):
        read_controlnet_weights(tmp_path / "bare.pth")
    assert "never" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("mark", "kind"),
    [
        ("lora_controlnet", "Control-LoRA"),
        ("difference", "difference ControlNet"),
        ("controlnet_blocks.0.weight", "transformer model"),
        ("adapter.body.0.resnets.0.block1.weight", "T2I-Adapter"),
        ("model.diffusion_model.input_blocks.0.0.weight", "holds no ControlNet"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path, mark, kind):
    save_file({mark: torch.ones(1), "zero_convs.0.0.weight.x": torch.ones(1)}, tmp_path / "b.safetensors")
    with pytest.raises(InvalidFileError, match=f"b.safetensors.*{kind}"):
        read_controlnet_weights(tmp_path / "b.safetensors")


@pytest.mark.parametrize("name", ["b.safetensors", "b.ckpt", "b.pth"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"\xff" * 4096], ids=["empty", "text", "noise"])
def test_damaged_files_are_errors_that_name_the_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidFileError, match=name):
        read_controlnet_weights(tmp_path / name)


@pytest.mark.parametrize("kept", [0.001, 0.3, 0.999])
@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_truncated_files_are_errors_that_name_the_file(state, tmp_path, suffix, kept):
    path = tmp_path / f"cut{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save({"state_dict": state}, path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(InvalidFileError, match="cut"):
        read_controlnet_weights(path)


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    for name in ("gone.safetensors", "gone.ckpt"):
        with pytest.raises(InvalidFileError, match=name):
            read_controlnet_weights(tmp_path / name)


def test_a_torch_file_of_something_else_is_refused(tmp_path):
    torch.save([torch.ones(2)], tmp_path / "list.pt")
    with pytest.raises(InvalidFileError, match="list.pt holds a list"):
        read_controlnet_weights(tmp_path / "list.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs", "starts with b'version "),
        (b"\xff" * 200, "is no torch file"),
    ],
)
def test_what_is_no_torch_file_is_not_called_unsafe(tmp_path, content, message):
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(InvalidFileError, match=message) as caught:
        read_controlnet_weights(tmp_path / "x.ckpt")
    assert not isinstance(caught.value, UnsafeFileError)


def test_a_renamed_safetensors_file_is_told_by_its_content(tmp_path):
    save_file({"zero_convs.0.0.weight": torch.ones(1)}, tmp_path / "x.pth")
    with pytest.raises(InvalidFileError, match="Rename it to .safetensors"):
        read_controlnet_weights(tmp_path / "x.pth")


def test_every_number_type_is_told_the_commonest_first(state, tmp_path):
    mixed = {name: value.float() if value.ndim < 2 else value for name, value in sorted(state.items())}
    save_file(mixed, tmp_path / "a.safetensors")
    assert "float16 and float32, ldm names" in read_controlnet_weights(tmp_path / "a.safetensors").describe()


def test_an_unreadable_mark_does_not_stop_plain_use(state, tmp_path):
    save_file(state, tmp_path / "a.safetensors", metadata={"sesahand.sf_mode": "paper", "sesahand.sf_magic": "1"})
    weights = read_controlnet_weights(tmp_path / "a.safetensors")
    assert weights.settings is None and set(weights.state) == set(state)
    assert "magic" in weights.describe() and "Not marked" not in weights.describe()
