"""Pictures as such: many of them on one wire."""

from comfy_api.latest import io

from ..sesahand.render.picture_batch import FITS, batch_pictures
from . import wires
from .progress import progress

MOST = 8


@wires.checks()
class BatchPictures(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        def picture(number: int) -> io.Image.Input:
            return io.Image.Input(
                f"image_{number}",
                optional=True,
                tooltip=f"Number {number} of the batch, or several pictures that follow each other there. Leave out "
                "what you do not need.",
            )

        return io.Schema(
            node_id="SesaHandBatchPictures",
            display_name="Batch Pictures (SesaHand)",
            category="SesaHand/reconstruct",
            **wires.found_by("image batch", "batch images", "join images", "combine images"),
            description="Joins up to eight pictures, or batches of them, into one batch in the order of the inputs, "
            "for Contact Sheet, Detect Hands or Save Image. The first one decides the size.",
            inputs=[
                *(picture(number) for number in range(1, MOST + 1)),
                io.Combo.Input(
                    "fit",
                    options=list(FITS),
                    default="crop",
                    tooltip="What becomes of a picture of another size than the first, without distorting it. crop: "
                    "scaled to fill, what stands out is cut off. pad: all of it on black. refuse: an error that names "
                    "both sizes.",
                ),
            ],
            outputs=[io.Image.Output("batch", display_name="images", tooltip="All pictures, in order.")],
        )

    @classmethod
    @wires.checked
    def execute(cls, fit, **pictures) -> io.NodeOutput:
        given = [pictures[name] for name in sorted(pictures) if pictures[name] is not None]
        return io.NodeOutput(batch_pictures(given, fit, progress()))


NODES = [BatchPictures]
