"""The hand of a picture is found, fitted, edited and painted anew by Stable Diffusion 1.5 with three ControlNets."""

from .repairing import STEPS, WHAT_COMES_OUT, Control, with_controlnets, workflow
from .stable_diffusion import DEPTH_CONTROLNET, KEYPOINT_CONTROLNET, LINKS, NORMAL_CONTROLNET, SD15, link, loading

NOTE = f"""\
## Repair a hand in a picture with Stable Diffusion 1.5

The hand that your mask is about is found, a 3D hand is fitted to it, you move what is wrong, and its depth, normal
and keypoint maps steer the repainting of what you painted and moved. Depth alone does not tell a palm from a back;
normals and keypoints do.

{STEPS}
{WHAT_COMES_OUT}
Hand too stiff? Lower the *strength* of the depth map to 0.6. Hand wrong? Raise it to 1, and *denoise* too. Does not
belong to its arm? Lower *denoise* to 0.7, or raise *context* of Crop to Mask.

**Models**
{LINKS}{link(NORMAL_CONTROLNET, "0.7 GB, Open RAIL")}{link(KEYPOINT_CONTROLNET, "0.7 GB, Open RAIL")}
Any checkpoint of the SD1.5 family will do, an inpainting one too: choose it in Load Checkpoint. MediaPipe's hand
networks (10 MB, Apache-2.0) come by the command above; the built-in hand's licence is CC0.

**Attention Bias** raises the hand words of the prompt (*alpha* 0 is off); **Structural Fusion** lets the depth
ControlNet see the hand as a part of the body (*strength* 0 is off). Neither has been measured with this model.

**Memory**: about 6 GB of VRAM.
"""

WORKFLOW = workflow(
    with_controlnets(
        name="repair_hand_sd15",
        note=NOTE,
        loading=loading(SD15, depth=DEPTH_CONTROLNET, normal=NORMAL_CONTROLNET, keypoints=KEYPOINT_CONTROLNET),
        model="bias.MODEL",
        clip="checkpoint.CLIP",
        vae="checkpoint.VAE",
        prompt="photo of a hand with five fingers, natural skin, detailed knuckles and nails, soft daylight, "
        "sharp focus",
        negative="extra fingers, missing fingers, fused fingers, deformed, drawing, blurry, text",
        encoder="SesaHandTextEncode",
        controls=(
            Control("fusion.control_net", "depth", 0.8, 0.9),
            Control("normal.CONTROL_NET", "normal", 0.5, 0.8),
            Control("keypoints.CONTROL_NET", "keypoints", 0.4, 0.6),
        ),
        size=512,
        sampling={"steps": 25, "cfg": 7, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 0.85},
    ),
    ("detect.overlay", "render.depth", "render.normal", "render.keypoints"),
)
