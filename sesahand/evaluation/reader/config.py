"""The settings of the reader's training, light to import."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReaderConfig:
    """How to train a reader.

    Attributes:
        steps: Batches.
        coarse_steps: The first so many see pictures of half the size, at a quarter of the cost: enough to learn words.
        batch_size: Pictures in each.
        learning_rate: The highest; it warms up over `warmup` steps and falls to nothing like a cosine.
        warmup: Steps.
        weight_decay: Of AdamW.
        seed: Of weights, batches and augmentation.
        checkpoint_every: Steps between states from which an interrupted training goes on.
    """

    steps: int = 2400
    coarse_steps: int = 1400
    batch_size: int = 24
    learning_rate: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.02
    seed: int = 0
    checkpoint_every: int = 200
