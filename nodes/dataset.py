"""Data sets: pictures with their hands, kept for training."""

import logging
import os

import folder_paths
from comfy_api.latest import io, ui

from ..sesahand.data.batch import PairBatch, describe_batch
from ..sesahand.data.formats import OF_HANDS_ALONE
from ..sesahand.data.record import PairFacts
from ..sesahand.data.writer import PairWriter
from ..sesahand.errors import SesaHandError, quote
from ..sesahand.files.names import check_relative_path
from ..sesahand.files.reading import parse_json
from ..sesahand.reconstruct.scoring.score import HandScores
from ..sesahand.scene.hand_scene import HandScene
from ..sesahand.scene.held_object import describe_left_out
from . import wires
from .notices import show_on_node
from .output_files import check_folder, fill_in
from .progress import progress

logger = logging.getLogger(__name__)

# A node shows at most this many pictures; more would be too small to see.
PREVIEW_PICTURES = 4


def set_folder(name: str) -> str:
    """Return the path of a set in the output folder, once its name and the links on its way were checked."""
    root = os.path.realpath(folder_paths.get_output_directory())
    try:
        target = check_folder(root, check_relative_path(name))
    except (SesaHandError, OSError) as error:
        raise SesaHandError(f"set_name cannot be used: {error}") from error
    return target


def check_set_name(name: str) -> None:
    """Refuse a name that cannot be that of a set, whatever the size of the pictures will be."""
    set_folder(fill_in(name, 1, 1))


def read_control_scales(text: str) -> dict:
    """Return the JSON object of the widget."""
    scales = parse_numbers(text, "control_scales", dict)
    PairFacts(control_scales=scales)
    return scales


def parse_numbers(text: str, name: str, kind: type) -> list | dict:
    """Return the JSON list or object of a widget or wire; nothing for an empty text.

    Raises:
        SesaHandError: If it is not one, or a list holds anything but numbers from 0 to 1.
    """
    try:
        value = parse_json(text, name) if text.strip() else kind()
    except SesaHandError:
        value = None
    if not isinstance(value, kind):
        wanted = "[0.91, 0.4], a score for each picture" if kind is list else '{"strength": 0.8, "alpha": 1.0}'
        raise SesaHandError(f"{name} is {quote(text)}, expected JSON such as {wanted}.")
    if kind is list:
        for score in value:
            PairFacts(score=score)
    return value


def picture_scores(scores: HandScores | str) -> list[float | None]:
    """Return the score of each picture from the wire of Score Hands or a JSON list; None if it could not be had."""
    if not isinstance(scores, HandScores):
        return parse_numbers(scores, "scores", list)
    return [None if scores.not_looked_for else score for score in scores.pictures]


def why_not_looked_for(hands: HandScene, scores: HandScores | str) -> str:
    """Return why there are no hands or no scores, if it is because they could not be looked for."""
    scenes = [hands, *([scores.found] if isinstance(scores, HandScores) else [])]
    return next((scene.note for scene in scenes if not len(scene) and scene.note), "")


@wires.checks(set_name=check_set_name, control_scales=read_control_scales)
class SavePair(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        def map_input(name: str, what: str) -> io.Image.Input:
            return io.Image.Input(
                name,
                optional=True,
                tooltip=f"{what} from Render Hand Depth & Maps, one for each picture or one for all.",
            )

        return io.Schema(
            node_id="SesaHandSavePair",
            display_name="Save Image-Mesh Pair (SesaHand)",
            category="SesaHand/dataset",
            **wires.found_by("hand dataset", "training data"),
            description="Adds pictures with their 3D hands, prompt, condition maps, seed and score to a training data "
            "set in the output folder, one pair a picture. Exports to COCO, HaMeR, AttentionHand and others follow by "
            "the command dataset.",
            is_output_node=True,
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            inputs=[
                io.Image.Input("image", tooltip="The pictures to keep: generated ones, renders or photographs."),
                wires.Hands.Input(
                    "hands",
                    tooltip="The hands in the pictures: frame i belongs to picture i; a single frame goes with every "
                    "picture. The hands that were asked for, or those that Reconstruct Hands found.",
                ),
                io.String.Input(
                    "set_name",
                    default="pairs/SesaHand",
                    tooltip="The set's folder inside the output folder. An existing set grows; a name of its own for "
                    "each experiment keeps them apart. %width%, %height%, %year%, %month%, %day% and the like are "
                    "filled in as for pictures.",
                ),
                io.Combo.Input(
                    "picture_format",
                    options=["png", "jpg"],
                    default="png",
                    tooltip="png is exact. jpg (quality 95) takes about a quarter of the space, with slight losses.",
                    **wires.rare(),
                ),
                io.Float.Input(
                    "minimum_score",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Pictures whose score is below this are not written, only counted. 0 keeps all. Needs a "
                    "score.",
                ),
                io.String.Input(
                    "prompt",
                    optional=True,
                    force_input=True,
                    tooltip="The words that the pictures were made from. Not connected: the prompt composed from the "
                    "semantics, if there is one.",
                ),
                wires.Semantics.Input(
                    "semantics",
                    optional=True,
                    tooltip="Pose, action, hand action and environment, one for each picture or one for all.",
                ),
                map_input("mesh", "The mesh map"),
                map_input("depth", "The depth map"),
                map_input("normal", "The normal map"),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where the hands are, from Render Hand Depth & Maps, one for each picture or one for all.",
                ),
                io.Float.Input(
                    "score",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    optional=True,
                    force_input=True,
                    tooltip="How well the hands match, 0 to 1, for all pictures of the batch. For example from Score "
                    "Hands.",
                ),
                io.MultiType.Input(
                    "scores",
                    types=[wires.Scores, io.String],
                    optional=True,
                    tooltip="A score for each picture instead: scores of Score Hands, or a JSON list such as [0.91, "
                    "0.4].",
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    optional=True,
                    force_input=True,
                    tooltip="The seed that the sampler had, to be kept with the pictures.",
                ),
                io.String.Input(
                    "control_scales",
                    default="",
                    optional=True,
                    tooltip="How strongly the pictures were steered, to be kept with them: a JSON object, for "
                    'example with "strength" 0.8 and "alpha" 1.0. Empty: nothing.',
                    **wires.rare(),
                ),
                io.Mask.Input(
                    "object_mask",
                    optional=True,
                    tooltip="Where the objects are that hands hold, from Render Hand Depth & Maps, one for each "
                    "picture or one for all.",
                ),
                map_input("parts", "The map of parts"),
            ],
            outputs=[
                io.Image.Output(
                    "pictures", display_name="image", tooltip="The pictures as they came, for further nodes."
                ),
                io.Int.Output("count", display_name="count", tooltip="How many pairs the set has now."),
                io.String.Output("path", display_name="path", tooltip="The set's folder, for the command dataset."),
                io.String.Output(
                    "report", display_name="report", tooltip="What was written and what was left out, as text."
                ),
            ],
        )

    @classmethod
    @wires.checked
    def execute(
        cls,
        image,
        hands,
        set_name,
        picture_format,
        minimum_score,
        prompt="",
        semantics=None,
        mesh=None,
        depth=None,
        normal=None,
        mask=None,
        score=None,
        scores="",
        seed=None,
        control_scales="",
        object_mask=None,
        parts=None,
    ) -> io.NodeOutput:
        given = {"mesh": mesh, "depth": depth, "normal": normal, "mask": mask, "parts": parts}
        given["object_mask"] = object_mask
        facts = PairFacts(prompt, seed=seed, control_scales=read_control_scales(control_scales))
        each = picture_scores(scores) or ([] if score is None else [score] * len(image))
        said = () if semantics is None else semantics.images
        maps = {name: value for name, value in given.items() if value is not None}
        batch = PairBatch(image, hands, maps, facts, said, each, minimum_score)
        set_name = fill_in(set_name, image.shape[2], image.shape[1], cls.hidden)
        path, keys, report_step = set_folder(set_name), [], progress(len(image))
        with PairWriter(path, picture_format) as writer:
            for key in batch.save(writer):
                keys.append(key)
                report_step(len(keys))
            total = len(writer)
        left_out = describe_left_out(hands.objects, f"what is exported of this set as {', '.join(OF_HANDS_ALONE)}")
        if left_out:
            logger.warning("Save Image-Mesh Pair: %s", left_out)
            show_on_node(left_out)
        said_of = [describe_batch(keys, set_name, total), why_not_looked_for(hands, scores), left_out]
        report = "\n".join(filter(None, said_of))
        shown = batch.written(keys, PREVIEW_PICTURES)
        preview = ui.PreviewImage(shown, cls=cls) if len(shown) else None
        return io.NodeOutput(image, total, path, report, ui=preview)


NODES = [SavePair]
