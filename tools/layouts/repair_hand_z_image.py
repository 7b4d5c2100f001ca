"""The hand of a picture is found, fitted, edited and painted anew by Z-Image Turbo, steered by its depth map."""

from .painting import NOTHING
from .parts import Node
from .repair_notes import PROMPT, note
from .repairing import Repair, workflow
from .transformers import Z_IMAGE_CONTROL, Z_IMAGE_FAMILY, loading, model_patch

NOTE = note(
    "Z-Image Turbo",
    "A ControlNet for Z-Image, which has learnt to repaint, too, sees the hand's depth map, the picture around the "
    "mask, and the mask. Needs ComfyUI 0.6 or newer, which has the node *Apply Z-Image Fun ControlNet*.",
    """\
Hand too stiff? Lower *strength* of Apply Z-Image Fun ControlNet to 0.65. Hand wrong? Raise it to 1, or connect
*keypoints* of Render Hand Depth & Maps in place of *depth*; it knows both. Does not belong to its arm? Raise *context*
of Crop to Mask, or lower *denoise* to 0.8.""",
    Z_IMAGE_FAMILY,
    Z_IMAGE_CONTROL,
)

WORKFLOW = workflow(
    Repair(
        name="repair_hand_z_image",
        note=NOTE,
        loading=loading(Z_IMAGE_FAMILY, model_patch(Z_IMAGE_CONTROL)),
        prompts=(
            Node("positive", "SesaHandTextEncode", {"text": PROMPT}, {"clip": "clip.CLIP"}, 360, 220),
            NOTHING,
        ),
        steering=(
            Node(
                "steer",
                "ZImageFunControlnet",
                {"strength": 0.9},
                {
                    "model": "bias.MODEL",
                    "model_patch": "model_patch.MODEL_PATCH",
                    "vae": "vae.VAE",
                    "image": "render.depth",
                    "inpaint_image": "crop.image",
                    "mask": "repaint.mask",
                },
                320,
            ),
        ),
        model="steer.MODEL",
        positive="positive.conditioning",
        negative="negative.CONDITIONING",
        vae="vae.VAE",
        size=Z_IMAGE_FAMILY.side,
        sampling={**Z_IMAGE_FAMILY.sampling, "denoise": 1.0},
        since="0.6.0",
    ),
    ("detect.overlay", "render.depth", "render.normal", "render.keypoints"),
)
