"""A sentence, its posed hand, and a picture of it by Qwen-Image under a depth ControlNet."""

from .painting import MARKED, PROMPT, UNWANTED, Painting, control, note, workflow
from .parts import Node
from .transformers import (
    QWEN_2512_CONTROLNET,
    QWEN_CONTROLNET,
    QWEN_IMAGE_2512,
    QWEN_IMAGE_FAMILY,
    QWEN_LIGHTNING,
    controlnet,
    links,
    loading,
)

ABOUT = """\
A sentence is read, the hand that it speaks of is posed, you bend what is wrong, and its depth map makes Qwen-Image
paint exactly that hand. Needs ComfyUI 0.3.64 or newer."""

HINTS = """\
Hand too stiff or too smooth? Lower *strength* of Apply ControlNet to 0.7, or *end_percent* to 0.6. Hand wrong? Raise
both to 1. Another map: connect *keypoints* of Render Hand Depth & Maps in place of *depth*; it is known, too."""

MORE = f"""\
In four steps with this in a LoraLoaderModelOnly behind Load Diffusion Model, *steps* 4 and *cfg* 1:
{links(QWEN_LIGHTNING)}
Qwen-Image-2512 in a newer ComfyUI (0.33.0 has it): choose these two in the loaders, *steps* 50 and *cfg* 4:
{links(QWEN_IMAGE_2512, QWEN_2512_CONTROLNET)}
"""

WORKFLOW = workflow(
    Painting(
        name="hand_qwen_image",
        note=note("A hand by Qwen-Image, as posed", ABOUT, HINTS, QWEN_IMAGE_FAMILY, QWEN_CONTROLNET, more=MORE),
        family=QWEN_IMAGE_FAMILY,
        sentence="A woman raises her right hand making an ok sign in a sunlit kitchen.",
        models=loading(QWEN_IMAGE_FAMILY, controlnet(QWEN_CONTROLNET)),
        control=control(
            (
                PROMPT,
                UNWANTED,
                Node(
                    "apply",
                    "ControlNetApplyAdvanced",
                    {"strength": 0.9, "start_percent": 0.0, "end_percent": 0.8},
                    {
                        "positive": "positive.conditioning",
                        "negative": "negative.CONDITIONING",
                        "control_net": "controlnet.CONTROL_NET",
                        "image": "render.depth",
                        "vae": "vae.VAE",
                    },
                    360,
                ),
                MARKED,
            ),
        ),
        model="bias.MODEL",
        positive="apply.positive",
        negative="apply.negative",
        thumbnail=("render.depth", "render.keypoints"),
    )
)
