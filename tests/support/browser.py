"""ComfyUI's real frontend in a headless Chromium: load a workflow, read what it became, queue it, take its picture."""

import json
import os
import shutil
from contextlib import contextmanager

# Files that ComfyUI asks for whether or not the user has made them, and what its server forbids its own frontend: to
# ask other hosts how large the models are that a workflow names.
OPTIONAL_FILES = ("user.css", "userdata", "comfy.templates.json", "favicon", "Content Security Policy")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Pixels around a graph that is photographed: the frontend's bars cover them.
MARGIN = 110
READY = """() => window.app?.graph && window.LiteGraph?.registered_node_types["KSampler"]
    && !document.querySelector(".p-blockui-mask")"""


class NoBrowser(Exception):
    """There is no browser to test with; the message says how to get one."""


def chromium() -> str:
    """Return the path of a Chromium or Chrome on this machine."""
    names = (os.environ.get("SESAHAND_CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        raise NoBrowser("needs Chromium or Chrome on the PATH, or its path in SESAHAND_CHROMIUM")
    return found


class Frontend:
    """One open page of the frontend."""

    def __init__(self, page, url: str):
        self.page = page
        self.problems = []
        page.on("console", self.note_console)
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.goto(url)
        page.wait_for_function(READY, timeout=120_000)
        # An empty profile makes the frontend itself complain once; what counts is what concerns this pack.
        self.problems = [problem for problem in self.problems if "sesahand" in problem.lower()]

    def note_console(self, message):
        if message.type == "error" and not any(name in message.text + str(message.location) for name in OPTIONAL_FILES):
            self.problems.append(f"console: {message.text} ({message.location.get('url', '')})")

    def load(self, workflow: dict) -> None:
        """Load a workflow in UI format as if its file had been opened."""
        self.page.evaluate("async workflow => await app.loadGraphData(workflow)", workflow)

    def missing_nodes(self) -> list[str]:
        """Return the types that the frontend does not know, and nodes that it marks as broken."""
        return self.page.evaluate(
            """() => app.graph._nodes.filter(n => n.has_errors || (!LiteGraph.registered_node_types[n.type]
                && n.type !== "MarkdownNote" && n.type !== "Note")).map(n => n.type)"""
        )

    def to_api(self) -> dict:
        """Return the loaded workflow as the frontend would queue it."""
        return json.loads(self.page.evaluate("async () => JSON.stringify((await app.graphToPrompt()).output)"))

    def to_ui(self) -> dict:
        """Return the loaded workflow as the frontend would save it."""
        return json.loads(self.page.evaluate("() => JSON.stringify(app.graph.serialize())"))

    def run(self, seconds: float = 300) -> None:
        """Press Run and wait for the graph to end; raise with the node's message if it fails."""
        error = self.page.evaluate(
            """async limit => await new Promise(async resolve => {
                const end = event => resolve(event.type === "execution_success" ? null : JSON.stringify(event.detail));
                for (const name of ["execution_success", "execution_error"])
                    app.api.addEventListener(name, end, {once: true});
                setTimeout(() => resolve("the graph did not end in time"), limit);
                await app.queuePrompt(0, 1);
            })""",
            seconds * 1000,
        )
        if error:
            raise RuntimeError(error)

    def screenshot(self, path, scale: float = 1.0) -> None:
        """Take a picture of the whole graph at `scale`, in a window as large as that needs."""
        box = self.page.evaluate(
            """() => {
                // What is shown may be the inside of a subgraph, which has its two ends beside the nodes.
                const {_nodes, _groups, inputNode, outputNode} = app.canvas.graph;
                const boxes = _nodes.map(n => n.getBounding()).concat(_groups.map(g => g._bounding))
                    .concat([inputNode, outputNode].filter(end => end).map(end => end.boundingRect));
                return [Math.min(...boxes.map(b => b[0])), Math.min(...boxes.map(b => b[1])),
                        Math.max(...boxes.map(b => b[0] + b[2])), Math.max(...boxes.map(b => b[1] + b[3]))];
            }"""
        )
        size = [int((box[2] - box[0]) * scale) + 2 * MARGIN, int((box[3] - box[1]) * scale) + 2 * MARGIN]
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.wait_for_timeout(500)
        self.page.evaluate(
            """([x, y, scale, margin]) => {
                app.canvas.ds.scale = scale;
                app.canvas.ds.offset = [-x + margin / scale, -y + margin / scale];
                app.canvas.setDirty(true, true);
            }""",
            [box[0], box[1], scale, MARGIN],
        )
        self.page.wait_for_timeout(800)
        self.page.screenshot(path=str(path))


@contextmanager
def open_frontend(url: str, width: int = 1600, height: int = 1000, vue: bool = False):
    """Open the frontend at `url` in a fresh profile, with nodes on the canvas or (`vue`) as parts of the page.

    Raises:
        NoBrowser: If there is no Playwright, or no Chromium for it to drive.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise NoBrowser("needs Playwright: pip install playwright (no browser download; Chromium is used)") from None
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.request.post(f"{url}/settings/Comfy.VueNodes.Enabled", data=json.dumps(vue))
            yield Frontend(page, url)
        finally:
            browser.close()
