"""How sure a mean is, and the difference of two ways of doing the same: the bootstrap."""

from dataclasses import dataclass

import numpy as np

from ..errors import SesaHandError

CHUNK = 1 << 22
"""Numbers drawn at a time."""


@dataclass(frozen=True)
class Difference:
    """The mean difference of paired figures.

    Attributes:
        mean: Of the differences, over samples.
        low: Lower end of its interval.
        high: Upper end.
        samples: How many samples have both figures.
    """

    mean: float
    low: float
    high: float
    samples: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


def paired_difference(
    found: np.ndarray, reference: np.ndarray, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Difference:
    """Mean of `found - reference` with a percentile interval from resampling the samples.

    What is resampled are samples, each with all of its seeds: pictures of one sample have prompt and hand in common,
    and would count as more than they are if each were drawn for itself.

    Args:
        found: Figures of N samples, `[N]`, or `[N, S]` with S seeds each; NaN where there is none.
        reference: Likewise, of the same samples and seeds. A picture counts if both figures are there.
        confidence: Share of the resampled means within the interval, above 0 and below 1.
        resamples: How often the samples are drawn anew.
        seed: Of the drawing.

    Returns:
        The difference; each sample counts the same, whatever number of its seeds counts.

    Raises:
        SesaHandError: If shapes differ, no sample has both figures, or a setting means nothing.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapters 8 and 13.
    """
    found, reference = np.asarray(found, np.float64), np.asarray(reference, np.float64)
    if found.shape != reference.shape or found.ndim not in (1, 2):
        raise SesaHandError(
            f"Figures of the shapes {found.shape} and {reference.shape} are no pairs; expected [samples] or [samples, "
            "seeds] for both."
        )
    each = mean_of_seeds(found - reference)
    if not len(each):
        raise SesaHandError(
            "No sample has both figures, so that there is nothing to compare: measure the same samples both ways."
        )
    return Difference(float(each.mean()), *mean_interval(each, confidence, resamples, seed), len(each))


def mean_interval(
    values: np.ndarray, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Lower and upper end of the percentile interval of a mean, from resampling its samples.

    Args:
        values: Figures of N samples `[N]`, N at least 1, all finite.
        confidence: Share of the resampled means within the interval, above 0 and below 1.
        resamples: How often the samples are drawn anew.
        seed: Of the drawing.

    Raises:
        SesaHandError: If there is no sample, or a setting means nothing.

    Source: as of `paired_difference`.
    """
    if not 0 < confidence < 1 or resamples < 1:
        raise SesaHandError(
            f"A confidence of {confidence} with {resamples} resamples means nothing: choose a confidence above 0 and "
            "below 1, and at least one resample."
        )
    if not len(values):
        raise SesaHandError("There is no sample, so that its mean has no interval; give at least one.")
    rng, means = np.random.default_rng(seed), []
    rows = max(1, CHUNK // len(values))
    for start in range(0, resamples, rows):
        drawn = rng.integers(0, len(values), (min(rows, resamples - start), len(values)))
        means.append(values[drawn].mean(1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), (tail, 1 - tail))
    return float(low), float(high)


def mean_of_seeds(values: np.ndarray) -> np.ndarray:
    """Mean of each sample over those of its seeds that have a number; samples without any are left out.

    Args:
        values: `[N]`, or `[N, S]` with S seeds each; NaN where there is no number.

    Returns:
        `[n]` float64, n at most N.
    """
    values = np.asarray(values, np.float64)
    values = values[:, None] if values.ndim == 1 else values
    known = np.isfinite(values)
    counts = known.sum(1)
    return np.where(known, values, 0).sum(1)[counts > 0] / counts[counts > 0]


def crossed_difference(
    found: np.ndarray, reference: np.ndarray, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Difference:
    """Mean of `found - reference` with an interval from resampling samples and trainings at once.

    Both are drawn anew, each for itself: samples differ in how hard they are, trainings in how they went, and a figure
    that is to hold for other samples and other trainings varies with both.

    Args:
        found: Figures of N samples by T trainings `[N, T]`, all finite; T at least 2.
        reference: Likewise, of the same samples, and of trainings that share their randomness with the others one by
            one, or share nothing.
        confidence: Share of the resampled means within the interval, above 0 and below 1.
        resamples: How often both are drawn anew.
        seed: Of the drawing.

    Returns:
        The difference; `samples` counts samples.

    Raises:
        SesaHandError: If shapes differ, a figure is missing, there are fewer than two trainings, or a setting means
            nothing.

    Source: Owen, "The pigeonhole bootstrap" (2007), which is wide rather than narrow for crossed samples.
    """
    found, reference = np.asarray(found, np.float64), np.asarray(reference, np.float64)
    fits = found.shape == reference.shape and found.ndim == 2 and found.shape[0] > 0 and found.shape[1] > 1
    if not fits or not np.isfinite(found - reference).all():
        raise SesaHandError(
            f"Figures of the shapes {found.shape} and {reference.shape} cannot be compared over samples and trainings; "
            "expected finite [samples, trainings] for both, with at least two trainings."
        )
    if not 0 < confidence < 1 or resamples < 1:
        raise SesaHandError(
            f"A confidence of {confidence} with {resamples} resamples means nothing: choose a confidence above 0 and "
            "below 1, and at least one resample."
        )
    each = found - reference
    rng, (samples, trainings) = np.random.default_rng(seed), each.shape
    # How often each is drawn is all that a mean asks.
    rows = rng.multinomial(samples, np.full(samples, 1 / samples), resamples)
    columns = rng.multinomial(trainings, np.full(trainings, 1 / trainings), resamples)
    means = np.einsum("rn,nt,rt->r", rows, each, columns, optimize=True) / (samples * trainings)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return Difference(float(each.mean()), float(low), float(high), samples)
