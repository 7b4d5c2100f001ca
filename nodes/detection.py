"""Detection: the hands in a picture, as landmarks to fit a 3D hand to."""

import logging

import torch

import folder_paths
from comfy_api.latest import io, ui

from ..sesahand.errors import SesaHandError
from ..sesahand.reconstruct.detection.body_pose import read_body_pose
from ..sesahand.reconstruct.detection.detector import as_colour, load_detector
from ..sesahand.reconstruct.detection.detector_files import (
    COMMAND,
    FOLDER_NAME,
    describe_missing,
    detector_state,
    missing_files,
    missing_notice,
    no_detector,
)
from ..sesahand.reconstruct.detection.external import (
    LEAST_CONFIDENCE,
    boxes_of_masks,
    is_pose_keypoints,
    read_boxes,
    read_keypoints,
    write_keypoints,
)
from ..sesahand.reconstruct.detection.landmark_pictures import draw_landmarks, draw_notice, mask_landmarks
from ..sesahand.reconstruct.detection.sides import describe_sides, settle_sides
from ..sesahand.reconstruct.landmarks import HandLandmarks
from ..sesahand.scene.bounding_boxes import write_bounding_boxes
from . import wires
from .condition import list_boxes
from .model_folders import register_model_folder
from .progress import progress

SUFFIXES = {".tflite"}
# The node shows at most this many pictures; a notice on one of fewer pixels would not be readable.
PREVIEW_FRAMES = 4
LEAST_PREVIEW = 384
MOST_ENLARGED = 8

logger = logging.getLogger(__name__)


register_model_folder(FOLDER_NAME, SUFFIXES)


def detector_folder() -> str | None:
    """Return the first of ComfyUI's folders that holds the detector; None lets the library look in its own places."""
    return next((path for path in folder_paths.get_folder_paths(FOLDER_NAME) if not missing_files(path)), None)


def find_landmarks(
    pictures, threshold, max_hands, small_hands, mask, boxes, keypoints, keypoint_confidence, pose_data, if_missing
) -> HandLandmarks:
    """Return the hands in the pictures, from whichever of the four external inputs is given, or from the detector."""
    external = {"mask": mask, "boxes": boxes, "keypoints": keypoints, "pose_data": pose_data}
    given = [name for name, value in external.items() if value is not None]
    if len(given) > 1:
        raise SesaHandError(f"{' and '.join(given)} are connected, and each says where the hands are: keep one.")
    frames, height, width = pictures.shape[:3]
    if pose_data is not None:
        return read_body_pose(pose_data, width, height, frames)
    if keypoints is not None:
        landmarks = read_keypoints(keypoints, width, height, frames, keypoint_confidence)
        return settle_sides(landmarks) if is_pose_keypoints(keypoints) else landmarks
    where = boxes_of_masks(mask, width, height, frames) if mask is not None else None
    where = read_boxes(boxes, frames) if boxes is not None else where
    folder = detector_folder()
    if if_missing == "warn" and no_detector(folder):
        note = describe_missing(folder)
        logger.warning("Detect Hands gives no hands. %s", note)
        return HandLandmarks.empty(width, height, frames, note=note)
    return load_detector(folder)(
        pictures, threshold, thorough=small_hands, max_hands=max_hands or None, boxes=where, on_picture=progress(frames)
    )


def notice_of(landmarks: HandLandmarks, missing: bool) -> str:
    """Return what the node says on its picture when there is no hand, for want of the files or of hands."""
    if missing:
        return missing_notice()
    return "" if len(landmarks) else "No hands found. For drawings and gloves give a mask, boxes or keypoints."


def preview_of(overlay, notice: str):
    """Return what the node shows: the first pictures, enlarged if a notice has to be readable on them."""
    shown = overlay[:PREVIEW_FRAMES]
    width = shown.shape[2]
    if notice and width < LEAST_PREVIEW:
        shown = torch.nn.functional.interpolate(
            shown.movedim(-1, 1), scale_factor=min(MOST_ENLARGED, -(-LEAST_PREVIEW // width))
        )
        shown = shown.movedim(1, -1)
    return draw_notice(shown, notice) if notice else shown


@wires.checks()
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
            "MediaPipe's networks, which `python -m sesahand get-detector` gets once. Boxes, a mask, keypoints "
            "(POSE_KEYPOINT of SDPose, DWPose and OpenPose nodes) or the bodies of SAM 3D Body from elsewhere can take "
            "their place.",
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
                    "or hide; raise it if things that are no hands are found. Does not count with keypoints.",
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
                    display_name="thorough",
                    default=False,
                    tooltip="Look for small hands in parts of every picture, one by one: groups, whole bodies. "
                    "Without, only pictures with no hands, or with small ones alone, are searched so. Up to a second "
                    "of one CPU core a picture of 512 pixels, two and more of larger ones. Does not count with mask, "
                    "boxes or keypoints.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where the hands are, instead of looking for them: one hand in each white region. One mask "
                    "for all pictures, or one for each.",
                ),
                io.MultiType.Input(
                    "boxes",
                    types=[io.String, wires.BoundingBox],
                    optional=True,
                    tooltip="Where the hands are, instead of looking for them: BOUNDING_BOX of SAM3, RT-DETR and other "
                    "detectors, JSON as Render Hand Depth & Maps gives it, or a list of [left, top, right, bottom] in "
                    "pixels. A side in it stays as it is.",
                ),
                io.MultiType.Input(
                    "keypoints",
                    types=[wires.PoseKeypoints, io.String],
                    optional=True,
                    tooltip="Landmarks from another node: POSE_KEYPOINT, or JSON with 21 points for each hand. They "
                    "are 2D, so that the fit must guess depth. Which hand of POSE_KEYPOINT is the right one is found "
                    "out from the body's wrists, or without a body from the points of three hands and more, as nodes "
                    "name them differently; fewer than three hands without a body keep their names.",
                ),
                io.Float.Input(
                    "keypoint_confidence",
                    default=LEAST_CONFIDENCE,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    optional=True,
                    tooltip="How sure a point of keypoints must be, 0 to 1; others count as not seen, and a hand with "
                    "fewer than four sure points is none. Lower it if hands are missed.",
                    **wires.rare(),
                ),
                wires.BodyPose.Input(
                    "pose_data",
                    optional=True,
                    tooltip="Bodies of SAM 3D Body (core, from ComfyUI 0.34): their hands' points in 3D and their "
                    "camera, instead of looking for hands. Reconstruct Hands fits to them in millimetres.",
                ),
                io.Combo.Input(
                    "if_missing",
                    options=["warn", "stop"],
                    default="warn",
                    optional=True,
                    tooltip="If the detector's files are not there: warn finds no hands, says so on the picture and "
                    "lets the graph go on; stop is an error.",
                    **wires.rare(),
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
                wires.BoundingBox.Output(
                    "bboxes",
                    display_name="bboxes",
                    tooltip="The boxes as core has them (BOUNDING_BOX, a list for each picture): for SAM3 Detect, Crop "
                    "by BBoxes, Draw BBoxes.",
                ),
                wires.PoseKeypoints.Output(
                    "pose_keypoints",
                    display_name="pose_keypoints",
                    tooltip="The hands as OpenPose's JSON (POSE_KEYPOINT), without bodies and faces: for nodes that "
                    "draw or save poses.",
                ),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="A line a hand: picture, side, how sure both are, and what is doubtful. What to do where "
                    "nothing is found.",
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **_):
        # What was found without the detector's files must not come out of the cache once they are there.
        return detector_state(detector_folder())

    @classmethod
    @wires.checked
    def execute(
        cls,
        image,
        threshold,
        max_hands,
        small_hands,
        mask=None,
        boxes=None,
        keypoints=None,
        keypoint_confidence=LEAST_CONFIDENCE,
        pose_data=None,
        if_missing="warn",
    ) -> io.NodeOutput:
        pictures = as_colour(image)
        landmarks = find_landmarks(
            pictures,
            threshold,
            max_hands,
            small_hands,
            mask,
            boxes,
            keypoints,
            keypoint_confidence,
            pose_data,
            if_missing,
        )
        overlay = draw_landmarks(pictures, landmarks)
        size = landmarks.width, landmarks.height
        bboxes = write_bounding_boxes(
            landmarks.frame.tolist(), landmarks.side, landmarks.box, landmarks.num_frames, size, landmarks.score
        )
        missing = bool(landmarks.note) and not len(landmarks)
        return io.NodeOutput(
            landmarks,
            list_boxes(landmarks, landmarks.box),
            mask_landmarks(landmarks),
            draw_notice(overlay, f"No hand detector. Run once: {COMMAND}") if missing else overlay,
            len(landmarks),
            bboxes,
            write_keypoints(landmarks),
            describe_sides(landmarks),
            ui=ui.PreviewImage(preview_of(overlay, notice_of(landmarks, missing)), cls=cls),
        )


NODES = [DetectHands]
