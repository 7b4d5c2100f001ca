"""Where Stable Diffusion 1.5 and SDXL and their ControlNets are to be had: for loaders, and for notes."""

from .parts import PURPLE, Group, Node

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


def _controlnet(name: str, repository: str) -> dict:
    url = f"https://huggingface.co/{repository}/resolve/main/{name}"
    return {"name": name, "url": url, "directory": "controlnet"}


NORMAL_CONTROLNET, KEYPOINT_CONTROLNET = (
    _controlnet(f"control_v11p_sd15_{kind}_fp16.safetensors", "comfyanonymous/ControlNet-v1-1_fp16_safetensors")
    for kind in ("normalbae", "openpose")
)
SDXL = {
    "name": "sd_xl_base_1.0.safetensors",
    "url": "https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors",
    "directory": "checkpoints",
}
SDXL_DEPTH_CONTROLNET, SDXL_KEYPOINT_CONTROLNET = (
    _controlnet(f"{name}.safetensors", "lllyasviel/sd_control_collection")
    for name in ("diffusers_xl_depth_full", "thibaud_xl_openpose")
)


def loading(checkpoint: dict, **controlnets: dict) -> Group:
    """Return the group that loads a checkpoint, biased to hand words, and ControlNets, `depth` with fusion."""
    return Group(
        "Models",
        (
            (
                Node(
                    "checkpoint",
                    "CheckpointLoaderSimple",
                    {"ckpt_name": checkpoint["name"]},
                    width=380,
                    models=(checkpoint,),
                ),
                Node("bias", "SesaHandAttentionBias", {"alpha": 1.0}, {"model": "checkpoint.MODEL"}, 380),
            ),
            (
                *(
                    Node(name, "ControlNetLoader", {"control_net_name": model["name"]}, width=380, models=(model,))
                    for name, model in controlnets.items()
                ),
                Node(
                    "fusion",
                    "SesaHandStructuralFusion",
                    {"mode": "blend", "strength": 0.3},
                    {"control_net": "depth.CONTROL_NET"},
                    380,
                ),
            ),
        ),
        PURPLE,
    )


def link(model: dict, what: str) -> str:
    """Return a line of a note on where a model goes and comes from, how large it is and under what terms."""
    return f"- *models/{model['directory']}*: [{model['name']}]({model['url']}) ({what})\n"


LINKS = link(SD15, "2.1 GB, CreativeML Open RAIL-M") + link(DEPTH_CONTROLNET, "0.7 GB, Open RAIL")
OTHER_MODELS = f"""\
For Stable Diffusion 1.5, for example:
{LINKS}"""
