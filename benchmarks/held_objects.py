"""What an object in the map is worth for a picture of a hand that holds it, in the small model's world.

    python benchmarks/held_objects.py --bare FILE --object FILE [--samples 300] [--others 200] [--out FOLDER]

Two ControlNets of the shipped base that were trained alike but for their maps: --bare on maps of hands alone, --object
on maps that show what hands hold as Render does, in another gray (docs/training.md has the commands). They and the
shipped one draw the same held-out samples with the same noise: the first --samples that hold something, and the first
--others that do not, whose maps are the same. The world's reader reads them. Differences are of pairs; their 95 %
intervals come from resampling the samples with all their noises. An asterisk marks one on one side of zero.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from ablation import Group, differences_table, means_table

from sesahand.commands.progress import Bar
from sesahand.errors import SesaHandError
from sesahand.evaluation.cells import Cell
from sesahand.evaluation.drawing import draw_pictures
from sesahand.evaluation.measuring import fingerprint, measure
from sesahand.evaluation.reader.network import SHIPPED, load_world_reader
from sesahand.evaluation.readings import Readers, RequestReader
from sesahand.evaluation.requests import Requests
from sesahand.evaluation.results import CellResults
from sesahand.generate.pipeline import HandGenerator, choose_device, choose_dtype
from sesahand.models.base import load_base_model
from sesahand.models.controlnets import load_controlnet
from sesahand.models.small.embedded import EMBEDDED
from sesahand.render.contact_sheet import contact_sheet, to_pil
from sesahand.world.cache import MAX_HANDS, SampleCache
from sesahand.world.synthetic import HELD_OUT_SEED, Description, Sample, SyntheticHands

SHIPPED_BARE, SHIPPED_OBJECT = "shipped, hand alone in the map", "shipped, object in the map"
BARE, OBJECT = "trained on bare hands", "trained with the object"
KEY_COLUMNS = (
    "held", "held_color", "mask_iou", "gesture", "side", "skin", "sleeve", "background_color", "beside",
    "nothing_beside",
)  # fmt: skip


class ChosenHands:
    """Some samples of a sequence, numbered anew from 0 on.

    Args:
        source: The sequence.
        numbers: Which of its samples.
    """

    def __init__(self, source: SyntheticHands, numbers: list[int]):
        self.source, self.numbers, self.size = source, numbers, source.size

    def __getitem__(self, index: int) -> Sample:
        return self.source[self.numbers[index]]

    def describe(self, index: int) -> Description:
        """What a sample shows."""
        return self.source.describe(self.numbers[index])

    def map_with_held(self, index: int) -> np.ndarray:
        """The mesh map with what the hand holds."""
        return self.source.map_with_held(self.numbers[index])


def choose(source: SyntheticHands, count: int, holding: bool) -> ChosenHands:
    """The first samples that hold something, or that do not."""
    numbers, index = [], 0
    while len(numbers) < count:
        if (source.describe(index).attributes.held is not None) == holding:
            numbers.append(index)
        index += 1
    return ChosenHands(source, numbers)


def draw(chosen: ChosenHands) -> SampleCache:
    """Draw chosen samples, in memory."""
    samples = [chosen[index] for index in range(len(chosen.numbers))]
    keypoints = np.full((len(samples), MAX_HANDS, 21, 2), np.nan, np.float32)
    for row, sample in zip(keypoints, samples, strict=True):
        row[: len(sample.keypoints)] = sample.keypoints
    return SampleCache(
        chosen,
        pictures=np.stack([sample.picture for sample in samples]),
        conditions=np.stack([sample.condition for sample in samples]),
        silhouettes=np.stack([sample.silhouette for sample in samples]),
        masks=np.stack([sample.mask for sample in samples]),
        keypoints=keypoints,
        done=np.ones(len(samples), np.uint8),
    )


def load_generators(arguments: argparse.Namespace) -> dict[str, HandGenerator]:
    """The shipped model with each of the ControlNets."""
    device = choose_device(arguments.device)
    dtype = choose_dtype(arguments.dtype, device)
    base = load_base_model(EMBEDDED, device, dtype)
    files = {"shipped": "plain", "bare": arguments.bare, "object": arguments.object}
    return {
        name: HandGenerator(base, load_controlnet(file, base, device, dtype), device, dtype)
        for name, file in files.items()
        if file is not None
    }


def groups_of(start: dict, there: dict[str, HandGenerator]) -> list[tuple[Group, bool]]:
    """What is printed, with whether its samples hold something."""
    cells = [Cell(SHIPPED_BARE, "shipped", **start), Cell(SHIPPED_OBJECT, "shipped", **start)]
    pairs = [("the object in the map, shipped ControlNet", SHIPPED_OBJECT, SHIPPED_BARE)]
    others = [Cell(SHIPPED_BARE, "shipped", **start)]
    of_others = []
    if {"bare", "object"} <= set(there):
        trained = [Cell(BARE, "bare", **start), Cell(OBJECT, "object", **start)]
        both = [("the object in the map, trained alike", OBJECT, BARE), ("more training alone", BARE, SHIPPED_BARE)]
        cells, pairs, others, of_others = cells + trained, both + pairs, others + trained, both
    return [
        (Group("Hands that hold something", cells, pairs), True),
        (Group("Hands that hold nothing", others, of_others), False),
    ]


def measure_group(arguments, generators, group: Group, holding: bool) -> tuple[dict[str, CellResults], list[str]]:
    """Draw and read what is missing of a group; also the columns that may be published."""
    source = SyntheticHands("heldout", HELD_OUT_SEED, generators["shipped"].base.size)
    chosen = choose(source, arguments.samples if holding else arguments.others, holding)
    drawn = draw(chosen)
    judge = RequestReader(load_world_reader(arguments.judge), drawn)
    reader, trusted = Readers([judge]), judge.trusted()
    columns = [name for name in KEY_COLUMNS if trusted[name]]
    results, shown, indices = {}, [], range(arguments.pictures)
    for cell in group.cells:
        generator, in_map = generators[cell.model], holding and cell.name in (SHIPPED_OBJECT, OBJECT)
        requests = Requests(chosen, drawn, held_in_map=in_map)
        about = {
            "judge": fingerprint(arguments.judge or SHIPPED),
            "base": fingerprint(generator.base.path),
            "control": fingerprint(generator.controlnet.path),
            "cell": cell.identity(),
            "holding": holding,
            "held_in_map": in_map,
        }
        name = f"{'held' if holding else 'others'} {cell.name}".replace(",", "").replace(" ", "_")
        kept = CellResults(about, len(drawn), arguments.seeds, arguments.out / f"{name}.npz")
        results[cell.name] = measure(
            cell, generator, requests, reader, kept, arguments.batch_size, None, Bar(cell.name)
        )
        if arguments.pictures and holding:
            shown.append((f"{cell.name}: map", requests.maps(indices, "mesh")))
            shown.append((cell.name, draw_pictures(generator, cell, requests, indices)))
    if shown:
        shown.insert(0, ("render", requests.pictures(indices)))
        rows = [("\n".join(name.split(", ")), [to_pil(picture) for picture in row]) for name, row in shown]
        contact_sheet(rows, [f"sample {chosen.numbers[k]}" for k in indices], group.title).save(
            arguments.out / "pictures.png"
        )
    return results, columns


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bare", type=Path, help="a ControlNet that was trained on maps of hands alone")
    parser.add_argument("--object", type=Path, help="one that was trained alike on maps with what hands hold")
    parser.add_argument("--out", type=Path, default=Path("held_objects"), help="folder of the figures")
    parser.add_argument("--samples", type=int, default=300, help="that hold something (default 300)")
    parser.add_argument("--others", type=int, default=200, help="that hold nothing (default 200)")
    parser.add_argument("--seeds", type=int, default=2, help="noises of each sample (default 2)")
    parser.add_argument("--steps", type=int, default=8, help="of DDIM (default 8)")
    parser.add_argument("--guidance", type=float, default=2.0, help="cfg (default 2)")
    parser.add_argument("--batch-size", type=int, default=25, help="pictures drawn at a time")
    parser.add_argument("--pictures", type=int, default=0, help="also draw so many samples of each cell on a sheet")
    parser.add_argument("--judge", type=Path, help="the reader's file (default: the one that comes with the package)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="bfloat16", help="auto, float32, float16, bfloat16 (default)")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    if (arguments.bare is None) != (arguments.object is None):
        raise SesaHandError("Name both ControlNets with --bare and --object, or neither to measure the shipped one.")
    generators = load_generators(arguments)
    start = {"steps": arguments.steps, "guidance": arguments.guidance}
    arguments.out.mkdir(parents=True, exist_ok=True)
    written = {}
    for group, holding in groups_of(start, generators):
        results, columns = measure_group(arguments, generators, group, holding)
        table, numbers = differences_table(group, results, columns)
        print(f"\n### {group.title}\n\n{means_table(group, results, columns, {})}\n\n{table}")
        written[group.title] = numbers
    (arguments.out / "results.json").write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    try:
        main()
    except SesaHandError as error:
        sys.exit(f"{error}")
