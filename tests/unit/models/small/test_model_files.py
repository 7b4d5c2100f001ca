"""The small model's shape, its names in ldm, and its files."""

import narrow_models
import pytest
import torch
from toy_samples import ToySamples

from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.fusion.settings import FusionSettings
from sesahand.models.controlnet_files import read_controlnet_weights
from sesahand.models.ldm_names import load_ldm, to_ldm
from sesahand.models.small.autoencoder import SCALING_FACTOR, MiniAutoencoder
from sesahand.models.small.layout import MiniLayout
from sesahand.models.small.model_files import (
    MiniModel,
    control_path,
    read_mini,
    read_mini_controlnet,
    write_controlnet,
    write_mini,
)
from sesahand.training.autoencoding import measure_latents, to_pictures
from sesahand.training.samples import TrainingSample


@pytest.fixture(scope="module")
def model():
    layout = MiniLayout()
    text = layout.build_text_encoder(range(300, 420))
    return MiniModel(layout, layout.build_unet(), text, layout.build_autoencoder(), {"steps": 3})


@pytest.fixture(scope="module")
def controlnet():
    return MiniLayout().build_controlnet()


def test_ldm_names_are_those_of_stable_diffusion():
    """Against a table that was written down layer by layer for ComfyUI's loaders."""
    from diffusers import ControlNetModel, UNet2DConditionModel

    with torch.device("meta"):
        networks = UNet2DConditionModel(cross_attention_dim=768), ControlNetModel(cross_attention_dim=768)
    tables = narrow_models.unet_shapes(narrow_models.SD15), narrow_models.controlnet_shapes(narrow_models.SD15)
    for network, table in zip(networks, tables, strict=True):
        assert {name: tuple(value.shape) for name, value in to_ldm(network.state_dict()).items()} == dict(table)


def test_both_networks_have_one_head_for_64_channels(model, controlnet):
    for network in (model.unet, controlnet):
        heads = {m.heads: m.to_q.out_features for m in network.modules() if hasattr(m, "to_q")}
        assert heads == {1: 64, 2: 128}


def test_files_hold_all_weights_and_fit_into_the_repository(model, controlnet, tmp_path):
    path = tmp_path / "mini.safetensors"
    write_mini(path, model)
    for control, fusion in (("plain", None), ("sf", FusionSettings(mode="paper"))):
        write_controlnet(control_path(path, control), controlnet, fusion, {"steps": 5})
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 40e6
    again = read_mini(path)
    assert again.layout == model.layout and again.facts == {"steps": 3} and again.token_ids == model.token_ids
    for ours, theirs in (
        (again.unet, model.unet),
        (again.text_encoder, model.text_encoder),
        (again.autoencoder, model.autoencoder),
    ):
        for name, value in theirs.state_dict().items():
            assert torch.allclose(ours.state_dict()[name], value, rtol=1e-3, atol=1e-6), name
    back, fusion = read_mini_controlnet(control_path(path, "sf"), model.layout)
    assert fusion == FusionSettings(mode="paper")
    assert read_mini_controlnet(control_path(path, "plain"), model.layout)[1] is None
    assert torch.equal(back.conv_in.weight, controlnet.conv_in.weight.half().float())
    assert "Not marked" in read_controlnet_weights(control_path(path, "plain")).describe()


def test_weights_that_are_no_numbers_are_not_written(model, tmp_path):
    parameter = model.unet.conv_in.bias
    kept = parameter.detach().clone()
    parameter.data[0] = float("nan")
    with pytest.raises(SesaHandError, match="diverged"):
        write_mini(tmp_path / "mini.safetensors", model)
    parameter.data.copy_(kept)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": (64, 96)}, "whole multiples"),
        ({"widths": (32, 64)}, "multiple of 64"),
        ({"widths": ()}, "at least two"),
        ({"size": 100}, "multiple of 32"),
        ({"text_heads": 3}, "3 heads"),
        ({"prediction": "x"}, "v_prediction"),
        ({"autoencoder_widths": (32, 64)}, "give three"),
    ],
)
def test_shapes_that_comfyui_would_not_load_are_refused(changes, message):
    with pytest.raises(SesaHandError, match=message):
        MiniLayout(**changes)


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"{}"], ids=["empty", "noise", "text"])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "mini.safetensors"
    path.write_bytes(content)
    with pytest.raises(InvalidFileError, match=r"mini\.safetensors"):
        read_mini(path)


def test_a_layout_from_a_damaged_header_is_refused():
    for text in ("", "[]", "{}x", '{"width": 3}', '{"widths": "64"}'):
        with pytest.raises(InvalidFileError, match="cannot be read"):
            MiniLayout.from_json(text)


def test_weights_of_another_width_are_refused(controlnet):
    wide = MiniLayout(widths=(64, 128, 192)).build_controlnet()
    with pytest.raises(InvalidFileError, match="some.file"):
        load_ldm(controlnet, to_ldm(wide.state_dict()), "some.file")


@torch.no_grad()
def test_the_autoencoder_brings_latents_to_stable_diffusions_scale():
    autoencoder = MiniAutoencoder()
    samples = [ToySamples(TrainingSample, 24)[index] for index in range(24)]
    measure_latents(autoencoder, [samples[:10], samples[10:]])
    latents = autoencoder.latents(to_pictures(samples)) * SCALING_FACTOR
    assert torch.allclose(latents.mean((0, 2, 3)), torch.zeros(4), atol=1e-4)
    assert torch.allclose(latents.std((0, 2, 3)), torch.ones(4), atol=1e-2)
    means = autoencoder.moments(to_pictures(samples))[0]
    assert torch.allclose(autoencoder.pictures(latents / SCALING_FACTOR), autoencoder.decoder(means), atol=1e-4)
