"""Confidence interval of a ratio from a few interleaved samples."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

RESAMPLES = 1000  # the interval's ends move by less than a tenth of its width between repetitions
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A median with its 95 % bootstrap interval."""

    median: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval, relative to the median."""
        return (self.high - self.low) / (2 * self.median)


def quantile(samples: Sequence[float], share: float) -> float:
    """The quantile of a few samples, interpolated linearly; ``numpy.quantile`` takes 50 us for it.

    Args:
        samples: at least one, in any order.
        share: of the samples that lie below, 0 to 1.
    """
    ordered, place = sorted(samples), share * (len(samples) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def median_ratio(samples: Sequence[Sequence[float]], rng: np.random.Generator) -> Interval:
    """The median ratio of each group of paired samples, combined by geometric mean, with its interval.

    Percentile bootstrap (Efron 1979) over the rounds of each group; one group per scored size. The percentiles are
    expanded for the few samples (``tail``), so that also an interval which is looked at after every few rounds, from
    six rounds on, lies above the truth in about 2.5 % of the cases; with plain percentiles it was 5 % on a noisy host.

    Args:
        samples: for each group the ratios of its rounds, all positive; at least one each.
        rng: for the resampling.
    """
    centre = 0.0
    spread = np.zeros(RESAMPLES)
    for group in samples:
        logs = np.log(np.asarray(group))
        centre += float(np.median(logs)) / len(samples)
        drawn = rng.integers(logs.size, size=(RESAMPLES, logs.size))
        spread += np.median(logs[drawn], axis=1) / len(samples)
    outside = tail(min(len(group) for group in samples))
    low, high = np.quantile(spread, (outside, 1 - outside))
    # The median of few samples can lie outside its own percentile interval by rounding alone.
    return Interval(float(np.exp(centre)), float(np.exp(min(low, centre))), float(np.exp(max(high, centre))))


@functools.cache
def tail(samples: int) -> float:
    """The share of resamples left out at either end, for a 95 % interval from so few samples.

    Plain percentiles are too narrow by ``sqrt(n / (n - 1))`` and by the step from the normal to Student's
    distribution (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", The American Statistician 69).
    """
    if samples < 2:
        return 0.0
    normal, freedom = NormalDist(), samples - 1
    z = normal.inv_cdf((1 + LEVEL) / 2)
    student = (  # Abramowitz & Stegun 1964, 26.7.5
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
    return normal.cdf(-student * (samples / freedom) ** 0.5)


def geometric_mean(values: Sequence[float]) -> float:
    """Geometric mean of numbers that are not negative; 0 where one is 0, as the lower limit of a bound is."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(values))))


def geometric_mean_or_none(values: Sequence[float]) -> float | None:
    """Geometric mean of positive numbers; ``None`` when there is none, or one is not positive."""
    return geometric_mean(values) if values and all(value > 0 for value in values) else None
