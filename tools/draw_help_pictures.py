"""Draw the pictures of the nodes' help pages on a real ComfyUI: what the node puts out, or else the node itself.

    python tools/draw_help_pictures.py             all of them, into web/docs
    python tools/draw_help_pictures.py NODE ...    only these, for example SesaHandPoseHand

Needs ComfyUI (COMFYUI_PATH), Chromium, and the hand detector's files (`python -m sesahand get-detector`); the pictures
of the small model's nodes need its files in sesahand/assets too.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from browser import MARGIN, Frontend, open_frontend
from comfy_install import find_comfyui
from comfy_server import ComfyServer
from editor_pictures import NODE as EDITOR
from editor_pictures import VIEW, editor_pictures
from PIL import Image

from sesahand.render.map_table import HAND_MAPS, MAPS
from workflows import defaults

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "web" / "docs"
WIDTH, GAP = 640, 4
# A page is opened over any connection, and there are many of them.
MOST_BYTES = 30_000
WIDEST = 800
SKIN, WALL = 0xE0AE94, 0x6B7480
GESTURES = ("open_palm", "point", "victory", "ok", "fist", "thumbs_up", "grasp_sphere", "horns")
PROMPT = (
    "a person with tan skin and a yellow sleeve, arm from below, carrying, a right hand holding a purple ball, "
    "palm side, at a red table, soft light from above"
)


class Graph:
    """A graph in API format that grows node by node, and the pictures of it that are to be seen."""

    def __init__(self, server: ComfyServer):
        self.server, self.nodes, self.shown = server, {}, []

    def add(self, class_type: str, **given) -> str:
        """Add a node at its defaults but for what is given, and return its id."""
        key = str(len(self.nodes) + 1)
        self.nodes[key] = defaults(self.server, class_type, **given)
        return key

    def wire(self, source: str, output: str) -> list:
        """Return the wire from an output by its name."""
        kind = self.nodes[source]["class_type"]
        return [source, self.server.get(f"/object_info/{kind}")[kind]["output_name"].index(output)]

    def show(self, source: str, output: int) -> None:
        """Ask for the pictures of an output."""
        self.shown.append(self.add("PreviewImage", images=[source, output]))

    def show_map(self, maps: str, name: str) -> None:
        """Ask for the pictures of a condition map."""
        wire = self.wire(maps, name)
        wire = wire if MAPS[name].color else [self.add("MaskToImage", mask=wire), 0]
        self.shown.append(self.add("PreviewImage", images=wire))

    def run(self) -> list[Image.Image]:
        run = self.server.run(self.nodes)
        return [picture.convert("RGB") for node in self.shown for picture in run.images(node)]

    def posed(self, gesture: str = "open_palm", side: str = "right", **place) -> list:
        """Return the wire of a hand in a gesture, placed."""
        hand = self.add("SesaHandPoseHand", gesture=gesture, side=side)
        return [self.add("SesaHandPlaceHand", hands=[hand, 0], **place), 0]

    def frames(self, hands: list[list]) -> list:
        """Return the wire of up to four hands, one after the other."""
        return [self.add("SesaHandCombineHands", **_numbered(hands), join="next frames"), 0]

    def maps(self, hands: list, **settings) -> str:
        return self.add("SesaHandRenderCondition", hands=hands, **settings)

    def photograph(self, hands: list, size: tuple[int, int] = (512, 512), frames: int = 1) -> list:
        """Return the wire of a picture to look for hands in: hands and forearms in the colour of skin, on a wall."""
        maps = self.maps(hands, forearm=True)
        wall, skin = (
            self.add("EmptyImage", width=size[0], height=size[1], color=color, batch_size=frames)
            for color in (WALL, SKIN)
        )
        lit = self.add("ImageBlend", image1=[skin, 0], image2=[maps, 0], blend_factor=1.0, blend_mode="multiply")
        pasted = {"source": [lit, 0], "destination": [wall, 0], "mask": self.wire(maps, "mask"), "resize_source": False}
        return [self.add("ImageCompositeMasked", **pasted), 0]


def _numbered(hands: list[list]) -> dict[str, list]:
    return {f"hands_{number}": wire for number, wire in enumerate(hands, 1)}


def pose_hand(graph: Graph) -> int:
    for gesture in GESTURES:
        hand = graph.add("SesaHandPoseHand", gesture=gesture)
        graph.show(graph.maps([hand, 0], forearm=True), 0)
    return 4


def place_hand(graph: Graph) -> int:
    graph.show(graph.maps(graph.posed("point", size=0.5, x=0.3, y=0.6), forearm=True), 0)
    graph.show(graph.maps(graph.posed("point", yaw=75.0, roll=30.0), forearm=True), 0)
    graph.show(graph.maps(graph.posed("point", pitch=50.0, size=0.6), forearm=True), 0)
    graph.show(graph.maps(graph.posed("point", box="260, 230, 500, 470"), forearm=True), 0)
    mask = graph.add("SolidMask", value=0.0, width=512, height=512)
    white = graph.add("SolidMask", value=1.0, width=180, height=330)
    mask = graph.add("MaskComposite", destination=[mask, 0], source=[white, 0], x=300, y=40, operation="add")
    graph.show(graph.add("MaskToImage", mask=[mask, 0]), 0)
    graph.show(graph.maps(graph.posed("point", mask=[mask, 0])), 0)
    return 3


def adjust_fingers(graph: Graph) -> int:
    hand = graph.add("SesaHandPoseHand", gesture="victory", index_curl=0.5)
    picture = graph.photograph([graph.add("SesaHandPlaceHand", hands=[hand, 0], yaw=15.0), 0])
    hands = found_hands(graph, picture)
    straight, thumb = {"index_straighten": 1.0}, {"thumb_straighten": 1.0, "thumb_opposition": -0.8}
    graph.shown.append(graph.add("PreviewImage", images=picture))
    for change in ({}, straight, straight | thumb):
        changed = graph.add("SesaHandAdjustFingers", hands=hands, **change)
        graph.show(graph.maps([changed, 0], forearm=True), 0)
    return 4


def hold_object(graph: Graph) -> int:
    for number, kind in enumerate(("sphere", "cup", "box", "cylinder", "phone", "pen", "tool", "cup")):
        side = "left" if number == 7 else "right"
        held = graph.add("SesaHandHoldObject", hands=graph.posed("open_palm", side), object=kind)
        yaw = -60.0 if side == "left" else 0.0 if kind == "phone" else 60.0
        placed = graph.add("SesaHandPlaceHand", hands=[held, 0], yaw=yaw, size=0.6)
        graph.show(graph.maps([placed, 0], forearm=True), 0)
    return 4


def export_gestures(graph: Graph) -> int:
    library = graph.add("SesaHandExportGestures")
    some = graph.add("ImageFromBatch", image=[library, 1], batch_index=0, length=24)
    graph.show(some, 0)
    return 8


def both_hands(graph: Graph) -> list:
    place = {"width": 768, "height": 512, "y": 0.52, "size": 0.75}
    right, left = (
        graph.posed(gesture, side, x=x, **place) for gesture, side, x in (("ok", "right", 0.28), ("point", "left", 0.7))
    )
    return [graph.add("SesaHandCombineHands", hands_1=right, hands_2=left), 0]


def combine_hands(graph: Graph) -> int:
    maps = graph.maps(both_hands(graph))
    graph.show_map(maps, "mesh")
    graph.show_map(maps, "parts")
    return 2


def render_condition(graph: Graph) -> int:
    maps = graph.maps(graph.posed("ok", yaw=20.0), forearm=True)
    for name in HAND_MAPS:
        graph.show_map(maps, name)
    return 3


def detect_hands(graph: Graph) -> int:
    picture = graph.photograph(both_hands(graph), (768, 512))
    found = graph.add("SesaHandDetectHands", image=picture)
    graph.shown.append(graph.add("PreviewImage", images=picture))
    graph.show(found, 3)
    graph.show(graph.add("MaskToImage", mask=[found, 2]), 0)
    return 3


def found_hands(graph: Graph, picture: list) -> list:
    found = graph.add("SesaHandDetectHands", image=picture)
    return [graph.add("SesaHandReconstructHands", landmarks=[found, 0]), 0]


def reconstruct_hands(graph: Graph) -> int:
    picture = graph.photograph(graph.posed("victory", yaw=25.0, roll=10.0))
    hands = found_hands(graph, picture)
    graph.shown.append(graph.add("PreviewImage", images=picture))
    drawn = graph.add("SesaHandDrawHands", hands=hands, image=picture, views=6, style="both")
    graph.show(drawn, 0)
    views = graph.add("ImageFromBatch", image=[drawn, 1], batch_index=1, length=2)
    graph.show(views, 0)
    return 4


def asked_and_found(graph: Graph, gestures: tuple[str, ...]) -> tuple[list, list, str]:
    """Return the wires of pictures, of what is found in them, and the node that scores it against an open palm."""
    asked = graph.posed("open_palm")
    shown = graph.frames([graph.posed(gesture, yaw=5.0) for gesture in gestures])
    pictures = graph.photograph(shown, frames=len(gestures))
    found = found_hands(graph, pictures)
    return pictures, found, graph.add("SesaHandScoreHands", requested=asked, found=found, image=pictures)


def score_hands(graph: Graph) -> int:
    graph.show(asked_and_found(graph, ("open_palm", "four", "victory"))[2], 4)
    return 3


def keep_best(graph: Graph) -> int:
    pictures, _, scores = asked_and_found(graph, ("fist", "four", "open_palm", "claw"))
    graph.shown.append(graph.add("PreviewImage", images=pictures))
    graph.show(graph.add("SesaHandKeepBest", images=pictures, scores=[scores, 1]), 0)
    return 5


def save_pair(graph: Graph) -> int:
    hands = graph.posed("grasp_cylinder", yaw=30.0)
    picture, maps = graph.photograph(hands), graph.maps(hands)
    graph.show(graph.add("SesaHandSavePair", image=picture, hands=hands, set_name="help"), 0)
    for name in ("mesh", "depth", "normal"):
        graph.show_map(maps, name)
    return 4


def sampled(graph: Graph, seed: int = 3, alpha: float = 2.0) -> dict:
    """Sample the small model and return the wires of its parts: picture, latent, hint, record of the attention."""
    place = {"width": 128, "height": 128, "yaw": 10.0, "size": 0.6}
    hint = [graph.maps(graph.posed("grasp_sphere", **place)), 0]
    model = graph.add("SesaHandLoadMini", control="sf")
    control = [graph.add("SesaHandStructuralFusion", control_net=[model, 3], mode="auto"), 0]
    positive, negative = (graph.add("SesaHandTextEncode", clip=[model, 1], text=text) for text in (PROMPT, ""))
    biased = graph.add("SesaHandAttentionBias", model=[model, 0], alpha=alpha)
    record = graph.add("SesaHandRecordAttention", model=[biased, 0])
    conditions = {"positive": [positive, 0], "negative": [negative, 0], "control_net": control, "image": hint}
    applied = graph.add("ControlNetApplyAdvanced", strength=1.0, **conditions)
    latent = graph.add("EmptyLatentImage", width=128, height=128, batch_size=1)
    how = {"seed": seed, "steps": 12, "cfg": 3.0, "sampler_name": "ddim", "scheduler": "normal", "denoise": 1.0}
    wires = {"model": [record, 0], "positive": [applied, 0], "negative": [applied, 1], "latent_image": [latent, 0]}
    latent = [graph.add("KSampler", **wires, **how), 0]
    picture = [graph.add("VAEDecode", samples=latent, vae=[model, 2]), 0]
    return {"picture": picture, "latent": latent, "hint": hint, "record": [record, 1]}


def compared(graph: Graph, pictures: list[list], labels: list[str], columns: int = 0) -> None:
    """Ask for pictures side by side, labelled by Contact Sheet."""
    batch = pictures[0]
    for picture in pictures[1:]:
        batch = [graph.add("SesaHandBatchPictures", image_1=batch, image_2=picture), 0]
    large = graph.add("ImageScale", image=batch, upscale_method="lanczos", width=256, height=256, crop="disabled")
    graph.show(graph.add("SesaHandContactSheet", images=[large, 0], labels="\n".join(labels), columns=columns), 0)


def attention_bias(graph: Graph) -> int:
    alphas = 0.0, 1.0, 2.0, 4.0
    compared(
        graph, [sampled(graph, alpha=alpha)["picture"] for alpha in alphas], [f"alpha {alpha:g}" for alpha in alphas]
    )
    return 1


def contact_sheet(graph: Graph) -> int:
    maps = [[graph.maps(graph.posed(gesture, width=256, height=256)), 0] for gesture in GESTURES]
    compared(graph, maps, [gesture.replace("_", " ") for gesture in GESTURES], 4)
    return 1


def masked(graph: Graph) -> tuple[list, str]:
    """Return the wire of a picture with a small hand and the node that crops to it."""
    hands = graph.posed("open_palm", x=0.62, y=0.4, size=0.28, width=512, height=512)
    picture = graph.photograph(hands)
    grown = graph.add("GrowMask", mask=graph.wire(graph.maps(hands), "mask"), expand=12, tapered_corners=True)
    return picture, graph.add("SesaHandCropToMask", image=picture, mask=[grown, 0], width=256, height=256)


def batch_pictures(graph: Graph) -> int:
    sizes = (("open_palm", 256, 256), ("victory", 384, 256), ("fist", 256, 384))
    maps = [[graph.maps(graph.posed(name, width=wide, height=high)), 0] for name, wide, high in sizes]
    inputs = {f"image_{number}": picture for number, picture in enumerate(maps, start=1)}
    graph.show(graph.add("SesaHandBatchPictures", **inputs, fit="pad"), 0)
    return 3


def crop_to_mask(graph: Graph) -> int:
    picture, crop = masked(graph)
    graph.shown.append(graph.add("PreviewImage", images=picture))
    graph.show(crop, 0)
    graph.show(graph.add("MaskToImage", mask=[crop, 1]), 0)
    return 3


def paste_back(graph: Graph) -> int:
    picture, crop = masked(graph)
    repainted = graph.photograph(graph.posed("victory", y=0.48, size=0.66, width=256, height=256), (256, 256))
    graph.shown.append(graph.add("PreviewImage", images=picture))
    graph.shown.append(graph.add("PreviewImage", images=repainted))
    graph.show(graph.add("SesaHandPasteBack", image=repainted, crop=[crop, 2]), 0)
    return 3


def detect_in_mask(graph: Graph) -> int:
    picture = graph.photograph(both_hands(graph), (768, 512))
    spot = graph.add("SolidMask", value=0.0, width=768, height=512)
    paint = graph.add("SolidMask", value=1.0, width=90, height=90)
    mask = graph.add("MaskComposite", destination=[spot, 0], source=[paint, 0], x=500, y=90, operation="add")
    found = graph.add("SesaHandDetectInMask", image=picture, mask=[mask, 0])
    graph.shown.append(graph.add("PreviewImage", images=picture))
    graph.show(graph.add("MaskToImage", mask=[mask, 0]), 0)
    graph.show(found, 2)
    return 3


def hands_or_else(graph: Graph) -> int:
    wanted, other = graph.posed("victory"), graph.posed("open_palm")
    nothing = graph.add("SesaHandDetectHands", image=[graph.add("EmptyImage", width=512, height=512), 0])
    none = graph.add("SesaHandReconstructHands", landmarks=[nothing, 0])
    for hands in (wanted, [none, 0]):
        graph.show_map(graph.maps([graph.add("SesaHandHandsOrElse", hands=hands, otherwise=other), 0]), "mesh")
    return 2


def repaint_mask(graph: Graph) -> int:
    before = graph.posed("open_palm", width=256, height=256, size=0.66)
    after = [graph.add("SesaHandAdjustFingers", hands=before, index_curl=0.9), 0]
    picture = graph.photograph(before, (256, 256))
    spot = graph.add("SolidMask", value=0.0, width=256, height=256)
    paint = graph.add("SolidMask", value=1.0, width=24, height=24)
    mask = graph.add("MaskComposite", destination=[spot, 0], source=[paint, 0], x=180, y=90, operation="add")
    cut = {"image": picture, "mask": [mask, 0], "width": 256, "height": 256, "context": 1.2}
    crop = graph.add("SesaHandCropToMask", hands=before, **cut)
    wanted = graph.add("SesaHandCropToMask", hands=after, **cut)
    graph.show(graph.add("MaskToImage", mask=[crop, 1]), 0)
    graph.show(crop, 0)
    graph.show_map(graph.maps([wanted, 3]), "mesh")
    repaint = graph.add("SesaHandRepaintMask", crop=[crop, 2], hands=after, before=before)
    graph.show(graph.add("MaskToImage", mask=[repaint, 0]), 0)
    return 4


def load_mini(graph: Graph) -> int:
    for seed in (3, 4, 5):
        parts = sampled(graph, seed=seed)
        if seed == 3:
            graph.shown.append(graph.add("PreviewImage", images=parts["hint"]))
        graph.shown.append(graph.add("PreviewImage", images=parts["picture"]))
    return 4


def attention_map(graph: Graph) -> int:
    parts = sampled(graph)
    graph.shown.append(graph.add("PreviewImage", images=parts["picture"]))
    given = {"attention": parts["record"], "samples": parts["latent"], "images": parts["picture"]}
    graph.show(graph.add("SesaHandAttentionMap", **given), 0)
    graph.show(graph.add("SesaHandAttentionMap", **given, start_percent=0.0, end_percent=0.5), 0)
    return 3


# What a node's picture is made of: a function that builds its graph and returns the number of tiles in a row.
PICTURES: dict[str, Callable[[Graph], int]] = {
    "SesaHandPoseHand": pose_hand,
    "SesaHandAdjustFingers": adjust_fingers,
    "SesaHandHoldObject": hold_object,
    "SesaHandExportGestures": export_gestures,
    "SesaHandPlaceHand": place_hand,
    "SesaHandCombineHands": combine_hands,
    "SesaHandRenderCondition": render_condition,
    "SesaHandDetectHands": detect_hands,
    "SesaHandReconstructHands": reconstruct_hands,
    "SesaHandScoreHands": score_hands,
    "SesaHandKeepBest": keep_best,
    "SesaHandSavePair": save_pair,
    "SesaHandLoadMini": load_mini,
    "SesaHandAttentionMap": attention_map,
    "SesaHandAttentionBias": attention_bias,
    "SesaHandContactSheet": contact_sheet,
    "SesaHandBatchPictures": batch_pictures,
    "SesaHandCropToMask": crop_to_mask,
    "SesaHandPasteBack": paste_back,
    "SesaHandDetectInMask": detect_in_mask,
    "SesaHandHandsOrElse": hands_or_else,
    "SesaHandRepaintMask": repaint_mask,
}


# Nodes that put out no picture: theirs is the node as it stands in a graph.
PORTRAITS = tuple(
    f"SesaHand{name}"
    for name in (
        "Caption", "ComposePrompt", "ConnectVLM", "ExtractSemantics", "LoadControlNet", "LoadHandModel",
        "LoadHands", "LoadReconstructor", "LoadVLM", "ReadPlan", "RecordAttention", "RepairGate", "SaveHands",
        "SemanticsInstruction", "StructuralFusion", "TextEncode", "TextEncodePictures", "WriteSemantics",
    )
)  # fmt: skip
# What stands in widgets that list files, of which a fresh ComfyUI has none.
FILES = {
    "control_net_name": "sesahand_sf.safetensors",
    "file": "hands.json",
    "network_name": "hamer.ckpt",
    "plan": "plan.toml",
    "model_name": "Qwen2.5-VL-3B-Instruct",
}
AROUND = 26
"""Pixels of the canvas around a node's portrait."""


def portrait(frontend: Frontend, name: str, folder: Path) -> Image.Image:
    """Return a picture of a node at its defaults."""
    frontend.load({"nodes": [], "links": [], "last_node_id": 0, "last_link_id": 0, "version": 0.4})
    frontend.page.evaluate(
        """([type, files]) => {
            const node = LiteGraph.createNode(type);
            for (const widget of node.widgets ?? []) widget.value ??= files[widget.name];
            node.pos = [0, 0];
            app.graph.add(node);
            node.setSize([Math.max(340, node.size[0]), node.size[1]]);
        }""",
        [name, FILES],
    )
    # A node that has not been drawn yet does not know its bounds.
    frontend.page.wait_for_timeout(500)
    path = folder / f"{name}.png"
    frontend.screenshot(path)
    picture = Image.open(path).convert("RGB")
    # The frontend's bars shift the canvas in the window.
    left, top = frontend.page.evaluate(
        "() => [app.canvas.canvas.getBoundingClientRect().left, app.canvas.canvas.getBoundingClientRect().top]"
    )
    edge = MARGIN - AROUND
    return picture.crop((left + edge, top + edge, left + picture.width - edge, top + picture.height - edge))


def sheet(tiles: list[Image.Image], columns: int) -> Image.Image:
    """Lay pictures of one shape out in rows, `WIDTH` pixels wide."""
    wide = (WIDTH - GAP * (columns - 1)) // columns
    high = round(wide * tiles[0].height / tiles[0].width)
    rows = -(-len(tiles) // columns)
    page = Image.new("RGB", (columns * (wide + GAP) - GAP, rows * (high + GAP) - GAP), "white")
    for number, tile in enumerate(tiles):
        small = tile.resize((wide, high), Image.Resampling.LANCZOS)
        page.paste(small, (number % columns * (wide + GAP), number // columns * (high + GAP)))
    return page


def write(page: Image.Image, path: Path) -> None:
    """Write a JPEG as good as `MOST_BYTES` allow, at most `WIDEST` pixels wide."""
    page.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
    for quality in range(90, 40, -5):
        page.save(path, quality=quality, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            break
    print(path.relative_to(ROOT), path.stat().st_size, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nodes", nargs="*", metavar="NODE", help=f"of {', '.join([*PICTURES, *PORTRAITS, EDITOR])}")
    chosen = parser.parse_args().nodes or [*PICTURES, *PORTRAITS, EDITOR]
    with tempfile.TemporaryDirectory() as folder, ComfyServer(find_comfyui(), Path(folder)) as server:
        for name in (name for name in chosen if name in PICTURES):
            graph = Graph(server)
            columns = PICTURES[name](graph)
            write(sheet(graph.run(), columns), FOLDER / f"{name}.jpg")
        seen = [name for name in chosen if name in PORTRAITS]
        with open_frontend(server.url) if seen else nullcontext() as frontend:
            for name in seen:
                write(portrait(frontend, name, Path(folder)), FOLDER / f"{name}.jpg")
        if EDITOR in chosen:
            graph = Graph(server)
            graph.shown.append(graph.add("PreviewImage", images=graph.photograph(graph.posed("victory", **VIEW))))
            [photograph] = graph.run()
            with open_frontend(server.url) as frontend:
                for ending, picture in editor_pictures(frontend, server, photograph):
                    write(picture, FOLDER / f"{EDITOR}{ending}.jpg")


if __name__ == "__main__":
    main()
