"""A posed hand, a depth ControlNet and Stable Diffusion 1.5."""

from .parts import BLUE, GREEN, PURPLE, TEAL, Group, Node, Workflow
from .stable_diffusion import DEPTH_CONTROLNET, LINKS, SD15

NOTE = f"""\
## Generate a picture whose hand obeys a posed one

A hand is posed, drawn as a depth map, and a depth ControlNet makes Stable Diffusion 1.5 paint exactly that hand.

**Steps**
1. Get the two models below and press **Run**.
2. Change the *gesture* in Pose Hand, its view in Place Hand, and say the same in the prompt.
3. Hand too stiff or too smooth? Lower *strength* to 0.5 or *end_percent* to 0.6. Hand wrong? Raise *strength* to 0.9.

**Models**
{LINKS}
Any checkpoint with a depth ControlNet of its family works: choose them in the loaders and set the size in Place Hand
and Empty Latent Image to what it was trained on.

**Expected**: a photograph of a hand in the pose of the depth map, fingers where the map has them.

**Memory**: about 4 GB of VRAM at 512 x 512.

**Licence of the hand**: CC0.
"""

WORKFLOW = Workflow(
    name="generate_hand",
    note=NOTE,
    groups=(
        Group(
            "Hand",
            (
                (
                    Node("pose", "SesaHandPoseHand", {"gesture": "open_palm", "seed": 1}),
                    Node("place", "SesaHandPlaceHand", {"yaw": 10, "roll": 5}, {"hands": "pose.hands"}),
                ),
            ),
            TEAL,
        ),
        Group(
            "Condition",
            (
                (
                    Node(
                        "render",
                        "SesaHandRenderCondition",
                        {"forearm": True},
                        {"hands": "place.hands"},
                        width=420,
                        height=780,
                    ),
                ),
            ),
            BLUE,
        ),
        Group(
            "Control",
            (
                (
                    Node(
                        "checkpoint", "CheckpointLoaderSimple", {"ckpt_name": SD15["name"]}, width=360, models=(SD15,)
                    ),
                    Node(
                        "controlnet",
                        "ControlNetLoader",
                        {"control_net_name": DEPTH_CONTROLNET["name"]},
                        width=360,
                        models=(DEPTH_CONTROLNET,),
                    ),
                ),
                (
                    Node(
                        "positive",
                        "CLIPTextEncode",
                        {
                            "text": "photo of a raised open hand, palm towards the viewer, five fingers spread, "
                            "natural skin, soft daylight, plain grey background, sharp focus"
                        },
                        {"clip": "checkpoint.CLIP"},
                        360,
                        150,
                    ),
                    Node(
                        "negative",
                        "CLIPTextEncode",
                        {"text": "extra fingers, missing fingers, fused fingers, deformed, drawing, blurry, text"},
                        {"clip": "checkpoint.CLIP"},
                        360,
                        120,
                    ),
                    Node(
                        "apply",
                        "ControlNetApplyAdvanced",
                        {"strength": 0.75, "start_percent": 0.0, "end_percent": 0.8},
                        {
                            "positive": "positive.CONDITIONING",
                            "negative": "negative.CONDITIONING",
                            "control_net": "controlnet.CONTROL_NET",
                            "image": "render.depth",
                        },
                        360,
                    ),
                ),
            ),
            PURPLE,
        ),
        Group(
            "Picture",
            (
                (
                    Node("latent", "EmptyLatentImage", {"width": 512, "height": 512, "batch_size": 1}),
                    Node(
                        "sampler",
                        "KSampler",
                        {
                            "seed": 20,
                            "control_after_generate": "fixed",
                            "steps": 24,
                            "cfg": 7,
                            "sampler_name": "dpmpp_2m",
                            "scheduler": "karras",
                            "denoise": 1,
                        },
                        {
                            "model": "checkpoint.MODEL",
                            "positive": "apply.positive",
                            "negative": "apply.negative",
                            "latent_image": "latent.LATENT",
                        },
                    ),
                    Node("decode", "VAEDecode", {}, {"samples": "sampler.LATENT", "vae": "checkpoint.VAE"}),
                ),
                (
                    Node(
                        "save",
                        "SaveImage",
                        {"filename_prefix": "sesahand/generate_hand"},
                        {"images": "decode.IMAGE"},
                        480,
                        560,
                    ),
                ),
            ),
            GREEN,
        ),
    ),
    thumbnail=("render.depth", "render.normal", "render.mesh", "render.keypoints"),
)
