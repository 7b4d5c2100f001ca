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
    # The pictures that its thumbnail shows, side by side: "name.output", with ".k" behind it the k-th of a batch.
    thumbnail: tuple[str, ...] = ("render.mesh", "render.depth", "render.normal")


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

RECONSTRUCT_NOTE = """\
## From a photograph to 3D hands

The hands in a picture are found, a posed 3D hand is fitted to each, drawn over the picture and from all sides, and
saved as a rigged GLB with bones and skin for Blender, Unity, Unreal and others.

**Steps**
1. Once, in the folder of SesaHand (`custom_nodes/sesahand`), with ComfyUI's Python: `python -m sesahand get-detector`
2. Load Image: **choose your photograph**. The picture that is there at first has no hand: nothing is found, and
   nothing goes wrong.
3. Press **Run**. Look at the landmarks in Detect Hands and at the overlay in Draw Hands.
4. Hands missed? Lower *threshold* to 0.2; switch on *small_hands* for people seen from head to foot. Found what is no
   hand? Raise it. Or connect a painted mask to *mask*.
5. The lens, if you know it: *fov* in Reconstruct Hands, about 65 for a phone.
6. The files are in ComfyUI's output folder, under *sesahand*: the GLB, and the pose as JSON for Load Hands.

**Expected**: hands over those of the photograph to a few per cent of their size. The report says how far off they
are; fingers that the picture hides are guessed from what hands do.

**Models**: MediaPipe's two hand networks (8 MB, Apache-2.0), by the command above. The built-in hand comes with
SesaHand; its licence is CC0, so that the meshes are yours for any use. Load Hand Model and Load Reconstructor put
your own MANO, HaMeR or WiLoR in its place; their licences are non-commercial.

**Memory**: under 1 GB; no GPU needed.
"""

CHECK_NOTE = """\
## Is the hand in the picture the one I asked for?

A hand is posed. The hands found in a picture are compared with it: one score from 0 to 1, a report that says which
finger is wrong, and a picture. What is good enough for Repair Gate and Keep Best is decided by this score.

**Steps**
1. Once, in the folder of SesaHand (`custom_nodes/sesahand`), with ComfyUI's Python: `python -m sesahand get-detector`
2. Press **Run**: the picture is the drawing of the posed hand itself, so the score is high.
3. Choose another *gesture* in the group *Picture*, and see a wrong hand scored.
4. **Your picture goes in here**: connect it to *image* of Detect Hands and of Score Hands in place of *mesh*, for
   example what the workflow *generate_hand* paints. It must have the proportions of *width* and *height* in Place Hand.
   A batch of pictures gets a score each.

**Reading it**: the hand that was asked for scores 0.6 to 0.9, another gesture or a malformed hand mostly below 0.5.
White is what was asked for, coloured what was found. The detector was made for photographs: a few gestures, *three* and
*four* among them, it does not find in a drawing on black.

**Models**: MediaPipe's two hand networks (8 MB, Apache-2.0), by the command above. The built-in hand comes with
SesaHand; its licence is CC0.

**Memory**: under 1 GB; no GPU needed.
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
    thumbnail=("render.depth", "render.normal"),
)

RECONSTRUCT_AND_EXPORT = Workflow(
    name="reconstruct_and_export",
    note=RECONSTRUCT_NOTE,
    note_size=(400, 460),
    groups=(
        Group(
            "Photograph",
            ((Node("photograph", "LoadImage", {"image": "example.png"}, width=340, height=420),),),
            TEAL,
        ),
        Group(
            "Detect",
            (
                (
                    Node(
                        "detect",
                        "SesaHandDetectHands",
                        {"threshold": 0.5, "max_hands": 0, "small_hands": False},
                        {"image": "photograph.IMAGE"},
                        400,
                        640,
                    ),
                ),
            ),
            BLUE,
        ),
        Group(
            "Reconstruct",
            (
                (
                    Node(
                        "reconstruct",
                        "SesaHandReconstructHands",
                        {"camera": "perspective", "fov": 40},
                        {"landmarks": "detect.landmarks", "image": "photograph.IMAGE"},
                        360,
                    ),
                    Node("report", "PreviewAny", {}, {"source": "reconstruct.report"}, 360, 160),
                ),
            ),
            PURPLE,
        ),
        Group(
            "Look",
            (
                (
                    Node(
                        "draw",
                        "SesaHandDrawHands",
                        {"style": "mesh", "opacity": 0.8, "views": 8},
                        {"hands": "reconstruct.hands", "image": "photograph.IMAGE"},
                        400,
                        640,
                    ),
                ),
                (Node("turntable", "PreviewImage", {}, {"images": "draw.turntable"}, 400, 460),),
            ),
            GREEN,
        ),
        Group(
            "Export",
            (
                (
                    Node(
                        "export",
                        "SesaHandExportMesh",
                        {"format": "glb rigged", "filename_prefix": "sesahand/hands", "parameters": "json"},
                        {"hands": "reconstruct.hands"},
                        340,
                    ),
                ),
                (Node("show", "Preview3D", {}, {"model_file": "export.path"}, 400, 460),),
            ),
            GREEN,
        ),
    ),
    thumbnail=("draw.overlay", "draw.turntable.1"),
)

CHECK_HAND = Workflow(
    name="check_hand",
    note=CHECK_NOTE,
    note_size=(400, 400),
    groups=(
        Group(
            "Asked for",
            (
                (
                    Node("pose", "SesaHandPoseHand", {"gesture": "ok", "seed": 1}),
                    Node("place", "SesaHandPlaceHand", {"size": 0.7}, {"hands": "pose.hands"}),
                ),
            ),
            TEAL,
        ),
        Group(
            "Picture",
            (
                (
                    Node("given", "SesaHandPoseHand", {"gesture": "ok", "seed": 1}),
                    Node("there", "SesaHandPlaceHand", {"size": 0.7}, {"hands": "given.hands"}),
                ),
                (
                    Node(
                        "render",
                        "SesaHandRenderCondition",
                        {"forearm": True, "antialias": True},
                        {"hands": "there.hands"},
                        width=380,
                        height=640,
                    ),
                ),
            ),
            BLUE,
        ),
        Group(
            "Detect and reconstruct",
            (
                (
                    Node(
                        "detect",
                        "SesaHandDetectHands",
                        {"threshold": 0.2, "max_hands": 0, "small_hands": False},
                        {"image": "render.mesh"},
                        340,
                        560,
                    ),
                    Node(
                        "reconstruct",
                        "SesaHandReconstructHands",
                        {"camera": "perspective", "fov": 40},
                        {"landmarks": "detect.landmarks", "image": "render.mesh"},
                        340,
                    ),
                ),
            ),
            PURPLE,
        ),
        Group(
            "Score",
            (
                (
                    Node(
                        "score",
                        "SesaHandScoreHands",
                        {"extra_hands": 0.1},
                        {"requested": "place.hands", "found": "reconstruct.hands", "image": "render.mesh"},
                        440,
                        600,
                    ),
                    Node("report", "PreviewAny", {}, {"source": "score.report"}, 440, 180),
                ),
            ),
            GREEN,
        ),
    ),
    thumbnail=("detect.overlay", "score.picture"),
)

WORKFLOWS = (POSE_AND_RENDER, GENERATE_HAND, RECONSTRUCT_AND_EXPORT, CHECK_HAND)
