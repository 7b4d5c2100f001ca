"""Reconstruction: 3D hands from landmarks, by fitting or by a learned reconstructor."""

from comfy_api.latest import io

from ..sesahand.reconstruct.fitting.fit import Fitting
from ..sesahand.reconstruct.fitting.fit_report import describe_fit, worst_error
from ..sesahand.reconstruct.landmarks import HandLandmarks
from ..sesahand.reconstruct.reconstructing import reconstruct_hands
from ..sesahand.reconstruct.second_reading import describe_taken
from ..sesahand.scene.camera import Camera
from . import wires
from .progress import progress


def camera_for(landmarks: HandLandmarks, camera: str, fov: float) -> Camera:
    """Return the camera to fit for: the one that the landmarks' 3D points were measured in, or the widgets'."""
    size = landmarks.width, landmarks.height
    if camera == "hamer":
        return Camera.hamer(*size)
    return landmarks.camera or Camera.from_fov(*size, fov)


@wires.checks()
class ReconstructHands(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandReconstructHands",
            display_name="Reconstruct Hands (SesaHand)",
            category="SesaHand/reconstruct",
            **wires.found_by("3D hand", "hand mesh", "MANO fit", "hand pose estimation"),
            description="Makes 3D hands of detected hands: fits a posed hand mesh to the 21 landmarks of each (hand "
            "pose estimation, MANO fitting, image to 3D hand), or lets a learned reconstructor, HaMeR or WiLoR, do it. "
            "What hands hold is not reconstructed.",
            inputs=[
                wires.Landmarks.Input("landmarks", tooltip="The hands to reconstruct, from Detect Hands."),
                io.Combo.Input(
                    "camera",
                    options=["perspective", "hamer"],
                    default="perspective",
                    tooltip="perspective is a lens of the field of view below, or, with landmarks of SAM 3D Body, its "
                    "own. hamer is the very long lens that HaMeR and WiLoR assume, which puts hands tens of metres "
                    "away.",
                    **wires.rare(),
                ),
                io.Float.Input(
                    "fov",
                    default=40.0,
                    min=1.0,
                    max=170.0,
                    step=1.0,
                    tooltip="Field of view of a perspective camera over the picture's longer side, in degrees: about "
                    "65 for a phone, 40 for a normal lens, 15 for a tele lens. Generated pictures have none; leave it.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The pictures that the hands were found in. Only a learned reconstructor needs them.",
                ),
                wires.HandModel.Input(
                    "hand_model",
                    optional=True,
                    tooltip="The hand to fit, from Load MANO Hand Model; the built-in hand if not connected. A learned "
                    "reconstructor brings its own, unless refine is on.",
                ),
                wires.Reconstructor.Input(
                    "reconstructor",
                    optional=True,
                    tooltip="A learned reconstructor, from Load Reconstructor. Not connected: fitting.",
                ),
                io.Boolean.Input(
                    "refine",
                    default=False,
                    optional=True,
                    tooltip="With a reconstructor: fit the hand model to the network's depth and the detector's points "
                    "afterwards. Puts the hands exactly over the picture, seen by the camera chosen above.",
                ),
                io.Boolean.Input(
                    "second_reading",
                    default=False,
                    optional=True,
                    tooltip="Take the other reading of fingers that may be bent or straight: those of which the report "
                    "says so, and which Detect Hands draws a second time, dotted. All other fingers stay. A "
                    "reconstructor looks at the picture itself and follows only if refine is on.",
                ),
            ],
            outputs=[
                wires.Hands.Output(
                    "hands",
                    display_name="hands",
                    tooltip="The 3D hands, one for each detected hand, for rendering, scoring and export.",
                ),
                io.Float.Output(
                    "error",
                    display_name="error",
                    tooltip="The worst hand's mean distance from its landmarks, as a share of the longer side of their "
                    "box: below 0.04 is good. 0 without hands.",
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="One line a hand: picture, side, score, error in pixels and as a share, distance from the "
                    "camera, and whether its depth is ambiguous.",
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(
        cls,
        landmarks,
        camera,
        fov,
        image=None,
        hand_model=None,
        reconstructor=None,
        refine=False,
        second_reading=False,
    ) -> io.NodeOutput:
        lens = camera_for(landmarks, camera, fov)
        fitting = Fitting(hand_model, lens, progress())
        read = landmarks.second_reading() if second_reading else landmarks
        fitted = reconstruct_hands(read, image, reconstructor or fitting, fitting if refine else None)
        report = describe_fit(fitted)
        if second_reading:
            report += f"\n{describe_taken(landmarks)}"
        if landmarks.camera is not None and lens == landmarks.camera:
            report += (
                f"\ncamera: that of the landmarks, a focal length of {lens.focal_length:.0f} px, not camera and fov"
            )
        return io.NodeOutput(fitted.scene, worst_error(fitted), report)


NODES = [ReconstructHands]
