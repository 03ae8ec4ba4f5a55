"""How fast a kernel is by the samples of one measurement, kernel and reference at the same moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from qdkernel.core.evaluation import Timing
from qdkernel.core.statistics import Interval, geometric_mean, median_ratio

FAST = 0.1
"""The quantile of the block times that stands for a quiet moment: other work only ever slows a block down, and a
single fastest block can be an accident."""

_LOADED = 0.85  # the reference's median block below this share of its fast ones: the host had other work (heuristic)


@dataclass(frozen=True)
class SampledSpeed:
    """Speeds in GFLOP/s, geometric means over the scored sizes.

    Attributes:
        fast: of the kernel in its fast blocks (``FAST``).
        median: of the kernel in the median block, with its interval.
        reference_fast: of the reference in its fast blocks, timed beside the kernel's.
        ratio: reference time over kernel time, with its interval.
        loaded: whether the host had other work meanwhile; then medians are too low, and ``ratio`` counts.
    """

    fast: float
    median: Interval
    reference_fast: float
    ratio: Interval
    loaded: bool


def sampled_speed(timings: Sequence[Timing]) -> SampledSpeed | None:
    """What the samples of a measurement give; ``None`` when it has none."""
    if not timings or not all(timing.kernel_ns and timing.reference_ns for timing in timings):
        return None

    def speed(samples: Callable[[Timing], Sequence[float]], quantile: float) -> float:
        return geometric_mean([t.flops / float(np.quantile(samples(t), quantile)) for t in timings])

    blocks = [[timing.flops / ns for ns in timing.kernel_ns] for timing in timings]
    reference_fast = speed(lambda t: t.reference_ns, FAST)
    busy = speed(lambda t: t.reference_ns, 0.5) < _LOADED * reference_fast
    return SampledSpeed(
        fast=speed(lambda t: t.kernel_ns, FAST),
        median=median_ratio(blocks, np.random.default_rng(0)),  # the same samples give the same prompt
        reference_fast=reference_fast,
        ratio=Interval(
            geometric_mean([t.ratio for t in timings]),
            geometric_mean([t.ratio_low for t in timings]),
            geometric_mean([t.ratio_high for t in timings]),
        ),
        loaded=busy or not all(timing.quiet for timing in timings),
    )
