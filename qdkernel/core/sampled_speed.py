"""How fast a kernel is by the samples of one measurement, kernel and reference at the same moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qdkernel.core.evaluation import Timing
from qdkernel.core.statistics import Interval, geometric_mean, median_ratio, quantile

FAST = 0.1
"""The quantile of the block times that stands for a quiet moment: other work only ever slows a block down, and a
single fastest block can be an accident."""

_LOADED = 0.85  # the reference's median block below this share of its fast ones: the host had other work (heuristic)


@dataclass(frozen=True)
class SampledSpeed:
    """Speeds in GFLOP/s, geometric means over the scored sizes; each is worked out when it is first asked for.

    Attributes:
        timings: one per scored size, at least one, all with samples.
    """

    timings: tuple[Timing, ...]

    @cached_property
    def fast(self) -> float:
        """Of the kernel in its fast blocks (``FAST``)."""
        return self._speed(lambda timing: timing.kernel_ns, FAST)

    @cached_property
    def median(self) -> Interval:
        """Of the kernel in the median block, with its interval."""
        blocks = [[timing.flops / ns for ns in timing.kernel_ns] for timing in self.timings]
        return median_ratio(blocks, np.random.default_rng(0))  # the same samples give the same prompt

    @cached_property
    def reference_fast(self) -> float:
        """Of the reference in its fast blocks, timed beside the kernel's."""
        return self._speed(lambda timing: timing.reference_ns, FAST)

    @cached_property
    def ratio(self) -> Interval:
        """Reference time over kernel time, with its interval."""
        return Interval(
            geometric_mean([timing.ratio for timing in self.timings]),
            geometric_mean([timing.ratio_low for timing in self.timings]),
            geometric_mean([timing.ratio_high for timing in self.timings]),
        )

    @cached_property
    def loaded(self) -> bool:
        """Whether the host had other work meanwhile; then medians are too low, and ``ratio`` counts."""
        busy = self._speed(lambda timing: timing.reference_ns, 0.5) < _LOADED * self.reference_fast
        return busy or not all(timing.quiet for timing in self.timings)

    def _speed(self, samples: Callable[[Timing], Sequence[float]], share: float) -> float:
        return geometric_mean([each.flops / quantile(samples(each), share) for each in self.timings])


def sampled_speed(timings: Sequence[Timing]) -> SampledSpeed | None:
    """What the samples of a measurement give; ``None`` when it has none."""
    if not timings or not all(timing.kernel_ns and timing.reference_ns for timing in timings):
        return None
    return SampledSpeed(tuple(timings))
