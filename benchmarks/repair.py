"""Repair malformed hands with the shipped workflow, and lay out all that came of it to be looked at.

    python benchmarks/repair.py FOLDER --out OUT
    python benchmarks/repair.py FOLDER --out OUT --workflow repair_hand --prompt "5=a right hand making a fist"

FOLDER holds pictures `NAME.jpg` and beside them `NAME_mask.jpg`, the same picture with what is to be repainted in
white. Each is repaired twice in a real ComfyUI (COMFYUI_CURRENT_PATH): with its mask, and without one, which repaints
the whole hand. Prints a table; OUT gets a sheet a repair: the picture with what was found, what is repainted, the map
of the fitted hand, the attempts and the result.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

import numpy as np  # noqa: E402
from comfy_server import NodeFailed, Servers  # noqa: E402
from detector_files import detector_folder  # noqa: E402
from hand_picture import load_picture  # noqa: E402
from PIL import Image, ImageOps  # noqa: E402

import workflows  # noqa: E402

TILE = 256
# In a photograph with a region painted white, what counts as white.
WHITE = 250


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--workflow", default="repair_hand", choices=[n for n in workflows.NAMES if "repair_hand" in n])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these pictures alone")
    parser.add_argument("--attempts", type=int, default=4)
    parser.add_argument("--prompt", action="append", default=[], metavar="NAME=TEXT", help="what the hand of NAME does")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    prompts = dict(text.split("=", 1) for text in options.prompt)
    detector_folder()
    masks = sorted(options.folder.glob("*_mask.*"))
    print("| picture | repainted | found | score of the picture | scores of the attempts | what is wrong | seconds |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder, Servers(Path(folder)) as servers:
        server = servers.get("current")
        for mask in masks:
            name = mask.stem.removesuffix("_mask")
            if options.only and name not in options.only:
                continue
            picture = mask.with_name(name + mask.suffix)
            for painted in (False, True):
                print(repair(server, options, name, picture, mask if painted else None, prompts.get(name)), flush=True)


def repair(server, options: argparse.Namespace, name: str, picture: Path, mask: Path | None, prompt: str | None) -> str:
    """Repair one picture, write its sheet, and return its row of the table."""
    api = workflows.read_api(options.workflow)
    with Image.open(picture) as opened:
        own = opened.convert("RGB")
    if mask is not None:
        with Image.open(mask) as opened:
            white = np.asarray(opened.convert("L")) > WHITE
        own.putalpha(Image.fromarray(np.where(white, 0, 255).astype(np.uint8)))
    load_picture(api, server.folder, own, f"{name}.png")
    api[only(api, "RepeatLatentBatch")]["inputs"]["amount"] = options.attempts
    if prompt:
        api[positive(api)]["inputs"]["text"] = prompt
    shown = shown_nodes(api)
    own_score = score_own(api)
    started = time.monotonic()
    try:
        run = server.run(api, seconds=1800)
    except NodeFailed as error:
        return f"| {name} | {'mask' if mask else 'hand'} | failed: {error} | | | | |"
    seconds = time.monotonic() - started
    write_sheet(run, shown, options.out / f"{name}_{'mask' if mask else 'hand'}.jpg")
    before = json.loads(run.outputs[own_score]["text"][0])
    details = json.loads(run.outputs["details"]["text"][0])
    scores = ", ".join(f"{each['score']:.2f}" for each in details["pictures"])
    detect = run.outputs["report"]["text"][0].splitlines()[0]
    best = max(details["pictures"], key=lambda each: each["score"])
    return (
        f"| {name} | {'mask' if mask else 'hand'} | {detect} | {before['mean']:.2f} | {scores} | {wrong(best)} "
        f"| {seconds:.0f} |"
    )


def only(api: dict, class_type: str) -> str:
    [found] = workflows.nodes_of(api, class_type)
    return found


def positive(api: dict) -> str:
    """Return the node of the prompt: what leads to the sampler's positive input."""
    node = api[only(api, "KSampler")]["inputs"]["positive"][0]
    while "text" not in api[node]["inputs"]:
        node = api[node]["inputs"]["positive"][0]
    return node


def score_own(api: dict) -> str:
    """Add what shows the figures of the attempts, the report, and the score of the crop before it is repainted."""
    kinds = ("SesaHandCropToMask", "SesaHandScoreHands", "SesaHandDetectInMask")
    crop, score, detect = (only(api, kind) for kind in kinds)
    api["own look"] = {
        "class_type": "SesaHandDetectHands",
        "inputs": {**api[only(api, "SesaHandDetectHands")]["inputs"], "image": ["own large", 0]},
    }
    large = {"upscale_method": "bicubic", "width": 512, "height": 512, "crop": "disabled", "image": [crop, 0]}
    api["own large"] = {"class_type": "ImageScale", "inputs": large}
    fit = api[workflows.nodes_of(api, "SesaHandReconstructHands")[0]]["inputs"]
    api["own fit"] = {"class_type": "SesaHandReconstructHands", "inputs": {**fit, "landmarks": ["own look", 0]}}
    api["own score"] = {
        "class_type": "SesaHandScoreHands",
        "inputs": {"requested": [crop, 3], "found": ["own fit", 0], "extra_hands": 0.1},
    }
    for key, source in (("own details", ["own score", 3]), ("details", [score, 3]), ("report", [detect, 3])):
        api[key] = {"class_type": "PreviewAny", "inputs": {"source": source}}
    return "own details"


def wrong(picture: dict) -> str:
    """Return what is wrong with the hand of a picture, in a few words."""
    if not picture["hands"]:
        return "no hand found"
    [hand] = picture["hands"]
    faults = [] if hand["right_side"] else ["side"]
    faults += [] if hand["right_face"] else [f"{hand['found_face']} for {hand['requested_face']}"]
    faults += [
        f"{finger} {hand['found_fingers'][finger]} for {hand['requested_fingers'][finger]}"
        for finger, agrees in zip(hand["requested_fingers"], hand["finger_agreement"], strict=False)
        if agrees < 0.75
    ]
    return "; ".join(faults) or "nothing"


def shown_nodes(api: dict) -> list[tuple[str, int]]:
    """Return the nodes whose pictures are laid out, and how many of each."""
    shown = (
        ("SesaHandDetectInMask", 1),
        ("MaskPreview", 1),
        ("SesaHandRenderCondition", 1),
        ("SesaHandScoreHands", 4),
        ("SaveImage", 1),
    )
    return [(only(api, kind), count) for kind, count in shown]


def write_sheet(run, shown: list[tuple[str, int]], path: Path) -> None:
    """Write all that came of a repair side by side, and the result as it is."""
    tiles = [tile.convert("RGB") for node, count in shown for tile in run.images(node)[:count]]
    sheet = Image.new("RGB", (TILE * len(tiles), TILE), "white")
    for number, tile in enumerate(tiles):
        sheet.paste(ImageOps.contain(tile, (TILE, TILE)), (TILE * number, 0))
    sheet.save(path, quality=90)
    tiles[-1].save(path.with_name(f"{path.stem}_result.jpg"), quality=92)


if __name__ == "__main__":
    main()
