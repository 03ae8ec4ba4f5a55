"""How steady the machine was: the baseline's speed over the run, in bins."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from qdkernel.web.reading import BaselineSample

MOST_BINS = 120


@dataclass(frozen=True)
class NoiseBin:
    """Some neighboring measurements of the baseline, relative to its speed at the start of the run.

    Attributes:
        minutes: middle of the bin, minutes that the run had been active.
        median: of the bin.
        low: slowest.
        high: fastest.
        loud: share of measurements in which the machine was found disturbed.
    """

    minutes: float
    median: float
    low: float
    high: float
    loud: float


def noise_bins(samples: Sequence[BaselineSample]) -> tuple[NoiseBin, ...]:
    """The samples in at most ``MOST_BINS`` bins of equal count."""
    size = max(1, -(-len(samples) // MOST_BINS))
    return tuple(_bin(samples[start : start + size]) for start in range(0, len(samples), size))


def _bin(samples: Sequence[BaselineSample]) -> NoiseBin:
    speeds = [sample.relative for sample in samples]
    middle = statistics.median(sample.elapsed_s for sample in samples) / 60
    loud = sum(not sample.quiet for sample in samples) / len(samples)
    return NoiseBin(middle, statistics.median(speeds), min(speeds), max(speeds), loud)
