"""Plans of pairs: what `sesahand generate --plan` makes by itself, asked for picture by picture in a graph."""

import json
import os

import folder_paths
from comfy_api.latest import io

from ..sesahand.errors import SesaHandError, quote
from ..sesahand.files.folders import file_names
from ..sesahand.generate.plan import MAX_PAIRS, Plan, PlannedJobs, describe_jobs, read_plan
from ..sesahand.models.small.embedded import EMBEDDED
from ..sesahand.models.small.layout import MiniLayout
from ..sesahand.scene.hand_scene import concatenate_frames
from ..sesahand.semantics.behavior import SemanticsBatch
from . import wires
from .notices import show_on_node

MAX_COUNT = 64


def plan_files() -> list[str]:
    """Return the names of the plans in ComfyUI's input folder."""
    return [name for name in file_names(folder_paths.get_input_directory()) if name.endswith(".toml")]


def open_plan(name: str) -> Plan:
    """Read a plan of the input folder, whose captions are in it or in a file beside it."""
    if name not in plan_files():
        raise SesaHandError(
            f"There is no plan {quote(name)} in {folder_paths.get_input_directory()}. Copy the .toml file and its "
            "captions there, then press R."
        )
    return read_plan(os.path.join(folder_paths.get_input_directory(), name))


def size_of(plan: Plan) -> tuple[int, int]:
    """Return width and height of a plan's pictures in pixels, which a graph has to know before it has a model."""
    if plan.size is None and plan.base != EMBEDDED:
        raise SesaHandError("The plan says no size, and here no model can: add a line such as size = [512, 512] to it.")
    return plan.size or (MiniLayout.size, MiniLayout.size)


@wires.checks(plan=lambda name: size_of(open_plan(name)))
class ReadPlan(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandReadPlan",
            display_name="Read Plan (SesaHand)",
            category="SesaHand/dataset",
            **wires.found_by("dataset plan", "batch captions", "training data"),
            description="Asks for the pictures of a plan one after the other: their words, hands and seed are those "
            "that the command generate --plan gives them, whoever makes them, and in whatever order.",
            inputs=[
                io.Combo.Input(
                    "plan",
                    options=wires.listed(plan_files()),
                    tooltip="A plan (.toml) in ComfyUI's input folder, as for the command generate --plan. Copy it "
                    "there together with its captions, and press R to see it here.",
                ),
                io.Int.Input(
                    "number",
                    default=0,
                    min=0,
                    max=MAX_PAIRS,
                    control_after_generate="increment",
                    tooltip="Which picture of the plan, from 0. Set control after generate to increment, and the "
                    "number beside Run to how many are to be made. To go on after a stop, type how many there are.",
                ),
                io.Int.Input(
                    "count",
                    default=1,
                    min=1,
                    max=MAX_COUNT,
                    tooltip="Pictures in one batch, from that number on. With 1 each picture depends on the plan and "
                    "its number alone; in larger batches its noise also depends on where the batch began.",
                    **wires.rare(),
                ),
            ],
            outputs=[
                wires.Semantics.Output(
                    "semantics", display_name="semantics", tooltip="The words of each picture, with their prompt."
                ),
                wires.Hands.Output("hands", display_name="hands", tooltip="Its hands, a frame for each picture."),
                io.Int.Output("seed", display_name="seed", tooltip="The seed for the sampler and for Save Pair."),
                io.String.Output(
                    "prompts",
                    display_name="prompt",
                    is_output_list=True,
                    tooltip="The prompt of each picture, one after the other, for Text Encode.",
                ),
                io.String.Output(
                    "report", display_name="report", tooltip="A line for each picture: number, seed, gesture, prompt."
                ),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, plan, **_):
        # Captions are part of it, which stand in another file.
        return json.dumps(open_plan(plan).to_dict())

    @classmethod
    @wires.checked
    def execute(cls, plan, number, count) -> io.NodeOutput:
        read = open_plan(plan)
        numbers = range(number, min(number + count, read.pairs))
        if not numbers:
            raise SesaHandError(
                f"The plan has {read.pairs} pairs, numbered from 0: {number} is past its end. Set control after "
                "generate to increment, and number to the first that is to be made."
            )
        jobs_of = PlannedJobs(read, size_of(read), read.base == EMBEDDED)
        jobs = [jobs_of(each) for each in numbers]
        report = describe_jobs(numbers, jobs)
        show_on_node(report)
        semantics = SemanticsBatch(tuple(job.request.semantics for job in jobs))
        hands = concatenate_frames([job.request.scene for job in jobs])
        return io.NodeOutput(semantics, hands, jobs[0].seed, [image.prompt for image in semantics.images], report)


NODES = [ReadPlan]
