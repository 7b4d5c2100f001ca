"""The hand of a picture is found, fitted, edited and painted anew by SDXL with two ControlNets."""

from .repairing import STEPS, WHAT_COMES_OUT, Control, with_controlnets, workflow
from .stable_diffusion import SDXL, SDXL_DEPTH_CONTROLNET, SDXL_KEYPOINT_CONTROLNET, link, loading

NOTE = f"""\
## Repair a hand in a picture with SDXL

The hand that your mask is about is found, a 3D hand is fitted to it, you move what is wrong, and its depth and
keypoint maps steer the repainting of what you painted and moved. Depth alone does not tell a palm from a back;
keypoints do.

{STEPS}
{WHAT_COMES_OUT}
Hand too stiff? Lower the *strength* of the depth map to 0.5. Hand wrong? Raise it to 0.9, and *denoise* too. Does
not belong to its arm? Lower *denoise* to 0.65, or raise *context* of Crop to Mask.

**Models**
{link(SDXL, "6.9 GB, Open RAIL++-M")}{link(SDXL_DEPTH_CONTROLNET, "2.5 GB, Open RAIL++")}\
{link(SDXL_KEYPOINT_CONTROLNET, "5 GB, its authors' terms")}
Any checkpoint of the SDXL family will do: choose it in Load Checkpoint. Normals have no such ControlNet of their
own; one that takes several kinds of maps takes the output *normal* of Render Hand Depth & Maps, too. MediaPipe's
hand networks (10 MB, Apache-2.0) come by the command above; the built-in hand's licence is CC0.

**Attention Bias** raises the hand words of the prompt (*alpha* 0 is off); **Structural Fusion** lets the depth
ControlNet see the hand as a part of the body (*strength* 0 is off). Neither has been measured with this model.

**Memory**: about 12 GB of VRAM; ComfyUI loads parts in turn where there is less. A black picture: start it with
--fp32-vae.
"""

WORKFLOW = workflow(
    with_controlnets(
        name="repair_hand_sdxl",
        note=NOTE,
        loading=loading(SDXL, depth=SDXL_DEPTH_CONTROLNET, keypoints=SDXL_KEYPOINT_CONTROLNET),
        model="bias.MODEL",
        clip="checkpoint.CLIP",
        vae="checkpoint.VAE",
        prompt="photo of a hand with five fingers, natural skin, detailed knuckles and nails, soft daylight, "
        "sharp focus",
        negative="extra fingers, missing fingers, fused fingers, deformed, drawing, blurry, text",
        encoder="SesaHandTextEncode",
        controls=(
            Control("fusion.control_net", "depth", 0.7, 0.8),
            Control("keypoints.CONTROL_NET", "keypoints", 0.5, 0.6),
        ),
        size=1024,
        sampling={"steps": 28, "cfg": 6, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 0.8},
    ),
    ("detect.overlay", "render.depth", "render.normal", "render.keypoints"),
)
