"""Whether doubt tells the fits that show another hand than the picture, and what shapes the fits have.

    python benchmarks/doubt.py PICTURES

PICTURES are the labelled ones of `detection.py`. Which fits are gross failures was judged by eye, see `detection.md`;
hands are numbered by falling score. Also printed: fingers with a second reading.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sesahand.files.pictures import read_picture
from sesahand.reconstruct.detection.detector import as_colour, load_detector
from sesahand.reconstruct.fitting import hand_prior
from sesahand.reconstruct.fitting.fit import fit_hands
from sesahand.reconstruct.landmarks import DOUBTFUL_HAND, HandLandmarks

GROSS = {("op_241", 2), ("wi_ring", 1), ("pa_cello", 1), ("us_hockey", 0)}
WIDTHS = (1.0, 0.5, 0.4)
SIGMAS = 3.0


@dataclass
class Fits:
    """Of N hands: betas `[N, 10]` and distance from the landmarks as a part of the box `[N]`."""

    betas: Tensor
    off: Tensor


def fit_all(found: dict[str, HandLandmarks], width: float) -> Fits:
    """Return the fits with a prior of betas of this width."""
    hand_prior.SHAPE_SPREAD = width
    fitted = [fit_hands(landmarks) for landmarks in found.values()]
    return Fits(torch.cat([each.scene.betas for each in fitted]), torch.cat([each.relative_error for each in fitted]))


def auc(values: Tensor, positive: Tensor) -> float:
    """Return how often a positive one's value is larger than another's; half for equal ones."""
    apart = values[positive][:, None] - values[~positive]
    return float((apart > 0).float().mean() + 0.5 * (apart == 0).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path)
    folder = parser.parse_args().pictures
    torch.set_num_threads(1)
    detector = load_detector()
    found = {path.stem: detector(as_colour(read_picture(path))) for path in sorted(folder.glob("*.jpg"))}
    found = {name: landmarks for name, landmarks in found.items() if len(landmarks)}
    which = [(name, hand) for name, landmarks in found.items() for hand in range(len(landmarks))]

    usual, count = hand_prior.SHAPE_SPREAD, len(which)
    print("| prior of betas | beta 1 | beta 2 | largest: median | worst | beyond 3 | off: median | p95 | worst |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    fits = {width: fit_all(found, width) for width in WIDTHS}
    for width, fit in fits.items():
        largest = fit.betas.abs().amax(1)
        print(
            f"| {width:g} | {fit.betas[:, 0].mean():.1f} | {fit.betas[:, 1].mean():.1f} | {largest.median():.1f} | "
            f"{largest.max():.1f} | {int((largest > SIGMAS).sum())} of {count} | {fit.off.median():.1%} | "
            f"{fit.off.quantile(0.95):.1%} | {fit.off.max():.1%} |"
        )

    gross = torch.tensor([hand in GROSS for hand in which])
    doubt = torch.cat([landmarks.doubt[:, 0] for landmarks in found.values()])
    score = torch.cat([landmarks.score for landmarks in found.values()])
    print(
        f"\n{int(gross.sum())} gross failures of {count}; AUC of doubt {auc(doubt, gross):.2f}, of the score ", end=""
    )
    print(f"{auc(-score, gross):.2f}, of the distance from the landmarks {auc(fits[usual].off, gross):.2f}")
    print(
        "doubtful:",
        *(f"{name} {hand}" for (name, hand), each in zip(which, doubt, strict=True) if each > DOUBTFUL_HAND),
    )
    second = {name: landmarks.has_second.nonzero().tolist() for name, landmarks in found.items()}
    print("second readings, hand and finger:", {name: fingers for name, fingers in second.items() if fingers})


if __name__ == "__main__":
    main()
