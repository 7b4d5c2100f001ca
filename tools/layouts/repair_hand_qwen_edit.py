"""The hand of a picture is found, fitted, edited and painted anew by Qwen-Image-Edit, which is shown its map."""

from .parts import Node
from .repair_notes import HAND, note
from .repairing import Repair, workflow
from .transformers import QWEN_EDIT_FAMILY, QWEN_EDIT_LIGHTNING, QWEN_IMAGE_EDIT_2509, links, loading

INSTRUCTION = (
    "Repaint the hand in Picture 1. The bend of each finger, the hand's turn and its place are exactly those of the "
    f"depth map in Picture 2: {HAND}. Keep the person, the sleeve, the light and everything else as they are."
)

NOTE = note(
    "Qwen-Image-Edit",
    "Qwen-Image-Edit is shown two pictures, the crop and the hand's depth map, and is told in words what they are; "
    "only what is masked changes. Needs a ComfyUI that loads this file (0.33.0 was tried); 0.3.64 takes the older one "
    "that is named below.",
    """\
Hand wrong? Say in the instruction what it does and from which side it is seen; or connect *mesh* or *keypoints* of
Render Hand Depth & Maps to *image2* of both encoders in place of *depth*, and name it so. Does not belong to its arm?
Raise *context* of Crop to Mask. Quicker: *amount* of Repeat Latent Batch 1. Another instruction keeps its first two
sentences: they say which picture is which.""",
    QWEN_EDIT_FAMILY,
    more=f"""\
In four steps with this in a LoraLoaderModelOnly behind Load Diffusion Model, *steps* 4 and *cfg* 1:
{links(QWEN_EDIT_LIGHTNING)}
For ComfyUI 0.3.64 in place of the first:
{links(QWEN_IMAGE_EDIT_2509)}""",
)


PICTURES = {"clip": "clip.CLIP", "vae": "vae.VAE", "image1": "crop.image", "image2": "render.depth"}

WORKFLOW = workflow(
    Repair(
        name="repair_hand_qwen_edit",
        note=NOTE,
        loading=loading(QWEN_EDIT_FAMILY),
        prompts=(
            Node("positive", "SesaHandTextEncodePictures", {"text": INSTRUCTION}, PICTURES, 380, 400),
            Node("negative", "TextEncodeQwenImageEditPlus", {"prompt": ""}, PICTURES, 380, 200),
        ),
        steering=(),
        model="bias.MODEL",
        positive="positive.conditioning",
        negative="negative.CONDITIONING",
        vae="vae.VAE",
        size=QWEN_EDIT_FAMILY.side,
        sampling={**QWEN_EDIT_FAMILY.sampling, "denoise": 1.0},
        prompts_look=True,
    ),
    ("detect.overlay", "render.depth", "render.normal", "render.keypoints"),
)
