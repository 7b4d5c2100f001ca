"""A ControlNet and a LoRA of SDXL: two text encoders, and the conditions that its networks are given beside them."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file
from toy_base import configured, write_sdxl, write_toy_pairs

from sesahand.errors import InvalidFileError
from sesahand.fusion.settings import FusionSettings
from sesahand.models.base import load_base_model
from sesahand.models.checkpoints import load_base
from sesahand.models.controlnet_files import read_controlnet_weights
from sesahand.models.texts import encode_text, token_ids
from sesahand.training.config import Fusion, Noise
from sesahand.training.controlnet import start_controlnet, train_controlnet
from sesahand.training.diffusion import DiffusionTask
from sesahand.training.loop import generator_of
from sesahand.training.lora import train_lora
from sesahand.training.samples import open_samples

PROMPTS = ["a hand before a wall", ""]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_sdxl(tmp_path_factory.mktemp("sdxl"))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_toy_pairs(tmp_path_factory.mktemp("sets") / "hands", 4, (64, 64))


def pipeline_of(networks):
    from diffusers import StableDiffusionXLPipeline

    return StableDiffusionXLPipeline(
        networks.autoencoder, networks.text_encoder, networks.text_encoder_2, networks.tokenizer, networks.tokenizer_2,
        networks.unet, networks.scheduler, force_zeros_for_empty_prompt=False, add_watermarker=False,
    )  # fmt: skip


@torch.no_grad()
def test_text_and_added_conditions_are_those_of_diffusers_own_pipeline(base):
    networks = load_base(base)
    pipeline = pipeline_of(networks)
    ours = encode_text(networks, token_ids(networks, PROMPTS))
    rows, _, pooled, _ = pipeline.encode_prompt(PROMPTS, device="cpu", do_classifier_free_guidance=False)
    assert ours.rows.shape == (2, 77, 40) and torch.allclose(ours.rows, rows, atol=1e-6)
    assert torch.allclose(ours.pooled, pooled, atol=1e-6)
    sizes = pipeline._get_add_time_ids((64, 96), (0, 0), (64, 96), torch.float32, 12)
    assert torch.equal(ours.added(8, 12)["added_cond_kwargs"]["time_ids"], sizes.repeat(2, 1))


def test_the_loss_is_the_error_of_both_networks_with_their_added_conditions(base, pairs):
    networks = load_base(base)
    networks.controlnet = start_controlnet(networks)
    for convolution in [*networks.controlnet.controlnet_down_blocks, networks.controlnet.controlnet_mid_block]:
        torch.nn.init.normal_(convolution.weight, std=0.1)
    task = DiffusionTask(networks, ["controlnet"], Noise(no_text=0.0), Fusion(enabled=False))
    samples = open_samples(pairs, 64)
    batch = task.batch([0, 1], [samples[0], samples[1]], generator_of(1, 2))
    with torch.no_grad():
        loss = task(batch)["loss"]
        scheduler, time = networks.scheduler, batch["time"]
        latents = networks.autoencoder.encode(batch["pictures"]).latent_dist.mode() * 0.13025
        noisy = scheduler.add_noise(latents, batch["noise"], time)
        texts = [sample.captions["clean"] for sample in (samples[0], samples[1])]
        encoded = pipeline_of(networks).encode_prompt(texts, device="cpu", do_classifier_free_guidance=False)
        added = {"text_embeds": encoded[2], "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]] * 2)}
        seen = {"encoder_hidden_states": encoded[0], "added_cond_kwargs": added}
        down, middle = networks.controlnet(
            noisy, time, controlnet_cond=batch["control"], return_dict=False, **seen
        )  # fmt: skip
        predicted = networks.unet(
            noisy, time, down_block_additional_residuals=down, mid_block_additional_residual=middle, **seen
        ).sample
    assert float(loss) == pytest.approx(float((predicted - batch["noise"]).square().mean()), rel=1e-4)
    task(batch)["loss"].backward()
    assert networks.controlnet.add_embedding.linear_1.weight.grad.abs().sum() > 0


def test_a_controlnet_is_trained_with_fusion_exported_and_gone_on_from(base, pairs, tmp_path):
    pytest.importorskip("accelerate")
    settings = {
        "fusion": {"refine": "coarsest"}, "precision": "bf16", "frozen_dtype": "bfloat16", "validate_every": 2,
        "gradient_checkpointing": True, "validation_steps": 1,
    }  # fmt: skip
    data = {"path": str(pairs), "held_out": 0.3, "keep_latents": True}
    _, path = train_controlnet(configured(tmp_path, base, data, **settings))
    weights = read_controlnet_weights(path)
    assert weights.layout == "ldm" and weights.settings == FusionSettings(mode="paper", refine="coarsest")
    assert {"label_emb.0.0.weight", "label_emb.0.2.bias"} <= set(weights.state)
    entry = json.loads((tmp_path / "run" / "held_out.jsonl").read_text())
    assert entry["best"] and entry["loss"] > 0
    again = start_controlnet(load_base(base), str(path))
    assert {name.split(".")[0] for name in again.state_dict()} >= {"add_embedding", "controlnet_mid_block"}
    assert torch.equal(again.add_embedding.linear_1.weight.half(), weights.state["label_emb.0.0.weight"])


def test_a_lora_of_sdxl_is_trained(base, pairs, tmp_path):
    pytest.importorskip("accelerate")
    data = {"path": str(pairs), "held_out": 1}
    outcome, path = train_lora(
        configured(tmp_path, base, data, kind="lora", lora={"rank": 2, "layers": "all"}, validate_every=0)
    )
    assert outcome.finished and path.exists()


def test_what_is_no_whole_sdxl_folder_is_refused(base, tmp_path):
    folder = shutil.copytree(base, tmp_path / "copy")
    shutil.rmtree(folder / "tokenizer_2")
    with pytest.raises(InvalidFileError, match="no tokenizer_2"):
        load_base(folder)
    # Where pictures are generated, SDXL stays refused by name.
    with pytest.raises(InvalidFileError, match="holds SDXL"):
        load_base_model(base)
    save_file({"conditioner.embedders.0.transformer.text_model.x": torch.zeros(1)}, tmp_path / "xl.safetensors")
    with pytest.raises(InvalidFileError, match="from_single_file"):
        load_base(tmp_path / "xl.safetensors")
