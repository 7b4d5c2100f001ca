"""An artist at the hand editor's large view: poses hands with the mouse alone, and counts what that takes a person.

A move is a list: its name, and what it is done to. Ways on the stage are in pixels of the picture, so that they are the
same however large it is shown.

    ["gesture", "Victory"]            a click on a picture of the gallery
    ["choose", "index", 1]            a click on a dot: 1 the knuckle, 2 and 3 the joints, 4 the tip
    ["drag", "index", 4, [20, -35]]   drags a dot by a way
    ["lead", "index", 4, [228, 268]]  drags a dot to a pixel
    ["turn", [80, 0]]                 drags the hand with the right button
    ["roll", 30]                      drags the ring, degrees clockwise
    ["move", [40, 0]]                 drags the hand by its middle knuckle
    ["slide", "joint", "Bend", 35]    drags the slider of a part of the panel to a value
    ["pad", 0.5, 0.2]                 a press in the pad: how closed, how spread
    ["press", "add"]                  a button above the stage, by its name
    ["around", [120, 0]]              drags beside the hand, while it is looked around
"""

import json
import math
from pathlib import Path

from sesahand.hands.skeleton import FINGERS

POSES = Path(__file__).resolve().parents[1] / "data" / "poses_by_mouse.json"
# Seconds of the keystroke-level model (Card, Moran and Newell, "The Keystroke-Level Model for User Performance Time
# with Interactive Systems", 1980): to think, to point, to press or release a button.
THINK, POINT, BUTTON = 1.35, 1.1, 0.1
CLICK = THINK + POINT + 2 * BUTTON
DRAG = CLICK + POINT
# The wheel over the panel, as long as a way to somewhere else.
SCROLL = POINT
# Half of a slider's thumb, pixels: its middle is that far inside of the track's ends.
THUMB = 7
MIDDLE_KNUCKLE = 9
# The pixel of the picture at one of the page.
PIXEL = """({view: {stage: {element, view}}}, x, y) => {
    const {left, top} = element.getBoundingClientRect();
    return [(x - left - view.fit.left) / view.fit.scale, (y - top - view.fit.top) / view.fit.scale];
}"""
AT_FIRST = """({editor, view}) => {
    view.stage.view.setOrbit({yaw: 0, pitch: 0, zoom: 1});
    editor.view({look: "picture"});
}"""


def poses(start: str = "from_an_open_hand") -> dict[str, dict]:
    """Return the poses that are made from a start, by name: what they are, and the moves that lead to them."""
    return json.loads(POSES.read_text(encoding="utf-8"))[start]


def keypoint_of(finger: str, dot: int) -> int:
    return 4 * FINGERS.index(finger) + dot


class HandArtist:
    """Somebody at the editor's large view. `seconds` is what the moves so far take a person who knows the editor."""

    def __init__(self, editor):
        self.editor, self.page = editor, editor.page
        self.seconds = 0.0

    def start(self) -> None:
        """Begin anew, with an open hand that nobody has looked around."""
        self.editor.write("")
        self.editor.evaluate(AT_FIRST)
        self.seconds = 0.0

    def make(self, moves: list[list]) -> "HandArtist":
        for name, *given in moves:
            getattr(self, name)(*given)
        return self

    # --- On the stage

    @property
    def scale(self) -> float:
        """Pixels of the page for one of the picture."""
        return self.editor.evaluate("({view: {stage: {view}}}) => view.look() && view.fit.scale")

    def drag(self, finger: str, dot: int, way: list[float]) -> None:
        self._drag(self.editor.dots()[keypoint_of(finger, dot)], way)

    def lead(self, finger: str, dot: int, pixel: list[float]) -> None:
        x, y = self.editor.dots()[keypoint_of(finger, dot)]
        at = self.editor.evaluate(PIXEL, x, y)
        self._drag((x, y), [pixel[0] - at[0], pixel[1] - at[1]])

    def choose(self, finger: str, dot: int) -> None:
        self.page.mouse.click(*self.editor.dots()[keypoint_of(finger, dot)])
        self._did(CLICK)

    def move(self, way: list[float]) -> None:
        self._drag(self.editor.dots()[MIDDLE_KNUCKLE], way)

    def turn(self, way: list[float]) -> None:
        x, y = self.editor.dots()[MIDDLE_KNUCKLE]
        self._drag((x, y), way, button="right")

    def roll(self, degrees: float) -> None:
        ring = self.editor.ring()
        start = math.radians(90)
        end = start + math.radians(degrees)
        x, y, radius = ring["x"], ring["y"], ring["radius"]
        steps = [start + (end - start) * share / 6 for share in range(7)]
        self._path([(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in steps])

    def around(self, way: list[float]) -> None:
        x, y = self.editor.corner()
        self._drag((x + 30, y + 30), way)

    def _drag(self, start, way, button: str = "left") -> None:
        scale = self.scale
        steps = [share / 6 * scale for share in range(7)]
        self._path([(start[0] + way[0] * step, start[1] + way[1] * step) for step in steps], button)

    def _path(self, pixels, button: str = "left") -> None:
        mouse = self.page.mouse
        mouse.move(*pixels[0])
        mouse.down(button=button)
        for pixel in pixels[1:]:
            mouse.move(*pixel)
        mouse.up(button=button)
        self._did(DRAG)

    # --- Beside it

    def gesture(self, title: str) -> None:
        self._click(self.page.locator(".sesahand-large .sesahand-tile").filter(has_text=title).first)

    def press(self, name: str) -> None:
        self._click(self.page.locator(f'.sesahand-large .sesahand-toolbar [data-act="{name}"]'))

    def pad(self, closed: float, spread: float) -> None:
        box = self._seen(self.page.locator(".sesahand-large .sesahand-pad-field"))
        x, y = box["x"] + (spread + 1) / 2 * box["width"], box["y"] + closed * box["height"]
        self.page.mouse.click(x, y)
        self._did(CLICK)

    def slide(self, part: str, label: str, value: float) -> None:
        row = self.page.locator(f".sesahand-large .sesahand-{part} .sesahand-row").filter(has_text=label).first
        slider = row.locator("input[type=range]")
        box = self._seen(slider)
        least, most, now = slider.evaluate("({min, max, value}) => [min, max, value].map(Number)")
        y = box["y"] + box["height"] / 2
        start, end = (
            box["x"] + THUMB + (at - least) / (most - least) * (box["width"] - 2 * THUMB) for at in (now, value)
        )
        self._path([(start, y), ((start + end) / 2, y), (end, y)])

    def _click(self, element) -> None:
        box = self._seen(element)
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self._did(CLICK)

    def _seen(self, element) -> dict:
        """Return where an element is, after scrolling there if it is not seen."""
        before = element.bounding_box()
        element.scroll_into_view_if_needed()
        box = element.bounding_box()
        self.seconds += SCROLL if box != before else 0.0
        return box

    def _did(self, seconds: float) -> None:
        self.seconds += seconds
        self.editor.frames()
