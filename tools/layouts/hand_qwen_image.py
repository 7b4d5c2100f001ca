"""A sentence, its posed hand, and a picture of it by Qwen-Image under a depth ControlNet."""

from .painting import MARKED, UNWANTED, Painting, control, note, prompt, workflow
from .parts import Node
from .transformers import QWEN_CONTROLNET, QWEN_IMAGE_FAMILY, controlnet, loading

ABOUT = """\
A sentence is read, the hand that it speaks of is posed, you bend what is wrong, and its depth map makes Qwen-Image
paint exactly that hand. Needs ComfyUI 0.3.64 or newer."""

HINTS = """\
Hand too stiff or too smooth? Lower *strength* of Apply ControlNet to 0.7, or *end_percent* to 0.6. Hand wrong? Raise
both to 1. Another map: connect *keypoints* of Render Hand Depth & Maps in place of *depth*; it is known, too."""

MORE = """\
Qwen-Image-2512 has a ControlNet of its own in a newer ComfyUI: choose *qwen_image_2512_fp8_e4m3fn* and
*Qwen-Image-2512-Fun-Controlnet-Union-2602* in the two loaders, and *steps* 50, *cfg* 4.
"""

WORKFLOW = workflow(
    Painting(
        name="hand_qwen_image",
        note=note("A hand by Qwen-Image, as posed", ABOUT, HINTS, QWEN_IMAGE_FAMILY, QWEN_CONTROLNET, more=MORE),
        family=QWEN_IMAGE_FAMILY,
        models=loading(QWEN_IMAGE_FAMILY, controlnet(QWEN_CONTROLNET)),
        control=control(
            (
                prompt(),
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
    )
)
