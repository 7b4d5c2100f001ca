"""Which bad pairs the score keeps out of a set, and which good ones it costs, with the world's reader as truth.

    python benchmarks/filtering.py --heldout FOLDER [--samples 200] [--detector FOLDER]

The small model draws held-out samples of the world with all of its ControlNet's strength, with half of it, and without
it: good pictures and bad ones of the same requests. A picture is good if the world's reader finds the gesture that was
asked for (any, where that has no name) and a silhouette that overlaps the requested one by at least 0.75; the score
knows nothing of that reader. The good pictures are also scored against the other hand's other face, which has the very
same outline: that the score stops them says that it sees more than outlines. Pictures stay in --heldout, so that the
command only scores what was drawn before.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from sesahand.commands.progress import Bar
from sesahand.evaluation.measuring import markdown
from sesahand.evaluation.reader.network import load_world_reader
from sesahand.evaluation.readings import RequestReader
from sesahand.evaluation.requests import Requests
from sesahand.generate.pipeline import HandGenerator
from sesahand.generate.sampling import SamplingSettings
from sesahand.hands.rotations import mirror_rotation
from sesahand.reconstruct.scoring.picture_scorer import PictureScorer
from sesahand.reconstruct.scoring.score import DEFAULT_THRESHOLD
from sesahand.scene.hand_scene import HandScene
from sesahand.training.samples import render_world
from sesahand.world.attributes import Attributes
from sesahand.world.synthetic import HELD_OUT_SEED

STRENGTHS = (1.0, 0.5, 0.0)
STEPS, GUIDANCE, AT_ONCE = 8, 2.0, 20
GOOD_OVERLAP = 0.75
THRESHOLDS = (0.3, 0.4, DEFAULT_THRESHOLD, 0.6)


def draw_pictures(folder: Path, requests: Requests, strength: float, count: int) -> torch.Tensor:
    """Return pictures `[N, S, S, 3]` of 0..1 of the first samples, drawn unless they lie in the folder."""
    path = folder / f"drawn_{strength:g}_{count}.npy"
    if not path.exists():
        generator = HandGenerator.load("embedded", "sf", "cpu", "bfloat16")
        settings = SamplingSettings(
            steps=STEPS, guidance=GUIDANCE, strength=strength, fusion=generator.controlnet.fusion if strength else None
        )
        drawn, bar = [], Bar(f"drawing at {strength:g}")
        for start in range(0, count, AT_ONCE):
            indices = range(start, min(start + AT_ONCE, count))
            prompts = [requests.description(index).composition.prompt for index in indices]
            pictures = generator(prompts, requests.maps(indices, "mesh"), [*indices], settings, batch_size=AT_ONCE)
            drawn.append((255 * pictures).round().byte().numpy())
            bar(indices.stop, count)
        np.save(path, np.concatenate(drawn))
    return torch.from_numpy(np.load(path)).float() / 255


def is_good(reader: RequestReader, pictures: torch.Tensor) -> np.ndarray:
    """Tell which pictures show what was asked for, bool `[N]`."""
    columns, _ = reader(pictures, range(len(pictures)))
    named_right = np.nan_to_num(columns["gesture"], nan=1.0) > 0
    return named_right & (columns["mask_iou"] >= GOOD_OVERLAP)


def score_pictures(
    scorer: PictureScorer,
    requests: Requests,
    pictures: torch.Tensor,
    asked: Callable[[HandScene], HandScene] = lambda scene: scene,
) -> tuple[np.ndarray, float]:
    """Return the score of each picture `[N]` against what `asked` makes of its hands, and the seconds of one."""
    began = time.process_time()
    scores = [scorer(picture, asked(requests.scene(index))).score for index, picture in enumerate(pictures)]
    return np.array(scores), (time.process_time() - began) / len(scores)


def other_face(scene: HandScene) -> HandScene:
    """Return hands reflected in depth about their wrists: of the other side, showing the other face, of one outline."""
    depth, sideways = torch.diag(torch.tensor([1.0, 1.0, -1.0])), torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
    reflected = replace(
        scene,
        side=tuple("left" if side == "right" else "right" for side in scene.side),
        global_orient=depth @ scene.global_orient @ sideways,
        hand_pose=mirror_rotation(scene.hand_pose),
    )
    moved = scene.pose().keypoints[:, 0] - reflected.pose().keypoints[:, 0]
    return replace(reflected, translation=reflected.translation + moved)


def shares(scores: np.ndarray, good: np.ndarray, threshold: float) -> tuple[float, float]:
    """Return the share of good pictures that is kept, and of bad ones that is stopped; NaN without any."""
    kept = scores >= threshold
    return _mean(kept[good]), _mean(~kept[~good])


def roc_auc(scores: np.ndarray, good: np.ndarray) -> float:
    """Return the chance that a good picture scores higher than a bad one, equal ones counting half."""
    apart = scores[good][:, None] - scores[~good]
    return _mean(np.heaviside(apart, 0.5).ravel())


def split_table(title: str, names: list[str], scores: np.ndarray, good: np.ndarray) -> str:
    """A table of the filter's work by what a name says of each picture."""
    rows = []
    for name in sorted(set(names)):
        here = np.array([each == name for each in names])
        kept, stopped = shares(scores[here], good[here], DEFAULT_THRESHOLD)
        zero = _mean(scores[here & good] == 0)
        rows.append([name, str(int((here & good).sum())), f"{kept:.2f}", f"{zero:.2f}", f"{stopped:.2f}"])
    return markdown([title, "good", f"kept at {DEFAULT_THRESHOLD}", "score 0", "bad stopped"], rows)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heldout", type=Path, required=True, help="folder of held-out samples, drawn if it is new")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--detector", type=Path, metavar="FOLDER", help="where `get-detector --to` put its files")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    samples = render_world(arguments.heldout, "heldout", arguments.samples, 128, HELD_OUT_SEED).rendered
    requests, reader = Requests(samples.source, samples), RequestReader(load_world_reader(), samples)
    scorer = PictureScorer(arguments.detector)
    # The first picture also pays for what is loaded.
    score_pictures(scorer, requests, requests.pictures([0]))
    scored, goods, seconds = [], [], []
    for strength in STRENGTHS:
        pictures = draw_pictures(arguments.heldout, requests, strength, arguments.samples)
        scores, each = score_pictures(scorer, requests, pictures)
        scored.append(scores)
        goods.append(is_good(reader, pictures))
        seconds.append(each)
    scores, good = np.concatenate(scored), np.concatenate(goods)
    each = ", ".join(f"{1000 * one:.0f} ms at strength {way:g}" for one, way in zip(seconds, STRENGTHS, strict=True))
    print(f"{good.sum()} good and {(~good).sum()} bad pictures, ROC AUC {roc_auc(scores, good):.3f}; {each}\n")
    rows = [[f"{each:g}", *(f"{share:.2f}" for share in shares(scores, good, each))] for each in THRESHOLDS]
    drawn, best = draw_pictures(arguments.heldout, requests, STRENGTHS[0], arguments.samples), goods[0]
    others, _ = score_pictures(scorer, requests, drawn, other_face)
    for row, each in zip(rows, THRESHOLDS, strict=True):
        row.append(f"{_mean(others[best] < each):.2f}")
    print(markdown(["score from", "good kept", "bad stopped", "other face stopped"], rows), "\n")
    zeros, mean = int((scored[0][best] == 0).sum()), _mean(scored[0][best])
    print(f"of {best.sum()} good pictures at full strength {zeros} score 0; their mean is {mean:.2f}\n")
    described: list[Attributes] = [requests.description(n).attributes for n in range(arguments.samples)] * len(
        STRENGTHS
    )
    named: dict[str, Callable[[Attributes], str]] = {
        "skin": lambda each: each.skin,
        "ground": lambda each: each.background,
        "wall's colour": lambda each: each.background_color,
        "view": lambda each: each.view,
        "gesture": lambda each: each.gesture,
    }
    for title, name in named.items():
        print(split_table(title, [name(each) for each in described], scores, good), "\n")


if __name__ == "__main__":
    main()
