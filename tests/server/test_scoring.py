"""The gate and the choice by score on a real server: what a graph does not need is not run."""

import numpy as np
import pytest
from comfy_server import NodeFailed

from workflows import defaults

GREEN, RED = 0x20C040, 0xC02040


def graph(server, found="victory", batch=1, threshold=0.5, score=1):
    """A picture whose hands are scored and, by a branch that fails whenever it is run, repaired."""

    def node(kind, **given):
        return defaults(server, kind, **given)

    return {
        "asked": node("SesaHandPoseHand", gesture="victory"),
        "found": node("SesaHandPoseHand", gesture=found),
        "score": node("SesaHandScoreHands", requested=["asked", 0], found=["found", 0]),
        "good": node("EmptyImage", width=32, height=32, batch_size=batch, color=GREEN),
        # There are scores of one picture: choosing from two fails, if ever it comes to that.
        "two": node("EmptyImage", width=32, height=32, batch_size=2, color=RED),
        "fails": node("SesaHandKeepBest", images=["two", 0], scores=["score", 1]),
        "gate": node(
            "SesaHandRepairGate", score=["score", score], threshold=threshold, good=["good", 0], repaired=["fails", 0]
        ),
        "save": node("PreviewImage", images=["gate", 0]),
    }


def color(run) -> list[int]:
    (picture,) = run.images("save")
    return np.asarray(picture)[0, 0].tolist()


@pytest.mark.parametrize("score", [0, 1], ids=["a number", "scores"])
def test_the_repair_of_a_good_picture_is_not_run(comfyui_server, score):
    assert color(comfyui_server.run(graph(comfyui_server, score=score))) == [0x20, 0xC0, 0x40]


@pytest.mark.parametrize("score", [0, 1], ids=["a number", "scores"])
def test_the_repair_of_a_bad_picture_is_run(comfyui_server, score):
    with pytest.raises(NodeFailed, match="scores of 1 pictures") as failure:
        comfyui_server.run(graph(comfyui_server, found="fist", score=score))
    assert failure.value.node_type == "SesaHandKeepBest"


def test_a_repaired_picture_takes_the_bad_ones_place(comfyui_server):
    nodes = graph(comfyui_server, found="fist")
    nodes["two"]["inputs"]["batch_size"] = 1
    assert color(comfyui_server.run(nodes)) == [0xC0, 0x20, 0x40]


def test_a_threshold_of_zero_never_repairs(comfyui_server):
    assert color(comfyui_server.run(graph(comfyui_server, found="fist", threshold=0.0))) == [0x20, 0xC0, 0x40]


def test_any_other_number_can_drive_the_gate(comfyui_server):
    nodes = graph(comfyui_server)
    nodes["number"] = defaults(comfyui_server, "PrimitiveFloat", value=0.8)
    nodes["gate"]["inputs"]["score"] = ["number", 0]
    assert color(comfyui_server.run(nodes)) == [0x20, 0xC0, 0x40]
