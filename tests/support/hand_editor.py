"""The hand editor in a node of the real frontend, as a hand at the mouse finds it."""

import json
import math

EMPTY = {"nodes": [], "links": [], "last_node_id": 0, "last_link_id": 0, "version": 0.4}
TYPE = "SesaHandEditHands"
ALL = f"app.graph._nodes.filter(node => node.type === '{TYPE}')"
# Pixels of the page of the chosen hand's keypoints. The frontend scales the stage with the zoom of its canvas.
DOTS = """editor => {
    const {element, view} = editor.view.stage;
    const box = element.getBoundingClientRect();
    const scale = box.width / element.clientWidth;
    const {hands, chosen} = view.look();
    return hands[chosen].keypoints.map(([x, y]) => [box.left + x * scale, box.top + y * scale]);
}"""
# The frontend moves its elements some frames after its canvas.
SETTLED = """scale => {
    const {element} = NODE.handEditor.view.stage;
    return Math.abs(element.getBoundingClientRect().width / element.clientWidth - scale) < 1e-3;
}"""
# Keypoints in OpenPose's order.
WRIST, INDEX_TIP, MIDDLE_KNUCKLE, MIDDLE_TIP, RING_TIP = 0, 8, 9, 12, 16


class HandEditor:
    """The editor of the graph's node of a place, or of the only one."""

    def __init__(self, frontend, place: int = 0):
        self.frontend, self.page = frontend, frontend.page
        self.node = f"{ALL}[{place}]"

    def evaluate(self, function: str, *given):
        """Run a JavaScript function of the node's editor and what is given."""
        return self.page.evaluate(f"given => ({function})({self.node}.handEditor, ...given)", list(given))

    def wait(self) -> "HandEditor":
        """Wait until it has drawn."""
        self.page.wait_for_function(f"() => {self.node}?.handEditor.view?.stage.view.pictures > 0", timeout=60_000)
        return self

    def show_at(self, scale: float = 1.0, offset=(0, 0)) -> None:
        """Look at the graph at a zoom, and wait until the editor is where that puts it."""
        self.page.evaluate(
            "([scale, offset]) => { Object.assign(app.canvas.ds, {scale, offset}); app.canvas.setDirty(true, true); }",
            [scale, list(offset)],
        )
        self.page.wait_for_function(SETTLED.replace("NODE", self.node), arg=scale, timeout=30_000)
        self.frames(3)

    def frames(self, count: int = 2) -> None:
        """Wait for some frames of the page."""
        self.page.evaluate(
            """count => new Promise(resolve => {
                const next = left => left ? requestAnimationFrame(() => next(left - 1)) : resolve();
                next(count);
            })""",
            count,
        )

    @property
    def text(self) -> str:
        """What the node saves and sends."""
        return self.page.evaluate(f"() => {self.node}.widgets.find(widget => widget.name === 'scene').value")

    @property
    def scene(self) -> dict:
        return json.loads(self.text)

    def dots(self) -> list[list[float]]:
        """Return the pixels of the chosen hand's 21 keypoints in the page."""
        return self.evaluate(DOTS)

    def drag(self, start, by, steps: int = 6, button: str = "left") -> None:
        """Press at a pixel, move by some pixels, and release."""
        mouse = self.page.mouse
        mouse.move(*start)
        mouse.down(button=button)
        for step in range(1, steps + 1):
            mouse.move(start[0] + by[0] * step / steps, start[1] + by[1] * step / steps)
        mouse.up(button=button)
        self.frames()

    def drag_dot(self, keypoint: int, by, **how) -> None:
        self.drag(self.dots()[keypoint], by, **how)

    def press(self, *keys: str) -> None:
        """Press keys one after the other; the stage must have the focus."""
        for key in keys:
            self.page.keyboard.press(key)
        self.frames()

    def corner(self) -> list[float]:
        """Return the pixel of the page at the stage's upper left."""
        return self.evaluate("({view}) => { const b = view.stage.element.getBoundingClientRect(); return [b.x, b.y]; }")

    def focus(self) -> None:
        """Click into the stage beside the hand, where nothing happens but that the keys come to it."""
        x, y = self.corner()
        self.page.mouse.click(x + 5, y + 5)

    def ring(self) -> dict:
        """Return the middle of the ring around the chosen hand, and its radius, in pixels of the page."""
        dots = self.dots()
        middle = dots[MIDDLE_KNUCKLE]
        width, height = self.evaluate("({view}) => [view.stage.view.size.width, view.stage.view.size.height]")
        reach = max(math.dist(middle, dot) for dot in dots) + 26
        return {"x": middle[0], "y": middle[1], "radius": max(44, min(reach, min(width, height) / 2 - 7))}

    def drawn(self) -> list[int]:
        """Return how often a hand was drawn, and how often the picture."""
        return self.evaluate("({view: {stage: {view}}}) => [view.painter.stats.draws, view.pictures]")

    def write(self, text: str) -> None:
        """Put a text into the node as if it had been loaded with it."""
        self.evaluate(
            """({node}, text) => {
                node.widgets.find(widget => widget.name === "scene").value = text;
                node.onConfigure({});
            }""",
            text,
        )
        self.frames()

    def view_again(self) -> None:
        """Let the stage have its own size again."""
        self.evaluate("({editor, view}) => { editor.view({shown: 'hand'}); view.stage.measure(); }")

    def wait_until(self, function: str) -> None:
        """Wait until a JavaScript function of the node's editor returns something true."""
        self.page.wait_for_function(f"() => ({function})({self.node}.handEditor)", timeout=20_000)

    def touch(self, moves) -> None:
        """Put fingers on the glass one after the other, move them, and lift them; each move has a pixel for each."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})

        def send(kind: str, pixels) -> None:
            points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(pixels)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        for finger in range(len(moves[0])):
            send("touchStart", moves[0][: finger + 1])
        for pixels in moves[1:]:
            send("touchMove", pixels)
        self.frames()
        send("touchEnd", [])
        session.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
        session.detach()
        self.frames()

    def choose_in_menu(self, entry: str) -> None:
        """Choose an entry of the node's menu."""
        self.evaluate(
            """({node}, entry) => {
                const options = [];
                node.getExtraMenuOptions(app.canvas, options);
                options.find(option => option?.content === entry).callback();
            }""",
            entry,
        )

    def act(self, name: str) -> None:
        """Click on a button of the toolbar or of the line of messages."""
        self.page.locator(f'.sesahand-editor button[data-act="{name}"]').first.click()
        self.frames()

    def status(self) -> str:
        return self.evaluate("({editor}) => editor.status")


def undo_steps(frontend) -> int:
    """Return how many steps back the graph's own undo could go."""
    return frontend.page.evaluate("() => app.extensionManager.workflow.activeWorkflow.changeTracker.undoQueue.length")


def live_editors(frontend) -> int:
    """Return how many editors there are, whether or not their nodes still are."""
    return frontend.page.evaluate(
        """async () => {
            const urls = await (await fetch("/extensions")).json();
            return (await import(urls.find(url => url.endsWith("/js/node/node_type.js")))).openEditors.size;
        }"""
    )


def empty_graph(frontend) -> None:
    """Load a graph with nothing in it, as if its file had been opened."""
    frontend.load(EMPTY)


def add_editor(frontend, at=(80, 80), size=(420, 640)) -> HandEditor:
    """Add a node to the graph that is shown, and wait for its editor."""
    place = frontend.page.evaluate(
        f"""([at, size]) => {{
            const node = LiteGraph.createNode("{TYPE}");
            node.pos = at;
            app.graph.add(node);
            node.setSize(size);
            app.canvas.setDirty(true, true);
            return {ALL}.length - 1;
        }}""",
        [list(at), list(size)],
    )
    editor = HandEditor(frontend, place).wait()
    editor.show_at()
    return editor
