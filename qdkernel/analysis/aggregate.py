"""One number for several runs of the same configuration with different seeds, and how sure it is.

Interquartile mean with stratified bootstrap intervals: Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of
the Statistical Precipice" (arXiv 2108.13264), as their package ``rliable`` computes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000  # as rliable's own examples; the interval's ends move by about 1 % of its width between repetitions
LEVEL = 0.95


@dataclass(frozen=True)
class Aggregate:
    """An interquartile mean over runs with its 95 % interval; the interval is ``None`` for a single run."""

    value: float
    low: float | None
    high: float | None
    runs: int


def interquartile_mean(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Mean of the middle half: a quarter of the values, rounded down, is left out at either end.

    Args:
        values: at least one.
    """
    ordered = np.sort(np.asarray(values, dtype=float).ravel())
    cut = ordered.size // 4
    return float(ordered[cut : ordered.size - cut].mean())


def aggregate(strata: Sequence[Sequence[float]], rng: np.random.Generator) -> Aggregate:
    """Interquartile mean over all runs of all strata; runs are resampled within each stratum.

    Args:
        strata: the scores of the runs of each task (problem and machine); at least one run in all.
        rng: for the resampling.
    """
    scores = [np.asarray(stratum, dtype=float) for stratum in strata if len(stratum)]
    value = interquartile_mean(np.concatenate(scores))
    count = sum(stratum.size for stratum in scores)
    if all(stratum.size == 1 for stratum in scores):
        return Aggregate(value, None, None, count)
    drawn = np.concatenate([s[rng.integers(s.size, size=(RESAMPLES, s.size))] for s in scores], axis=1)
    ordered = np.sort(drawn, axis=1)
    cut = count // 4
    means = ordered[:, cut : count - cut].mean(axis=1)
    low, high = np.quantile(means, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Aggregate(value, float(low), float(high), count)
