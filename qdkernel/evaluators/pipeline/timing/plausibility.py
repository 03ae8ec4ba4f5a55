"""Step 8 of an evaluation: whether a measured speed is possible on this machine."""

from __future__ import annotations

import math

import numpy as np

from qdkernel.core import SIMD, Cell, Outcome, Threading, Timing, size_text
from qdkernel.evaluators.pipeline.builder import Stop
from qdkernel.evaluators.pipeline.timer import Timer

PEAK_MARGIN = 1.02
"""The peak is the best of several windows and a kernel's speed a median: 2 % above it is no measurement error."""
_LEVEL_MARGIN = 1.1  # heuristic: the peak of a narrow level is no limit of the machine
_TRIAD_MARGIN = 1.25  # triad itself varies by 20 % between runs, and other mixes of reads and writes can beat it


def check_plausible(timer: Timer, timings: tuple[Timing, ...], cell: Cell | None = None) -> None:
    """Step 8: no kernel is faster than this machine's measured peaks, nor than the peak of its cell's levels.

    Peaks that were measured while something else computed are too low, so they are measured again before a kernel is
    accused.

    Raises:
        Stop: it is.
    """
    try:
        _check(timer, timings, cell)
    except Stop as stop:
        if stop.outcome is not Outcome.IMPLAUSIBLE or not timer.measure_peaks_again():
            raise
        _check(timer, timings, cell)


def _check(timer: Timer, timings: tuple[Timing, ...], cell: Cell | None) -> None:
    _check_peaks(timer, timings)
    if cell is not None:
        _check_level(timer, cell, timings)


def _check_peaks(timer: Timer, timings: tuple[Timing, ...]) -> None:
    """No kernel computes or streams faster than the machine.

    If only the drift-cancelled speed is above the peak, the reference was disturbed; the kernel is not that fast.
    Traffic is bounded only where the data exceeds the last-level cache, by the bytes that any implementation moves,
    without those that the cache may hold: of the inputs, which were just written, and of the results after the call.
    """
    for timing, scored in zip(timings, timer.sizes, strict=True):
        median_ns = float(np.median(timing.kernel_ns))
        cache = timer.spec.llc_bytes
        gflops = scored.least_flops / median_ns
        gbytes = (scored.least_bytes - cache - min(cache, scored.written_bytes)) / median_ns
        size = ", ".join(f"{name}={value}" for name, value in scored.size.items())
        if gflops > PEAK_MARGIN * timer.peak_gflops:
            raise Stop(
                Outcome.IMPLAUSIBLE,
                f"{gflops:.1f} GFLOP/s at {size} is above the measured peak of {timer.peak_gflops:.1f}",
            )
        if timing.gflops * scored.least_flops / scored.flops > PEAK_MARGIN * timer.peak_gflops:
            raise Stop(
                Outcome.LOST, f"the machine was too busy to time a kernel: a ratio of {timing.ratio:.2f} at {size}"
            )
        if scored.least_bytes > 2 * cache and gbytes > _TRIAD_MARGIN * timer.spec.triad_gbytes_per_s:
            raise Stop(
                Outcome.IMPLAUSIBLE,
                f"{gbytes:.1f} GB/s of memory traffic at {size} is above the measured triad of "
                f"{timer.spec.triad_gbytes_per_s:.1f}",
            )


def _check_level(timer: Timer, cell: Cell, timings: tuple[Timing, ...]) -> None:
    """A kernel faster than the peak of its levels is not stored there: its behaviour was read wrongly."""
    level = SIMD.levels[cell.simd]
    serial = cell.threading == Threading.SERIAL
    peak = timer.simd_gflops.get(level, math.inf) / (timer.spec.threads if serial else 1)
    for timing, scored in zip(timings, timer.sizes, strict=True):
        gflops = scored.least_flops / float(np.median(timing.kernel_ns))
        if gflops > _LEVEL_MARGIN * peak:
            raise Stop(
                Outcome.IMPLAUSIBLE,
                f"{gflops:.1f} GFLOP/s at {size_text(scored.size)} is above the {peak:.1f} that {level} code reaches "
                f"here{' in one thread' if serial else ''}, so the loop that does the work was not recognized; write "
                "it as a loop of its own",
            )
