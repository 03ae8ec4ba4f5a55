"""One kernel against the baseline at the scored sizes: a first estimate, and a measurement by the full rule."""

from __future__ import annotations

import math

import numpy as np

from qdkernel.core import Timing, median_ratio
from qdkernel.evaluators.measurement import (
    PairedSamples,
    TimedProcess,
    TimingRule,
    probe,
    time_baseline,
    time_pairs,
)
from qdkernel.evaluators.pipeline.timer import Timer

_BASELINE_S = 0.05  # of the baseline's blocks beside one call of a slow kernel; the fastest counts
_REPEATED_CALLS = 2  # of a slow kernel whose first call was disturbed


def time_size(timer: Timer, index: int, process: TimedProcess, call_ns: float, rule: TimingRule) -> Timing:
    """One scored size against the baseline.

    A kernel of which one call takes long, and longer than the baseline's, is not called again: rounds would take
    seconds and add little. Its first call was made with late inputs, so it is a sample; thread creation and page faults
    are in it, so the speed is too low rather than too high.

    Args:
        timer: of this process.
        index: of the scored size.
        process: the kernel.
        call_ns: nanoseconds of its first call, which decides how many calls make a block.
        rule: how long to measure.

    Raises:
        WrongResult: a result is wrong.
        ChildFailed: a child died or was late.
        Busy: the speed was not confirmed.
    """
    scored = timer.sizes[index]
    challenger = scored.timed_case(process, call_ns, rule)
    if timer.is_slow(index, call_ns):
        return beside_baseline(timer, index, call_ns)
    reference = timer.baseline_case(index, timer.baseline_process)
    samples = time_pairs(
        timer.buffers, scored, challenger, reference, rule, timer.placement, timer.quiet_cores, timer.rng, call_ns
    )
    return _timing(timer, index, challenger.timed, samples)


def first_calls_ns(timer: Timer, process: TimedProcess) -> list[float]:
    """Nanoseconds of the first call of a kernel at each scored size.

    Raises:
        WrongResult: a result is wrong.
        ChildFailed: the child died or was late.
    """
    return [first_call_ns(timer, index, process) for index in range(len(timer.sizes))]


def first_call_ns(timer: Timer, index: int, process: TimedProcess, most_s: float | None = None) -> float:
    """Nanoseconds of the first call of a kernel at a scored size.

    It is stopped after ``most_s``; by default after as long as a block may take. A call so slow that it is the only
    sample is repeated, after a wait for quiet cores, while its threads had to wait for theirs; the fastest one counts.

    Raises:
        WrongResult: the result is wrong.
        ChildFailed: the child died or was late.
    """
    scored = timer.sizes[index]
    call = probe(timer.buffers, scored, process, timer.placement, most_s)
    for _ in range(_REPEATED_CALLS):
        if not (timer.is_slow(index, call.ns) and call.disturbed()):
            break
        timer.await_quiet()
        call = min(call, probe(timer.buffers, scored, process, timer.placement, most_s), key=lambda each: each.ns)
    return call.ns


def beside_baseline(timer: Timer, index: int, kernel_ns: float, bound: bool = False) -> Timing:
    """A single call as a timing, against calls of the baseline made right after it."""
    scored, quiet_ns = timer.sizes[index], timer.baseline_ns(index)
    reference = timer.baseline_case(index, timer.baseline_process)
    blocks = int(np.clip(_BASELINE_S / (1e-9 * quiet_ns * reference.timed), 1, 3))
    reference_ns = time_baseline(timer.buffers, scored, reference, blocks, timer.placement)
    quiet = reference_ns <= timer.spec.rule.disturbed * quiet_ns
    samples = PairedSamples((kernel_ns,), (reference_ns,), math.inf if quiet else quiet_ns, quiet)
    return _timing(timer, index, 1, samples, bound)


def bounded(timer: Timer, index: int) -> Timing:
    """The timing of a kernel whose call was stopped: its speed is at most this."""
    return beside_baseline(timer, index, 1e9 * timer.patience_s(index), bound=True)


def _timing(timer: Timer, index: int, timed: int, samples: PairedSamples, bound: bool = False) -> Timing:
    scored, ratio = timer.sizes[index], median_ratio([samples.ratios], timer.rng)
    return Timing(
        size=scored.size,
        flops=scored.flops,
        bytes=scored.bytes,
        block_calls=timed,
        kernel_ns=samples.kernel_ns,
        reference_ns=samples.reference_ns,
        ratio=ratio.median,
        ratio_low=0.0 if bound else ratio.low,
        ratio_high=ratio.high,
        gflops=ratio.median * timer.spec.baseline_gflops[index],
        quiet=samples.quiet and math.isinf(samples.slowest_ns),
        bound=bound,
        joules=samples.joules,
    )
