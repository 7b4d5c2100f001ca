"""A sentence, its posed hand, and a picture of it by FLUX.1 dev with its depth control."""

from .painting import MARKED, NOTHING, PROMPT, Painting, control, note, workflow
from .parts import Node
from .transformers import FLUX_DEPTH_FAMILY, loading

ABOUT = """\
A sentence is read, the hand that it speaks of is posed, you bend what is wrong, and its depth map makes FLUX.1 dev with
the depth LoRA of its makers paint exactly that hand. Needs ComfyUI 0.3.64 or newer."""

HINTS = """\
Hand too stiff or too smooth? Lower *strength_model* of the LoRA loader to 0.8. Colours too hard? Lower *guidance* of
FluxGuidance to 6. A ControlNet for FLUX instead: leave the LoRA and InstructPixToPixConditioning
out, set *guidance* to 3.5, take core's Load ControlNet Model and Apply ControlNet, *depth* as its image, and sample an
EmptySD3LatentImage. FLUX.1 Kontext and FLUX.2 Klein take the render itself, by
ReferenceLatent, with the sentence of the workflow *hand_qwen_edit*."""

WORKFLOW = workflow(
    Painting(
        name="hand_flux",
        note=note("A hand by FLUX.1 dev, as posed", ABOUT, HINTS, FLUX_DEPTH_FAMILY),
        family=FLUX_DEPTH_FAMILY,
        sentence="An old man points up with his right index finger in a library.",
        models=loading(FLUX_DEPTH_FAMILY),
        control=control(
            (
                PROMPT,
                Node("guidance", "FluxGuidance", {"guidance": 10.0}, {"conditioning": "positive.conditioning"}, 360),
                NOTHING,
                Node(
                    "apply",
                    "InstructPixToPixConditioning",
                    {},
                    {
                        "positive": "guidance.CONDITIONING",
                        "negative": "negative.CONDITIONING",
                        "vae": "vae.VAE",
                        "pixels": "render.depth",
                    },
                    360,
                ),
                MARKED,
            ),
        ),
        model="bias.MODEL",
        positive="apply.positive",
        negative="apply.negative",
        latent="apply.latent",
    )
)
