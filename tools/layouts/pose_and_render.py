"""Pose hands and render all maps; no model needed."""

from sesahand.render.map_table import ALL_MAPS

from .parts import BLUE, GREEN, TEAL, Group, Node, Workflow

NOTE = """\
## Pose hands and render what steers a ControlNet

Two hands are posed, placed and drawn as mesh, depth, normals, parts, keypoints and mask: maps that lie exactly
over each other. Nothing to download, no GPU needed.

**Steps**
1. Press **Run**: Render Hand Depth & Maps shows its coloured maps; the mask has a preview of its own.
2. Choose another *gesture*, bend fingers with the *curl* sliders, mix two gestures with *blend*.
3. Move and turn each hand in Place Hand. To cover a hand of a picture, connect a painted mask to its *mask*.
4. What is in **Save** is written to ComfyUI's output folder. Bypass (Ctrl+B) what you do not need.

**Use them**: connect *depth*, *normal* or *keypoints* to Apply ControlNet with a ControlNet trained on that kind of
map. The workflow *generate_hand* does so.

**Models**: none. The built-in hand comes with SesaHand; its licence is CC0: pictures and meshes of it are yours for any
use. Your own MANO file can take its place (Load MANO Hand Model); MANO's licence is non-commercial.

**Memory**: under 1 GB.
"""

WORKFLOW = Workflow(
    name="pose_and_render",
    note=NOTE,
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
                        "export",
                        "SesaHandExportMesh",
                        {
                            "format": "glb posed",
                            "filename_prefix": "sesahand/mesh",
                            "parameters": "none",
                            "forearm": True,
                        },
                        {"hands": "both.hands"},
                        340,
                    ),
                    Node(
                        "save_hands",
                        "SesaHandSaveHands",
                        {"filename_prefix": "sesahand/hands"},
                        {"hands": "both.hands"},
                        340,
                    ),
                ),
                (Node("show", "Preview3D", {}, {"model_file": "export.path"}, 440, 460),),
            ),
            GREEN,
        ),
    ),
    thumbnail=tuple(f"render.{name}" for name in ALL_MAPS[:6]),
)
