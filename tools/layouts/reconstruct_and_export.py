"""From a photograph to 3D hands and a rigged file."""

from .parts import BLUE, GET_DETECTOR, GREEN, PURPLE, TEAL, Group, Node, Workflow

NOTE = f"""\
## From a photograph to 3D hands

The hands in a picture are found, a posed 3D hand is fitted to each, drawn over the picture and from all sides, and
saved as a rigged GLB with bones and skin for Blender, Unity, Unreal and others.

**Steps**
{GET_DETECTOR}
2. Load Image: **choose your photograph**. The picture that is there at first has no hand: nothing is found, and
   nothing goes wrong.
3. Press **Run**. Look at the landmarks in Detect Hands and at the overlay in Draw Hands.
4. Hands missed? Lower *threshold* to 0.2; switch on *thorough* for groups. Found what is no
   hand? Raise it. Or connect a painted mask to *mask*.
5. The lens, if you know it: *fov* in Reconstruct Hands, about 65 for a phone.
6. The files are in ComfyUI's output folder, under *sesahand*: the GLB, and the pose as JSON for Load Hands.

**Expected**: hands over those of the photograph to a few per cent of their size. The report says how far off they
are; fingers that the picture hides are guessed from what hands do.

**Models**: MediaPipe's hand networks (10 MB, Apache-2.0), by the command above. The built-in hand comes with
SesaHand; its licence is CC0, so that the meshes are yours for any use. Load MANO Hand Model and Load Reconstructor put
your own MANO, HaMeR or WiLoR in its place; their licences are non-commercial.

**Memory**: under 1 GB; no GPU needed.
"""

WORKFLOW = Workflow(
    name="reconstruct_and_export",
    note=NOTE,
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
                    Node("report", "PreviewAny", {}, {"source": "reconstruct.report"}, 360, 340),
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
    thumbnail=("draw.overlay", "draw.turntable.1", "draw.turntable.2"),
)
