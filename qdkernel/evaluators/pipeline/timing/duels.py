"""A challenger against the incumbent of its cell, interleaved; and how an incumbent that fails loses its cell."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from qdkernel.core import Duel, Fault, Measured, Outcome, geometric_mean, median_ratio
from qdkernel.evaluators.measurement import PairedSamples, TimedProcess, WrongResult, time_pairs
from qdkernel.evaluators.pipeline.builder import FAILURES, Stop
from qdkernel.evaluators.pipeline.scratch import Incumbent, SharedScratch
from qdkernel.evaluators.pipeline.timer import Timer
from qdkernel.evaluators.pipeline.timing.estimates import first_calls_ns
from qdkernel.evaluators.sandbox import ChildCrashed, ChildFailed, ChildStartFailed

_STOPPED_DUELS = 2  # in which an incumbent may be stopped before it loses its cell


class IncumbentStopped(Stop):
    """The incumbent failed in a duel: no evidence on the challenger, and not yet enough to retract the incumbent."""


def duel(
    timer: Timer,
    scratch: SharedScratch,
    process: TimedProcess,
    measured: Measured,
    first_call_ns: list[float],
    incumbent: Incumbent,
    incumbent_object: Path,
) -> Duel:
    """The challenger against the incumbent of its cell, interleaved, over all scored sizes.

    Duels take place between kernels of similar speed, so the blocks of both have the same number of calls. The
    incumbent is first called once at each size, as the challenger was: a first call creates threads and touches memory,
    and would cost the incumbent a tenth in the first round; and no kernel can tell from its first calls which of the
    two it is. An incumbent that crashes or is wrong in the duel loses it, and so does one that was stopped in the
    duel before as well, whatever the reason. Two rounds decide where they differ by much, and they are all that slow
    kernels get. A seed of which only a bound is known is not called again.
    """
    if incumbent.bound:
        return _against_bound(measured, incumbent)
    incumbent_process = timer.start("incumbent", incumbent_object)
    with incumbent_process.child:
        samples = []
        try:
            first_calls_ns(timer, incumbent_process)
            for index, (scored, call_ns) in enumerate(zip(timer.sizes, first_call_ns, strict=True)):
                rule = timer.duel_rule(index, call_ns)
                challenger, reference = (
                    scored.timed_case(each, call_ns, rule) for each in (process, incumbent_process)
                )
                samples.append(
                    time_pairs(
                        timer.buffers,
                        scored,
                        challenger,
                        reference,
                        rule,
                        timer.placement,
                        timer.quiet_cores,
                        timer.rng,
                    )
                )
        except (ChildFailed, WrongResult) as error:
            if error.process != incumbent_process.name:
                raise
            process.child.close()  # its threads and memory may be what the incumbent lacked
            incumbent_process.child.close()
            fault = fault_of(timer, error, incumbent_object)
            if fault := fault or _repeated(scratch, incumbent, incumbent_process, error):
                return Duel(incumbent.kernel_id, math.inf, math.inf, math.inf, fault=fault)
            raise IncumbentStopped(
                Outcome.LOST, f"the incumbent of its cell was stopped in their duel: {error}"
            ) from None
    scratch.forget_stopped(incumbent.kernel_id)
    low, median, high = _interval(timer, samples)
    kernel_ns, incumbent_ns = zip(*((each.kernel_ns, each.reference_ns) for each in samples), strict=True)
    return Duel(incumbent.kernel_id, median, low, high, kernel_ns, incumbent_ns)


def is_ahead(found: Duel, tie: float) -> bool:
    """Whether a challenger is faster by more than the tie width, but not significantly so."""
    return found.fault is None and bool(found.kernel_ns) and found.ratio > 1.0 + tie and found.low <= 1.0


def pool_duels(first: Duel, second: Duel, rng: np.random.Generator) -> Duel:
    """Two duels of the same kernels as one, with the rounds of both; the second alone when the incumbent failed in it.

    A constant that gains 2 to 3 % is ahead in most duels but significantly so in few; twice the rounds decide.

    Args:
        first: undecided.
        second: with other processes or at another time.
        rng: for the interval.
    """
    if second.fault is not None:
        return second
    kernel_ns, incumbent_ns = (
        tuple((*one, *other) for one, other in zip(rows, more, strict=True))
        for rows, more in ((first.kernel_ns, second.kernel_ns), (first.incumbent_ns, second.incumbent_ns))
    )
    ratios = [
        [other / own for own, other in zip(*rows, strict=True)] for rows in zip(kernel_ns, incumbent_ns, strict=True)
    ]
    found = median_ratio(ratios, rng)
    return Duel(first.incumbent, found.median, found.low, found.high, kernel_ns, incumbent_ns)


def _interval(timer: Timer, samples: list[PairedSamples]) -> tuple[float, float, float]:
    """Low, median and high of the ratio; wide for two rounds, which may agree by chance."""
    found, rule = median_ratio([each.ratios for each in samples], timer.rng), timer.spec.duel_rule
    if rule.decisive is None or min(len(each.ratios) for each in samples) >= rule.rounds_min:
        return found.low, found.median, found.high
    return min(found.low, found.median / rule.decisive), found.median, max(found.high, found.median * rule.decisive)


def _against_bound(measured: Measured, incumbent: Incumbent) -> Duel:
    """The incumbent is slower than its bound, so it is slower than a kernel that was measured above that bound."""
    low = geometric_mean([timing.gflops * timing.ratio_low / timing.ratio for timing in measured.timings])
    return Duel(incumbent.kernel_id, measured.objective / incumbent.objective, low / incumbent.objective, math.inf)


def _repeated(
    scratch: SharedScratch, incumbent: Incumbent, process: TimedProcess, error: ChildFailed | WrongResult
) -> Fault | None:
    """The fault of an incumbent that was stopped in ``_STOPPED_DUELS`` duels in a row; ``None`` before that.

    A child that did not start, or that another process killed, is no evidence against its kernel.
    """
    if isinstance(error, WrongResult | ChildStartFailed):
        return None
    if isinstance(error, ChildCrashed) and process.child.was_killed:
        return None
    if scratch.count_stopped(incumbent.kernel_id) < _STOPPED_DUELS:
        return None
    return Fault(FAILURES[type(error)], f"it was stopped in {_STOPPED_DUELS} duels in a row: {error}")


def fault_of(timer: Timer, error: ChildFailed | WrongResult, made: Path) -> Fault | None:
    """How an elite failed; ``None`` when it was only late, or when it does not crash a second time.

    A wrong result is the elite's own fault. A crash may be due to a host short of memory or processes, or to a signal
    from outside: the elite is called once more at each size, in a fresh process.
    """
    if isinstance(error, WrongResult):
        return Fault(Outcome.WRONG, str(error))
    if not isinstance(error, ChildCrashed):
        return None
    again = timer.start("incumbent", made)
    with again.child:
        try:
            first_calls_ns(timer, again)
        except WrongResult as wrong:
            return Fault(Outcome.WRONG, str(wrong))
        except ChildCrashed as crash:
            blameless = isinstance(crash, ChildStartFailed) or again.child.was_killed
            return None if blameless else Fault(Outcome.CRASHED, str(crash))
        except ChildFailed:
            return None
    return None
