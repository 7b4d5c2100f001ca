"""diffusers' models with the weights of ComfyUI's narrow ones, for tests that both engines compute the same."""

import narrow_models
import torch

import comfy.sampler_helpers
import comfy.samplers
import comfy.utils

CONTROLNET_CONFIG = {
    "sd15": {
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "attention_head_dim": 8,
    },
    "sdxl": {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "attention_head_dim": (1, 2, 4),
        "transformer_layers_per_block": (1, 2, 2),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
}


def diffusers_unet(family, model, layout):
    """diffusers' UNet of a family and layout with the weights of a narrow MODEL."""
    from diffusers import UNet2DConditionModel

    crossed = [depth > 0 for depth in layout.depths]
    settings = {
        "block_out_channels": [layout.width * m for m in layout.multipliers],
        "down_block_types": ["CrossAttnDownBlock2D" if c else "DownBlock2D" for c in crossed],
        "up_block_types": ["CrossAttnUpBlock2D" if c else "UpBlock2D" for c in reversed(crossed)],
        "cross_attention_dim": layout.context,
        "use_linear_projection": layout.linear,
        "attention_head_dim": 8,
    }
    if family == "sdxl":
        settings |= {
            "attention_head_dim": [layout.width * m // 64 for m in layout.multipliers],
            "transformer_layers_per_block": [max(1, depth) for depth in layout.depths],
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": layout.vector,
        }
    unet = UNet2DConditionModel(**settings).eval()
    names = comfy.utils.unet_to_diffusers(model.model.model_config.unet_config)
    weights = model.get_model_object("diffusion_model").state_dict()
    weights = {theirs: weights[ours] for theirs, ours in names.items() if ours in weights}
    weights = {name.replace("class_embedding", "add_embedding"): value for name, value in weights.items()}
    unet.load_state_dict(weights, strict=True)
    return unet


def controlnet_names(layout):
    """ldm names of a ControlNet's parameters by their diffusers names; the encoder's part is ComfyUI's own table."""
    names = comfy.utils.unet_to_diffusers(
        {
            "num_res_blocks": [layout.res_blocks] * len(layout.multipliers),
            "channel_mult": list(layout.multipliers),
            "transformer_depth": [depth for depth in layout.depths for _ in range(layout.res_blocks)],
            "transformer_depth_output": [depth for depth in layout.depths for _ in range(layout.res_blocks + 1)],
            "transformer_depth_middle": layout.middle_depth,
        }
    )
    hint = ["conv_in", *(f"blocks.{index}" for index in range(6)), "conv_out"]
    for part in ("weight", "bias"):
        names[f"controlnet_mid_block.{part}"] = f"middle_block_out.0.{part}"
        for index in range(12):
            names[f"controlnet_down_blocks.{index}.{part}"] = f"zero_convs.{index}.0.{part}"
        for index, name in enumerate(hint):
            names[f"controlnet_cond_embedding.{name}.{part}"] = f"input_hint_block.{2 * index}.{part}"
        # What ComfyUI calls the label embedding is SDXL's text and size embedding in diffusers.
        for index, name in enumerate(("linear_1", "linear_2")):
            names[f"add_embedding.{name}.{part}"] = f"label_emb.0.{2 * index}.{part}"
    return names


def diffusers_controlnet(family):
    """diffusers' ControlNet with the weights of the family's narrow ControlNet."""
    from diffusers import ControlNetModel

    layout = narrow_models.NARROW[family]
    model = ControlNetModel(
        block_out_channels=tuple(layout.width * multiplier for multiplier in layout.multipliers),
        cross_attention_dim=layout.context,
        conditioning_embedding_out_channels=(16, 32, 96, 256),
        norm_num_groups=32,
        **CONTROLNET_CONFIG[family],
    )
    state, names = narrow_models.random_weights(narrow_models.controlnet_shapes(layout)), controlnet_names(layout)
    model.load_state_dict({name: state[names[name]] for name in model.state_dict()})
    return model.eval()


@torch.inference_mode()
def noise_in_comfyui(model, positive, negative, latent, time):
    """The noise predicted for the negative and then the positive prompt, as ComfyUI's samplers ask for it."""
    base = model.model
    sigma = base.model_sampling.sigma(torch.tensor([float(time)]))
    conds = {"positive": positive, "negative": negative}
    conds = {name: comfy.sampler_helpers.convert_cond(cond) for name, cond in conds.items()}
    model.pre_run()
    conds = comfy.samplers.process_conds(base, latent, conds, latent.device)
    scaled = latent * (sigma**2 + 1) ** 0.5
    sides = [conds["negative"], conds["positive"]]
    clean = comfy.samplers.calc_cond_batch(base, sides, scaled, sigma.expand(len(latent)), model.model_options)
    return torch.cat([(scaled - side) / sigma for side in clean])


@torch.inference_mode()
def noise_in_diffusers(unet, positive, negative, latent, time, controlnet=None, picture=None):
    """The same in diffusers; a ControlNet sees the picture `[1, H, W, 3]`."""
    sides, (height, width) = (negative, positive), (8 * size for size in latent.shape[2:])
    text = torch.cat([side[0][0].repeat(len(latent), 1, 1) for side in sides])
    added = {
        "text_embeds": torch.cat([side[0][1]["pooled_output"].repeat(len(latent), 1) for side in sides]),
        "time_ids": torch.tensor([[height, width, 0, 0, height, width]] * len(text)),
    }
    noisy, residuals = torch.cat([latent, latent]), {}
    if controlnet is not None:
        hint = picture.movedim(-1, 1).repeat(len(text), 1, 1, 1)
        down, middle = controlnet(noisy, torch.tensor(time), text, hint, added_cond_kwargs=added, return_dict=False)
        residuals = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
    return unet(noisy, torch.tensor(time), text, added_cond_kwargs=added, **residuals).sample
