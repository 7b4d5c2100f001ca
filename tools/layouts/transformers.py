"""Qwen-Image, Z-Image and FLUX: their files, how they are loaded, and how they sample, for all workflows with them.

Files, settings and sizes in pixels are those of the templates that ComfyUI ships for these models.
"""

from dataclasses import dataclass, field

from .parts import PURPLE, Group, Node
from .stable_diffusion import link

HOST = "https://huggingface.co"


@dataclass(frozen=True)
class File:
    """A file of weights.

    Attributes:
        directory: The folder under ComfyUI's models that it goes to.
        repository: Where it comes from, with the folder there that it lies in.
        name: Its name.
        about: Its size and terms, for a note.
    """

    directory: str
    repository: str
    name: str
    about: str

    @property
    def model(self) -> dict:
        """What a loader's properties say of it."""
        owner, project, *folder = self.repository.split("/")
        url = "/".join((HOST, owner, project, "resolve", "main", *folder, self.name))
        return {"name": self.name, "url": url, "directory": self.directory}

    @property
    def link(self) -> str:
        """Return its line of a note."""
        return link(self.model, self.about)


def _split(directory: str, repository: str, name: str, about: str) -> File:
    """Return a file of one of ComfyUI's own repositories, which have a folder for each kind."""
    return File(directory, f"{repository}/split_files/{directory}", name, about)


QWEN_IMAGE = _split(
    "diffusion_models", "Comfy-Org/Qwen-Image_ComfyUI", "qwen_image_fp8_e4m3fn.safetensors", "20 GB, Apache-2.0"
)
QWEN_IMAGE_EDIT = _split(
    "diffusion_models",
    "Comfy-Org/Qwen-Image-Edit_ComfyUI",
    "qwen_image_edit_2511_fp8mixed.safetensors",
    "20 GB, Apache-2.0",
)
# For ComfyUI 0.3.64, which does not read the file above.
QWEN_IMAGE_EDIT_2509 = _split(
    "diffusion_models",
    "Comfy-Org/Qwen-Image-Edit_ComfyUI",
    "qwen_image_edit_2509_fp8_e4m3fn.safetensors",
    "20 GB, Apache-2.0",
)
QWEN_IMAGE_2512 = _split(
    "diffusion_models", "Comfy-Org/Qwen-Image_ComfyUI", "qwen_image_2512_fp8_e4m3fn.safetensors", "20 GB, Apache-2.0"
)
QWEN_TEXT = _split(
    "text_encoders", "Comfy-Org/Qwen-Image_ComfyUI", "qwen_2.5_vl_7b_fp8_scaled.safetensors", "9.4 GB, Apache-2.0"
)
QWEN_VAE = _split("vae", "Comfy-Org/Qwen-Image_ComfyUI", "qwen_image_vae.safetensors", "0.25 GB, Apache-2.0")
QWEN_CONTROLNET = _split(
    "controlnet",
    "Comfy-Org/Qwen-Image-InstantX-ControlNets",
    "Qwen-Image-InstantX-ControlNet-Union.safetensors",
    "3.5 GB, Apache-2.0",
)
QWEN_2512_CONTROLNET = File(
    "controlnet",
    "alibaba-pai/Qwen-Image-2512-Fun-Controlnet-Union",
    "Qwen-Image-2512-Fun-Controlnet-Union-2602.safetensors",
    "3.5 GB, Apache-2.0",
)
QWEN_LIGHTNING = File(
    "loras",
    "lightx2v/Qwen-Image-Lightning",
    "Qwen-Image-Lightning-4steps-V1.0.safetensors",
    "1.7 GB, Apache-2.0",
)
QWEN_EDIT_LIGHTNING = File(
    "loras",
    "lightx2v/Qwen-Image-Edit-2511-Lightning",
    "Qwen-Image-Edit-2511-Lightning-4steps-V1.0-bf16.safetensors",
    "0.8 GB, Apache-2.0",
)

Z_IMAGE = _split("diffusion_models", "Comfy-Org/z_image_turbo", "z_image_turbo_bf16.safetensors", "12 GB, Apache-2.0")
Z_IMAGE_TEXT = _split("text_encoders", "Comfy-Org/z_image_turbo", "qwen_3_4b.safetensors", "8 GB, Apache-2.0")
Z_IMAGE_VAE = _split("vae", "Comfy-Org/z_image_turbo", "ae.safetensors", "0.3 GB, Apache-2.0")
# Of the three that are published the one that also takes a picture to repaint, made for eight steps.
Z_IMAGE_CONTROL = File(
    "model_patches",
    "alibaba-pai/Z-Image-Turbo-Fun-Controlnet-Union-2.1",
    "Z-Image-Turbo-Fun-Controlnet-Union-2.1-2602-8steps.safetensors",
    "6.7 GB, Apache-2.0",
)

FLUX = File("diffusion_models", "Comfy-Org/flux1-dev", "flux1-dev-fp8.safetensors", "17 GB, FLUX.1 dev non-commercial")
FLUX_CLIP = File(
    "text_encoders", "comfyanonymous/flux_text_encoders", "clip_l.safetensors", "0.25 GB, MIT, of OpenAI's CLIP"
)
FLUX_TEXT = File(
    "text_encoders",
    "comfyanonymous/flux_text_encoders",
    "t5xxl_fp8_e4m3fn_scaled.safetensors",
    "5.2 GB, Apache-2.0",
)
FLUX_VAE = _split("vae", "Comfy-Org/Lumina_Image_2.0_Repackaged", "ae.safetensors", "0.3 GB, Apache-2.0")
FLUX_DEPTH = _split(
    "loras", "Comfy-Org/flux1-dev", "flux1-depth-dev-lora.safetensors", "1.3 GB, FLUX.1 dev non-commercial"
)


@dataclass(frozen=True)
class Family:
    """What all workflows with one kind of model have in common.

    Attributes:
        title: What people call it.
        diffusion_model: Its file.
        text_encoders: Their files, one or two.
        clip_type: What Load CLIP calls them.
        vae: Its file.
        sampling: KSampler's settings.
        memory: For a note.
        side: Of a square picture that it was made for, in pixels.
        shift: Of its sampling, for ModelSamplingAuraFlow; 0 leaves the model's own.
        patches: More nodes that the model goes through before Attention Bias, as (name, type, widgets, output, file).
    """

    title: str
    diffusion_model: File
    text_encoders: tuple[File, ...]
    clip_type: str
    vae: File
    sampling: dict
    memory: str
    side: int = 1024
    shift: float = 0
    patches: tuple[tuple[str, str, dict, str, File | None], ...] = field(default=())

    @property
    def files(self) -> tuple[File, ...]:
        """Return all files that are loaded."""
        patches = tuple(file for *_, file in self.patches if file)
        return (self.diffusion_model, *patches, *self.text_encoders, self.vae)


def _memory(gigabytes: int) -> str:
    """Return what a note says of memory, by the sizes of the files that are needed at once."""
    return (
        f"{gigabytes} GB of VRAM hold all that samples at once; with less, ComfyUI brings it in parts from main "
        "memory, of which 32 GB are wanted, and takes longer"
    )


QWEN_IMAGE_FAMILY = Family(
    "Qwen-Image",
    QWEN_IMAGE,
    (QWEN_TEXT,),
    "qwen_image",
    QWEN_VAE,
    {"steps": 20, "cfg": 2.5, "sampler_name": "euler", "scheduler": "simple"},
    _memory(24),
    side=1328,
    shift=3.1,
)
QWEN_EDIT_FAMILY = Family(
    "Qwen-Image-Edit",
    QWEN_IMAGE_EDIT,
    (QWEN_TEXT,),
    "qwen_image",
    QWEN_VAE,
    {"steps": 20, "cfg": 4, "sampler_name": "euler", "scheduler": "simple"},
    _memory(24),
    shift=3.1,
    patches=(("norm", "CFGNorm", {"strength": 1.0}, "patched_model", None),),
)
Z_IMAGE_FAMILY = Family(
    "Z-Image Turbo",
    Z_IMAGE,
    (Z_IMAGE_TEXT,),
    "lumina2",
    Z_IMAGE_VAE,
    {"steps": 8, "cfg": 1, "sampler_name": "res_multistep", "scheduler": "simple"},
    _memory(20),
    shift=3,
)
FLUX_DEPTH_FAMILY = Family(
    "FLUX.1 dev",
    FLUX,
    (FLUX_CLIP, FLUX_TEXT),
    "flux",
    FLUX_VAE,
    {"steps": 20, "cfg": 1, "sampler_name": "euler", "scheduler": "normal"},
    _memory(16),
    patches=(
        ("lora", "LoraLoaderModelOnly", {"lora_name": FLUX_DEPTH.name, "strength_model": 1.0}, "MODEL", FLUX_DEPTH),
    ),
)


def _text_encoder(family: Family) -> Node:
    """Return the node that loads the text encoders."""
    models = tuple(file.model for file in family.text_encoders)
    if len(models) == 1:
        kind, names = "CLIPLoader", {"clip_name": models[0]["name"]}
    else:
        kind, names = "DualCLIPLoader", {f"clip_name{k}": model["name"] for k, model in enumerate(models, 1)}
    return Node("clip", kind, {**names, "type": family.clip_type}, width=400, models=models)


def _patched(family: Family, alpha: float) -> list[Node]:
    """Return what the model goes through, with Attention Bias at the end."""
    shift = [("shift", "ModelSamplingAuraFlow", {"shift": family.shift}, "MODEL", None)] if family.shift else []
    bias = ("bias", "SesaHandAttentionBias", {"alpha": alpha, "blocks": "all"}, "MODEL", None)
    nodes, source = [], "diffusion_model.MODEL"
    for name, kind, widgets, output, file in (*shift, *family.patches, bias):
        models = (file.model,) if file else ()
        nodes.append(Node(name, kind, widgets, {"model": source}, 400, models=models))
        source = f"{name}.{output}"
    return nodes


def loading(family: Family, *controls: Node, alpha: float = 2.0) -> Group:
    """Return the group that loads a family's models, with what else is loaded to steer it.

    The model comes out of "bias.MODEL", the text encoder of "clip.CLIP", and the VAE of "vae.VAE".
    """
    diffusion_model, vae = family.diffusion_model.model, family.vae.model
    return Group(
        "Models",
        (
            (
                Node(
                    "diffusion_model",
                    "UNETLoader",
                    {"unet_name": diffusion_model["name"]},
                    width=400,
                    models=(diffusion_model,),
                ),
                _text_encoder(family),
                Node("vae", "VAELoader", {"vae_name": vae["name"]}, width=400, models=(vae,)),
            ),
            (*_patched(family, alpha), *controls),
        ),
        PURPLE,
    )


def controlnet(file: File) -> Node:
    """Return the loader "controlnet" of a ControlNet."""
    return Node("controlnet", "ControlNetLoader", {"control_net_name": file.name}, width=400, models=(file.model,))


def model_patch(file: File) -> Node:
    """Return the loader "model_patch" of a ControlNet that ComfyUI applies to the model itself."""
    return Node("model_patch", "ModelPatchLoader", {"name": file.name}, width=400, models=(file.model,))


def links(*files: File) -> str:
    """Return the lines of a note on where files go and come from."""
    return "".join(file.link for file in files)
