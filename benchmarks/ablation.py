"""What each alignment is worth: the paper's Table 3 for the small model's world, or for a Stable Diffusion by path.

    python benchmarks/ablation.py --heldout FOLDER [--samples 500] [--seeds 3] [--cells table,alpha,...] [--out FOLDER]
    python benchmarks/ablation.py --base FILE --control-plain FILE [--control-sf FILE] --size 512 [--detector FOLDER]

SE is the clean prompt in place of a rambling caption, SF the ControlNet that was trained with structural fusion in
place of the plain one, AE the attention bias on the hand words. All cells draw the same samples with the same noise;
differences are of pairs; their 95 % intervals come from resampling the samples with all their seeds, 10 000 times. An
asterisk marks an interval that lies on one side of zero. Of many differences, one in twenty would do so by chance.

The groups of cells:
  table      none, +SE, +SE +SF, +SE +SF +AE, and the cheap alternative "(hand:1.3)"
  se         SE by training: --se-base and --se-control, trained on rambling captions alone, against the model trained
             on clean prompts (--se-clean-base, --se-clean-control; by default the plain one)
  ae         whether AE is what it seems: at cfg 1, on as many other words, with less guidance instead, on the plain
             ControlNet, and emphasis on the same words
  alpha      strength and place of the bias
  lambda     structural fusion of the plain ControlNet in blend mode, without training; that of the trained one off
  residuals  which residuals are refined, and what the ControlNet is worth without the refined ones and with them alone

With the small model the world's reader reads them; only what it reads well enough is published. For Stable Diffusion
the hand detector does, and FID needs --features, a vision network of transformers, and --photos, a folder of pictures.
With --denoising there is a column of the loss on the held-out pictures themselves: smaller is better, and its intervals
are far narrower than those of anything that is read in pictures.
Figures are kept in --out after each batch: the same command goes on, and with more samples it draws only the new ones.
"""

import argparse
import json
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap

import numpy as np

from sesahand.commands.progress import Bar
from sesahand.errors import SesaHandError
from sesahand.evaluation.cells import HAND, OTHER, Cell
from sesahand.evaluation.denoising import DENOISING
from sesahand.evaluation.drawing import draw_pictures
from sesahand.evaluation.features import features_of_files, load_extractor
from sesahand.evaluation.measuring import (
    column_mean,
    fingerprint,
    frechet_distances,
    markdown,
    measure,
    measure_pictures,
)
from sesahand.evaluation.reader.network import FEATURES, SHIPPED, load_world_reader
from sesahand.evaluation.readings import DETECTED, TITLES, DetectorReader, FeatureReader, Readers, RequestReader
from sesahand.evaluation.requests import Requests
from sesahand.evaluation.results import CellResults
from sesahand.fusion.settings import REFINED_RESIDUALS, FusionSettings
from sesahand.generate.pipeline import HandGenerator, choose_device, choose_dtype
from sesahand.metrics.paired_bootstrap import paired_difference
from sesahand.models.base import load_base_model
from sesahand.models.controlnets import load_controlnet
from sesahand.models.small.embedded import EMBEDDED
from sesahand.models.small.model_files import CONTROLS
from sesahand.render.contact_sheet import contact_sheet, to_pil
from sesahand.training.samples import VERBOSE, render_world
from sesahand.world.synthetic import HELD_OUT_SEED, SyntheticHands

NONE, SE, SF, AE = "none", "+SE", "+SE +SF", "+SE +SF +AE"
CHEAP_NONE, CHEAP = "none, (hand:1.3)", "+SE +SF, (hand:1.3)"
CHEAP_WEIGHT, PAPER_ALPHA = 1.3, 2.0
ALPHAS, LAMBDAS = (1.0, 1.5, 2.5, 4.0), (0.25, 0.5, 0.75, 1.0)
GROUPS = ("table", "se", "ae", "alpha", "lambda", "residuals")
# What a small table shows of the reader's columns: what the paper's Table 3 has in this world, and what could be lost.
KEY_COLUMNS = (
    "mask_iou", "mse_2d", *DETECTED, "gesture", "gesture_confidence", "side", "view", "background", "background_color",
    "skin", "beside", "nothing_beside", DENOISING,
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """Cells that are printed together.

    Attributes:
        title: Above their table.
        cells: Rows.
        pairs: Differences: what it says, the name of the cell and of the one it is compared with.
        sweep: Whether fewer samples are enough.
    """

    title: str
    cells: list[Cell]
    pairs: list[tuple[str, str, str]]
    sweep: bool = True


def make_groups(start: Cell, fusion: FusionSettings, names: list[str], se: bool) -> list[Group]:
    """The groups of some names.

    Args:
        start: Steps, sampler and guidance of all cells.
        fusion: Of the ControlNet "sf".
        names: Of `GROUPS`.
        se: Whether there are models to show SE by training.
    """
    makers = {
        "table": table_group, "ae": ae_group, "alpha": alpha_group, "lambda": lambda_group, "residuals": residual_group,
    }  # fmt: skip
    groups = [makers[name](start, fusion) for name in names if name != "se"]
    if "se" in names and se:
        groups.insert(min(1, len(groups)), se_group(start))
    return groups


def main_cells(start: Cell, fusion: FusionSettings) -> dict[str, Cell]:
    """The rows of Table 3."""
    cells = [
        replace(start, name=NONE, model="plain", words=VERBOSE),
        replace(start, name=SE, model="plain"),
        replace(start, name=SF, fusion=fusion),
        replace(start, name=AE, fusion=fusion, alpha=PAPER_ALPHA),
        replace(start, name=CHEAP_NONE, model="plain", words=VERBOSE, weight=CHEAP_WEIGHT),
        replace(start, name=CHEAP, fusion=fusion, weight=CHEAP_WEIGHT),
    ]
    return {cell.name: cell for cell in cells}


def table_group(start: Cell, fusion: FusionSettings) -> Group:
    return Group(
        "The alignments, one after the other",
        list(main_cells(start, fusion).values()),
        [
            ("SE", SE, NONE),
            ("SF", SF, SE),
            ("AE", AE, SF),
            ("all three", AE, NONE),
            ("(hand:1.3) alone", CHEAP_NONE, NONE),
            ("(hand:1.3) in place of AE", CHEAP, SF),
            ("AE against (hand:1.3)", AE, CHEAP),
        ],
        sweep=False,
    )


def se_group(start: Cell) -> Group:
    rambling, clean = "trained on rambling captions", "trained on clean prompts"
    cells = [
        replace(start, name=f"{rambling}, asked with them", model="se rambling", words=VERBOSE),
        replace(start, name=f"{rambling}, asked with clean prompts", model="se rambling"),
        replace(start, name=f"{clean}, asked with them", model="se clean"),
    ]
    first, second, third = (cell.name for cell in cells)
    pairs = [
        ("SE in training and asking", third, first),
        ("SE in asking alone", second, first),
        ("SE in training alone", third, second),
    ]
    return Group("SE by models that were trained apart", cells, pairs, sweep=False)


def ae_group(start: Cell, fusion: FusionSettings) -> Group:
    main = main_cells(start, fusion)
    without, biased = main[SF], main[AE]
    cells = [
        without, biased, main[SE],
        replace(biased, name="bias on as many other words", biased=OTHER),
        replace(without, name="cfg 1", guidance=1.0),
        replace(biased, name="AE at cfg 1", guidance=1.0),
        replace(biased, name="bias on other words at cfg 1", guidance=1.0, biased=OTHER),
        replace(without, name="less guidance", guidance=max(1.0, start.guidance * 2 / 3)),
        replace(main[SE], name="AE on the plain ControlNet", alpha=PAPER_ALPHA),
        replace(without, name="emphasis 1.3 on AE's words", weight=CHEAP_WEIGHT, weighted=HAND),
    ]  # fmt: skip
    pairs = [
        ("AE", AE, SF),
        ("bias on as many other words", "bias on as many other words", SF),
        ("AE against other words", AE, "bias on as many other words"),
        ("AE at cfg 1", "AE at cfg 1", "cfg 1"),
        ("other words at cfg 1", "bias on other words at cfg 1", "cfg 1"),
        ("AE against other words at cfg 1", "AE at cfg 1", "bias on other words at cfg 1"),
        ("less guidance", "less guidance", SF),
        ("AE without SF", "AE on the plain ControlNet", SE),
        ("emphasis 1.3 on AE's words", "emphasis 1.3 on AE's words", SF),
    ]
    return Group("Whether AE is what it seems", cells, pairs)


def alpha_group(start: Cell, fusion: FusionSettings) -> Group:
    main = main_cells(start, fusion)
    cells = [main[SF], main[AE]]
    cells += [replace(main[AE], name=f"alpha {alpha:g}", alpha=alpha) for alpha in ALPHAS]
    cells += [
        replace(main[AE], name=f"alpha 2 in {blocks}", alpha_blocks=blocks) for blocks in ("input", "middle", "all")
    ]
    pairs = [(cell.name, cell.name, SF) for cell in cells[1:]]
    return Group("Strength of the bias, and the blocks it acts in", cells, pairs)


def lambda_group(start: Cell, fusion: FusionSettings) -> Group:
    main = main_cells(start, fusion)
    cells = [main[SE], main[SF]]
    for strength in LAMBDAS:
        blend = FusionSettings(mode="blend", strength=strength)
        cells.append(replace(main[SE], name=f"plain ControlNet, lambda {strength:g}", fusion=blend))
    scatter = FusionSettings(mode="blend", orientation="scatter")
    cells.append(replace(main[SE], name="plain ControlNet, lambda 0.5, scatter", fusion=scatter))
    off = replace(main[SF], name="ControlNet of +SF, its fusion off", fusion=None)
    pairs = [(cell.name, cell.name, SE) for cell in cells[1:]]
    pairs.append((off.name, off.name, SF))
    return Group("Structural fusion without training, and training without it", [*cells, off], pairs)


def residual_group(start: Cell, fusion: FusionSettings) -> Group:
    main = main_cells(start, fusion)
    cells, pairs = [main[SE], main[SF]], []
    for refine in REFINED_RESIDUALS:
        blend = FusionSettings(mode="blend", refine=refine)
        cells.append(replace(main[SE], name=f"plain ControlNet, lambda 0.5, refines {refine}", fusion=blend))
        pairs.append((f"refines {refine}", cells[-1].name, SE))
    cells.append(replace(main[SE], name="no control", controlled=False))
    for name, whole in (("plain ControlNet", main[SE]), ("ControlNet with SF", main[SF])):
        for which, words in (("refined", "left out"), ("others", "alone")):
            cells.append(replace(whole, name=f"{name}, refined residuals {words}", silenced=which))
            pairs.append((cells[-1].name, cells[-1].name, whole.name))
        pairs.append((f"{name}, all of its control", whole.name, "no control"))
    return Group("Which residuals are refined, and what they are worth", cells, pairs)


def load_generator(base: str, control: str | None, arguments: argparse.Namespace) -> HandGenerator:
    """A base with a ControlNet; with a small model's plain one if none is named."""
    device = choose_device(arguments.device)
    dtype = choose_dtype(arguments.dtype, device)
    loaded = load_base_model(base, device, dtype)
    control = control or (CONTROLS[0] if loaded.is_mini else None)
    return HandGenerator(loaded, load_controlnet(control, loaded, device, dtype), device, dtype)


def load_generators(arguments: argparse.Namespace) -> dict[str, HandGenerator]:
    """What draws: "plain" and "sf" on one base, and the models of the group se if they are named."""
    plain = load_generator(arguments.base, arguments.control_plain, arguments)
    sf = arguments.control_sf or (CONTROLS[1] if plain.base.is_mini else None)
    # A ControlNet that knows nothing of the fusion gets it in blend mode.
    control = plain.controlnet if sf is None else load_controlnet(sf, plain.base, plain.device, plain.dtype)
    generators = {"plain": plain, "sf": HandGenerator(plain.base, control, plain.device, plain.dtype)}
    if arguments.se_base:
        generators["se rambling"] = load_generator(arguments.se_base, arguments.se_control, arguments)
        generators["se clean"] = plain
        if arguments.se_clean_base:
            generators["se clean"] = load_generator(arguments.se_clean_base, arguments.se_clean_control, arguments)
    return generators


@dataclass
class Bench:
    """Everything that a measurement needs.

    Attributes:
        requests: What is asked for.
        reader: Who reads the pictures.
        published: Columns that may be printed.
        left_out: Why others are not, a line each.
        reference: Features of the pictures that FID compares with, or None.
        extractor: What they are of.
        identity: Of the readers, for the files.
    """

    requests: Requests
    reader: Readers
    published: list[str]
    left_out: list[str]
    reference: np.ndarray | None
    extractor: str
    identity: dict


def set_up(arguments: argparse.Namespace, generator: HandGenerator) -> Bench:
    """Draw what is asked for and load who reads the pictures."""
    base, readers, published, left_out = generator.base, [], [], []
    size = arguments.size or base.size
    identity, extractor, reference = {"size": size}, "", None
    if base.is_mini:
        count, bar = arguments.samples, Bar("samples")
        drawn = render_world(
            arguments.heldout, "heldout", count, size, HELD_OUT_SEED, report=lambda done: bar(done, count)
        ).rendered
        requests = Requests(drawn.source, drawn)
        judge = RequestReader(load_world_reader(arguments.judge), drawn)
        readers.append(judge)
        trusted = judge.trusted()
        published += [column for column in judge.columns if trusted[column]]
        left_out += [judge.reason(column) for column in judge.columns if not trusted[column]]
        identity["judge"] = fingerprint(arguments.judge or SHIPPED)
        extractor = f"the reader's {FEATURES} last features"
    else:
        requests = Requests(SyntheticHands("heldout", HELD_OUT_SEED, size))
        left_out.append("mask IoU, gesture and words: the reader reads pictures of the small world alone")
    if arguments.detector is not None or not base.is_mini:
        readers.append(DetectorReader(requests, arguments.detector))
        published += DETECTED
        identity["detector"] = True
    elif "mse_2d" not in published:
        left_out.append("MSE-2D by the hand detector: name its files with --detector")
    if arguments.features:
        network = load_extractor(arguments.features, generator.device)
        readers.append(FeatureReader(network))
        extractor, identity["features"] = network.name, fingerprint(arguments.features)
    if arguments.denoising:
        identity["denoising"] = True
        published.append(DENOISING)
    if arguments.photos and arguments.features:
        reference = features_of_files(network, arguments.photos, size)
        extractor += f", against {len(reference)} pictures of {arguments.photos.name}"
    elif base.is_mini:
        quick = Readers([reader for reader in readers if not isinstance(reader, DetectorReader)])
        reference = measure_pictures(requests.pictures, quick, arguments.samples, 32).features[:, 0]
        extractor += ", against the real renders"
    else:
        left_out.append("FID: name a feature extractor with --features and a folder of real pictures with --photos")
    return Bench(requests, Readers(readers), published, left_out, reference, extractor, identity)


def measure_all(arguments, generators: dict[str, HandGenerator], groups: list[Group], bench: Bench) -> dict:
    """Results of all cells by their names."""
    batch_size = arguments.batch_size or (32 if generators["plain"].base.is_mini else 4)
    prints, results, refined = {}, {}, generators["sf"].controlnet.fusion
    for group in groups:
        for cell in group.cells:
            if cell.name in results:
                continue
            generator = generators[cell.model]
            for path in (generator.base.path, generator.controlnet.path):
                prints.setdefault(path, fingerprint(path))
            count = min(arguments.samples, arguments.sweep_samples) if group.sweep else arguments.samples
            turns = min(arguments.seeds, arguments.sweep_seeds) if group.sweep else arguments.seeds
            about = {
                **bench.identity,
                "columns": list(bench.reader.columns),
                "base": prints[generator.base.path],
                "control": prints[generator.controlnet.path],
                "cell": cell.identity(),
            }
            kept = CellResults(about, count, turns, arguments.out / cell.file_name())
            results[cell.name] = measure(
                cell,
                generator,
                bench.requests,
                bench.reader,
                kept,
                batch_size,
                refined,
                Bar(cell.name),
                bench.identity.get("denoising", False),
            )
    return results


def in_common(group: Group, results: dict[str, CellResults]) -> dict[str, CellResults]:
    """The results of a group's cells over the samples and noises that all of them have."""
    shapes = [results[cell.name].done.shape for cell in group.cells]
    count, turns = (min(sizes) for sizes in zip(*shapes, strict=True))
    return {cell.name: results[cell.name].first(count, turns) for cell in group.cells}


def difference_of(found: CellResults, reference: CellResults, column: str):
    """The paired difference of two cells in a column, None if no picture has a figure in both."""
    first, second = (results.columns.get(column) for results in (found, reference))
    if first is None or second is None or not np.isfinite(first - second).any():
        return None
    return paired_difference(first, second)


def means_table(group: Group, results: dict[str, CellResults], columns: list[str], distances: dict) -> str:
    rows = []
    for cell in group.cells:
        kept = results[cell.name]
        values = [column_mean(kept, column) for column in columns]
        row = [
            cell.name,
            str(int(kept.done.sum())),
            *(f"{value:.3f}" if math.isfinite(value) else "" for value in values),
        ]
        if distances:
            found = distances[cell.name]
            spread = f" ({min(found):.4g} to {max(found):.4g})" if len(found) > 1 else ""
            row.append(f"{np.mean(found):.4g}{spread}")
        rows.append(row)
    head = ["", "pictures", *(TITLES.get(column, column) for column in columns), *(["FID"] if distances else [])]
    return markdown(head, rows)


def differences_table(group: Group, results: dict[str, CellResults], columns: list[str]) -> tuple[str, dict]:
    """The differences of a group with their intervals, as a table and as numbers."""
    rows, numbers = [], {}
    for said, name, against in group.pairs:
        row = [said]
        numbers[said] = {"cell": name, "against": against, "columns": {}}
        for column in columns:
            found = difference_of(results[name], results[against], column)
            if found is None:
                row.append("")
                continue
            numbers[said]["columns"][column] = [found.mean, found.low, found.high, found.samples]
            star = "*" if found.is_clear else ""
            row.append(f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]{star}")
        rows.append(row)
    return markdown(["difference", *(TITLES.get(column, column) for column in columns)], rows), numbers


def figures_of(cell: Cell, kept: CellResults, bench: Bench, distances: dict[str, list[float]]) -> dict:
    """What is written down of a cell."""
    means = {column: column_mean(kept, column) for column in bench.published}
    return {
        **cell.identity(),
        "samples": kept.done.shape[0],
        "seeds": kept.done.shape[1],
        "seconds_each": kept.seconds_each,
        "means": {column: value for column, value in means.items() if math.isfinite(value)},
        "fid": distances.get(cell.name),
    }


def report(arguments, generators: dict, groups: list[Group], results: dict[str, CellResults], bench: Bench) -> None:
    """Print the tables and write the figures down."""
    columns = [c for c in bench.published if arguments.all_columns or c in KEY_COLUMNS]
    start = groups[0].cells[0]
    fusion = fusion_of(generators["sf"])
    print(
        f"{generators['plain'].base.name}, ControlNets {generators['plain'].controlnet.name} and "
        f"{generators['sf'].controlnet.name} ({fusion.describe()}); {start.sampler}, {start.steps} steps, "
        f"cfg {start.guidance:g}, AE with alpha {PAPER_ALPHA:g}."
    )
    written = {"groups": {}, "left_out": bench.left_out, "features": bench.extractor}
    for group in groups:
        own = in_common(group, results)
        distances = {}
        if bench.reference is not None:
            # As many real pictures as drawn ones: the distance falls with the size of both.
            distances = {name: frechet_distances(kept, bench.reference[: len(kept.done)]) for name, kept in own.items()}
        table, _ = differences_table(group, own, columns)
        print(f"\n### {group.title}\n\n{means_table(group, own, columns, distances)}\n\n{table}")
        # All that may be published is written down, also what the printed tables leave out.
        _, numbers = differences_table(group, own, bench.published)
        written["groups"][group.title] = {
            "cells": {cell.name: figures_of(cell, own[cell.name], bench, distances) for cell in group.cells},
            "differences": numbers,
        }
    if bench.reference is not None:
        print(f"\nFID: {bench.extractor}; the mean over the seeds, and its range. Comparable within a table only.")
    if bench.left_out:
        print("\nNot published:")
        print("\n".join(f"- {reason}" for reason in bench.left_out))
    path = arguments.out / "results.json"
    path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    print(f"\n{path}")


def write_sheets(arguments, generators: dict[str, HandGenerator], groups: list[Group], bench: Bench) -> None:
    """Write a contact sheet of each group: the first samples in columns, the cells in rows, the first noise."""
    indices = range(arguments.pictures)
    heads = [f"sample {index}" for index in indices]
    for number, group in enumerate(groups, 1):
        rows = [("map", bench.requests.maps(indices, "mesh")), ("render", bench.requests.pictures(indices))]
        for cell in group.cells:
            refined = generators["sf"].controlnet.fusion
            rows.append((cell.name, draw_pictures(generators[cell.model], cell, bench.requests, indices, 0, refined)))
        labelled = [("\n".join(wrap(name, 20)), [to_pil(picture) for picture in pictures]) for name, pictures in rows]
        path = arguments.out / f"pictures_{number}.png"
        contact_sheet(labelled, heads, group.title).save(path)
        print(path)


def fusion_of(generator: HandGenerator) -> FusionSettings:
    """As the ControlNet was trained; in blend mode with the defaults for one that knows nothing of it."""
    return generator.controlnet.fusion or FusionSettings()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("ablation"), help="folder of the figures")
    parser.add_argument("--cells", default=",".join(GROUPS), help=f"which groups (default {','.join(GROUPS)})")
    parser.add_argument("--samples", type=int, default=500, help="of the table (default 500)")
    parser.add_argument("--seeds", type=int, default=3, help="noises of each sample (default 3)")
    parser.add_argument("--sweep-samples", type=int, default=200, help="of the other groups (default 200)")
    parser.add_argument("--sweep-seeds", type=int, default=1, help="(default 1)")
    parser.add_argument("--steps", type=int, help="of the sampler (small model 12, others 24)")
    parser.add_argument("--guidance", type=float, help="cfg (small model 3, others 7)")
    parser.add_argument("--sampler", help="ddim, euler, dpm++, 'dpm++ karras' (default ddim)")
    parser.add_argument("--batch-size", type=int, help="pictures drawn at a time (small model 32, others 4)")
    parser.add_argument("--pictures", type=int, default=0, help="also draw so many samples of each cell on a sheet")
    parser.add_argument(
        "--denoising", action="store_true", help="also the denoising loss on the held-out pictures, five noises each"
    )
    parser.add_argument("--all-columns", action="store_true", help="print every column that may be published")
    model = parser.add_argument_group("models")
    model.add_argument("--base", default=EMBEDDED, help="a diffusers folder or .safetensors (default: the small model)")
    model.add_argument("--control-plain", help="its ControlNet (small model: plain)")
    model.add_argument(
        "--control-sf", help="one trained with structural fusion (small model: sf; others: the plain one)"
    )
    model.add_argument("--size", type=int, help="of the pictures, pixels (default: what the base was trained on)")
    model.add_argument("--device", default="auto")
    model.add_argument("--dtype", default="auto", help="auto, float32, float16, bfloat16")
    model.add_argument("--se-base", help="a base trained on rambling captions alone")
    model.add_argument("--se-control", help="its ControlNet (small model: plain)")
    model.add_argument("--se-clean-base", help="a base trained alike on clean prompts (default: --base)")
    model.add_argument("--se-clean-control", help="its ControlNet (small model: plain)")
    readers = parser.add_argument_group("who reads the pictures")
    readers.add_argument("--heldout", type=Path, default=Path("heldout_128"), help="folder of drawn held-out samples")
    readers.add_argument("--judge", type=Path, help="the reader's file (default: the one that comes with the package)")
    readers.add_argument("--detector", type=Path, help="folder of the hand detector's files, to read with it too")
    readers.add_argument("--features", type=Path, help="folder of a vision network of transformers, for FID")
    readers.add_argument("--photos", type=Path, help="folder of real pictures, for FID")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    names = [name.strip() for name in arguments.cells.split(",") if name.strip()]
    unknown = [name for name in names if name not in GROUPS]
    if unknown or not names:
        raise SesaHandError(f"There are no cells {', '.join(unknown) or 'named'}; choose from {', '.join(GROUPS)}.")
    generators = load_generators(arguments)
    defaults = generators["plain"].default_settings()
    start = Cell(
        "start",
        steps=arguments.steps or defaults.steps,
        guidance=defaults.guidance if arguments.guidance is None else arguments.guidance,
        sampler=arguments.sampler or defaults.sampler,
    )
    # The table first: what the sweeps have in common with it is drawn once.
    groups = make_groups(
        start, fusion_of(generators["sf"]), [name for name in GROUPS if name in names], "se rambling" in generators
    )
    if not groups:
        raise SesaHandError("The group se needs --se-base, a model that was trained on rambling captions alone.")
    bench = set_up(arguments, generators["plain"])
    arguments.out.mkdir(parents=True, exist_ok=True)
    report(arguments, generators, groups, measure_all(arguments, generators, groups, bench), bench)
    if arguments.pictures:
        write_sheets(arguments, generators, groups, bench)


if __name__ == "__main__":
    try:
        main()
    except SesaHandError as error:
        sys.exit(f"{error}")
