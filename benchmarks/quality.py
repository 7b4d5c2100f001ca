"""How well the small model draws what it is asked for, on held-out samples of its world.

    python benchmarks/quality.py --heldout FOLDER [--model FILE] [--judge FILE] [--samples 300] [--out FOLDER]

Every row has the same samples, with the same noise. "ceiling" is what the autoencoder leaves of the real renders: no
model on its latents can be read better; shares of it stand in brackets. A column is published if the reader reads it
well enough on real renders; the others are named. Where the renders are missing, they are drawn into the folder first.

The second table is the probe of the residuals that structural fusion refines: which part of the ControlNet's effect is
left without them, and with them alone. Effects are measured from the row without control.

With --out the figures of each row are kept there, and an interrupted run goes on.
"""

import argparse
import json
import math
import platform
import statistics
import sys
import time
from pathlib import Path

import torch

from sesahand.commands.progress import Bar
from sesahand.errors import SesaHandError
from sesahand.evaluation.cells import Cell
from sesahand.evaluation.drawing import draw_pictures, through_autoencoder
from sesahand.evaluation.measuring import (
    column_mean,
    fingerprint,
    frechet_distances,
    markdown,
    measure,
    measure_pictures,
)
from sesahand.evaluation.reader.network import FEATURES, SHIPPED, load_world_reader
from sesahand.evaluation.readings import SMALLER_IS_BETTER, TITLES, RequestReader
from sesahand.evaluation.requests import Requests
from sesahand.evaluation.results import CellResults
from sesahand.fusion.settings import FusionSettings
from sesahand.generate.pipeline import MINI_GUIDANCE, MINI_STEPS, HandGenerator
from sesahand.generate.sampling import SamplingSettings
from sesahand.models.controlnets import load_controlnet
from sesahand.models.small.embedded import EMBEDDED
from sesahand.training.samples import render_world
from sesahand.world.synthetic import HELD_OUT_SEED

# The attention bias that generating has by default, which is the paper's.
ALPHA = SamplingSettings().alpha
REAL, CEILING, UNCONTROLLED = "real renders", "through the autoencoder (ceiling)", "no control"
# What the model is aimed at: shares of the ceiling, or shares of pictures.
AIMS = {"mask_iou": "92 % of ceiling", "gesture": "0.80", "background": "0.85", "skin": "0.80"}
# Columns of the probe: what the ControlNet decides.
SHAPE = ("mask_iou", "silhouette_iou", "gesture", "direction", "side", "view")


def make_cells(arguments: argparse.Namespace, fusion: FusionSettings | None) -> tuple[list[Cell], list[Cell]]:
    """The rows of the table, and those of the probe alone."""
    common = {"steps": arguments.steps, "sampler": arguments.sampler}
    default = {**common, "guidance": arguments.guidance}
    rows = [
        Cell(f"sf control, cfg {cfg:g}", "sf", fusion=fusion, guidance=cfg, **common)
        for cfg in sorted({1.0, 2.0, 3.0, arguments.guidance})
    ]
    rows.append(Cell(f"sf control and AE, cfg {arguments.guidance:g}", "sf", fusion=fusion, alpha=ALPHA, **default))
    rows.append(Cell(f"plain control, cfg {arguments.guidance:g}", "plain", **default))
    rows.append(Cell(f"{UNCONTROLLED}, cfg {arguments.guidance:g}", "plain", controlled=False, **default))
    probes = [
        Cell(f"{model} control, refined residuals {'left out' if which == 'refined' else 'alone'}", model,
             fusion=fusion if model == "sf" else None, silenced=which, **default)
        for model in ("sf", "plain") for which in ("refined", "others")
    ]  # fmt: skip
    return rows, [] if arguments.no_probe else probes


def seconds_alone(generator: HandGenerator, cell: Cell, requests: Requests, count: int) -> float:
    """Median time of one picture drawn alone, after one that is not counted."""
    times = []
    for index in range(count + 1):
        began = time.perf_counter()
        draw_pictures(generator, cell, requests, [index % len(requests.rendered)])
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def shown(value: float, ceiling: float | None = None) -> str:
    """A figure with its share of the ceiling."""
    if not math.isfinite(value):
        return ""
    share = f" ({value / ceiling:.0%})" if ceiling and math.isfinite(ceiling) else ""
    return f"{value:.3f}{share}"


def quality_table(figures: dict[str, dict[str, float]], columns: list[str]) -> str:
    """Rows are cells, columns readings; shares of the ceiling where more is better."""
    rows = []
    for name, values in figures.items():
        whole = {} if name in (REAL, CEILING) else figures[CEILING]
        ceiling = {column: value for column, value in whole.items() if column not in SMALLER_IS_BETTER}
        rows.append([name, *(shown(values.get(column, math.nan), ceiling.get(column)) for column in columns)])
    if any(column in AIMS for column in columns):
        rows.append(["aimed at", *(AIMS.get(column, "") for column in columns)])
    return markdown(["", *(TITLES.get(column, column) for column in columns)], rows)


def probe_table(figures: dict[str, dict[str, float]], probes: list[Cell], whole: dict[str, str], columns) -> str:
    """Which share of the ControlNet's effect is left in each probe."""
    nothing = next(values for name, values in figures.items() if name.startswith(UNCONTROLLED))
    rows = []
    for cell in probes:
        row = [cell.name]
        for column in columns:
            effect = figures[whole[cell.model]][column] - nothing[column]
            left = figures[cell.name][column] - nothing[column]
            # Of an effect of nothing there are no shares.
            share = f"{left / effect:.0%} of {effect:+.3f}" if abs(effect) > 0.02 else f"no effect ({effect:+.3f})"
            row.append(share)
        rows.append(row)
    return markdown(["part of the control's effect that is left", *(TITLES.get(c, c) for c in columns)], rows)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heldout", type=Path, default=Path("heldout_128"), help="folder of drawn held-out samples")
    parser.add_argument("--model", default=EMBEDDED, help="the small model's file, its ControlNets beside it")
    parser.add_argument("--judge", type=Path, help="the judge's file (default: the one that comes with the package)")
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--steps", type=int, default=MINI_STEPS)
    parser.add_argument("--guidance", type=float, default=MINI_GUIDANCE, help="cfg of rows that name no other")
    parser.add_argument("--sampler", default="ddim")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--timed", type=int, default=5, help="pictures that are timed alone; 0 for none")
    parser.add_argument("--rows", nargs="+", metavar="TEXT", help="only rows whose name holds one of these; no probe")
    parser.add_argument("--no-probe", action="store_true", help="leave the residuals' probe out")
    parser.add_argument("--show-untrusted", action="store_true", help="also print what must not be published")
    parser.add_argument("--out", type=Path, help="folder for results.json, and what a later run goes on from")
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    judge = load_world_reader(arguments.judge)
    generator = HandGenerator.load(arguments.model, "sf", arguments.device)
    if not generator.base.is_mini:
        raise SesaHandError(f"{generator.base.name} is no small model; benchmarks/ablation.py measures others.")
    plain = load_controlnet("plain", generator.base, generator.device, generator.dtype)
    generators = {
        "sf": generator,
        "plain": HandGenerator(generator.base, plain, generator.device, generator.dtype),
    }
    fusion = generator.controlnet.fusion
    count, size = arguments.samples, generator.base.size
    bar = Bar("samples")
    drawn = render_world(
        arguments.heldout, "heldout", count, size, HELD_OUT_SEED, report=lambda done: bar(done, count)
    ).rendered
    requests, reader = Requests(drawn.source, drawn), RequestReader(judge, drawn)

    rows, probes = make_cells(arguments, fusion)
    if arguments.rows:
        rows = [cell for cell in rows if any(text in cell.name for text in arguments.rows)]
        probes = []
    weights = {
        "base": fingerprint(generator.base.path),
        **{name: fingerprint(each.controlnet.path) for name, each in generators.items()},
        "judge": fingerprint(arguments.judge or SHIPPED),
        "size": size,
        "columns": list(reader.columns),
        "refined": fusion.refine if fusion else FusionSettings().refine,
    }
    results = {
        REAL: measure_pictures(requests.pictures, reader, count, arguments.batch_size),
        CEILING: measure_pictures(
            lambda indices: through_autoencoder(generator.base.autoencoder, requests.pictures(indices)),
            reader, count, arguments.batch_size,
        ),
    }  # fmt: skip
    for cell in [*rows, *probes]:
        path = arguments.out / cell.file_name() if arguments.out else None
        kept = CellResults({**weights, "cell": cell.identity()}, count, 1, path)
        results[cell.name] = measure(
            cell, generators[cell.model], requests, reader, kept, arguments.batch_size, fusion, Bar(cell.name)
        )
    reference = results[REAL].features[:, 0]
    figures = {
        name: {column: column_mean(each, column) for column in reader.columns}
        # Of a set to itself there is no distance to speak of.
        | ({"fid": frechet_distances(each, reference)[0]} if name != REAL else {})
        for name, each in results.items()
    }
    timed = [cell for cell in rows if arguments.timed and cell.controlled and cell.guidance == arguments.guidance]
    alone = {cell.name: seconds_alone(generators[cell.model], cell, requests, arguments.timed) for cell in timed}
    together = {cell.name: results[cell.name].seconds_each for cell in rows}
    report(arguments, reader, figures, probes, alone, together, generator)


def report(arguments, reader: RequestReader, figures, probes, alone, together, generator: HandGenerator) -> None:
    """Print the tables and write them down."""
    trusted = reader.trusted()
    published = [column for column in reader.columns if trusted[column]]
    untrusted = [column for column in reader.columns if not trusted[column]]
    where = f"{platform.machine()}, {torch.get_num_threads()} threads, {generator.device}"
    probed = {cell.name for cell in probes}
    print(
        f"{arguments.samples} held-out samples, {arguments.sampler}, {arguments.steps} steps, one noise each, "
        f"{generator.base.size} px. Shares of pictures that the judge reads as asked for, in brackets of the "
        "ceiling's.\n"
    )
    print(quality_table({n: v for n, v in figures.items() if n not in probed}, [*published, "fid"]))
    print(
        f"\nThe standard error of a share of 0.8 is {math.sqrt(0.8 * 0.2 / arguments.samples):.3f}. FID is against the "
        f"real renders, with the judge's {FEATURES} last features: comparable within this table only."
    )
    if untrusted:
        print("\nNot published, since the judge misses its bar there:")
        print("\n".join(f"- {reader.reason(column)}" for column in untrusted))
    whole = {
        model: name for model in ("sf", "plain") for name in figures
        if name == f"{model} control, cfg {arguments.guidance:g}"
    }  # fmt: skip
    shape = [column for column in SHAPE if column in published]
    if probes:
        print("\n" + probe_table(figures, probes, whole, shape))
    if arguments.show_untrusted and untrusted:
        print("\nFor the eyes of whoever trains only, not for publication:\n")
        print(quality_table(figures, untrusted))
        if probes:
            print("\n" + probe_table(figures, probes, whole, [c for c in SHAPE if c in untrusted]))
    for name, seconds in together.items():
        one = f", {alone[name]:.2f} s alone" if name in alone else ""
        print(f"\n{name}: {seconds:.2f} s a picture in batches of {arguments.batch_size}{one}", end="")
    print(f"\n({where})")
    if arguments.out:
        written = {
            "samples": arguments.samples, "steps": arguments.steps, "sampler": arguments.sampler,
            "guidance": arguments.guidance, "where": where, "published": published,
            "not_published": {column: reader.reason(column) for column in untrusted},
            "figures": {name: {k: v if math.isfinite(v) else None for k, v in values.items()}
                        for name, values in figures.items()},
            "seconds_alone": alone, "seconds_in_batches": together,
        }  # fmt: skip
        arguments.out.mkdir(parents=True, exist_ok=True)
        path = arguments.out / "results.json"
        path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    try:
        main()
    except SesaHandError as error:
        sys.exit(f"{error}")
