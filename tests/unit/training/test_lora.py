"""A LoRA of a frozen base: it starts as nothing, learns beside the base, and is in the file what it was in training."""

import json

import pytest
import torch
from toy_base import configured, write_base, write_toy_pairs

from sesahand.cli import main
from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.files.weights import open_weights
from sesahand.models.checkpoints import load_base
from sesahand.models.low_rank import attach_lora, load_lora, write_lora
from sesahand.training.checkpoint_state import read_state
from sesahand.training.lora import train_lora


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_base(tmp_path_factory.mktemp("base") / "base.safetensors")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return write_toy_pairs(tmp_path_factory.mktemp("sets") / "hands", 6, (64, 64))


def predicted(unet):
    generator = torch.Generator().manual_seed(1)
    latents, text = (torch.randn(1, *shape, generator=generator) for shape in ((4, 8, 8), (77, 64)))
    with torch.no_grad():
        return unet(latents, 500, text).sample


def lora_config(folder, base, pairs, **settings):
    data = {"path": str(pairs), "held_out": 0.2}
    steps = {"steps": 6, "batch_size": 2, "learning_rate": 1e-2, "warmup": 1}
    return configured(
        folder, base, data, kind="lora", lora={"rank": 3, "alpha": 2.0}, training=steps,
        **{"validate_every": 3, "validation_steps": 1, "guidance": 1.0, **settings},
    )  # fmt: skip


@pytest.mark.parametrize("layers", ["attention", "all"])
def test_a_new_lora_is_nothing_and_one_with_weights_is_the_sum_written_out(base, layers):
    unet, other = (load_base(base).unet for _ in range(2))
    plain = predicted(unet)
    lora = attach_lora(unet, 3, 2.0, layers)
    assert torch.equal(predicted(unet), plain)
    assert any("_ff_" in name for name in lora) == (layers == "all")
    for number, addition in enumerate(lora.values()):
        torch.nn.init.normal_(addition.lora_up.weight, std=0.1, generator=torch.Generator().manual_seed(number))
    names = {"lora_unet_" + name.replace(".", "_"): layer for name, layer in other.named_modules()}
    for name, addition in lora.items():
        names[name].weight.data += 2.0 / 3 * addition.lora_up.weight @ addition.lora_down.weight
    assert not torch.allclose(predicted(unet), plain, atol=1e-3)
    assert torch.allclose(predicted(unet), predicted(other), atol=1e-4)


def test_it_is_trained_stopped_and_gone_on_with_by_the_command(pairs, base, tmp_path, capsys):
    pytest.importorskip("accelerate")
    lora_config(tmp_path / "whole", base, pairs, checkpoint_every=2)
    lora_config(tmp_path / "parts", base, pairs, checkpoint_every=2)
    assert main(["train", "--config", str(tmp_path / "whole" / "config.json")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == str(tmp_path / "whole" / "run" / "lora.safetensors")
    assert main(["train", "--config", str(tmp_path / "parts" / "config.json"), "--minutes", "0.00001"]) == 3
    assert main(["train", "--config", str(tmp_path / "parts" / "config.json")]) == 0
    whole, parts = (tensors(tmp_path / name / "run" / "lora.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())
    assert max(float(value.abs().max()) for name, value in whole.items() if "lora_up" in name) > 0
    log = [json.loads(line) for line in (tmp_path / "whole" / "run" / "held_out.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in log] == [3, 6] and (
        tmp_path / "whole" / "run" / "lora_best.safetensors"
    ).exists()
    # A checkpoint holds the LoRA and nothing of the base.
    parts, _ = read_state(max((tmp_path / "whole" / "run").glob("checkpoint-*")) / "state.safetensors")
    assert all(name.split(".")[2].startswith("lora_unet_") for name in parts["model"])


def test_a_half_precision_base_with_checkpointing_and_a_start_is_trained_on(pairs, base, tmp_path):
    pytest.importorskip("accelerate")
    settings = {"frozen_dtype": "bfloat16", "precision": "bf16", "gradient_checkpointing": True, "validate_every": 0}
    _, path = train_lora(lora_config(tmp_path / "first", base, pairs, **settings))
    outcome, again = train_lora(lora_config(tmp_path / "again", base, pairs, start=str(path), **settings))
    assert outcome.finished and str(tmp_path).encode() not in again.read_bytes()


def test_a_file_of_other_layers_rank_or_alpha_is_refused(base, tmp_path):
    unet = load_base(base).unet
    path = tmp_path / "lora.safetensors"
    write_lora(path, attach_lora(unet, 3, 2.1, "all"), {})
    load_lora(path, attach_lora(load_base(base).unet, 3, 2.1, "all"))
    for settings, message in (
        ((3, 2.1, "attention"), r"set lora\.layers"),
        ((4, 2.1, "all"), "expected"),
        ((3, 1.0, "all"), r"alpha of 2.1; set lora\.alpha"),
    ):
        with pytest.raises(InvalidFileError, match=message):
            load_lora(path, attach_lora(load_base(base).unet, *settings))


def test_settings_that_make_no_lora_are_refused(base, pairs, tmp_path):
    for change, message in (
        ({"rank": 0}, "rank"), ({"alpha": 0}, "alpha"), ({"layers": "some"}, "attention or all"), ({"rnk": 1}, "rank"),
    ):  # fmt: skip
        with pytest.raises(SesaHandError, match=message):
            configured(tmp_path, base, {"path": str(pairs)}, kind="lora", lora=change)
    with pytest.raises(SesaHandError, match="no setting of this training"):
        configured(tmp_path, base, {"path": str(pairs)}, kind="lora", fusion={"mode": "paper"})


def test_diffusers_loads_the_file_and_predicts_the_same(base, tmp_path):
    pytest.importorskip("peft")
    from diffusers import StableDiffusionPipeline

    networks = load_base(base)
    lora = attach_lora(networks.unet, 3, 2.0)
    for number, addition in enumerate(lora.values()):
        torch.nn.init.normal_(addition.lora_up.weight, std=0.1, generator=torch.Generator().manual_seed(number))
    write_lora(tmp_path / "lora.safetensors", lora, {}, torch.float32)
    plain = load_base(base)
    pipeline = StableDiffusionPipeline(
        plain.autoencoder, plain.text_encoder, plain.tokenizer, plain.unet, plain.scheduler, None, None,
        requires_safety_checker=False,
    )  # fmt: skip
    before = predicted(plain.unet)
    pipeline.load_lora_weights(str(tmp_path), weight_name="lora.safetensors")
    assert not torch.allclose(predicted(plain.unet), before, atol=1e-3)
    assert torch.allclose(predicted(plain.unet), predicted(networks.unet), atol=1e-4)


def tensors(path):
    with open_weights(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}
