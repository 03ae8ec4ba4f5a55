"""Steps 7 and 8 of an evaluation: a kernel timed against the baseline and the incumbent of its cell; plausibility."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from qdkernel.core import (
    SIMD,
    Behaviour,
    Cell,
    Duel,
    Fault,
    Kernel,
    Measured,
    Outcome,
    Timing,
    geometric_mean,
    median_ratio,
    size_text,
    worth_a_duel,
)
from qdkernel.evaluators.measurement import (
    PairedSamples,
    TimedProcess,
    TimingRule,
    WrongResult,
    check_unannounced,
    probe,
    time_pairs,
    time_with_late_inputs,
)
from qdkernel.evaluators.pipeline.builder import FAILURES, EvaluationBuilder, Stop, outcomes
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.pipeline.scratch import Incumbent, SharedScratch
from qdkernel.evaluators.pipeline.timer import Timer
from qdkernel.evaluators.sandbox import ChildCrashed, ChildFailed, ChildStartFailed

_REMEASURE_BUDGETS = 2  # heuristic: budgets of a first timing that a remeasurement may take
_STOPPED_DUELS = 2  # in which an incumbent may be stopped before it loses its cell
PEAK_MARGIN = 1.02
"""Best window of the peak benchmark against a median: 2 % above it is no measurement error."""
_SLOW_FIRST = 10  # times the later calls, beyond which a first call is reported
_FIRST_NS = 5e6  # that a first call may take on top: it starts threads, maps buffers (measured: below 2 ms)
_LEVEL_MARGIN = 1.1  # heuristic: the peak of a narrow level is no limit of the machine
_TRIAD_MARGIN = 1.25  # triad itself varies by 20 % between runs, and other mixes of reads and writes can beat it


def time_challenger(context: EvaluationContext, builder: EvaluationBuilder, made: Path, behaviour: Behaviour) -> None:
    """Steps 7 and 8: timing against the baseline and, if it may win, against the incumbent; plausibility."""
    timer = context.timer
    incumbent = context.scratch.incumbent(behaviour.cell)
    if incumbent and incumbent.kernel_id == builder.kernel.id:
        incumbent = None  # evaluated again: it cannot challenge itself
    incumbent_object = (
        object_of(context, builder, Kernel(context.scratch.source(incumbent.kernel_id))) if incumbent else None
    )
    baseline = timer.baseline_process  # started outside the exclusive lock
    with builder.holding(timer.alone()), builder.step("time"):
        process = timer.start("challenger", made)
        with process.child, outcomes(lambda _: ", while being timed"):
            first_ns, first_call_ns = first_timing(timer, process, incumbent)
            if incumbent and _clearly_slower(timer, first_call_ns, incumbent):
                timings = tuple(_rough_timing(timer, i, ns) for i, ns in enumerate(first_call_ns))
                builder.detail = "dropped after two calls: clearly slower than the incumbent of its cell"
            else:
                rule = timer.spec.rule
                timings = tuple(time_size(timer, i, process, ns, baseline, rule) for i, ns in enumerate(first_call_ns))
                evidence = {**behaviour.evidence, **_slow_first_calls(first_ns, timings)}
                builder.behaviour = replace(behaviour, evidence=evidence)
            measured = builder.measured = _measured(timings)
            check_plausible(timer, timings)
            check_level(timer, behaviour.cell, timings)
            may_win = incumbent is None or worth_a_duel(measured.objective, timings, incumbent.objective)
            if may_win:
                check_unannounced(timer.buffers, process, timer.placement, timer.rng)
            if may_win and incumbent and incumbent_object:
                found = duel(timer, context.scratch, process, first_call_ns, incumbent, incumbent_object)
                builder.measured = replace(measured, duel=found)


def remeasure_timing(context: EvaluationContext, builder: EvaluationBuilder, elite: Kernel) -> None:
    """Step 7 for an elite that was verified and timed before, in a fresh process."""
    timer = context.timer
    made = object_of(context, builder, elite)
    baseline = timer.baseline_process  # started outside the exclusive lock
    rule = replace(timer.spec.rule, budget_s=_REMEASURE_BUDGETS * timer.spec.rule.budget_s)
    with builder.holding(timer.alone()), builder.step("time"):
        process = timer.start("challenger", made)
        with process.child, outcomes(lambda _: ", while being timed"):
            try:
                _, first_call_ns = first_timing(timer, process, None)
                timings = tuple(time_size(timer, i, process, ns, baseline, rule) for i, ns in enumerate(first_call_ns))
            except ChildCrashed as error:
                if error.process == process.name and _fault(timer, error, made) is None:
                    raise Stop(Outcome.LOST, f"{error}, but not when it was tried again") from None
                raise
            builder.measured = _measured(timings)
            check_plausible(timer, timings)


def _measured(timings: tuple[Timing, ...]) -> Measured:
    return Measured(geometric_mean([timing.gflops for timing in timings]), timings)


def object_of(context: EvaluationContext, builder: EvaluationBuilder, elite: Kernel) -> Path:
    """The shared object of an elite; compiled again if a restart has lost it."""
    path = context.scratch.object_path(elite.id)
    if not path.exists():
        with builder.holding(context.lock.shared()), context.build_folder() as folder:
            shutil.move(context.compile(elite.source, Path(folder)), path)
    return path


def first_timing(timer: Timer, process: TimedProcess, incumbent: Incumbent | None) -> tuple[list[float], list[float]]:
    """Nanoseconds of the first call at each scored size, and of the faster of two where the first is clearly slower.

    The first call also creates the kernel's threads and touches its buffers, so it alone decides nothing.
    """
    sizes = timer.sizes
    first_call_ns = [probe(timer.buffers, scored, process, timer.placement) for scored in sizes]
    if incumbent and _clearly_slower(timer, first_call_ns, incumbent):
        again = [probe(timer.buffers, scored, process, timer.placement) for scored in sizes]
        return first_call_ns, [min(pair) for pair in zip(first_call_ns, again, strict=True)]
    return first_call_ns, first_call_ns


def _slow_first_calls(first_ns: list[float], timings: tuple[Timing, ...]) -> dict[str, str]:
    """An entry of the evidence when first calls, which no speed counts, took many times the later ones."""
    told = [
        f"{size_text(timing.size)}: {first * 1e-6:.3g} ms, later {float(np.median(timing.kernel_ns)) * 1e-6:.3g} ms"
        for first, timing in zip(first_ns, timings, strict=True)
        if first > _SLOW_FIRST * float(np.median(timing.kernel_ns)) + _FIRST_NS
    ]
    return {"first call": "; ".join(told)} if told else {}


def _clearly_slower(timer: Timer, first_call_ns: list[float], incumbent: Incumbent) -> bool:
    speeds = [scored.flops / ns for scored, ns in zip(timer.sizes, first_call_ns, strict=True)]
    return geometric_mean(speeds) * timer.spec.drop_ratio < incumbent.objective


def time_size(
    timer: Timer,
    index: int,
    process: TimedProcess,
    call_ns: float,
    baseline: TimedProcess,
    rule: TimingRule,
) -> Timing:
    """One scored size against the baseline.

    If one call takes longer than a whole measurement may, the kernel is called twice and compared with the baseline's
    calibrated speed: rounds against the much shorter blocks of the baseline would take a minute and add nothing.
    """
    scored = timer.sizes[index]
    if call_ns > rule.budget_s * 1e9:
        timed_case = scored.timed_case(process, call_ns, rule)
        calls_ns = tuple(time_with_late_inputs(timer.buffers, scored, timed_case, timer.placement) for _ in range(2))
        baseline_ns = timer.baseline_ns(index)
        return _timing(timer, index, 1, PairedSamples(calls_ns, (baseline_ns, baseline_ns), slowest_ns=baseline_ns))
    challenger = scored.timed_case(process, call_ns, rule)
    reference = timer.baseline_case(index, baseline)
    samples = time_pairs(timer.buffers, scored, challenger, reference, rule, timer.placement, timer.rng)
    return _timing(timer, index, challenger.timed, samples)


def _rough_timing(timer: Timer, index: int, call_ns: float) -> Timing:
    """A single call as a timing, against the baseline's calibrated speed."""
    return _timing(timer, index, 1, PairedSamples((call_ns,), (timer.baseline_ns(index),)))


def _timing(timer: Timer, index: int, timed: int, samples: PairedSamples) -> Timing:
    scored, ratio = timer.sizes[index], median_ratio([samples.ratios], timer.rng)
    return Timing(
        size=scored.size,
        flops=scored.flops,
        bytes=scored.bytes,
        block_calls=timed,
        kernel_ns=samples.kernel_ns,
        reference_ns=samples.reference_ns,
        ratio=ratio.median,
        ratio_low=ratio.low,
        ratio_high=ratio.high,
        gflops=ratio.median * timer.spec.baseline_gflops[index],
        quiet=math.isinf(samples.slowest_ns),
    )


def duel(
    timer: Timer,
    scratch: SharedScratch,
    process: TimedProcess,
    first_call_ns: list[float],
    incumbent: Incumbent,
    incumbent_object: Path,
) -> Duel:
    """The challenger against the incumbent of its cell, interleaved, over all scored sizes.

    Duels take place between kernels of similar speed, so the blocks of both have the same number of calls. The
    incumbent is first called once at each size, as the challenger was: a first call creates threads and touches memory,
    and would cost the incumbent a tenth in the first round; and no kernel can tell from its first calls which of the
    two it is. An incumbent that crashes or is wrong in the duel loses it, and so does one that was stopped in the
    duel before as well, whatever the reason.
    """
    incumbent_process = timer.start("incumbent", incumbent_object)
    rule = timer.spec.duel_rule
    with incumbent_process.child:
        samples = []
        try:
            first_timing(timer, incumbent_process, None)
            for scored, call_ns in zip(timer.sizes, first_call_ns, strict=True):
                challenger, reference = (
                    scored.timed_case(each, call_ns, rule) for each in (process, incumbent_process)
                )
                samples.append(
                    time_pairs(timer.buffers, scored, challenger, reference, rule, timer.placement, timer.rng)
                )
        except (ChildFailed, WrongResult) as error:
            if error.process != incumbent_process.name:
                raise
            process.child.close()  # its threads and memory may be what the incumbent lacked
            incumbent_process.child.close()
            fault = _fault(timer, error, incumbent_object)
            if fault := fault or _repeated(scratch, incumbent, incumbent_process, error):
                return Duel(incumbent.kernel_id, math.inf, math.inf, math.inf, fault=fault)
            raise Stop(Outcome.LOST, f"the incumbent of its cell was stopped in their duel: {error}") from None
    scratch.forget_stopped(incumbent.kernel_id)
    found = median_ratio([lap.ratios for lap in samples], timer.rng)
    kernel_ns, incumbent_ns = zip(*((lap.kernel_ns, lap.reference_ns) for lap in samples), strict=True)
    return Duel(incumbent.kernel_id, found.median, found.low, found.high, kernel_ns, incumbent_ns)


def _repeated(
    scratch: SharedScratch, incumbent: Incumbent, process: TimedProcess, error: ChildFailed | WrongResult
) -> Fault | None:
    """The fault of an incumbent that was stopped in ``_STOPPED_DUELS`` duels in a row; ``None`` before that.

    A child that did not start, or that somebody else killed, says nothing about its kernel.
    """
    if isinstance(error, WrongResult | ChildStartFailed):
        return None
    if isinstance(error, ChildCrashed) and process.child.was_killed:
        return None
    if scratch.count_stopped(incumbent.kernel_id) < _STOPPED_DUELS:
        return None
    return Fault(FAILURES[type(error)], f"it was stopped in {_STOPPED_DUELS} duels in a row: {error}")


def _fault(timer: Timer, error: ChildFailed | WrongResult, made: Path) -> Fault | None:
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
            for scored in timer.sizes:
                probe(timer.buffers, scored, again, timer.placement)
        except WrongResult as wrong:
            return Fault(Outcome.WRONG, str(wrong))
        except ChildCrashed as crash:
            blameless = isinstance(crash, ChildStartFailed) or again.child.was_killed
            return None if blameless else Fault(Outcome.CRASHED, str(crash))
        except ChildFailed:
            return None
    return None


def check_plausible(timer: Timer, timings: tuple[Timing, ...]) -> None:
    """Step 8: no kernel computes or streams faster than this machine's measured peaks.

    If only the drift-cancelled speed is above the peak, the reference was disturbed; the kernel is not that fast.
    Traffic is bounded only where the data exceeds the last-level cache, by the bytes that any implementation moves.
    """
    for timing, scored in zip(timings, timer.sizes, strict=True):
        median_ns = float(np.median(timing.kernel_ns))
        gflops, gbytes = scored.least_flops / median_ns, scored.least_bytes / median_ns
        size = ", ".join(f"{name}={value}" for name, value in scored.size.items())
        if gflops > PEAK_MARGIN * timer.spec.peak_gflops:
            raise Stop(
                Outcome.IMPLAUSIBLE,
                f"{gflops:.1f} GFLOP/s at {size} is above the measured peak of {timer.spec.peak_gflops:.1f}",
            )
        if timing.gflops * scored.least_flops / scored.flops > PEAK_MARGIN * timer.spec.peak_gflops:
            raise Stop(
                Outcome.LOST, f"the machine was too busy to time a kernel: a ratio of {timing.ratio:.2f} at {size}"
            )
        if scored.least_bytes > 2 * timer.spec.llc_bytes and gbytes > _TRIAD_MARGIN * timer.spec.triad_gbytes_per_s:
            raise Stop(
                Outcome.IMPLAUSIBLE,
                f"{gbytes:.1f} GB/s at {size} is above the measured triad of {timer.spec.triad_gbytes_per_s:.1f}",
            )


def check_level(timer: Timer, cell: Cell, timings: tuple[Timing, ...]) -> None:
    """A kernel faster than the peak of its SIMD level is not stored there: its behaviour was read wrongly."""
    level = SIMD.levels[cell.simd]
    peak = timer.spec.simd_gflops.get(level, math.inf)
    for timing, scored in zip(timings, timer.sizes, strict=True):
        gflops = scored.least_flops / float(np.median(timing.kernel_ns))
        if gflops > _LEVEL_MARGIN * peak:
            raise Stop(
                Outcome.IMPLAUSIBLE,
                f"{gflops:.1f} GFLOP/s at {size_text(scored.size)} is above the {peak:.1f} that {level} code reaches "
                "here, so the loop that does the work was not recognized; write it as a loop of its own",
            )
