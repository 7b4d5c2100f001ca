"""The narrow test models are what ComfyUI's own loaders and samplers take for the real ones."""

import logging

import narrow_models
import pytest
import torch


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("narrow")
    yield (
        narrow_models.write_checkpoint(folder / "checkpoint.safetensors"),
        narrow_models.write_controlnet(folder / "controlnet.safetensors"),
    )
    for path in folder.iterdir():
        path.unlink()


def sample(model, positive, negative, size=16, steps=2):
    import comfy.sample

    latent = torch.zeros(1, 4, size, size)
    noise = comfy.sample.prepare_noise(latent, 0)
    return comfy.sample.sample(model, noise, steps, 3.0, "euler", "normal", positive, negative, latent, seed=0)


def encode(clip, text):
    return clip.encode_from_tokens_scheduled(clip.tokenize(text))


def apply_control(control, conditioning, strength):
    hint = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    applied = control.copy().set_cond_hint(hint, strength, (0.0, 1.0))
    return [[cond, {**values, "control": applied, "control_apply_to_uncond": True}] for cond, values in conditioning]


def test_the_standard_loaders_take_the_files_without_a_missing_weight(files, caplog):
    import comfy.controlnet
    import comfy.sd

    with caplog.at_level(logging.WARNING):
        model, clip, vae, _ = comfy.sd.load_checkpoint_guess_config(str(files[0]))
        control = comfy.controlnet.load_controlnet(str(files[1]))
    assert [record.getMessage() for record in caplog.records] == [], "a loader missed or did not know a weight"

    positive = encode(clip, "a hand holding a cup")
    plain = sample(model, positive, positive)
    steered = sample(model, apply_control(control, positive, 1.0), positive)
    assert torch.isfinite(plain).all() and (plain - steered).abs().max() > 1e-3
    picture = vae.decode(plain)
    assert picture.shape == (1, 128, 128, 3) and picture.std() > 1e-3


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_narrow_models_sample_and_their_hint_and_prompt_have_an_effect(family):
    model, clip = narrow_models.model(family), narrow_models.clip(family)
    control = narrow_models.controlnet(family)
    open_hand, fist = encode(clip, "an open hand"), encode(clip, "a fist")
    plain = sample(model, open_hand, fist)
    assert torch.isfinite(plain).all()
    assert torch.equal(plain, sample(model, open_hand, fist)), "the narrow model is not deterministic"
    assert (plain - sample(model, fist, open_hand)).abs().max() > 1e-4
    assert (plain - sample(model, apply_control(control, open_hand, 1.0), fist)).abs().max() > 1e-4


@pytest.mark.parametrize(("family", "heads"), [("sd15", [8]), ("sdxl", [2, 4])])
def test_narrow_models_have_their_familys_class_and_heads(family, heads):
    import comfy.model_base

    model = narrow_models.model(family)
    assert type(model.model) is (comfy.model_base.SDXL if family == "sdxl" else comfy.model_base.BaseModel)
    found = {m.heads for m in model.model.diffusion_model.modules() if hasattr(m, "heads")}
    assert sorted(found) == heads
    control = narrow_models.controlnet(family).control_model
    assert {m.heads for m in control.modules() if hasattr(m, "heads")} == found


def test_loaders_forget_the_narrow_layouts_afterwards():
    import comfy.supported_models

    before = list(comfy.supported_models.models)
    narrow_models.controlnet("sd15")
    assert comfy.supported_models.models == before
