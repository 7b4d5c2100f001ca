"""What MeshGraphormer's preprocessor took and gave: a picture in, a depth map of hands and a mask to inpaint out."""

from .parts import BLUE, GET_DETECTOR, GREEN, PURPLE, TEAL, Group, Node, Workflow

NOTE = f"""\
## In the place of MeshGraphormer Hand Refiner

A picture goes in; a depth map of its hands and a mask to inpaint come out, as they did from MeshGraphormer in
comfyui_controlnet_aux. Nothing is installed while it runs, and between the two you can bend a finger with the mouse.

**Steps**
{GET_DETECTOR}
2. Load Image: **choose your picture** and press **Run**. Look at the hands in Detect Hands, at the depth map and at
   the mask. The picture that is there at first has no hand: both are black.
3. A finger is wrong? Drag it in **Edit Hands**, and **Run** again: the map and the mask follow.
4. **In your own graph**: open it in a second tab, select all nodes here but Load Image and this note, copy and paste
   them there. Your picture goes to Detect Hands and Edit Hands. What *IMAGE* of MeshGraphormer went to gets *depth* of
   Render Hand Depth & Maps; what *INPAINTING_MASK* went to gets the output of Grow Mask.

**What was called what**: *detect_thr* is *threshold* of Detect Hands; MeshGraphormer took two hands, so *max_hands* is
2 here, and 0 takes all. *mask_expand* is *expand* of Grow Mask. *resolution* is *width* and *height* of Render; 0 keeps
the picture's size, and the mask has the same. A *bbox_detector* of Impact Pack: give its boxes or its mask to Detect
Hands, at *boxes* or *mask*. *rand_seed* decided nothing.

**Same map**: within each hand from white at its nearest to a fifth of it at its farthest, black around it. So any depth
ControlNet takes it, HandRefiner's too.

**Rather a whole repair?** *repair_hand* and the workflows after it, one for each model, crop, repaint, score the
attempts, keep the best and paste it back.

**Models**: MediaPipe's hand networks (10 MB, Apache-2.0), by the command above. The built-in hand comes with
SesaHand; its licence is CC0, where MeshGraphormer's MANO is non-commercial.

**Memory**: under 1 GB; no GPU needed.
"""

WORKFLOW = Workflow(
    name="from_meshgraphormer",
    note=NOTE,
    note_size=(480, 560),
    groups=(
        Group(
            "Picture",
            ((Node("picture", "LoadImage", {"image": "example.png"}, width=340, height=420),),),
            TEAL,
        ),
        Group(
            "Find and fit the hands",
            (
                (
                    Node(
                        "detect",
                        "SesaHandDetectHands",
                        {"threshold": 0.6, "max_hands": 2},
                        {"image": "picture.IMAGE"},
                        360,
                        620,
                    ),
                    Node("reconstruct", "SesaHandReconstructHands", {}, {"landmarks": "detect.landmarks"}, 360),
                ),
            ),
            BLUE,
        ),
        Group(
            "Correct them",
            (
                (
                    Node(
                        "edit",
                        "SesaHandEditHands",
                        {},
                        {"hands": "reconstruct.hands", "image": "picture.IMAGE"},
                        620,
                        820,
                    ),
                ),
            ),
            PURPLE,
        ),
        Group(
            "Depth map and mask",
            (
                (
                    Node(
                        "render",
                        "SesaHandRenderCondition",
                        {"antialias": False, "forearm": False, "depth_range": "hand"},
                        {"hands": "edit.hands"},
                        320,
                        680,
                    ),
                    Node("grow", "GrowMask", {"expand": 5, "tapered_corners": True}, {"mask": "render.mask"}, 320),
                ),
                (
                    Node("show_depth", "PreviewImage", {}, {"images": "render.depth"}, 400, 360),
                    Node("show_mask", "MaskPreview", {}, {"mask": "grow.MASK"}, 400, 360),
                ),
            ),
            GREEN,
        ),
    ),
    thumbnail=("detect.overlay", "render.depth", "render.mask"),
)
