"""Speed of a kernel relative to the baseline, and speeds as people write them."""

from __future__ import annotations

from dataclasses import dataclass

from qdkernel.core import Evaluation, geometric_mean_or_none


@dataclass(frozen=True)
class Ratio:
    """Baseline time / kernel time, geometric mean over the scored sizes; above 1 the kernel is faster.

    ``low`` and ``high`` are the geometric means of the ends of each size's 95 % interval: wider than the interval of
    the mean, since the sizes' errors are independent.
    """

    median: float
    low: float
    high: float


def ratio_to_baseline(evaluation: Evaluation) -> Ratio | None:
    """The kernel's speed relative to the baseline; ``None`` when it was not timed."""
    timings = evaluation.timings
    median = geometric_mean_or_none([timing.ratio for timing in timings])
    low = geometric_mean_or_none([timing.ratio_low for timing in timings])
    high = geometric_mean_or_none([timing.ratio_high for timing in timings])
    return None if median is None or low is None or high is None else Ratio(median, low, high)


def speed_text(value: float) -> str:
    """A speed in at most four characters, e.g. ``0.82``, ``9.6``, ``97``, ``1.2k``."""
    if value < 0.995:
        return f"{value:.2f}"
    if value < 9.95:
        return f"{value:.1f}"
    return f"{value:.0f}" if value < 999.5 else f"{value / 1000:.2g}k"
