"""Compare the hand in a picture with the one that was asked for."""

from .parts import BLUE, GET_DETECTOR, GREEN, PURPLE, TEAL, Group, Node, Workflow

NOTE = f"""\
## Is the hand in the picture the one I asked for?

A hand is posed. The hands found in a picture are compared with it: one score from 0 to 1, a report that says which
finger is wrong, and a picture. What is good enough for Fix Hands Gate and Keep Best is decided by this score.

**Steps**
{GET_DETECTOR}
2. Press **Run**: the picture is the drawing of the posed hand itself, so the score is high.
3. Choose another *gesture* in the group *Picture*, and see a wrong hand scored.
4. **Your picture goes in here**: connect it to *image* of Detect Hands and of Score Hands in place of *mesh*, for
   example what the workflow *generate_hand* paints. It must have the proportions of *width* and *height* in Place Hand.
   A batch of pictures gets a score each.

**Reading it**: the hand that was asked for scores 0.6 to 0.9, another gesture mostly below 0.5, but not a sixth finger.
White is what was asked for, coloured what was found. The detector was made for photographs: a few gestures, *three* and
*four* among them, it does not find in a drawing on black.

**Models**: MediaPipe's hand networks (10 MB, Apache-2.0), by the command above. The built-in hand comes with
SesaHand; its licence is CC0.

**Memory**: under 1 GB; no GPU needed.
"""

WORKFLOW = Workflow(
    name="check_hand",
    note=NOTE,
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
                        680,
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
                    Node("report", "PreviewAny", {}, {"source": "score.report"}, 440, 300),
                ),
            ),
            GREEN,
        ),
    ),
    thumbnail=("detect.overlay",),
)
