"""The shipped workflows, described: which nodes, with which settings, wired how, in which groups.

A group is a box of columns, read from left to right and from top to bottom like the workflow itself.
"""

from dataclasses import dataclass, field

SD15 = {
    "name": "v1-5-pruned-emaonly-fp16.safetensors",
    "url": "https://huggingface.co/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/"
    "v1-5-pruned-emaonly-fp16.safetensors",
    "directory": "checkpoints",
}
DEPTH_CONTROLNET = {
    "name": "control_v11f1p_sd15_depth_fp16.safetensors",
    "url": "https://huggingface.co/comfyanonymous/ControlNet-v1-1_fp16_safetensors/resolve/main/"
    "control_v11f1p_sd15_depth_fp16.safetensors",
    "directory": "controlnet",
}


@dataclass(frozen=True)
class Node:
    """One node: a name to wire it by, its type, its settings, the inputs' sources ("name.output") and its size."""

    name: str
    type: str
    widgets: dict = field(default_factory=dict)
    inputs: dict = field(default_factory=dict)
    width: int = 300
    height: int = 0
    models: tuple[dict, ...] = ()


@dataclass(frozen=True)
class Group:
    """A titled box around columns of nodes."""

    title: str
    columns: tuple[tuple[Node, ...], ...]
    color: str


@dataclass(frozen=True)
class Workflow:
    """A workflow: its file's name, the text of its note, and its groups from left to right."""

    name: str
    note: str
    groups: tuple[Group, ...]
    note_size: tuple[int, int] = (400, 460)
    # The maps of Render Hand Condition that its thumbnail shows.
    thumbnail: tuple[str, ...] = ("mesh", "depth", "normal")


POSE_NOTE = """\
## Pose hands and render what steers a ControlNet

Two hands are posed, placed and drawn as mesh, depth, normals, parts, keypoints and mask: six maps that lie exactly
over each other. Nothing to download, no GPU needed.

**Steps**
1. Press **Run**: Render Hand Condition shows all its maps.
2. Choose another *gesture*, bend fingers with the *curl* sliders, mix two gestures with *blend*.
3. Move and turn each hand in Place Hand. To cover a hand of a picture, connect a painted mask to its *mask*.
4. What is in **Save** is written to ComfyUI's output folder. Bypass (Ctrl+B) what you do not need.

**Use them**: connect *depth*, *normal* or *keypoints* to Apply ControlNet with a ControlNet trained on that kind of
map. The workflow *generate_hand* does so.

**Models**: none. The built-in hand comes with SesaHand; its licence is CC0: pictures and meshes of it are yours for any
use. Your own MANO file can take its place (Load Hand Model); MANO's licence is non-commercial.

**Memory**: under 1 GB.
"""

GENERATE_NOTE = """\
## Generate a picture whose hand obeys a posed one

A hand is posed, drawn as a depth map, and a depth ControlNet makes Stable Diffusion 1.5 paint exactly that hand.

**Steps**
1. Get the two models below (the missing-models dialog links them) and press **Run**.
2. Change the *gesture* in Pose Hand, its view in Place Hand, and say the same in the prompt.
3. Hand too stiff or too smooth? Lower *strength* to 0.5 or *end_percent* to 0.6. Hand wrong? Raise *strength* to 0.9.

**Models**
- `models/checkpoints`: v1-5-pruned-emaonly-fp16.safetensors (2.1 GB, CreativeML Open RAIL-M)
- `models/controlnet`: control_v11f1p_sd15_depth_fp16.safetensors (0.7 GB, Open RAIL)

Any checkpoint with a depth ControlNet of its family works: choose them in the loaders and set the size in Place Hand
and Empty Latent Image to what it was trained on.

**Expected**: a photograph of a hand in the pose of the depth map, fingers where the map has them.

**Memory**: about 4 GB of VRAM at 512 x 512.

**Licence of the hand**: CC0.
"""

TEAL, BLUE, PURPLE, GREEN = "#6fb3a8", "#7fa6dc", "#b08fd0", "#a3c878"

POSE_AND_RENDER = Workflow(
    name="pose_and_render",
    note=POSE_NOTE,
    groups=(
        Group(
            "Right hand",
            (
                (
                    Node("right", "SesaHandPoseHand", {"gesture": "victory", "seed": 1}),
                    Node(
                        "place_right",
                        "SesaHandPlaceHand",
                        {"width": 768, "height": 512, "x": 0.3, "y": 0.52, "size": 0.85, "roll": -8, "yaw": 15},
                        {"hands": "right.hands"},
                    ),
                ),
            ),
            TEAL,
        ),
        Group(
            "Left hand",
            (
                (
                    Node("left", "SesaHandPoseHand", {"gesture": "ok", "side": "left", "seed": 2}),
                    Node(
                        "place_left",
                        "SesaHandPlaceHand",
                        {"width": 768, "height": 512, "x": 0.7, "y": 0.52, "size": 0.85, "roll": 6, "yaw": -15},
                        {"hands": "left.hands"},
                    ),
                ),
            ),
            TEAL,
        ),
        Group(
            "Condition",
            (
                (
                    Node(
                        "both",
                        "SesaHandCombineHands",
                        {},
                        {"hands_1": "place_right.hands", "hands_2": "place_left.hands"},
                    ),
                    Node(
                        "render",
                        "SesaHandRenderCondition",
                        {"forearm": True},
                        {"hands": "both.hands"},
                        width=420,
                        height=720,
                    ),
                ),
            ),
            BLUE,
        ),
        Group(
            "Save",
            (
                (
                    Node(
                        "save_depth",
                        "SaveImage",
                        {"filename_prefix": "sesahand/depth"},
                        {"images": "render.depth"},
                        300,
                        280,
                    ),
                    Node(
                        "save_normal",
                        "SaveImage",
                        {"filename_prefix": "sesahand/normal"},
                        {"images": "render.normal"},
                        300,
                        280,
                    ),
                    Node(
                        "save_keypoints",
                        "SaveImage",
                        {"filename_prefix": "sesahand/keypoints"},
                        {"images": "render.keypoints"},
                        300,
                        280,
                    ),
                ),
                (
                    Node("show_mask", "MaskPreview", {}, {"mask": "render.mask"}, 300, 260),
                    Node(
                        "save_mesh",
                        "SaveGLB",
                        {"filename_prefix": "sesahand/hand"},
                        {"mesh": "render.hand_mesh"},
                        300,
                        320,
                    ),
                    Node(
                        "save_hands",
                        "SesaHandSaveHands",
                        {"filename_prefix": "sesahand/hands"},
                        {"hands": "both.hands"},
                    ),
                ),
            ),
            GREEN,
        ),
    ),
)

GENERATE_HAND = Workflow(
    name="generate_hand",
    note=GENERATE_NOTE,
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
    thumbnail=("depth", "normal"),
)

WORKFLOWS = (POSE_AND_RENDER, GENERATE_HAND)
