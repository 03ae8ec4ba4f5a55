"""One estimate of a kernel's speed from all its measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qdkernel.core.evaluation import Measured, Timing
from qdkernel.core.statistics import geometric_mean, median_ratio


def pool(measurements: Sequence[Sequence[Timing]]) -> tuple[Timing, ...]:
    """The timings of one kernel from several measurements of it, each with its interval over all rounds.

    A measurement of quiet cores leaves out those of a busy host; the others count round by round. The best of several
    measurements would be the luckiest one.

    Args:
        measurements: at least one; each has the same scored sizes in the same order.

    Returns:
        One timing per scored size.
    """
    return tuple(_pool_size(timings) for timings in zip(*measurements, strict=True))


def pooled(measurements: Sequence[Measured]) -> Measured:
    """Objective and timings from all measurements of a kernel; the first one's duel."""
    if len(measurements) == 1:
        return measurements[0]
    timings = pool([each.timings for each in measurements])
    return Measured(geometric_mean([timing.gflops for timing in timings]), timings, measurements[0].duel)


def _pool_size(timings: Sequence[Timing]) -> Timing:
    finished = [timing for timing in timings if not timing.bound] or list(timings)
    kept = [timing for timing in finished if timing.quiet] or finished
    if len(kept) == 1:
        return kept[0]
    ratios = [ratio for timing in kept for ratio in _ratios(timing)]
    found = median_ratio([ratios], np.random.default_rng(0))  # a fixed seed: reading a run twice gives the same
    first = kept[0]
    return replace(
        first,
        kernel_ns=tuple(ns for timing in kept for ns in timing.kernel_ns),
        reference_ns=tuple(ns for timing in kept for ns in timing.reference_ns),
        ratio=found.median,
        ratio_low=found.low,
        ratio_high=found.high,
        gflops=found.median * first.gflops / first.ratio,
        joules=_mean_joules(kept),
    )


def _mean_joules(timings: Sequence[Timing]) -> float | None:
    """Of one call, each measurement weighted by its rounds; ``None`` when none reported energy."""
    known = [(timing.joules, len(timing.kernel_ns)) for timing in timings if timing.joules is not None]
    rounds = sum(count for _, count in known)
    return sum(joules * count for joules, count in known) / rounds if rounds else None


def _ratios(timing: Timing) -> list[float]:
    """Round by round; on a busy host against the reference on quiet cores at most, as when it was measured."""
    quiet_ns = np.inf if timing.quiet else timing.flops * timing.ratio / timing.gflops
    return [
        min(reference, quiet_ns) / kernel
        for kernel, reference in zip(timing.kernel_ns, timing.reference_ns, strict=True)
    ]
