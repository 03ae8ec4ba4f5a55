"""What a handful of interleaved samples says about a ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 500  # the interval's ends move by less than a tenth of its width between repetitions


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


def median_ratio(samples: Sequence[Sequence[float]], rng: np.random.Generator) -> Interval:
    """The median ratio of each group of paired samples, combined by geometric mean, with its interval.

    Percentile bootstrap (Efron 1979) over the rounds of each group; one group per scored size.

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
    low, high = np.quantile(spread, (0.025, 0.975))
    # The median of few samples can lie outside its own percentile interval by rounding alone.
    return Interval(float(np.exp(centre)), float(np.exp(min(low, centre))), float(np.exp(max(high, centre))))


def geometric_mean(values: Sequence[float]) -> float:
    """Geometric mean of positive numbers."""
    return float(np.exp(np.mean(np.log(values))))
