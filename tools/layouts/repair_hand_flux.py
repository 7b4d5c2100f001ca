"""The hand of a picture is found, fitted, edited and painted anew by FLUX.1 dev, which its depth map steers."""

from .painting import NOTHING
from .parts import Node
from .repair_notes import PROMPT, note
from .repairing import Repair, workflow
from .transformers import FLUX_DEPTH_FAMILY, loading

NOTE = note(
    "FLUX.1",
    "Its depth map lies beside the picture that FLUX.1 dev samples, which the depth LoRA has taught it to read; only "
    "what is masked changes. Needs ComfyUI 0.3.64 or newer.",
    """\
Hand too stiff? Lower *strength_model* of the LoRA to 0.8. Hand wrong? Raise *denoise* to 1. Does not belong to its
arm? Lower *denoise* to 0.75, or raise *context* of Crop to Mask. Skin like plastic? Lower *guidance* to 5.""",
    FLUX_DEPTH_FAMILY,
)

WORKFLOW = workflow(
    Repair(
        name="repair_hand_flux",
        note=NOTE,
        loading=loading(FLUX_DEPTH_FAMILY),
        prompts=(
            Node("positive", "SesaHandTextEncode", {"text": PROMPT}, {"clip": "clip.CLIP"}, 360, 220),
            Node("guidance", "FluxGuidance", {"guidance": 10.0}, {"conditioning": "positive.conditioning"}, 360),
            NOTHING,
        ),
        steering=(
            Node(
                "steer",
                "InstructPixToPixConditioning",
                {},
                {
                    "positive": "guidance.CONDITIONING",
                    "negative": "negative.CONDITIONING",
                    "vae": "vae.VAE",
                    "pixels": "render.depth",
                },
            ),
        ),
        model="bias.MODEL",
        positive="steer.positive",
        negative="steer.negative",
        vae="vae.VAE",
        size=FLUX_DEPTH_FAMILY.side,
        sampling={**FLUX_DEPTH_FAMILY.sampling, "denoise": 0.9},
    ),
    ("detect.overlay", "render.depth", "render.normal", "render.keypoints"),
)
