"""A sentence, its posed hand, and a picture of it by Z-Image Turbo under its union ControlNet."""

from .painting import MARKED, NOTHING, PROMPT, Painting, control, note, workflow
from .parts import Node
from .transformers import Z_IMAGE_CONTROL, Z_IMAGE_FAMILY, loading, model_patch

ABOUT = """\
A sentence is read, the hand that it speaks of is posed, you bend what is wrong, and its depth map makes Z-Image Turbo
paint exactly that hand, in eight steps. Needs a ComfyUI with Z-Image (0.33.0 was tried); 0.3.64 opens this workflow but
does not know the model."""

HINTS = """\
Hand too stiff or too smooth? Lower *strength* of Apply Qwen Image DiffSynth ControlNet, which is for this model, too,
to 0.65. Hand wrong? Raise it to 0.9, and *steps* to 12. Another map: connect *keypoints* of Render Hand Depth & Maps in
place of *depth*; this ControlNet knows both."""

WORKFLOW = workflow(
    Painting(
        name="hand_z_image",
        note=note("A hand by Z-Image Turbo, as posed", ABOUT, HINTS, Z_IMAGE_FAMILY, Z_IMAGE_CONTROL),
        family=Z_IMAGE_FAMILY,
        sentence="A man shows a thumb up with his left hand in a garden.",
        models=loading(Z_IMAGE_FAMILY, model_patch(Z_IMAGE_CONTROL)),
        control=control(
            (
                PROMPT,
                NOTHING,
                Node(
                    "apply",
                    "QwenImageDiffsynthControlnet",
                    {"strength": 0.8},
                    {
                        "model": "bias.MODEL",
                        "model_patch": "model_patch.MODEL_PATCH",
                        "vae": "vae.VAE",
                        "image": "render.depth",
                    },
                    360,
                ),
                MARKED,
            ),
        ),
        model="apply.MODEL",
        positive="positive.conditioning",
        negative="negative.CONDITIONING",
        thumbnail=("render.depth", "render.mesh"),
    )
)
