"""Pose a hand with the mouse and render its maps; no model needed."""

import json

from .parts import BLUE, GREEN, TEAL, Group, Node, Workflow

NOTE = """\
## Pose a hand with the mouse

The hand stands in the node as you see it, and is drawn as mesh, depth, normals, parts, keypoints and mask: maps that
lie exactly over each other. Nothing to download, no GPU needed.

**Steps**
1. In **Edit Hands**, drag a fingertip: the whole finger follows, as far as a hand can bend. Drag a joint, and only what
   is before it turns; drag the skin, and the hand moves.
2. The wheel sizes the hand, the ring around it turns it. *Look around* shows it from elsewhere,
   where a dragged dot bends its finger too.
3. Press **Run**: the maps are those of the hand you see.
4. Start from a gesture of the gallery, add a second hand, or mirror one. Ctrl+Z takes a step back.
5. A picture to pose over: drop it into the editor, or connect it to *image*.

**Use them**: connect *depth*, *normal* or *keypoints* to Apply ControlNet with a ControlNet trained on that kind of
map, as the workflow *generate_hand* does.

**Without the mouse**: the hand is the text *scene* of the node, which programs write as Save Hands does. Pose Hand has
sliders instead, and Adjust Fingers changes any hands by numbers.

**Models**: none. The built-in hand comes with SesaHand; its licence is CC0: pictures and meshes of it are yours for any
use.

**Memory**: under 1 GB.
"""

# A salute, two and two fingers side by side: axis-angle, radians.
HAND_POSE = [
    [0.008, -0.161, 0.061], [0.002, -0.003, 0.052], [0.002, -0.003, 0.052],
    [-0.022, 0.25, 0.06], [-0.013, -0.002, 0.051], [-0.013, -0.002, 0.051],
    [-0.057, 0.224, 0.076], [-0.027, -0.002, 0.045], [-0.027, -0.002, 0.045],
    [-0.019, -0.054, 0.047], [-0.021, -0.002, 0.048], [-0.021, -0.002, 0.048],
    [0.058, 0.088, 0.098], [0.0, 0.0, 0.0], [-0.027, 0.045, -0.006],
]  # fmt: skip
# As the editor writes it, which leaves out what is usual.
SCENE = {
    "format": "sesahand-hands",
    "version": 1,
    "frame_of_reference": "camera: x right, y down, z forward",
    "units": "metres, radians, pixels",
    "hand_model": "sesahand-cc0",
    "dtype": "float32",
    "num_frames": 1,
    "camera": {"focal_length": 1055.0, "principal_point": [384, 384], "width": 768, "height": 768},
    "hands": [
        {
            "side": "right",
            "translation": [-0.0073, 0.0812, 0.3629],
            "global_orient": [1.3205, 1.2314, 1.1088],
            "hand_pose": HAND_POSE,
        }
    ],
}


def preview(output: str, type: str = "PreviewImage", input: str = "images") -> Node:
    """Return a node that shows one of the maps."""
    return Node(f"show_{output}", type, {}, {input: f"render.{output}"}, 300, 300)


WORKFLOW = Workflow(
    name="pose_editor",
    note=NOTE,
    groups=(
        Group(
            "Pose",
            (
                (
                    Node(
                        "edit",
                        "SesaHandEditHands",
                        {"scene": json.dumps(SCENE, separators=(",", ":"))},
                        width=620,
                        height=820,
                    ),
                ),
            ),
            TEAL,
        ),
        Group(
            "Maps",
            (
                (
                    Node(
                        "render",
                        "SesaHandRenderCondition",
                        {"forearm": True, "antialias": True},
                        {"hands": "edit.hands"},
                        420,
                        720,
                    ),
                ),
            ),
            BLUE,
        ),
        Group(
            "Look",
            (
                (preview("mesh"), preview("parts")),
                (preview("depth"), preview("keypoints")),
                (preview("normal"), preview("mask", "MaskPreview", "mask")),
            ),
            GREEN,
        ),
    ),
    thumbnail=("render.mesh", "render.depth", "render.normal", "render.keypoints"),
)
