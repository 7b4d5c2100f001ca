"""Scoring: how well the hands in a picture are those that were asked for, and what follows from it."""

from comfy_api.latest import io, ui

from ..sesahand.errors import SesaHandError
from ..sesahand.reconstruct.scoring.choosing import bad_pictures, best_pictures, check_count, replace_bad_pictures
from ..sesahand.reconstruct.scoring.score import DEFAULT_THRESHOLD, EXTRA_COST, score_hands
from ..sesahand.reconstruct.scoring.score_picture import draw_scores, preview_scores
from ..sesahand.reconstruct.scoring.score_report import describe_scores
from ..sesahand.render.contact_sheet import captioned_pictures
from . import wires
from .progress import progress

# A node shows at most this many pictures; more would be too small to see.
PREVIEW_PICTURES = 4


def sheet_captions(images, labels: str, scores) -> list[str]:
    """Return what stands under each picture: its line of the labels, then its score; nothing if neither is given."""
    lines = labels.strip().splitlines()
    if lines and len(lines) != len(images):
        raise SesaHandError(
            f"labels has {len(lines)} lines for {len(images)} pictures: write a line for each picture, or none at all."
        )
    if scores is None:
        return lines
    check_count(images, scores)
    return [
        f"{label}\n{'not scored' if scores.not_looked_for else f'score {score:.2f}'}".strip()
        for label, score in zip(lines or [""] * len(images), scores.pictures, strict=True)
    ]


class ScoreHands(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandScoreHands",
            display_name="Score Hands (SesaHand)",
            category="SesaHand/reconstruct",
            **wires.found_by("hand quality", "bad hands", "count fingers"),
            description="Rates hands: compares those found in a picture with those that were asked for, as one quality "
            "score from 0 to 1, with metrics (PA-MPJPE, IoU, MSE), a readable report on every finger and a picture.",
            is_output_node=True,
            inputs=[
                wires.Hands.Input(
                    "requested",
                    tooltip="The hands that were asked for, as they were given to Render Hand Depth & Maps. One frame "
                    "counts for every picture of a batch.",
                ),
                wires.Hands.Input(
                    "found", tooltip="The hands that Reconstruct Hands found in the pictures, a frame for each picture."
                ),
                io.Float.Input(
                    "extra_hands",
                    default=EXTRA_COST,
                    min=0.0,
                    max=10.0,
                    step=0.05,
                    tooltip="How much each hand costs that nobody asked for: 0.1 divides the score by 1.1 for one and "
                    "by 1.2 for two. 0 if other hands in the picture are welcome.",
                    **wires.rare(),
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The pictures that the hands were found in, for the picture only. Not connected: on black.",
                ),
            ],
            outputs=[
                io.Float.Output(
                    "score",
                    display_name="score",
                    tooltip="Mean score of the pictures, 0 to 1. A plain number for nodes of others.",
                ),
                wires.Scores.Output(
                    "scores",
                    display_name="scores",
                    tooltip="The score of each picture, for Fix Hands Gate or Keep Best.",
                ),
                io.String.Output(
                    "report", display_name="report", tooltip="What is right and wrong with each hand, in words."
                ),
                io.String.Output(
                    "details",
                    display_name="details",
                    tooltip="All figures as JSON, by picture and hand: parts of the score, MSE-2D, MSE-3D (square mm), "
                    "PA-MPJPE and PA-MPVPE (mm), mask IoU, fingers.",
                ),
                io.Image.Output(
                    "picture",
                    display_name="picture",
                    tooltip="Requested hands in white, found ones in colours, and the score of each picture.",
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(cls, requested, found, extra_hands, image=None) -> io.NodeOutput:
        scores = score_hands(requested, found, extra_hands, progress())
        picture = draw_scores(scores, image, on_picture=progress())
        report = describe_scores(scores)
        preview = ui.PreviewImage(preview_scores(scores, image, picture, PREVIEW_PICTURES), cls=cls)
        return io.NodeOutput(scores.mean, scores, report, scores.to_json(), picture, ui=preview)


class RepairGate(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandRepairGate",
            display_name="Fix Hands Gate (SesaHand)",
            category="SesaHand/reconstruct",
            **wires.found_by("fix hands", "bad hands", "hand detailer", "hand refiner"),
            description="Repairs hands only where they are bad: the branch that leads to repaired (inpainting, a "
            "detailer, another seed) is not run at all if every score reaches the threshold. A lazy switch.",
            inputs=[
                io.MultiType.Input(
                    "score",
                    types=[wires.Scores, io.Float],
                    tooltip="scores of Score Hands, which decide picture by picture, or any number from 0 to 1, which "
                    "decides for all pictures together.",
                ),
                io.Float.Input(
                    "threshold",
                    default=DEFAULT_THRESHOLD,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Pictures that score less are repaired. 0.5 stops nine of ten wrong gestures and lets good "
                    "hands pass; 0.6 is stricter. 0 never repairs, 1 nearly always.",
                ),
                io.Image.Input("good", tooltip="The pictures as they are."),
                io.Image.Input(
                    "repaired",
                    lazy=True,
                    tooltip="The same pictures, repaired, in the same order. Only made if one of them is needed.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    "images",
                    display_name="images",
                    tooltip="The good pictures, and in the place of each bad one the repaired one.",
                ),
                io.Boolean.Output(
                    "was_repaired", display_name="was_repaired", tooltip="Whether any picture was replaced."
                ),
            ],
        )

    @classmethod
    def check_lazy_status(cls, score, threshold, good, repaired=None) -> list[str]:
        return ["repaired"] if repaired is None and bad_pictures(score, threshold) != [] else []

    @classmethod
    @wires.checked
    def execute(cls, score, threshold, good, repaired=None) -> io.NodeOutput:
        images = replace_bad_pictures(good, repaired, score, threshold)
        return io.NodeOutput(images, bad_pictures(score, threshold) != [])


class KeepBest(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandKeepBest",
            display_name="Keep Best (SesaHand)",
            category="SesaHand/reconstruct",
            **wires.found_by("best of batch", "pick best", "fix hands"),
            description="Chooses the picture with the best hands out of a batch, or the best few, by the scores of "
            "Score Hands. Generate eight, keep the best: select, pick or filter a batch by hand quality.",
            inputs=[
                io.Image.Input("images", tooltip="The batch that was scored."),
                wires.Scores.Input("scores", tooltip="scores of Score Hands, one for each picture of the batch."),
                io.Int.Input(
                    "count",
                    default=1,
                    min=1,
                    max=4096,
                    tooltip="How many pictures to keep, best first. More than there are keeps all, sorted.",
                ),
                wires.Hands.Input(
                    "hands",
                    optional=True,
                    tooltip="Hands with one frame for each picture, of which those of the kept pictures come out. Not "
                    "connected: the found hands that were scored.",
                ),
            ],
            outputs=[
                io.Image.Output("kept_images", display_name="images", tooltip="The kept pictures, best first."),
                io.Float.Output("score", display_name="score", tooltip="Score of the best picture, 0 to 1."),
                io.Int.Output(
                    "index", display_name="index", tooltip="Which picture of the batch it is; the first one is 0."
                ),
                wires.Hands.Output(
                    "kept_hands", display_name="hands", tooltip="The hands of the kept pictures, a frame for each."
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(cls, images, scores, count, hands=None) -> io.NodeOutput:
        best = best_pictures(scores, count)
        check_count(images, scores)
        hands = (scores.found if hands is None else hands).select_frames(best)
        return io.NodeOutput(images[best], scores.pictures[best[0]], best[0], hands)


class ContactSheet(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandContactSheet",
            display_name="Contact Sheet (SesaHand)",
            category="SesaHand/reconstruct",
            description="Lays a batch of pictures out side by side on one sheet, with a label and the score of its "
            "hands under each: compare settings, seeds or models in a labelled grid.",
            **wires.found_by("image grid", "XY plot", "compare images", "label images"),
            is_output_node=True,
            inputs=[
                io.Image.Input("images", tooltip="The pictures, from left to right and from top to bottom."),
                io.String.Input(
                    "labels",
                    default="",
                    multiline=True,
                    tooltip="What stands under the pictures: a line for each, in order. Empty: nothing.",
                ),
                io.Int.Input(
                    "columns",
                    default=0,
                    min=0,
                    max=64,
                    tooltip="Pictures side by side, before the next row begins. 0 puts all into one row.",
                ),
                io.String.Input("title", default="", tooltip="A larger line over the sheet. Empty: none."),
                wires.Scores.Input(
                    "scores",
                    optional=True,
                    tooltip="scores of Score Hands, one for each picture of the batch, to stand under its label.",
                ),
            ],
            outputs=[
                io.Image.Output("sheet", display_name="sheet", tooltip="The sheet, one picture, for Save Image."),
            ],
        )

    @classmethod
    @wires.checked
    def execute(cls, images, labels, columns, title, scores=None) -> io.NodeOutput:
        captions = sheet_captions(images, labels, scores)
        sheet = captioned_pictures(images, captions, columns, title, on_picture=progress())
        return io.NodeOutput(sheet, ui=ui.PreviewImage(sheet, cls=cls))


NODES = [ScoreHands, RepairGate, KeepBest, ContactSheet]
