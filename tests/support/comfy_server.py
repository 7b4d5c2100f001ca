"""A real ComfyUI server as a subprocess, with this pack in its custom_nodes and folders of its own.

`--base-directory` moves models, custom_nodes, input, output, user and temp, and the database is kept in memory, so
that nothing is read from or written into the checkout of ComfyUI.
"""

import io
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from comfy_install import ROOT, Installation, Unavailable, find_comfyui

FOLDERS = ("models/checkpoints", "models/controlnet", "models/mano", "custom_nodes", "input", "output", "user", "temp")

# Where ComfyUI keeps frontends that are not the one it requires.
FRONTENDS = "web_custom_versions/Comfy-Org_ComfyUI_frontend"

# The frontend as a user has it who has been here before, at a size at which text is legible.
USER_SETTINGS = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Minimap.Visible": False,
    "Comfy.EnableTooltips": False,
    "LiteGraph.Canvas.MinFontSizeForLOD": 0,
}


class PromptRejected(Exception):
    """The server refused a graph before running it; `nodes` holds the messages of each node id."""

    def __init__(self, answer: dict):
        self.nodes = {
            node: [f"{e['message']}: {e['details']}" for e in problem["errors"]]
            for node, problem in answer.get("node_errors", {}).items()
        }
        super().__init__(json.dumps(answer, indent=1))


class NodeFailed(Exception):
    """A node raised while its graph ran, as its user sees it."""

    def __init__(self, details: dict):
        self.node_type = details["node_type"]
        self.exception_type = details["exception_type"]
        self.message = details["exception_message"].strip()
        super().__init__(f"{self.node_type}: {self.exception_type}: {self.message}\n{''.join(details['traceback'])}")


@dataclass(frozen=True)
class Run:
    """What a finished graph left in the history: the shown or saved files of each node."""

    server: "ComfyServer"
    outputs: dict
    executed: list[str]

    def images(self, node: str) -> list:
        """Return the pictures that a node saved or previews, as PIL images."""
        return [self.server.image(file) for file in self.outputs[node]["images"]]


class Servers:
    """The servers of a test run, one for each ComfyUI and frontend; use it as a context manager."""

    def __init__(self, folder: Path):
        self.folder, self.running = folder, {}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for server in self.running.values():
            server.__exit__(*exception)
        # Half a gigabyte that pytest would keep for the next three runs.
        shutil.rmtree(self.folder / "models", ignore_errors=True)

    def get(self, core: str, frontend: str | None = None) -> "ComfyServer":
        """Return the running server of a core, with a frontend that is not the one it has required; skip without it."""
        if (core, frontend) not in self.running:
            try:
                server = ComfyServer(find_comfyui(core), self.folder / f"{core}-{frontend or 'own'}", frontend)
            except Unavailable as reason:
                pytest.skip(str(reason))
            self.give_models(server.folder)
            self.running[core, frontend] = server.__enter__()
        return self.running[core, frontend]

    def give_models(self, folder: Path) -> None:
        """Put a file under each name that a shipped workflow loads into a server's folders."""
        from workflows import linked_models

        for model in linked_models():
            stand_in(model, folder, self.folder / "models")


def stand_in(model: dict, folder: Path, store: Path) -> None:
    """Put a file under the name of a linked model into a server's folder.

    Checkpoints and ControlNets are those of a narrow Stable Diffusion 1.5, written once into `store`, whatever model
    the name says; the parts of other models are listed and not run, so their files are empty.
    """
    from narrow_models import write_checkpoint, write_controlnet

    writers = {"checkpoints": write_checkpoint, "controlnet": write_controlnet}
    path = folder / "models" / model["directory"] / model["name"]
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return
    if model["directory"] not in writers:
        path.touch()
        return
    written = store / f"{model['directory']}.safetensors"
    if not written.exists():
        writers[model["directory"]](written)
    path.hardlink_to(written)


class ComfyServer:
    """One running server; use it as a context manager. `start_log` is what it wrote until it answered.

    Raises:
        Unavailable: If a frontend is named that tools/comfyui_environment.py has not put into the checkout.
    """

    def __init__(self, installation: Installation, folder: Path, frontend: str | None = None):
        self.installation, self.folder, self.frontend = installation, folder, frontend
        if frontend and not (installation.path / FRONTENDS / frontend / "index.html").is_file():
            raise Unavailable(
                f"needs the frontend {frontend}: python3 {ROOT / 'tools/comfyui_environment.py'} {installation.path} "
                f"--frontend {frontend}"
            )
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        # The picture that every fresh ComfyUI has in its input folder, and Load Image shows first.
        example = installation.path / "input" / "example.png"
        if example.is_file():
            shutil.copy(example, folder / "input")
        settings = folder / "user" / "default" / "comfy.settings.json"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps(USER_SETTINGS))
        pack = folder / "custom_nodes" / "sesahand"
        try:
            pack.symlink_to(ROOT, target_is_directory=True)
        except OSError:  # Windows without the right to make links
            shutil.copytree(ROOT, pack, ignore=shutil.ignore_patterns(".git", "__pycache__", ".venv*"))
        self.process = None

    def __enter__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "base-directory": self.folder,
            "database-url": "sqlite:///:memory:",
            "listen": "127.0.0.1",
            "port": port,
        }
        switches = ("--cpu", "--use-pytorch-cross-attention", "--disable-auto-launch", "--disable-api-nodes")
        command = [self.installation.python, "main.py", *switches]
        if self.frontend:
            settings["front-end-version"] = f"Comfy-Org/ComfyUI_frontend@v{self.frontend}"
        for name, value in settings.items():
            command += [f"--{name}", str(value)]
        # Threads of several processes that wait for each other on few cores cost far more than they bring.
        threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // 2))}
        environment = threads | {k: v for k, v in os.environ.items() if k != "SESAHAND_IN_COMFYUI"}
        with open(self.folder / "server.log", "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.installation.path, stdout=log, stderr=subprocess.STDOUT, env=environment
            )
        self.wait_until(self.answers, 180, "to start")
        self.start_log = self.log()
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def answers(self) -> bool:
        try:
            self.get("/system_stats")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def wait_until(self, done, seconds: float, what: str):
        """Poll `done` until it returns something true, and return that."""
        end = time.monotonic() + seconds
        while not (result := done()):
            if self.process.poll() is not None:
                raise RuntimeError(f"ComfyUI ended with exit code {self.process.returncode}.\n{self.log()[-4000:]}")
            if time.monotonic() > end:
                raise TimeoutError(f"ComfyUI took more than {seconds} s {what}.\n{self.log()[-4000:]}")
            time.sleep(0.1)
        return result

    def log(self) -> str:
        """Return all that the server has written so far, without colours."""
        text = (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")
        return re.sub(r"\x1b\[[0-9;]*m", "", text)

    def get(self, path: str, **query) -> dict | list:
        return json.loads(self.fetch(path, **query))

    def fetch(self, path: str, **query) -> bytes:
        address = f"{self.url}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.read()

    def image(self, file: dict):
        """Return a saved or previewed picture as a PIL image."""
        from PIL import Image

        return Image.open(io.BytesIO(self.fetch("/view", **file)))

    def queue(self, graph: dict) -> str:
        """Queue a graph in API format and return its id; raise PromptRejected if the server does not take it."""
        request = urllib.request.Request(
            f"{self.url}/prompt", json.dumps({"prompt": graph}).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())["prompt_id"]
        except urllib.error.HTTPError as refusal:
            raise PromptRejected(json.loads(refusal.read())) from None

    def run(self, graph: dict, seconds: float = 300) -> Run:
        """Queue a graph, wait for it, and return what it made.

        Raises:
            PromptRejected: If the server does not take it.
            NodeFailed: If one of its nodes raises.
        """
        prompt = self.queue(graph)
        # The history follows the end of a run after a moment, so it is asked until it answers.
        entry = self.wait_until(lambda: self.get(f"/history/{prompt}").get(prompt), seconds, "to run a graph")
        messages = entry["status"]["messages"]
        for kind, details in messages:
            if kind == "execution_error":
                raise NodeFailed(details)
        cached = {node for kind, details in messages if kind == "execution_cached" for node in details["nodes"]}
        return Run(self, entry["outputs"], [node for node in graph if node not in cached])
