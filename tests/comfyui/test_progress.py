"""Every loop of the nodes that can take a second moves the bar, and ends when the user cancels."""

import pytest
import torch
from progress_steps import every_step
from sesahand_pack.nodes import assets, attention, condition, dataset, hand, scoring, wires
from sesahand_pack.nodes.progress import progress
from sesahand_pack.sesahand.attention.heatmap import AttentionMaps, AttentionRecorder
from sesahand_pack.sesahand.errors import SesaHandError
from sesahand_pack.sesahand.scene.hand_scene import concatenate_frames

import comfy.model_management
import folder_paths
from comfy_api.latest import io

FRAMES = 3


@pytest.fixture
def steps(monkeypatch):
    """Collect (done, total, preview) of every step of a bar."""
    seen = []
    every_step(monkeypatch, lambda *step, node_id=None: seen.append(step))
    return seen


@pytest.fixture(scope="module")
def film():
    """A hand in each of three frames, in a small picture."""
    posed = run(hand.PoseHand)[0]
    film = concatenate_frames([posed] * FRAMES)
    return hand.place_frames(film, film.camera.resized(64, 64), (6.0, 6.0, 58.0, 58.0), 0.0, 0.0, 0.0)


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    for kind in ("temp", "output"):
        (tmp_path / kind).mkdir()
        monkeypatch.setattr(folder_paths, f"{kind}_directory", str(tmp_path / kind))


def run(node, **given):
    inputs = node.define_schema().inputs
    defaults = {i.id: i.default for i in inputs if not i.optional and getattr(i, "default", None) is not None}
    return node.execute(**defaults | given).result


def show_attention():
    recorder, latent = AttentionRecorder(), torch.zeros(FRAMES, 4, 8, 8)
    recorder.keep(latent, AttentionMaps(torch.zeros(1), torch.rand(1, FRAMES, 8, 8)))
    return run(attention.AttentionMap, attention=recorder, samples={"samples": latent})


LOOPS = {
    "render": lambda film: run(condition.RenderCondition, hands=film),
    "draw": lambda film: run(assets.DrawHands, hands=film, views=FRAMES),
    "score": lambda film: run(scoring.ScoreHands, requested=film, found=film),
    "export": lambda film: run(assets.ExportMesh, hands=film, format="ply"),
    "save pairs": lambda film: run(dataset.SavePair, image=torch.zeros(FRAMES, 64, 64, 3), hands=film),
    "contact sheet": lambda film: run(scoring.ContactSheet, images=torch.zeros(FRAMES, 64, 64, 3)),
    "attention map": lambda film: show_attention(),
    "place in a box": lambda film: run(hand.PlaceHand, hands=film, width=64, height=64),
    "place in masks": lambda film: run(hand.PlaceHand, hands=film, mask=torch.ones(FRAMES, 64, 64)),
}


@pytest.mark.parametrize("loop", LOOPS)
def test_the_bar_moves_with_every_frame(loop, film, steps):
    LOOPS[loop](film)
    assert len(steps) >= FRAMES and steps[-1][0] == steps[-1][1]
    assert all(0 <= done <= total and preview is None for done, total, preview in steps)


@pytest.mark.parametrize("loop", LOOPS)
def test_cancel_ends_it_at_the_next_frame(loop, film, monkeypatch):
    seen = []

    def cancel(*_, node_id=None):
        seen.append(1)
        comfy.model_management.interrupt_current_processing(True)

    every_step(monkeypatch, cancel)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        LOOPS[loop](film)
    assert len(seen) == 1 and not comfy.model_management.processing_interrupted()


def test_of_no_steps_all_are_done(steps):
    progress()(0, 0)
    assert steps == [(1, 1, None)]


def test_memory_that_is_not_there_is_told_in_a_sentence():
    class Greedy:
        @classmethod
        def define_schema(cls):
            return io.Schema(node_id="Greedy", inputs=[])

        @classmethod
        @wires.checked
        def execute(cls, ask):
            return ask()

    for ask in (lambda: torch.empty(1 << 60, dtype=torch.uint8), lambda: bytearray(1 << 60)):
        with pytest.raises(SesaHandError, match="not enough memory for this: take fewer"):
            Greedy.execute(ask=ask)
    with pytest.raises(RuntimeError, match="another"):
        Greedy.execute(ask=lambda: (_ for _ in ()).throw(RuntimeError("another")))
