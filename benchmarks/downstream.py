"""Whether generated pairs make hand reconstruction better: the paper's claim, measured in the rendered world.

    python benchmarks/downstream.py [--out FOLDER] [--pairs 500] [--trainings 5] [--workers 2] [--quick]

A small network learns to reconstruct hands from a game engine's pictures and, half of the time, from pairs that are
added: the same number of pictures of the same hands in each row, made in another way. It is then tried on held-out
pictures of the rendered world, which stands in for the real one. Held fixed over the rows are the engine's pictures,
the added hands, the network, its first weights, steps, augmentation and losses. Rows:

  engine              nothing is added
  same meshes         the added hands in the engine's style: more hands alone are not what helps
  no ControlNet       generated from the prompt alone: the picture does not show the hand that it is a pair with
  none                generated from rambling captions with the plain ControlNet
  +SE, +SE +SF, +SE +SF +AE
  filtered            of the last, the pairs that score at least --minimum-score
  random              as many of the last, whatever they score
  true of filtered    rendered pictures of the filtered hands: is it the pictures that are better, or the hands?
  true                the rendered pictures themselves: the ceiling

The generator has seen none of the hands and captions that are asked for, and no one has seen the held-out ones. Errors
are in millimetres, in crops around the true keypoints and around what the hand detector finds. Intervals of 95 % are
from resampling hands and trainings at once; an asterisk marks those on one side of zero.

Pictures, scores and trainings are kept in --out, and the same command goes on where it was stopped. The default table
takes some 70 minutes of processor time, half of that on two free cores; what each stage cost is printed. --quick is a
version of two minutes, which shows no more than that pairs that do not show their hand harm.
"""

import argparse
import json
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from sesahand.commands.progress import Bar
from sesahand.errors import SesaHandError
from sesahand.evaluation.cells import Cell
from sesahand.evaluation.drawing import draw_pictures
from sesahand.evaluation.measuring import fingerprint, markdown
from sesahand.evaluation.requests import Requests
from sesahand.files.arrays import read_npz
from sesahand.files.writing import write_whole, write_with
from sesahand.generate.pipeline import HandGenerator
from sesahand.hands.loading import load_hand_model
from sesahand.metrics.joint_errors import mpjpe, mpvpe, pa_mpjpe
from sesahand.metrics.paired_bootstrap import Difference, crossed_difference
from sesahand.models.small.embedded import EMBEDDED
from sesahand.reconstruct.detection.detector import load_detector
from sesahand.reconstruct.learned.checkpoints import load_network
from sesahand.reconstruct.learned.hand_crops import crop_square, crop_squares, normalise_crops
from sesahand.reconstruct.scoring.picture_scorer import PictureScorer
from sesahand.training.config import RECONSTRUCTOR_STEPS, ReconstructorConfig
from sesahand.training.hand_crops import PictureHands, TrueHand, as_picture, hands_of_scene
from sesahand.training.hand_task import pose_right
from sesahand.training.reconstructor import predict_crops, train_reconstructor
from sesahand.training.reconstructor_settings import Backbone, HandData, HandSource
from sesahand.training.samples import VERBOSE, render_world
from sesahand.world.cache import SampleCache, open_samples
from sesahand.world.engines import ENGINES
from sesahand.world.synthetic import HELD_OUT_SEED

# Of the training split, which the shipped model was trained on with seed 0: other hands, captions and grounds.
REQUEST_SEED = 21
SIZE, BATCH = 128, 32
CHUNK, AT_A_TIME = 50, 25
LARGER, LEAST_SURE = 3, 0.2
NOTHING, SAME, UNCONTROLLED, NONE, SE, SF, AE = (
    "engine", "same meshes", "no ControlNet", "none", "+SE", "+SE +SF", "+SE +SF +AE"
)  # fmt: skip
FILTERED, RANDOM, TRUE_FILTERED, TRUE = "filtered", "random", "true of filtered", "true"
ROWS = (NOTHING, SAME, UNCONTROLLED, NONE, SE, SF, AE, FILTERED, RANDOM, TRUE_FILTERED, TRUE)
SCORED = {FILTERED, RANDOM, TRUE_FILTERED}
GENERATED = (UNCONTROLLED, NONE, SE, SF, AE)
FIGURES = ("MPJPE", "PA-MPJPE", "MPVPE")
TRUE_BOXES, FOUND_BOXES = "true boxes", "found boxes"
# What the table says of pairs of rows: what it is called, and the two rows.
COMPARED = (
    ("engine style, the same meshes", SAME, NOTHING),
    ("without ControlNet", UNCONTROLLED, NOTHING),
    ("SE", SE, NONE),
    ("SF", SF, SE),
    ("AE", AE, SF),
    ("all three", AE, NONE),
    ("pairs of all three", AE, NOTHING),
    ("filtering, against as many at random", FILTERED, RANDOM),
    ("filtering, against all", FILTERED, AE),
    ("true pictures of the filtered hands, against all true ones", TRUE_FILTERED, TRUE),
    ("true pictures of the filtered hands, against generated ones", TRUE_FILTERED, FILTERED),
    ("true pictures", TRUE, NOTHING),
    ("what is left to true pictures", TRUE, AE),
    ("true pictures, against those without ControlNet", TRUE, UNCONTROLLED),
)


@dataclass(frozen=True)
class Plan:
    """Everything that a figure depends on but the rows, their number of pairs, and the trainings.

    Attributes:
        engine_pictures: Requests that the engine draws; those after them are added.
        test: Held-out samples.
        steps: Of a training.
        sampler_steps: Of the generator.
        minimum_score: Of the row "filtered".
        base: Fingerprint of the generator's files.
        crop: Width and height of what the network sees, pixels.
    """

    engine_pictures: int = 1000
    test: int = 400
    steps: int = 500
    sampler_steps: int = 12
    minimum_score: float = 0.5
    base: str = ""
    crop: int = 64


@dataclass(frozen=True)
class Place:
    """Where everything is kept.

    Attributes:
        root: The folder.
        plan: What it is of.
    """

    root: Path
    plan: Plan

    @property
    def requests(self) -> Path:
        return self.root / f"requests_{SIZE}"

    @property
    def heldout(self) -> Path:
        return self.root / f"heldout_{SIZE}"

    def chunk(self, kind: str, first: int) -> Path:
        """The file of the pictures or scores of a kind from request `first` on."""
        return self.root / kind.replace(" ", "_").replace("+", "") / f"{first:06d}.npz"

    def training(self, job: "Job", seed: int) -> Path:
        names = (job.engine, job.row.replace(" ", "_").replace("+", ""), str(job.pairs), str(seed))
        return self.root / "trainings" / "-".join(names)


@dataclass(frozen=True)
class Job:
    """The trainings of a cell of the table: an engine, a row, and how many pairs are added."""

    engine: str
    row: str
    pairs: int


def cells(plan: Plan) -> dict[str, Cell]:
    """How the generated rows are made: the paper's ablation, on the small model."""
    start = Cell("", steps=plan.sampler_steps)
    return {
        UNCONTROLLED: replace(start, name=UNCONTROLLED, model="plain", controlled=False),
        NONE: replace(start, name=NONE, model="plain", words=VERBOSE),
        SE: replace(start, name=SE, model="plain"),
        SF: replace(start, name=SF),
        AE: replace(start, name=AE, alpha=2.0),
    }


# --- What is there: requests, true hands, pictures, scores -----------------------------------------------------------


@lru_cache(1)
def opened(path: Path) -> SampleCache:
    return open_samples(path)


def save_arrays(path: Path, **arrays: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_with(path, lambda file: np.savez(file, **arrays))


def work_out_hands(rendered: Path, path: Path, count: int) -> None:
    """Write down the hands of the first samples of a cache."""
    samples, bar = open_samples(rendered), Bar(path.stem)
    rows: dict[str, list] = {name: [] for name in ("number", "left", "seen", "points", "rotations", "betas")}
    for number in range(count):
        for hand in hands_of_scene(samples.source.stage(number)[2].scene):
            values = (number, hand.side == "left", hand.keypoints_2d, hand.keypoints_3d, hand.rotations, hand.betas)
            for name, value in zip(rows, values, strict=True):
                rows[name].append(np.asarray(value))
        bar(number + 1, count)
    save_arrays(path, count=np.array(count), **{name: np.stack(values) for name, values in rows.items()})


@lru_cache(2)
def true_hands(path: Path) -> list[list[TrueHand]]:
    """The hands of each sample, from the file of `work_out_hands`."""
    stored = read_npz(path, 1 << 30)
    hands: list[list[TrueHand]] = [[] for _ in range(int(stored["count"]))]
    columns = [torch.from_numpy(np.array(stored[name])) for name in ("seen", "points", "rotations", "betas")]
    for number, left, *values in zip(stored["number"], stored["left"], *columns, strict=True):
        hands[int(number)].append(TrueHand("left" if left else "right", *values))
    return hands


def engine_chunk(place: Place, engine: str, first: int) -> None:
    """Draw the engine's pictures of a stretch of requests."""
    samples = opened(place.requests)
    pictures = []
    for number in range(first, min(first + CHUNK, len(samples))):
        rng = np.random.default_rng([number, *engine.encode()])
        pictures.append(ENGINES[engine](samples.source.stage(number)[2].scene, samples.conditions[number], rng))
    save_arrays(place.chunk(engine, first), pictures=np.stack(pictures))


@lru_cache(1)
def generators() -> dict[str, HandGenerator]:
    return {name: HandGenerator.load(EMBEDDED, name, dtype="bfloat16") for name in ("plain", "sf")}


def generated_chunk(place: Place, row: str, first: int) -> None:
    """Generate the pictures of a stretch of requests."""
    samples = opened(place.requests)
    cell, last = cells(place.plan)[row], min(first + CHUNK, len(samples))
    generator = generators()[cell.model]
    if cell.model == "sf":
        cell = replace(cell, fusion=generator.controlnet.fusion)
    requests, pictures = Requests(samples.source, samples), []
    for start in range(first, last, AT_A_TIME):
        drawn = draw_pictures(generator, cell, requests, range(start, min(start + AT_A_TIME, last)))
        pictures.append((drawn.clamp(0, 1) * 255).round().byte().numpy())
    save_arrays(place.chunk(row, first), pictures=np.concatenate(pictures))


@lru_cache(1)
def scorer() -> PictureScorer:
    return PictureScorer()


def scored_chunk(place: Place, first: int) -> None:
    """Score a stretch of the pairs that all three alignments made, as `generate --pairs` does."""
    source = opened(place.requests).source
    pictures = read_npz(place.chunk(AE, first))["pictures"]
    scores = [
        scorer()(as_picture(picture), source.stage(first + n)[2].scene).score for n, picture in enumerate(pictures)
    ]
    save_arrays(place.chunk("scores", first), scores=np.array(scores, np.float32))


def kept_pictures(place: Place, kind: str, first: int, count: int) -> np.ndarray:
    """Pictures `[count, S, S, 3]`, uint8, of the requests from `first` on."""
    if kind == TRUE:
        return opened(place.requests).pictures[first : first + count]
    starts = range(first - first % CHUNK, first + count, CHUNK)
    pictures = np.concatenate([read_npz(place.chunk(kind, start))["pictures"] for start in starts])
    return pictures[first % CHUNK :][:count]


def chosen_requests(place: Place, row: str, first: int, count: int) -> np.ndarray:
    """Numbers from 0 on of the added pairs that a row learns from."""
    if row not in SCORED:
        return np.arange(count)
    starts = range(first - first % CHUNK, first + count, CHUNK)
    scores = np.concatenate([read_npz(place.chunk("scores", start))["scores"] for start in starts])
    scores = scores[first % CHUNK :][:count]
    kept = np.flatnonzero(scores >= place.plan.minimum_score)
    return kept if row != RANDOM else np.sort(np.random.default_rng(count).permutation(count)[: len(kept)])


# --- Trainings -------------------------------------------------------------------------------------------------------


def crops_of(place: Place, kind: str, first: int, numbers: np.ndarray) -> PictureHands:
    """The hands of some pictures as a training takes them."""
    pictures = kept_pictures(place, kind, first, int(numbers.max(initial=0)) + 1)
    hands = true_hands(place.root / "requests.npz")[first : first + len(pictures)]
    places = [(int(number), hand) for number in numbers for hand in range(len(hands[number]))]
    return PictureHands(hands.__getitem__, lambda number: as_picture(pictures[number]), places, place.plan.crop)


@lru_cache(1)
def engine_crops(place: Place, engine: str) -> PictureHands:
    return crops_of(place, engine, 0, np.arange(place.plan.engine_pictures))


def added_crops(place: Place, job: Job) -> PictureHands:
    first = place.plan.engine_pictures
    kind = {SAME: job.engine, FILTERED: AE, RANDOM: AE, TRUE_FILTERED: TRUE}.get(job.row, job.row)
    return crops_of(place, kind, first, chosen_requests(place, job.row, first, job.pairs))


def train_job(place: Place, job: Job, seeds: list[int]) -> None:
    """Train and measure what is missing of a cell."""
    torch.set_num_threads(1)
    sets = {"engine": engine_crops(place, job.engine)}
    if job.row != NOTHING:
        sets["added"] = added_crops(place, job)
    for seed in seeds:
        folder = place.training(job, seed)
        config = ReconstructorConfig(
            out=str(folder),
            seed=seed,
            checkpoint_every=10**6,
            log_every=max(1, place.plan.steps // 10),
            data=HandData(tuple(HandSource(name) for name in sets)),
            backbone=Backbone(size=place.plan.crop),
            training=replace(
                RECONSTRUCTOR_STEPS, steps=place.plan.steps, warmup=place.plan.steps // 10, batch_size=BATCH
            ),
        )
        _, path = train_reconstructor(config, open_set=lambda source, *rest: sets[source.path])
        figures = measure(place, path)
        for checkpoint in folder.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
        save_arrays(folder / "figures.npz", pictures=np.array(len(sets.get("added", ()))), **figures)


# --- Trying them on held-out pictures --------------------------------------------------------------------------------


def find_boxes(place: Place) -> None:
    """Let the hand detector look for the held-out hands, and write down which it found, where, and of which side."""
    samples, detector, bar = opened(place.heldout), load_detector(), Bar("found boxes")
    hands = true_hands(place.root / "heldout.npz")
    rows = []
    for number, picture in enumerate(samples.pictures[: place.plan.test]):
        large = torch.nn.functional.interpolate(
            as_picture(picture).movedim(-1, 0)[None], scale_factor=LARGER, mode="bicubic"
        )
        found = detector(large[0].movedim(0, -1)[None].clamp(0, 1), LEAST_SURE, quick=True)
        boxes = found.box.double().numpy() / LARGER
        for hand in hands[number]:
            true = hand.box.double().numpy()
            shares = [overlap(box, true) for box in boxes]
            best = int(np.argmax(shares)) if shares and max(shares) > 0.3 else None
            rows.append([np.nan] * 5 if best is None else [*boxes[best], found.side[best] == "left"])
        bar(number + 1, place.plan.test)
    save_arrays(place.root / "found_boxes.npz", boxes=np.array(rows))


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Area that two boxes x0, y0, x1, y1 share, as a part of what both cover."""
    shared = np.prod(np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None))
    return float(shared / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - shared))


@lru_cache(2)
def test_crops(place: Place, boxes: str) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Crops `[K, 3, S, S]` of the held-out hands that have boxes, whether each is taken for a left one, and which."""
    hands = [hand for own in true_hands(place.root / "heldout.npz") for hand in own]
    numbers = [number for number, own in enumerate(true_hands(place.root / "heldout.npz")) for _ in own]
    given = torch.stack([hand.box for hand in hands]).double()
    left = torch.tensor([hand.side == "left" for hand in hands])
    if boxes == FOUND_BOXES:
        found = torch.from_numpy(read_npz(place.root / "found_boxes.npz")["boxes"].copy())
        given, left = found[:, :4], found[:, 4] > 0.5
    rows = given.isfinite().all(1).nonzero()[:, 0].numpy()
    centres, sides = crop_squares(given[rows])
    pictures = opened(place.heldout).pictures
    crops = [
        crop_square(as_picture(pictures[numbers[row]]), tuple(centre), side, bool(left[row]), place.plan.crop)
        for row, centre, side in zip(rows, centres.tolist(), sides.tolist(), strict=True)
    ]
    return normalise_crops(torch.stack(crops)), left[rows], rows


@torch.no_grad()
def measure(place: Place, path: Path) -> dict[str, np.ndarray]:
    """Errors of every held-out hand, millimetres, NaN where no box was found; by boxes and figure."""
    hand, network = load_hand_model(), load_network(path)
    truth = [each for own in true_hands(place.root / "heldout.npz") for each in own]
    answers = {}
    for boxes in (TRUE_BOXES, *((FOUND_BOXES,) if (place.root / "found_boxes.npz").exists() else ())):
        crops, left, rows = test_crops(place, boxes)
        found = predict_crops(network, hand, crops)
        vertices, keypoints = pose_right(hand, found.rotations, found.betas)
        flip = torch.where(left, -1.0, 1.0)[:, None, None] * torch.tensor([1.0, 0, 0]) + torch.tensor([0, 1.0, 1])
        wanted = torch.stack([truth[row].keypoints_3d for row in rows])
        surface = posed_vertices([truth[row] for row in rows])
        vertices, keypoints = vertices * flip, keypoints * flip
        figures = {
            "MPJPE": mpjpe(keypoints, wanted),
            "PA-MPJPE": pa_mpjpe(keypoints.double(), wanted.double()),
            "MPVPE": mpvpe(vertices, surface, keypoints[:, 0], wanted[:, 0]),
        }
        for name, values in figures.items():
            column = np.full(len(truth), np.nan)
            column[rows] = values.numpy()
            answers[f"{boxes}, {name}"] = column
    return answers


def posed_vertices(hands: list[TrueHand]) -> torch.Tensor:
    """Vertices `[N, V, 3]` of true hands where they are, metres."""
    model = load_hand_model()
    rotations, betas = torch.stack([hand.rotations for hand in hands]), torch.stack([hand.betas for hand in hands])
    right = torch.tensor([hand.side == "right" for hand in hands])
    posed = model(rotations[:, 0], rotations[:, 1:], betas, torch.zeros(len(hands), 3), right)
    wrists = torch.stack([hand.keypoints_3d[0] for hand in hands])
    return posed.vertices + (wrists - posed.keypoints[:, 0])[:, None]


# --- The table -------------------------------------------------------------------------------------------------------


def figures_of(place: Place, job: Job, seeds: list[int]) -> dict[str, np.ndarray]:
    """Errors `[hands, trainings]` by boxes and figure, and how many crops were added."""
    each = [read_npz(place.training(job, seed) / "figures.npz") for seed in seeds]
    return {name: np.stack([np.array(one[name]) for one in each], -1) for name in each[0]}


def difference(found: np.ndarray, reference: np.ndarray) -> Difference | None:
    """Difference over the hands that have figures in both; none for a single training."""
    known = np.isfinite(found).all(1) & np.isfinite(reference).all(1)
    return crossed_difference(found[known], reference[known]) if found.shape[1] > 1 and known.any() else None


def written(change: Difference | None) -> str:
    if change is None:
        return ""
    return f"{change.mean:+.1f} [{change.low:+.1f}, {change.high:+.1f}]{'*' if change.is_clear else ''}"


def report(place: Place, engines: list[str], rows: list[str], counts: list[int], seeds: list[int]) -> dict:
    """Print a table for each engine and number of pairs, and return everything as numbers."""
    numbers: dict = {}
    for engine in engines:
        for count in counts:
            found = {row: figures_of(place, job_of(engine, row, count), seeds) for row in rows}
            print(f"\n### Engine {engine!r}, {count} pairs\n\n{means_table(found)}\n\n{changes_table(found)}")
            numbers[f"{engine}, {count} pairs"] = {
                "means": {row: means_of(values) for row, values in found.items()},
                "changes": {said: changes_of(found, one, other) for said, one, other in COMPARED},
            }
    return numbers


def columns_of(values: dict[str, np.ndarray]) -> list[str]:
    return [name for name in values if name != "pictures"]


def means_of(values: dict[str, np.ndarray]) -> dict[str, float]:
    return {name: float(np.nanmean(values[name])) for name in columns_of(values)}


def changes_of(found: dict, one: str, other: str) -> dict[str, list[float]]:
    if one not in found or other not in found:
        return {}
    changes = {name: difference(found[one][name], found[other][name]) for name in columns_of(found[one])}
    return {name: [each.mean, each.low, each.high] for name, each in changes.items() if each is not None}


def means_table(found: dict) -> str:
    """A line for each row: how many hands are added, the means, and the change against the first row."""
    main, base, lines = f"{TRUE_BOXES}, MPJPE", next(iter(found.values())), []
    for row, values in found.items():
        change = "" if values is base else written(difference(values[main], base[main]))
        means = means_of(values)
        lines.append([row, f"{int(values['pictures'][0])}", f"{means.pop(main):.1f}", change,
                      *(f"{mean:.1f}" for mean in means.values())])  # fmt: skip
    others = [name for name in columns_of(base) if name != main]
    return markdown(["added to the engine's pictures", "hands", main, "change", *others], lines)


def changes_table(found: dict) -> str:
    names = columns_of(next(iter(found.values())))
    lines = [
        [said, *(written(difference(found[one][name], found[other][name])) for name in names)]
        for said, one, other in COMPARED
        if one in found and other in found
    ]
    return markdown(["change, mm", *names], lines)


# --- Doing it --------------------------------------------------------------------------------------------------------


def job_of(engine: str, row: str, count: int) -> Job:
    """The cell of a row; without added pairs it is one for all numbers of them."""
    return Job(engine, row, 0 if row == NOTHING else count)


def jobs_of(engines: list[str], rows: list[str], counts: list[int]) -> list[Job]:
    return list(dict.fromkeys(job_of(engine, row, n) for n in counts for engine in engines for row in rows))


def tasks_before(place: Place, engines: list[str], rows: list[str], count: int) -> Iterator[tuple[Callable, tuple]]:
    """What is missing of the pictures: functions with what they are given."""
    first = place.plan.engine_pictures
    added = range(first - first % CHUNK, first + count, CHUNK)
    for engine in engines:
        for start in range(0, (first + count) if SAME in rows else first, CHUNK):
            if not place.chunk(engine, start).exists():
                yield engine_chunk, (place, engine, start)
    needed = [row for row in GENERATED if row in rows or row == AE and SCORED & set(rows)]
    for start in added:
        for row in needed:
            if not place.chunk(row, start).exists():
                yield generated_chunk, (place, row, start)


def tasks_of_scores(place: Place, rows: list[str], count: int) -> Iterator[tuple[Callable, tuple]]:
    first = place.plan.engine_pictures
    for start in range(first - first % CHUNK, first + count, CHUNK):
        if SCORED & set(rows) and not place.chunk("scores", start).exists():
            yield scored_chunk, (place, start)


def tasks_of_trainings(place: Place, jobs: list[Job], seeds: list[int]) -> Iterator[tuple[Callable, tuple]]:
    for job in jobs:
        missing = [seed for seed in seeds if not (place.training(job, seed) / "figures.npz").exists()]
        if missing:
            yield train_job, (place, job, missing)


def call(task: tuple[Callable, tuple]) -> tuple[str, float]:
    """Do a task, and return its name and the processor seconds that it took."""
    torch.set_num_threads(1)
    began = time.process_time()
    task[0](*task[1])
    return task[0].__name__, time.process_time() - began


def work(tasks: Iterator[tuple[Callable, tuple]], workers: int, said: str) -> None:
    """Do tasks, in several processes if asked to, and say what they cost; what is done is on the disk."""
    todo, bar = list(tasks), Bar(said)
    costs: dict[str, float] = defaultdict(float)
    if not todo:
        return
    with task_pool(workers) as done_in_turn:
        for number, (name, seconds) in enumerate(done_in_turn(call, todo), 1):
            costs[name] += seconds
            bar(number, len(todo))
    for name, seconds in costs.items():
        print(f"{said}: {name} took {seconds:.0f} s of processor time", file=sys.stderr)


@contextmanager
def task_pool(workers: int) -> Iterator[Callable]:
    """Give a `map` that works in this process, or in several."""
    if workers == 1:
        yield map
        return
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield pool.imap_unordered


def open_place(root: Path, plan: Plan) -> Place:
    """Make the folder, or go on in one of the same plan."""
    about = root / "about.json"
    told = {**asdict(plan), "requests": REQUEST_SEED, "size": SIZE}
    if about.exists() and json.loads(about.read_text(encoding="utf-8")) != told:
        raise SesaHandError(f"{root} holds a measurement with other settings. Choose another folder with --out.")
    root.mkdir(parents=True, exist_ok=True)
    write_whole(about, json.dumps(told).encode())
    return Place(root, plan)


def prepare(place: Place, count: int, workers: int) -> None:
    """Render the world, write down its hands, and look for those that are held out."""
    plan = place.plan
    wanted = plan.engine_pictures + count
    for folder, split, seed, number in (
        (place.requests, "train", REQUEST_SEED, wanted),
        (place.heldout, "heldout", HELD_OUT_SEED, plan.test),
    ):
        bar = Bar(folder.name)
        about = folder / "about.json"
        # Samples do not grow in number, but those of before are drawn again: each follows from its own.
        if about.exists() and json.loads(about.read_text(encoding="utf-8"))["count"] < number:
            shutil.rmtree(folder)
        render_world(folder, split, number, SIZE, seed, workers, report=lambda done, n=number, b=bar: b(done, n))
        path = place.root / f"{folder.name.partition('_')[0]}.npz"
        if not path.exists() or int(read_npz(path, 1 << 30)["count"]) < number:
            work_out_hands(folder, path, number)
    if not (place.root / "found_boxes.npz").exists():
        try:
            find_boxes(place)
        except SesaHandError as error:
            print(f"No boxes of the detector: {error}", file=sys.stderr)


def run(place: Place, engines: list[str], rows: list[str], counts: list[int], seeds: list[int], workers: int) -> dict:
    """Make what is missing, print the tables, and write and return the numbers."""
    most = max(counts)
    prepare(place, most, workers)
    work(tasks_before(place, engines, rows, most), workers, "pictures")
    work(tasks_of_scores(place, rows, most), workers, "scores")
    work(tasks_of_trainings(place, jobs_of(engines, rows, counts), seeds), workers, "trainings")
    numbers = report(place, engines, rows, counts, seeds)
    write_whole(place.root / "results.json", json.dumps(numbers, indent=1).encode() + b"\n")
    return numbers


QUICK = Plan(engine_pictures=50, test=120, steps=150, sampler_steps=4)
QUICK_ROWS, QUICK_PAIRS = [NOTHING, UNCONTROLLED, TRUE], 150


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    plan = Plan()
    parser.add_argument(
        "--out", type=Path, default=Path("downstream"), help="folder of everything (default downstream)"
    )
    parser.add_argument(
        "--pairs", default="500", help="numbers of pairs that are added, such as 500,2000 (default 500)"
    )
    parser.add_argument("--trainings", type=int, default=5, help="of each cell (default 5)")
    parser.add_argument("--engines", default=",".join(ENGINES), help=f"of {', '.join(ENGINES)} (default all)")
    parser.add_argument("--rows", default=",".join(ROWS), help="separated by commas (default all)")
    parser.add_argument("--engine-pictures", type=int, default=plan.engine_pictures)
    parser.add_argument("--test", type=int, default=plan.test, help="held-out pictures")
    parser.add_argument("--steps", type=int, default=plan.steps, help="of a training")
    parser.add_argument("--sampler-steps", type=int, default=plan.sampler_steps, help="of the generator")
    parser.add_argument("--minimum-score", type=float, default=plan.minimum_score)
    parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--quick", action="store_true", help="the version of two minutes")
    return parser.parse_args()


def named(text: str, known) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or not set(names) <= set(known):
        raise SesaHandError(f"{text!r} names something unknown; choose from {', '.join(known)}.")
    return [name for name in known if name in names]


def main() -> None:
    arguments = parse()
    if arguments.quick:
        place = open_place(arguments.out, replace(QUICK, base=fingerprint(generators()["plain"].base.path)))
        run(place, ["flat"], QUICK_ROWS, [QUICK_PAIRS], [0, 1], 1)
        return
    base = generators()["plain"].base.path
    plan = Plan(
        arguments.engine_pictures, arguments.test, arguments.steps, arguments.sampler_steps, arguments.minimum_score,
        fingerprint(base),
    )  # fmt: skip
    engines, rows = named(arguments.engines, ENGINES), named(arguments.rows, ROWS)
    counts = sorted(int(count) for count in arguments.pairs.split(","))
    run(open_place(arguments.out, plan), engines, rows, counts, list(range(arguments.trainings)), arguments.workers)
    print(f"\n{arguments.out / 'results.json'}")


if __name__ == "__main__":
    try:
        main()
    except SesaHandError as error:
        sys.exit(f"{error}")
