"""A checkpoint file that predicts velocities: `generate --base` samples it as ComfyUI does when told so by hand."""

import narrow_models
import pytest
import torch
from attention_reference import relative_l2
from comfy_extras.nodes_model_advanced import ModelSamplingDiscrete
from safetensors.torch import save_file
from sesahand_pack.nodes.patches.attention_bias import bias_attention
from sesahand_pack.sesahand.generate.pipeline import HandGenerator
from sesahand_pack.sesahand.generate.sampling import SamplingSettings

import comfy.diffusers_convert
import comfy.sample
import comfy.samplers
import nodes as core

PROMPT = "a hand making a fist, red wall"
STEPS, GUIDANCE, ALPHA, SEED = 3, 3.0, 2.0, 11
LAYOUT = narrow_models.NARROW["sd15"]
# What a file is marked with, and what ComfyUI's ModelSamplingDiscrete is set to for it.
MARKS = {"noise": (), "velocity": ("v_pred",), "velocity from pure noise": ("v_pred", "ztsnr")}


@pytest.fixture(scope="module")
def weights():
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=2,
    )
    vae = comfy.diffusers_convert.convert_vae_state_dict(dict(vae.state_dict()))
    state = narrow_models.random_weights(narrow_models.unet_shapes(LAYOUT), "model.diffusion_model.")
    text = narrow_models.random_weights(narrow_models.text_encoder_shapes(768, 2), "cond_stage_model.transformer.")
    text.pop("cond_stage_model.transformer.text_projection.weight")
    return state | text | {f"first_stage_model.{name}": value.contiguous() for name, value in vae.items()}


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    state = narrow_models.random_weights(narrow_models.controlnet_shapes(LAYOUT), "control_model.")
    return narrow_models.save(state, tmp_path_factory.mktemp("control") / "depth.safetensors")


def sampled_in_comfyui(model, base, columns, hint, sides):
    """The latent out of core's sampler, which is DDIM if it is Euler's, at the times of diffusers' scheduler."""
    ids = [base.tokenizer(side, padding="max_length", return_tensors="pt").input_ids for side in sides]
    texts = [base.text_encoder(row)[0] for row in ids]
    positive = [[texts[0], {"sesahand_tokens": {"columns": columns, "length": texts[0].shape[1]}}]]
    prompts = positive, [[texts[1], {}]]
    prompts = core.ControlNetApplyAdvanced().apply_controlnet(
        *prompts, narrow_models.controlnet("sd15"), hint, 1.0, 0.0, 1.0
    )
    base.scheduler.set_timesteps(STEPS)
    sampling = model.get_model_object("model_sampling")
    sigmas = torch.cat([sampling.sigma(base.scheduler.timesteps.float()), sampling.sigma(torch.zeros(1))])
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(SEED))
    # Core begins with this much of it; diffusers with deviation 1.
    noise = noise * (sigmas[0] ** 2 + 1) ** 0.5 / sigmas[0]
    euler, nothing = comfy.samplers.sampler_object("euler"), torch.zeros_like(noise)
    latent = comfy.sample.sample_custom(model, noise, GUIDANCE, euler, sigmas, *prompts, nothing, seed=0)
    return latent / (1 + sigmas[-1] ** 2) ** 0.5


@torch.no_grad()
@pytest.mark.parametrize("mark", MARKS)
def test_a_marked_file_is_sampled_as_by_comfyui(weights, control, tmp_path, mark):
    marks = MARKS[mark]
    path = tmp_path / "base.safetensors"
    save_file(weights | {name: torch.zeros(1) for name in marks}, path)
    generator = HandGenerator.load(path, control, device="cpu")
    hint = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(9))
    settings = SamplingSettings(steps=STEPS, guidance=GUIDANCE, alpha=ALPHA)
    [ours] = generator([PROMPT], hint, [SEED], settings)

    columns = generator.hand_tokens(PROMPT).columns
    assert columns
    prediction = "v_prediction" if marks else "eps"
    (model,) = ModelSamplingDiscrete().patch(narrow_models.model("sd15"), prediction, "ztsnr" in marks)
    latent = sampled_in_comfyui(bias_attention(model, ALPHA), generator.base, columns, hint, (PROMPT, ""))
    [theirs] = generator.base.autoencoder.decode(latent).sample.movedim(1, -1) / 2 + 0.5
    # Core's highest noise level is finite where diffusers' is not.
    assert relative_l2(ours, theirs.clamp(0, 1)) < (2e-3 if "ztsnr" in marks else 1e-5)
