"""Inpainting: the part of a picture that is repainted, cut out and laid back."""

from comfy_execution.graph_utils import ExecutionBlocker

from comfy_api.latest import io

from ..sesahand.errors import SesaHandError
from ..sesahand.inpaint.crop import crop_to_mask, hands_in_crop, paste_back
from ..sesahand.scene.bounding_boxes import mask_of_boxes, read_bounding_boxes
from ..sesahand.scene.camera import MAX_SIZE
from . import wires
from .progress import progress

CATEGORY = "SesaHand/inpaint"


class CropToMask(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        def side(name: str) -> io.Int.Input:
            return io.Int.Input(
                name,
                default=512,
                min=16,
                max=MAX_SIZE,
                step=8,
                tooltip=f"{name.capitalize()} of the crop in pixels: the size that your model paints best, 512 for "
                "SD1.5, 1024 for SDXL, 128 for the small model.",
            )

        return io.Schema(
            node_id="SesaHandCropToMask",
            display_name="Crop to Mask (SesaHand)",
            category=CATEGORY,
            description="Cuts out the masked part of a picture with its surroundings and enlarges it to the size that "
            "the model paints best, so that a small hand is repainted in full detail: crop for inpainting, hand "
            "detailer. Paste Back lays the result over the picture.",
            inputs=[
                io.Image.Input("image", tooltip="The whole picture, or several."),
                io.MultiType.Input(
                    "mask",
                    types=[io.Mask, wires.BoundingBox],
                    tooltip="White over all that is to be repainted, for a hand the whole hand: painted in the mask "
                    "editor, or from Detect Hands. One for all pictures, or one for each. Or boxes (BOUNDING_BOX of "
                    "SAM3, RT-DETR and others), all of which are white.",
                ),
                side("width"),
                side("height"),
                io.Float.Input(
                    "context",
                    default=1.5,
                    min=1.0,
                    max=10.0,
                    step=0.05,
                    tooltip="How much of the surroundings the model sees: the crop's size over that of the masked "
                    "region. 1.5 shows the wrist of a hand; raise it if the new hand does not belong to its arm.",
                ),
                wires.Hands.Input(
                    "hands",
                    optional=True,
                    tooltip="Hands in the picture that have to be whole in the crop, too, and come out as it sees "
                    "them: the hand that is wanted, if the mask covers a part of it. One picture at a time.",
                ),
            ],
            outputs=[
                io.Image.Output("cropped_image", display_name="image", tooltip="The crop, for VAE Encode."),
                io.Mask.Output(
                    "cropped_mask",
                    display_name="mask",
                    tooltip="The mask as the crop sees it, for Place Hand and Set Latent Noise Mask.",
                ),
                wires.Crop.Output("crop", display_name="crop", tooltip="Where the crop comes from, for Paste Back."),
                wires.Hands.Output(
                    "cropped_hands",
                    display_name="hands",
                    tooltip="The hands as the crop sees them, for Render Hand Depth & Maps and Score Hands. Nothing "
                    "after it runs if no hands are connected.",
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(cls, image, mask, width, height, context, hands=None) -> io.NodeOutput:
        if isinstance(mask, dict | list):
            boxes = read_bounding_boxes(mask, 0)
            mask = mask_of_boxes(boxes, image.shape[2], image.shape[1])
            if not mask.any():
                found = "lie outside the picture" if any(boxes) else "are none: nothing was found"
                raise SesaHandError(f"The boxes at mask {found}. Look at what finds them, or paint a mask instead.")
        crops, crop = crop_to_mask(image, mask, width, height, context, hands, progress())
        seen = ExecutionBlocker(None) if hands is None else hands_in_crop(hands, crop)
        return io.NodeOutput(crops, crop.masks, crop, seen)


class PasteBack(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandPasteBack",
            display_name="Paste Back (SesaHand)",
            category=CATEGORY,
            description="Lays a repainted crop of Crop to Mask over the picture that it was cut out of, at its own "
            "place and size, fading out around the mask so that no seam is seen: stitch after inpainting. The rest of "
            "the picture stays as it is to the last bit.",
            inputs=[
                wires.Crop.Input("crop", tooltip="Where the crops come from, from Crop to Mask."),
                io.Image.Input(
                    "image",
                    tooltip="The repainted crops, of any size. Several of one picture give several whole pictures.",
                ),
                io.Int.Input(
                    "feather",
                    default=8,
                    min=0,
                    max=512,
                    tooltip="How far the new part fades out beyond the mask, in pixels of the whole picture. 0 is a "
                    "hard edge; raise it if a seam shows.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="What to lay over, as the crop sees it: the mask that was repainted, if it was grown or "
                    "joined with the hand's. Not connected: the mask that was cut out.",
                ),
            ],
            outputs=[io.Image.Output("pasted", display_name="image", tooltip="The whole picture with its new part.")],
        )

    @classmethod
    @wires.checked
    def execute(cls, crop, image, feather, mask=None) -> io.NodeOutput:
        return io.NodeOutput(paste_back(crop, image, feather, mask, progress()))


NODES = [CropToMask, PasteBack]
