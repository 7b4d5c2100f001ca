"""Detection: the hands in a picture, as landmarks to fit a 3D hand to."""

import folder_paths
from comfy_api.latest import io, ui

from ..sesahand.errors import SesaHandError
from ..sesahand.reconstruct.detection.detector import as_colour, load_detector
from ..sesahand.reconstruct.detection.detector_files import FOLDER_NAME, missing_files
from ..sesahand.reconstruct.detection.external import boxes_of_masks, read_boxes, read_keypoints
from ..sesahand.reconstruct.detection.landmark_pictures import draw_landmarks, mask_landmarks
from . import wires
from .condition import list_boxes
from .model_folders import register_model_folder
from .progress import progress

SUFFIXES = {".tflite"}
# The node shows at most this many pictures.
PREVIEW_FRAMES = 4


register_model_folder(FOLDER_NAME, SUFFIXES)


def detector_folder() -> str | None:
    """Return the first of ComfyUI's folders that holds the detector; None lets the library look in its own places."""
    return next((path for path in folder_paths.get_folder_paths(FOLDER_NAME) if not missing_files(path)), None)


def find_landmarks(pictures, threshold, max_hands, small_hands, mask, boxes, keypoints):
    """Return the hands in the pictures, from whichever of the three external inputs is given, or from the detector."""
    given = [name for name, value in (("mask", mask), ("boxes", boxes), ("keypoints", keypoints)) if value is not None]
    if len(given) > 1:
        raise SesaHandError(f"{' and '.join(given)} are connected, and each says where the hands are: keep one.")
    frames, height, width = pictures.shape[:3]
    if keypoints is not None:
        return read_keypoints(keypoints, width, height, frames)
    where = boxes_of_masks(mask, width, height, frames) if mask is not None else None
    where = read_boxes(boxes) if boxes is not None else where
    return load_detector(detector_folder())(
        pictures, threshold, tiled=small_hands, max_hands=max_hands or None, boxes=where, on_picture=progress(frames)
    )


class DetectHands(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandDetectHands",
            display_name="Detect Hands (SesaHand)",
            category="SesaHand/reconstruct",
            **wires.found_by("hand bbox", "hand detector", "MediaPipe hands", "hand keypoints"),
            description="Finds the hands in pictures: 21 landmarks each, in pixels and in relative 3D, with side and "
            "score, boxes, a mask for inpainting or a hand detailer, and an OpenPose skeleton over the picture. Uses "
            "MediaPipe's networks, which `python -m sesahand get-detector` gets once. Boxes, a mask or keypoints "
            "(POSE_KEYPOINT of DWPose and OpenPose nodes) from elsewhere can take their place.",
            is_output_node=True,
            inputs=[
                io.Image.Input("image", tooltip="The pictures to look at, not mirrored. Any size and number."),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How sure a hand must be, 0 to 1. Lower it, to 0.2, for hands that cross, hold something "
                    "or are drawn; raise it if things that are no hands are found. Does not count with keypoints.",
                ),
                io.Int.Input(
                    "max_hands",
                    default=0,
                    min=0,
                    max=64,
                    tooltip="Keep only this many hands of each picture, the surest. 0 keeps all. Does not count with "
                    "keypoints.",
                ),
                io.Boolean.Input(
                    "small_hands",
                    default=False,
                    tooltip="Also look at parts of the picture one by one, in which small hands are large enough to be "
                    "seen: whole bodies, groups. Takes some two seconds a picture. Does not count with mask, boxes or "
                    "keypoints.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where the hands are, instead of looking for them: one hand in each white region. One mask "
                    "for all pictures, or one for each.",
                ),
                io.String.Input(
                    "boxes",
                    optional=True,
                    force_input=True,
                    tooltip="Where the hands are, instead of looking for them: JSON as Render Hand Depth & Maps gives "
                    "it, or a list of [left, top, right, bottom] in pixels. A side in it stays as it is.",
                ),
                io.MultiType.Input(
                    "keypoints",
                    types=[io.Custom("POSE_KEYPOINT"), io.String],
                    optional=True,
                    tooltip="Landmarks from another node, taken as they are: POSE_KEYPOINT, or JSON with 21 points for "
                    "each hand. They are 2D, so that the fit must guess depth.",
                ),
            ],
            outputs=[
                wires.Landmarks.Output(
                    "landmarks",
                    display_name="landmarks",
                    tooltip="21 points of each hand, with side and score. For Reconstruct Hands.",
                ),
                io.String.Output(
                    "found_boxes",
                    display_name="boxes",
                    tooltip="JSON list: frame, side and box (left, top, right, bottom in pixels) of each hand.",
                ),
                io.Mask.Output(
                    "hand_mask",
                    display_name="mask",
                    tooltip="1 where a hand is: the hull around its fingers. For inpainting; grow it as you need.",
                ),
                io.Image.Output(
                    "overlay", display_name="overlay", tooltip="The picture with each hand's skeleton, side and score."
                ),
                io.Int.Output("count", display_name="count", tooltip="How many hands were found, in all pictures."),
            ],
        )

    @classmethod
    @wires.checked
    def execute(cls, image, threshold, max_hands, small_hands, mask=None, boxes=None, keypoints=None) -> io.NodeOutput:
        pictures = as_colour(image)
        landmarks = find_landmarks(pictures, threshold, max_hands, small_hands, mask, boxes, keypoints)
        overlay = draw_landmarks(pictures, landmarks)
        return io.NodeOutput(
            landmarks,
            list_boxes(landmarks, landmarks.box),
            mask_landmarks(landmarks),
            overlay,
            len(landmarks),
            ui=ui.PreviewImage(overlay[:PREVIEW_FRAMES], cls=cls),
        )


NODES = [DetectHands]
