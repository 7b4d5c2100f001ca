"""Edited hands: the text of a scene is all that counts, whoever wrote it."""

import logging

from comfy_execution.graph_utils import ExecutionBlocker

from comfy_api.latest import io

from ..sesahand.scene.editing import edited_hands
from ..sesahand.scene.scene_files import scene_from_json
from . import wires
from .editor_answer import editor_answer
from .editor_routes import add_routes

logger = logging.getLogger(__name__)

PASS, STOP = "pass through", "stop here"
# Unlike None, which a lazy input is as long as it has not been asked for.
NOT_CONNECTED = ()


def read_scene(text: str) -> None:
    """Raise a SesaHandError if a text is neither empty nor a scene."""
    if text.strip():
        scene_from_json(text)


@wires.checks(scene=read_scene)
class EditHands(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SesaHandEditHands",
            display_name="Edit Hands (SesaHand)",
            category="SesaHand/hand",
            **wires.found_by("hand editor", "edit hand pose", "paste hands", "hands from text"),
            is_output_node=True,
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            description="Poses hands with the mouse, anew or from those that come in. What was edited stays in the "
            "node as text, in the format of Save Hands, and alone counts. Until then hands of the input pass through.",
            inputs=[
                io.String.Input(
                    "scene",
                    default="",
                    multiline=True,
                    socketless=True,
                    tooltip="The hands as JSON, as the editor and Save Hands write them. They alone count, and "
                    "what leads to the hands input does not run. Empty: the hands of the input or, if it is not "
                    "connected, an open hand.",
                ),
                io.Combo.Input(
                    "unedited",
                    options=[PASS, STOP],
                    default=PASS,
                    tooltip="What happens as long as scene is empty: pass through gives the hands of the input, stop "
                    "here shows them in the editor and runs nothing that comes after, until there is a scene.",
                ),
                wires.Hands.Input(
                    "hands",
                    optional=True,
                    lazy=True,
                    tooltip="Hands to start from, from Pose Hand, Load Hands or Reconstruct Hands. What leads here "
                    "only runs while scene is empty.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The picture that the hands belong to. They come out in its size, which must have their "
                    "proportions.",
                ),
            ],
            outputs=[
                wires.Hands.Output(
                    "edited", display_name="hands", tooltip="The hands of scene, or those that passed through."
                ),
            ],
        )

    @classmethod
    def check_lazy_status(cls, scene, unedited, hands=NOT_CONNECTED, image=None) -> list[str]:
        return ["hands"] if hands is None and not scene.strip() else []

    @classmethod
    @wires.checked
    def execute(cls, scene, unedited, hands=None, image=None) -> io.NodeOutput:
        if unedited == STOP and not scene.strip():
            logger.info("Edit Hands: scene is empty, and unedited is '%s': what comes after does not run.", STOP)
            # Also hands that do not fit the picture are shown, so that the editor can fit them.
            return io.NodeOutput(ExecutionBlocker(None), ui=editor_answer(hands, None, image, cls.hidden))
        size = None if image is None else (image.shape[2], image.shape[1])
        edited = edited_hands(scene, hands, size)
        return io.NodeOutput(edited, ui=editor_answer(hands, edited, image, cls.hidden))


add_routes()
NODES = [EditHands]
