"""Repairing a hand: which one is meant, what stands in for it, and what of the picture is painted anew."""

import logging

from comfy_execution.graph_utils import ExecutionBlocker

from comfy_api.latest import io, ui

from ..sesahand.inpaint.repaint import mask_to_repaint
from ..sesahand.reconstruct.detection.detector import as_colour, load_detector
from ..sesahand.reconstruct.detection.detector_files import (
    describe_missing,
    detector_state,
    missing_notice,
    no_detector,
)
from ..sesahand.reconstruct.detection.in_mask import MeantHands, meant_hands
from ..sesahand.reconstruct.detection.landmark_pictures import draw_landmarks
from ..sesahand.reconstruct.detection.sides import describe_sides
from ..sesahand.reconstruct.landmarks import HandLandmarks
from ..sesahand.scene.fallback import frames_without_hands, hands_or_else
from . import wires
from .detection import detector_folder, preview_of
from .progress import progress

logger = logging.getLogger(__name__)

CATEGORY = "SesaHand/inpaint"
NOTHING = (
    "No hand to repair. Choose your picture in Load Image. If its hand is not found: right-click it, Open in "
    "MaskEditor, and paint the whole hand."
)


def find_meant_hands(pictures, mask, threshold: float) -> MeantHands:
    """Return the hands that are to be repaired; without the detector's files none, which the landmarks' note tells."""
    folder = detector_folder()
    frames, height, width = pictures.shape[:3]
    if no_detector(folder):
        note = describe_missing(folder)
        logger.warning("Detect Hand in Mask finds no hands. %s", note)
        return meant_hands(lambda *_, **__: HandLandmarks.empty(width, height, frames, note=note), pictures, mask)
    detector, report = load_detector(folder), progress(frames)
    return meant_hands(
        lambda pictures, boxes=None: detector(pictures, threshold, boxes=boxes, on_picture=report), pictures, mask
    )


def describe_meant(meant: MeantHands) -> str:
    """Return a line for each picture without a hand or mask of its own, after those of the hands."""
    found = set(meant.landmarks.frame.tolist())
    lines = [describe_sides(meant.landmarks)]
    for frame, painted in enumerate(meant.painted):
        if frame not in found:
            lines.append(f"picture {frame}: {'no hand found in the mask' if painted else 'no hand found, no mask'}")
        elif not painted:
            lines.append(f"picture {frame}: no mask, so that the largest hand is repainted")
    return "\n".join(lines)


def notice_of(meant: MeantHands, missing: bool) -> str:
    """Return what the node says on its picture where there is nothing to repair."""
    if not meant.nothing:
        return ""
    return missing_notice() if missing else NOTHING


class DetectInMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandDetectInMask",
            display_name="Detect Hand in Mask (SesaHand)",
            category=CATEGORY,
            **wires.found_by("repair hand", "fix hands", "hand detailer", "inpaint hand"),
            description="Finds the hand that is to be repaired: the one that a painted mask is about, whether it "
            "covers all of it or one finger, or without a mask the largest hand of the picture. Where there is "
            "neither, it says so on the picture, and nothing after it runs.",
            is_output_node=True,
            inputs=[
                io.Image.Input("image", tooltip="The picture, from Load Image, or several."),
                io.Float.Input(
                    "threshold",
                    default=0.3,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How sure a hand must be, 0 to 1. Malformed hands are less sure than others: lower it if "
                    "the hand is not found, raise it if something else is.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="White over what is to be repainted: a whole hand, or a part of it. One for all pictures, "
                    "or one for each. A black one, as Load Image has if nothing is painted, is as none.",
                ),
            ],
            outputs=[
                wires.Landmarks.Output(
                    "landmarks",
                    display_name="landmarks",
                    tooltip="21 points of the hand of each picture, for Reconstruct Hands; none where none was found.",
                ),
                io.Mask.Output(
                    "hand_mask",
                    display_name="mask",
                    tooltip="What is to be repainted: the painted mask, or without one the hull around the hand.",
                ),
                io.Image.Output("overlay", display_name="overlay", tooltip="The picture with the hand's skeleton."),
                io.String.Output("report", display_name="report", tooltip="Which hand it is, and how sure that is."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **_):
        return detector_state(detector_folder())

    @classmethod
    @wires.checked
    def execute(cls, image, threshold, mask=None) -> io.NodeOutput:
        pictures = as_colour(image)
        meant = find_meant_hands(pictures, mask, threshold)
        overlay = draw_landmarks(pictures, meant.landmarks)
        notice = notice_of(meant, bool(meant.landmarks.note))
        if notice:
            logger.warning("Detect Hand in Mask: %s What comes after does not run.", notice)
        landmarks, masks = (ExecutionBlocker(None),) * 2 if notice else (meant.landmarks, meant.masks)
        preview = ui.PreviewImage(preview_of(overlay, notice), cls=cls)
        return io.NodeOutput(landmarks, masks, overlay, describe_meant(meant), ui=preview)


class HandsOrElse(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandHandsOrElse",
            display_name="Hands or Else (SesaHand)",
            category=CATEGORY,
            **wires.found_by("fallback", "if no hand", "switch hands"),
            description="The hands that come first, and others only where there are none: the hand that was found in a "
            "picture, else a posed one. What leads to the others only runs if they are needed.",
            inputs=[
                wires.Hands.Input("hands", tooltip="Come first, for example from Reconstruct Hands."),
                wires.Hands.Input(
                    "otherwise",
                    lazy=True,
                    tooltip="Take the place of missing ones, for example from Place Hand with the same mask. One frame "
                    "counts for every frame, else frame by frame.",
                ),
            ],
            outputs=[
                wires.Hands.Output("chosen", display_name="hands", tooltip="Hands in every frame."),
                io.Boolean.Output("found", display_name="found", tooltip="Whether none of the others was needed."),
            ],
        )

    @classmethod
    def check_lazy_status(cls, hands, otherwise=None) -> list[str]:
        return ["otherwise"] if otherwise is None and frames_without_hands(hands) else []

    @classmethod
    @wires.checked
    def execute(cls, hands, otherwise=None) -> io.NodeOutput:
        lacking = bool(frames_without_hands(hands))
        return io.NodeOutput(hands_or_else(hands, otherwise) if lacking else hands, not lacking)


class RepaintMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandRepaintMask",
            display_name="Mask to Repaint (SesaHand)",
            category=CATEGORY,
            **wires.found_by("inpaint mask", "grow mask", "hand mask"),
            description="What of a crop is painted anew: its mask, and where the edited hand differs from the one that "
            "was found, grown on all sides by a share of the crop, so that one setting fits every model's size.",
            inputs=[
                wires.Crop.Input("crop", tooltip="From Crop to Mask."),
                wires.Hands.Input("hands", tooltip="The hand that is wanted, in the whole picture: from Edit Hands."),
                io.Float.Input(
                    "grow",
                    default=0.05,
                    min=0.0,
                    max=0.5,
                    step=0.005,
                    tooltip="How much further the mask reaches, as a share of the crop's longer side: 0.05 is 26 "
                    "pixels of 512. Raise it if the old hand's edge is left over.",
                ),
                wires.Hands.Input(
                    "before",
                    optional=True,
                    tooltip="The hand as it was found, from Reconstruct Hands. What it has in common with the wanted "
                    "one is left alone outside the mask. Not connected, or no hands: the whole hand is painted.",
                ),
                io.Mask.Input(
                    "keep",
                    optional=True,
                    tooltip="White over what stays as it is, in the whole picture: what the hand holds, painted, or "
                    "object_mask of Render Hand Depth & Maps. It comes before mask and hands.",
                ),
            ],
            outputs=[
                io.Mask.Output("repaint", display_name="mask", tooltip="For Set Latent Noise Mask and Paste Back."),
            ],
        )

    @classmethod
    @wires.checked
    def execute(cls, crop, hands, grow, before=None, keep=None) -> io.NodeOutput:
        return io.NodeOutput(mask_to_repaint(crop, hands, before, grow, keep))


NODES = [DetectInMask, HandsOrElse, RepaintMask]
