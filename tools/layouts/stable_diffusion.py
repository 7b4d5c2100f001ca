"""Where Stable Diffusion 1.5 and its depth ControlNet are to be had: for loaders, and for notes."""

SD15 = {
    "name": "v1-5-pruned-emaonly-fp16.safetensors",
    "url": "https://huggingface.co/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/"
    "v1-5-pruned-emaonly-fp16.safetensors",
    "directory": "checkpoints",
}
DEPTH_CONTROLNET = {
    "name": "control_v11f1p_sd15_depth_fp16.safetensors",
    "url": "https://huggingface.co/comfyanonymous/ControlNet-v1-1_fp16_safetensors/resolve/main/"
    "control_v11f1p_sd15_depth_fp16.safetensors",
    "directory": "controlnet",
}

LINKS = f"""\
- *models/checkpoints*: [{SD15["name"]}]({SD15["url"]}) (2.1 GB, CreativeML Open RAIL-M)
- *models/controlnet*: [{DEPTH_CONTROLNET["name"]}]({DEPTH_CONTROLNET["url"]}) (0.7 GB, Open RAIL)
"""
OTHER_MODELS = f"""\
For Stable Diffusion 1.5, for example:
{LINKS}"""
