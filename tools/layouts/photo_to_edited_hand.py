"""From a photograph to its hands, corrected with the mouse, their maps and a rigged file."""

from .parts import BLUE, GET_DETECTOR, GREEN, PURPLE, TEAL, Group, Node, Workflow

NOTE = f"""\
## Correct the hands of a photograph

The hands of a picture are found and a posed 3D hand is fitted to each. The editor shows them over the picture: bend the
finger that is wrong, and take maps for a ControlNet and a rigged GLB.

**Steps**
{GET_DETECTOR}
2. Load Image: **choose your photograph**. The picture that is there at first has no hand: nothing is found, and
   nothing goes wrong.
3. Press **Run**. **Edit Hands** now shows the hands that were found, over your photograph.
4. Drag a fingertip to where it should be, or choose *Take over* first. From then on the hands of the editor count, and
   finding them does not run again.
5. Press **Run** again: all maps and files are those of the edited hands.
6. Another photograph? Edit Hands says that its input has changed: *Follow the input again* takes the new hands.
7. Hands missed? Lower *threshold* of Detect Hands to 0.2; switch on *small_hands* for people seen from head to foot.

**Edit before anything is made**: set *unedited* to *stop here*. The first Run then ends at the editor.

**Expected**: hands over those of the photograph to a few per cent of their size before the edit; fingers that the
picture hides are guessed from what hands do. The GLB is in ComfyUI's output folder, under *sesahand*.

**Models**: MediaPipe's hand networks (10 MB, Apache-2.0), by the command above. The built-in hand comes with
SesaHand; its licence is CC0, so that the meshes are yours for any use.

**Memory**: under 1 GB; no GPU needed.
"""

WORKFLOW = Workflow(
    name="photo_to_edited_hand",
    note=NOTE,
    note_size=(420, 520),
    groups=(
        Group(
            "Photograph",
            ((Node("photograph", "LoadImage", {"image": "example.png"}, width=340, height=420),),),
            TEAL,
        ),
        Group(
            "Find the hands",
            (
                (
                    Node(
                        "detect",
                        "SesaHandDetectHands",
                        {"threshold": 0.5, "max_hands": 0, "small_hands": False},
                        {"image": "photograph.IMAGE"},
                        360,
                        620,
                    ),
                ),
                (
                    Node(
                        "reconstruct",
                        "SesaHandReconstructHands",
                        {"camera": "perspective", "fov": 40},
                        {"landmarks": "detect.landmarks", "image": "photograph.IMAGE"},
                        340,
                    ),
                    Node("report", "PreviewAny", {}, {"source": "reconstruct.report"}, 340, 300),
                ),
            ),
            BLUE,
        ),
        Group(
            "Edit",
            (
                (
                    Node(
                        "edit",
                        "SesaHandEditHands",
                        {},
                        {"hands": "reconstruct.hands", "image": "photograph.IMAGE"},
                        620,
                        820,
                    ),
                ),
            ),
            PURPLE,
        ),
        Group(
            "Maps",
            (
                (Node("render", "SesaHandRenderCondition", {"antialias": True}, {"hands": "edit.hands"}, 400, 680),),
                (
                    Node(
                        "draw",
                        "SesaHandDrawHands",
                        {"style": "mesh", "opacity": 0.8, "views": 1},
                        {"hands": "edit.hands", "image": "photograph.IMAGE"},
                        400,
                        560,
                    ),
                ),
            ),
            GREEN,
        ),
        Group(
            "Rigged hands",
            (
                (
                    Node(
                        "export",
                        "SesaHandExportMesh",
                        {"format": "glb rigged", "filename_prefix": "sesahand/edited", "parameters": "json"},
                        {"hands": "edit.hands"},
                        400,
                    ),
                    Node("show", "Preview3D", {}, {"model_file": "export.path"}, 400, 440),
                ),
            ),
            GREEN,
        ),
    ),
    thumbnail=("draw.overlay", "render.depth", "render.normal"),
)
