"""A bare page with the hand editor's panel in a headless Chromium: the checkout's own files, and nothing of ComfyUI."""

import functools
import http.server
import json
import threading
from contextlib import contextmanager
from pathlib import Path

from browser import FLAGS, NoBrowser, chromium

from sesahand.hands.loading import load_hand_model
from sesahand.semantics.editor_facts import editor_facts

ROOT = Path(__file__).resolve().parents[2]
PAGE = "tests/editor/page/panel.html"
# Pictures of gestures are drawn by WebGL, in software where there is no GPU.
SOFTWARE_GL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Gives the checkout's files, and what the editor is told of the hand."""

    def do_GET(self):
        if self.path != "/facts.json":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(facts())

    def log_message(self, *_):
        """Keep quiet."""


@functools.cache
def facts() -> bytes:
    return json.dumps(editor_facts(load_hand_model())).encode()


@contextmanager
def served():
    """Serve the checkout on this machine; gives the page's address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=ROOT)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{PAGE}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def open_browser():
    """Open a browser.

    Raises:
        NoBrowser: If there is no Playwright, or no Chromium for it to drive.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise NoBrowser("needs Playwright: pip install playwright (no browser download; Chromium is used)") from None
    path = chromium()
    flags = [flag for flag in FLAGS if flag != "--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*flags, *SOFTWARE_GL])
        try:
            yield browser
        finally:
            browser.close()


class Panel:
    """The page once its panel is there."""

    def __init__(self, page, url: str):
        self.page = page
        self.problems = []
        page.on("console", lambda message: message.type == "error" and self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.goto(url)
        page.wait_for_function("window.page?.ready")

    def start(self, side: str = "right") -> None:
        """Show an open hand of a side, which is all there is, and forget what was written and locked."""
        self.page.evaluate(
            """side => {
                const {editor} = window.page;
                editor.replaceText("");
                for (const finger of [...editor.state.locked]) editor.lock(finger, false);
                editor.setBackground({image: null, opacity: 1, dropped: false});
                editor.choose({hand: 0, joint: -1});
                if (side !== editor.hand.side)
                    editor.edit(draft => { draft.hands[0] = window.page.mirrorHand(draft.hands[0]); });
                window.page.written.length = window.page.said.length = 0;
            }""",
            side,
        )

    def written(self) -> list[str]:
        """Return the texts that were written since `start`."""
        return self.page.evaluate("window.page.written")

    def said(self) -> list[str]:
        """Return what was said since `start` to those who cannot see it."""
        return self.page.evaluate("window.page.said")

    def open_sections(self) -> None:
        """Open all parts of the panel."""
        self.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
