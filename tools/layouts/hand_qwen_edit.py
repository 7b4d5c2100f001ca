"""A sentence, its posed hand, and a picture of it by Qwen-Image-Edit, which looks at the rendered hand."""

from .painting import MARKED, Painting, control, note, workflow
from .parts import Node
from .transformers import QWEN_EDIT_FAMILY, QWEN_EDIT_LIGHTNING, QWEN_IMAGE_EDIT_2509, links, loading

ABOUT = """\
A sentence is read, the hand that it speaks of is posed, you bend what is wrong, and Qwen-Image-Edit gets its render as
*Picture 1* to make a photograph of. No ControlNet is needed: what to do with the picture is said in the prompt. Needs a
ComfyUI that loads this file (0.33.0 was tried); 0.3.64 takes the older one that is named below."""

HINTS = """\
**The sentence to a picture**: *Turn the white hand of Picture 1 into a real hand ... Keep the pose of each finger, the
size, the place and the side that is seen exactly as in Picture 1.* It stands in *template* of Compose Prompt, around
what you typed; the model calls its pictures by their numbers.

Hand still white, or like plastic? Say in *style* what skin it has. Pose lost? Connect *depth* to *image2* of both
encoders, and add to the template: *Picture 2 is the depth map of the hand.* A person of yours: connect Load Image to
*image3* of both, and add *The person is that of Picture 3.*"""

MORE = f"""\
In four steps with this in a LoraLoaderModelOnly behind Load Diffusion Model, *steps* 4 and *cfg* 1:
{links(QWEN_EDIT_LIGHTNING)}
For ComfyUI 0.3.64 in place of the first:
{links(QWEN_IMAGE_EDIT_2509)}
"""

TEMPLATE = (
    "Turn the white hand of Picture 1 into a real hand, in a close-up photo: {prefix}, {pose}, {action}, "
    "{hand_action}, {environment}, {style}. Keep the pose of each finger, the size, the place and the side that is "
    "seen exactly as in Picture 1."
)
PICTURES = {"clip": "clip.CLIP", "vae": "vae.VAE", "image1": "render.mesh"}

WORKFLOW = workflow(
    Painting(
        name="hand_qwen_edit",
        note=note("A hand by Qwen-Image-Edit, from its render", ABOUT, HINTS, QWEN_EDIT_FAMILY, more=MORE),
        family=QWEN_EDIT_FAMILY,
        sentence="A woman makes a peace sign with her left hand at the beach.",
        models=loading(QWEN_EDIT_FAMILY),
        control=control(
            (
                Node(
                    "positive",
                    "SesaHandTextEncodePictures",
                    {},
                    {**PICTURES, "text": "compose.prompt", "semantics": "compose.semantics"},
                    360,
                    240,
                ),
                Node("negative", "TextEncodeQwenImageEditPlus", {"prompt": ""}, PICTURES, 360, 160),
                MARKED,
            ),
        ),
        model="bias.MODEL",
        positive="positive.conditioning",
        negative="negative.CONDITIONING",
        template=TEMPLATE,
        prefix="",
        thumbnail=("render.mesh",),
    )
)
