"""Training samples that take no time: a coloured wall, and a rectangle where a hand would be."""

import numpy as np

WALLS = {"red": (200, 40, 40), "green": (40, 180, 60), "blue": (50, 80, 210)}


class ToySamples:
    """Any number of samples of `size` pixels; `make` is the class of a training sample."""

    def __init__(self, make, count, size=32):
        self.make, self.count, self.size = make, count, size

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        rng, size = np.random.default_rng(index), self.size
        y, x = np.mgrid[:size, :size]
        left, top = rng.integers(size // 4, 3 * size // 4, 2)
        hand = (abs(x - left) < size // 5) & (abs(y - top) < size // 4)
        name = list(WALLS)[index % 3]
        picture = np.where(hand[..., None], (220, 170, 130), WALLS[name]).astype(np.uint8)
        control = np.where(hand, 255, 0).astype(np.uint8)
        captions = {"clean": f"a hand, {name} wall", "verbose": f"the wall is {name} and there is a cup"}
        return self.make(picture, control, control, captions)
