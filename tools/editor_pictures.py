"""The pictures of the hand editor's help page: the editor in its node and large, and what people make with it.

The hands are posed as `tests/data/poses_by_mouse.json` says, by mouse moves in the real frontend.
"""

import io
from collections.abc import Iterator

from browser import Frontend
from comfy_server import ComfyServer
from hand_artist import HandArtist, poses
from hand_editor import HandEditor, add_editor, empty_graph
from PIL import Image

NODE = "SesaHandEditHands"
IN_NODE, LARGE = "asl_r", "crossed_fingers"
NODE_SIZE = (560, 740)
NODE_AT = (200, 70)
WINDOW = {"width": 1280, "height": 900}
# Pixels around the node that show the canvas, and above it for its badge.
AROUND = 20
BADGE = 34
# Hands in a picture 512 pixels high: the whole of each tile, but for what is empty around most hands.
TILE = (32, 16, 480, 496)
PHOTOGRAPH = "sesahand_photograph.png"
VIEW = {"yaw": 15.0}


def editor_pictures(
    frontend: Frontend, server: ComfyServer, photograph: Image.Image
) -> Iterator[tuple[str, Image.Image]]:
    """Draw all pictures.

    Args:
        frontend: A frontend, whose graph is replaced.
        server: The server behind it.
        photograph: Of a right hand in the gesture *victory*, turned by `VIEW`, for the hands to be corrected.

    Yields:
        What is added to the node's name, and a picture.
    """
    frontend.page.set_viewport_size(WINDOW)
    empty_graph(frontend)
    editor = add_editor(frontend, NODE_AT, NODE_SIZE)
    artist = large(editor)
    tiles = []
    for pose in poses().values():
        artist.start()
        artist.make(pose["moves"])
        tiles.append(shot(editor, dots=False).crop(TILE))
    yield "_poses", side_by_side(tiles, 3)
    artist.start()
    artist.make(poses()[LARGE]["moves"])
    yield "_large", page(frontend)
    artist.start()
    artist.make(poses()[IN_NODE]["moves"])
    editor.press("Escape")
    editor.show_at()
    yield "", portrait(frontend, editor)
    yield "_object", holding(frontend, editor)
    photograph.save(server.folder / "input" / PHOTOGRAPH)
    yield "_straightened", straightened(frontend)


def large(editor: HandEditor) -> HandArtist:
    editor.focus()
    editor.press("f")
    return HandArtist(editor)


def page(frontend: Frontend, clip: dict | None = None) -> Image.Image:
    frontend.page.mouse.move(5, WINDOW["height"] - 5)
    frontend.page.wait_for_timeout(300)
    return Image.open(io.BytesIO(frontend.page.screenshot(clip=clip))).convert("RGB")


def shot(editor: HandEditor, dots: bool = True) -> Image.Image:
    """Return the picture on the stage, 512 pixels high, with or without what is dragged on it."""
    handles = "(editor, shown) => Object.assign(editor.view.stage.view, {showsHandles: shown}).redraw()"
    editor.evaluate(handles, dots)
    x, y = editor.corner()
    fit = editor.evaluate("({view: {stage: {view}}}) => view.fit")
    clip = {"x": x + fit["left"], "y": y + fit["top"], "width": fit["width"], "height": fit["height"]}
    picture = page(editor.frontend, clip)
    editor.evaluate(handles, True)
    return picture.resize((512, 512), Image.Resampling.LANCZOS)


def portrait(frontend: Frontend, editor: HandEditor) -> Image.Image:
    """Return the node with the editor in it."""
    left, top, width, height = frontend.page.evaluate(
        f"""() => {{
            const [x, y, width, height] = {editor.node}.getBounding();
            const {{left, top}} = app.canvas.canvas.getBoundingClientRect();
            const {{offset, scale}} = app.canvas.ds;
            return [left + (x + offset[0]) * scale, top + (y + offset[1]) * scale, width * scale, height * scale];
        }}"""
    )
    size = {"width": width + 2 * AROUND, "height": height + AROUND + BADGE}
    clip = {"x": left - AROUND, "y": top - BADGE, **size}
    return page(frontend, clip)


def holding(frontend: Frontend, editor: HandEditor) -> Image.Image:
    """Return the node with a hand in it that holds a cup, turned to show both."""
    large(editor).start()
    editor.press("Escape")
    editor.show_at()
    editor.page.locator(".sesahand-object-choice").first.select_option("cup")
    editor.frames()
    for _ in range(3):
        editor.focus()
        editor.press("t", "Shift+ArrowRight")
    editor.press("Escape", "o")
    return portrait(frontend, editor)


def straightened(frontend: Frontend) -> Image.Image:
    """Return a photograph's hand as it came in, with a finger bent, and after two drags."""
    empty_graph(frontend)
    frontend.page.evaluate(
        """([file, view]) => {
            const add = (type, given, at) => {
                const node = LiteGraph.createNode(type);
                node.pos = at;
                app.graph.add(node);
                for (const [name, value] of Object.entries(given)) {
                    node.widgets.find(widget => widget.name === name).value = value;
                }
                return node;
            };
            const hand = add("SesaHandPoseHand", {gesture: "victory", middle_curl: 0.8}, [700, 100]);
            const placed = add("SesaHandPlaceHand", view, [700, 600]);
            const photograph = add("LoadImage", {image: file}, [1100, 100]);
            const node = add("SesaHandEditHands", {}, [80, 80]);
            const into = (from, to, name) => from.connect(0, to, to.inputs.findIndex(input => input.name === name));
            into(hand, placed, "hands");
            into(placed, node, "hands");
            into(photograph, node, "image");
        }""",
        [PHOTOGRAPH, VIEW],
    )
    editor = HandEditor(frontend).wait()
    frontend.run()
    editor.wait_until("({editor}) => editor.status === 'following' && editor.background.image")
    artist = large(editor)
    before = shot(editor)
    for move in poses("from_the_victory_photograph")["drawn_finger"]["moves"]:
        artist.make([move])
    return side_by_side([before.crop(TILE), shot(editor).crop(TILE)], 2)


def side_by_side(tiles: list[Image.Image], columns: int, gap: int = 4) -> Image.Image:
    wide, high = tiles[0].size
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * (wide + gap) - gap, rows * (high + gap) - gap), "white")
    for n, tile in enumerate(tiles):
        sheet.paste(tile, (n % columns * (wide + gap), n // columns * (high + gap)))
    return sheet
