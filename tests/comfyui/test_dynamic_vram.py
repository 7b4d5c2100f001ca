"""Every model of ours under DynamicVRAM, which today's ComfyUI has on NVIDIA, and without it: the same results."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import simulated_dynamic_vram
import torch
from sesahand_pack.sesahand.models.small.embedded import has_embedded
from simulated_dynamic_vram import LAYERS, PATCHERS, PLAIN

SCRIPT = Path(simulated_dynamic_vram.__file__).with_name("every_patcher.py")
KINDS = (LAYERS, PATCHERS)

pytestmark = [
    pytest.mark.skipif(not simulated_dynamic_vram.is_there(), reason="this ComfyUI has no DynamicVRAM"),
    pytest.mark.skipif(not has_embedded(), reason="this checkout holds no weights of the small model"),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What each kind of ComfyUI makes, each in a process of its own: how layers are built is settled once there."""
    folder = tmp_path_factory.mktemp("dynamic")
    found = {}
    for kind in (PLAIN, *KINDS):
        file = folder / f"{kind}.pt"
        run = subprocess.run(
            [sys.executable, str(SCRIPT), kind, str(file)], capture_output=True, text=True, env=os.environ, timeout=600
        )
        assert run.returncode == 0, run.stderr[-4000:]
        found[kind] = torch.load(file, weights_only=True)
    return found


def test_the_simulation_reaches_the_patchers(results):
    assert results[PLAIN]["kinds"] == results[LAYERS]["kinds"] == ["ModelPatcher"] * 3
    assert results[PATCHERS]["kinds"] == ["DynamicOnCPU"] * 3


@pytest.mark.parametrize("when", ["loaded", "cloned", "loaded anew", "without dynamic"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_small_model_paints_the_same_picture(kind, when, results):
    wanted = results[PLAIN]["loaded"]
    assert wanted.isfinite().all() and wanted.std() > 0.1
    assert torch.equal(results[kind][when], wanted) and torch.equal(results[PLAIN][when], wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_captioners_and_reconstructors_work_unload_and_work_again(kind, results):
    for name in ("caption", "hand"):
        first, again = (results[kind][f"{name} {when}"] for when in ("first", "again"))
        wanted = results[PLAIN][f"{name} first"]
        for got in (first, again):
            assert torch.equal(got, wanted) if isinstance(wanted, torch.Tensor) else got == wanted


@pytest.mark.parametrize("kind", (PLAIN, *KINDS))
def test_incomplete_and_truncated_files_are_refused(kind, results):
    refused = results[kind]["refused"]
    assert len(refused) == 22
    for what, message in refused.items():
        assert "damaged.safetensors" in message, (what, message)
        assert "opy it again" in message or "xpected" in message or "holds no ControlNet" in message, (what, message)
