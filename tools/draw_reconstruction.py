"""Draw the README's picture of reconstruction: rendered pictures, what is found, the fitted hands, two views of them.

    python tools/draw_reconstruction.py docs/reconstruction.jpg

The pictures are samples of the rendered world that the small model is trained on, held-out ones.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sesahand.reconstruct.detection.detector import load_detector
from sesahand.reconstruct.detection.landmark_pictures import draw_landmarks
from sesahand.reconstruct.fitting.fit import fit_hands
from sesahand.render.overlay import draw_hands, draw_turntable
from sesahand.world.synthetic import SyntheticHands

SAMPLES = (0, 2, 7)
SIZE, SHOWN = 384, 256
VIEWS, SHOWN_VIEWS = 6, (1, 3)


def draw_row(sample, detector) -> torch.Tensor:
    """Return one sample's pictures side by side, `[SIZE, 5 SIZE, 3]`."""
    picture = torch.from_numpy(np.array(sample.picture)).float()[None] / 255
    landmarks = detector(picture)
    scene = fit_hands(landmarks).scene
    turned = draw_turntable(scene, VIEWS)
    tiles = [picture, draw_landmarks(picture, landmarks), draw_hands(scene, picture, "mesh", 0.85)]
    return torch.cat([*(tile[0] for tile in tiles), *(turned[view] for view in SHOWN_VIEWS)], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    hands, detector = SyntheticHands("heldout", 0, size=SIZE), load_detector()
    sheet = torch.cat([draw_row(hands[index], detector) for index in SAMPLES])
    picture = Image.fromarray((sheet * 255).round().byte().numpy())
    picture.resize((5 * SHOWN, len(SAMPLES) * SHOWN), Image.Resampling.LANCZOS).save(out, quality=88)


if __name__ == "__main__":
    main()
