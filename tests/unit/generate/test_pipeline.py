"""The headless engine on tiny random weights, against diffusers' own pipeline."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_diffusion import save_diffusers, save_mini

from sesahand.errors import InvalidFileError, SesaHandError
from sesahand.fusion.settings import FusionSettings
from sesahand.generate.pipeline import HandGenerator, choose_fusion
from sesahand.generate.sampling import SAMPLERS, SamplingSettings
from sesahand.models.controlnets import load_controlnet
from sesahand.models.ldm_names import to_ldm

PROMPTS = ["a clenched fist in front of a wall", "a hand, showing victory"]
OFF = {"alpha": 0.0, "fusion": FusionSettings(strength=0.0)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def diffusers_folders(folder):
    return save_diffusers(folder)


@pytest.fixture(scope="module")
def generator(diffusers_folders):
    return HandGenerator.load(*diffusers_folders, device="cpu")


@pytest.fixture(scope="module")
def mini(folder):
    return save_mini(folder / "mini.safetensors")


@pytest.fixture(scope="module")
def small(mini):
    return HandGenerator.load(mini, device="cpu")


def maps(count=2, size=64):
    return torch.rand(count, size, size, 3, generator=torch.Generator().manual_seed(9))


def settings(**changes):
    return SamplingSettings(**{"steps": 3, "guidance": 4.0, **changes})


@pytest.mark.parametrize("guidance", [1.0, 6.5])
def test_with_both_alignments_off_it_is_diffusers_to_the_last_bit(generator, diffusers_folders, guidance):
    from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

    base, control = diffusers_folders
    theirs = StableDiffusionControlNetPipeline.from_pretrained(
        base,
        controlnet=ControlNetModel.from_pretrained(control, local_files_only=True),
        safety_checker=None,
        local_files_only=True,
    )
    # torch multiplies by weights that could have a gradient in another order, and the last bit differs.
    for part in (theirs.unet, theirs.vae, theirs.text_encoder, theirs.controlnet):
        part.requires_grad_(False)
    how = settings(guidance=guidance, negative="blurry", strength=0.8, control_start=0.1, control_end=0.9, **OFF)
    expected = theirs(
        PROMPTS,
        image=maps().movedim(-1, 1),
        negative_prompt=["blurry"] * 2,
        num_inference_steps=3,
        guidance_scale=guidance,
        controlnet_conditioning_scale=0.8,
        control_guidance_start=0.1,
        control_guidance_end=0.9,
        generator=[torch.Generator().manual_seed(seed) for seed in (4, 5)],
        output_type="pt",
    ).images
    ours = generator(PROMPTS, maps(), [4, 5], how, batch_size=2)
    assert torch.equal(ours, expected.movedim(1, -1))


def test_a_picture_depends_on_its_seed_and_not_on_its_batch(small):
    how = settings(fusion=small.controlnet.fusion)
    together = small([PROMPTS[0]], maps(1), [7, 8, 9], how, batch_size=3)
    for index, seed in enumerate((7, 8, 9)):
        alone = small([PROMPTS[0]], maps(1), [seed], how)
        assert torch.allclose(together[index], alone[0], atol=2e-3)
        assert torch.equal(alone, small([PROMPTS[0]], maps(1), [seed], how))
    assert (together[0] - together[1]).abs().mean() > 0.05


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 2.0},
        {"fusion": FusionSettings(mode="paper")},
        {"fusion": FusionSettings(mode="blend", strength=0.5)},
        {"strength": 0.3},
        {"control_end": 0.3},
        {"guidance": 1.0},
        {"negative": "blurry"},
        {"sampler": "euler"},
    ],
)
def test_each_setting_changes_the_picture_and_leaves_nothing_behind(generator, change):
    plain = generator(PROMPTS[:1], maps(1), [1], settings(**OFF))
    changed = generator(PROMPTS[:1], maps(1), [1], settings(**{**OFF, **change}))
    assert not torch.equal(plain, changed)
    assert torch.equal(plain, generator(PROMPTS[:1], maps(1), [1], settings(**OFF)))


def test_the_bias_acts_on_the_hand_words_of_the_asked_half_only(generator, monkeypatch):
    seen = []
    import sesahand.generate.pipeline as pipeline

    real = pipeline.attention_bias
    monkeypatch.setattr(
        pipeline, "attention_bias", lambda unet, rows, **how: seen.append(rows) or real(unet, rows, **how)
    )
    generator(PROMPTS, maps(), [1, 2], settings(), batch_size=2)
    tokens = generator.base.tokenizer(PROMPTS[0]).input_ids
    words = [generator.base.tokenizer.decode([tokens[column]]).strip() for column in seen[0][2]]
    assert seen[0][:2] == [(), ()] and "fist" in words and "wall" not in words
    generator(PROMPTS[:1], maps(1), [1], settings(guidance=1.0))
    assert seen[1] == [seen[0][2]]


def test_an_interrupted_sampling_leaves_the_networks_as_they_were(small):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small(PROMPTS[:1], maps(1), [1], progress=stop)
    hooks = [module for part in (small.base.unet, small.controlnet.model) for module in part.modules()]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in hooks)


def test_progress_counts_every_step_of_every_batch(small):
    told = []
    small(PROMPTS[:1], maps(1), [1, 2, 3], settings(), batch_size=2, progress=lambda done, of: told.append((done, of)))
    assert told == [(step, 6) for step in range(1, 7)]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_runs_and_repeats_itself(small, sampler):
    pictures = [small(PROMPTS[:1], maps(1), [3], settings(sampler=sampler)) for _ in range(2)]
    assert torch.equal(*pictures) and 0 <= pictures[0].min() and pictures[0].max() <= 1


def test_a_controlnet_is_the_same_network_in_every_kind_of_file(generator, diffusers_folders, tmp_path):
    state = load_file(diffusers_folders[1] / "diffusion_pytorch_model.safetensors")
    mark = FusionSettings(mode="paper", refine="to_32").to_metadata()
    save_file(state, tmp_path / "theirs_normalbae.safetensors", mark)
    save_file({f"control_model.{k}": v for k, v in to_ldm(state).items()}, tmp_path / "ldm_openpose.safetensors")
    loaded = {path.name: load_controlnet(path, generator.base) for path in tmp_path.iterdir()}
    for one in loaded.values():
        for name, value in one.model.state_dict().items():
            assert torch.equal(value, state[name])
    assert loaded["theirs_normalbae.safetensors"].fusion == FusionSettings(mode="paper", refine="to_32")
    assert {one.map for one in loaded.values()} == {"normal", "keypoints"} and generator.controlnet.map == "depth"


def test_the_small_model_takes_its_controlnets_by_name_and_follows_their_training(mini, small):
    assert small.controlnet.map == "mesh" and small.default_settings().fusion.mode == "paper"
    plain = HandGenerator.load(mini, "plain", device="cpu")
    assert plain.default_settings().fusion is None and choose_fusion(plain, 0.4).mode == "blend"
    assert choose_fusion(small, 0).is_off and choose_fusion(small, None) == choose_fusion(small, 1)
    with pytest.raises(SesaHandError, match="on or off"):
        choose_fusion(small, 0.4)
    said = small.base.describe_unknown(["a fist", "a fist, near a harbour", "a harbour"])
    assert "ignores: near, harbour. It knows: " in said and "fist" in said.split("It knows: ")[1]
    assert small.base.describe_unknown(["a fist"]) == ""


def test_weights_of_another_family_are_refused_by_name(generator, folder, mini, tmp_path):
    wide, wide_control = save_diffusers(tmp_path / "wide", text_width=64)
    with pytest.raises(InvalidFileError, match="text width 64.*text width 32"):
        load_controlnet(wide_control, generator.base)
    (wide / "text_encoder_2").mkdir()
    with pytest.raises(InvalidFileError, match="SDXL"):
        HandGenerator.load(wide, wide_control)
    save_file({"conditioner.embedders.0.x": torch.zeros(1)}, tmp_path / "xl.safetensors")
    with pytest.raises(InvalidFileError, match="SDXL"):
        HandGenerator.load(tmp_path / "xl.safetensors")
    with pytest.raises(InvalidFileError, match="small model.*text width 64|text width 64"):
        load_controlnet(f"{mini}".replace(".safetensors", "_control_sf.safetensors"), generator.base)


def test_what_is_missing_or_no_model_is_told(generator, diffusers_folders, tmp_path):
    base, control = diffusers_folders
    with pytest.raises(InvalidFileError, match="There is no model.*Nothing is downloaded"):
        HandGenerator.load(tmp_path / "nowhere")
    with pytest.raises(InvalidFileError, match="no .safetensors file"):
        (tmp_path / "old.ckpt").write_bytes(b"PK")
        HandGenerator.load(tmp_path / "old.ckpt")
    with pytest.raises(InvalidFileError, match="lacks unet"):
        HandGenerator.load(tmp_path)
    with pytest.raises(InvalidFileError, match="safetensors"):
        (tmp_path / "bad.safetensors").write_bytes(b"nonsense" * 9)
        HandGenerator.load(tmp_path / "bad.safetensors")
    with pytest.raises(SesaHandError, match="Which ControlNet"):
        load_controlnet(None, generator.base)
    with pytest.raises(InvalidFileError, match="There is no ControlNet"):
        load_controlnet(tmp_path / "none.safetensors", generator.base)
    with pytest.raises(InvalidFileError, match="config.json"):
        load_controlnet(tmp_path, generator.base)
    shutil.copytree(control, tmp_path / "pickled")
    (tmp_path / "pickled" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(InvalidFileError, match="lacks diffusion_pytorch_model"):
        load_controlnet(tmp_path / "pickled", generator.base)
    with pytest.raises(SesaHandError, match="no device"):
        HandGenerator.load(base, control, device="cuda:77")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 2.5}, "steps"),
        ({"guidance": 0.5}, "guidance"),
        ({"guidance": float("nan")}, "guidance"),
        ({"alpha": 9.0}, "alpha"),
        ({"alpha_blocks": "top"}, "blocks"),
        ({"control_end": 1.5}, "control_end"),
        ({"sampler": "magic"}, "ddim"),
    ],
)
def test_settings_without_meaning_are_refused(change, said):
    with pytest.raises(SesaHandError, match=said):
        settings(**change)


def test_settings_survive_json():
    import json

    how = settings(fusion=FusionSettings(mode="paper", refine="to_32"), negative="mud")
    assert SamplingSettings.from_dict(json.loads(json.dumps(how.to_dict()))) == how
    with pytest.raises(SesaHandError):
        SamplingSettings.from_dict({"stepz": 3})


@pytest.mark.parametrize(
    ("shape", "seeds"), [((1, 60, 64, 3), [1]), ((1, 64, 64, 4), [1]), ((3, 64, 64, 3), [1, 2]), ((1, 64, 64, 3), [])]
)
def test_maps_and_seeds_that_do_not_fit_are_refused(small, shape, seeds):
    with pytest.raises(SesaHandError):
        small(["a fist"], torch.zeros(shape), seeds, settings())
    with pytest.raises(SesaHandError, match="0..1"):
        small(["a fist"], torch.full((1, 64, 64, 3), float("nan")), [1], settings())
