"""Nodes and commands say the same about the same caption, whichever way one goes."""

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

from sesahand_pack.nodes.hand import PoseHand
from sesahand_pack.nodes.semantics import ComposePrompt, ExtractSemantics
from sesahand_pack.sesahand.cli import main
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.semantics.composer import DEFAULT_TEMPLATE

TYPED = Path(__file__).resolve().parents[2] / "benchmarks" / "data" / "typed"
EACH = 7
POSED_EVERY = 5
"""Posing hands takes most of the time."""


def captions() -> list[str]:
    """The first captions of each kind that the rules were developed on: about a hundred."""
    files = sorted(TYPED.glob("*.txt"))
    blocks = [block for file in files for block in file.read_text(encoding="utf-8").strip().split("\n\n")[:EACH]]
    return [block.split("\n")[0] for block in blocks]


def described(caption: str) -> dict:
    """What the command says."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main(["describe", caption, "--json"]) == 0
    return json.loads(printed.getvalue())


def posed(semantics) -> str:
    """What Pose Hand says that it poses, its widgets at their defaults; the error's words where there is nothing."""
    schema = PoseHand.define_schema()
    widgets = {each.id: each.default for each in schema.inputs if getattr(each, "default", None) is not None}
    widgets |= {"gesture": "open_palm", "side": "right", "semantics": semantics}
    try:
        return PoseHand.execute(**widgets).args[1]
    except SesaHandError as error:
        return str(error)


def test_the_command_describe_the_prompt_and_pose_hand_agree_on_a_hundred_captions():
    told = captions()
    assert len(told) >= 95
    for number, caption in enumerate(told):
        semantics = ExtractSemantics.execute([caption], [2], [512], [0]).args[0]
        [prompt], composed, _ = ComposePrompt.execute(semantics, DEFAULT_TEMPLATE, "", "").args
        said, image = described(caption), composed.images[0]
        assert said["prompt"] == prompt == image.prompt
        assert {name: said[name] for name in image.behavior.to_dict()} == image.behavior.to_dict()
        assert said["hands"] == [hand.to_dict() for hand in image.hands]
        if number % POSED_EVERY:
            continue
        report = posed(composed)
        for hand in said["hands"]:
            assert hand["gesture"] is None or hand["gesture"] in report
        if not any(hand["gesture"] for hand in said["hands"]):
            assert "name no gesture" in report
