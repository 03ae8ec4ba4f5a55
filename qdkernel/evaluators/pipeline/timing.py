"""Steps 7 and 8 of an evaluation: a kernel timed against the baseline and the holder of its cell; plausibility."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from qdkernel.core import Duel, Fault, Kernel, Outcome, Timing, geometric_mean, median_ratio, worth_a_duel
from qdkernel.evaluators.measurement import (
    PairedSamples,
    TimedProcess,
    TimingRule,
    WrongResult,
    probe,
    race,
    time_with_late_inputs,
)
from qdkernel.evaluators.pipeline.builder import EvaluationBuilder, Stop, outcomes
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.pipeline.scratch import Incumbent
from qdkernel.evaluators.sandbox import ChildCrashed, ChildFailed, ChildStartFailed

_LOOK_BUDGETS = 2  # by thought: what a look at an elite may cost while it waits for quiet cores
_PEAK_MARGIN = 1.02  # best window of the peak benchmark against a median: 2 % above it is no measurement error
_TRIAD_MARGIN = 1.25  # triad itself varies by 20 % between runs, and other mixes of reads and writes can beat it


def time_challenger(context: EvaluationContext, builder: EvaluationBuilder, made: Path) -> None:
    """Steps 7 and 8: timing against the baseline and, when it may win, against the holder of its cell; plausibility."""
    assert builder.cell is not None
    incumbent = context.scratch.incumbent(builder.cell)
    if incumbent and incumbent.kernel_id == builder.kernel.id:
        incumbent = None  # evaluated again: it cannot challenge itself
    incumbent_object = (
        _object_of(context, builder, Kernel(context.scratch.source(incumbent.kernel_id))) if incumbent else None
    )
    baseline = context.baseline_process  # started outside the exclusive lock
    with builder.holding(context.alone()), builder.step("time"):
        process = context.start_timed("challenger", made)
        with process.child, outcomes(lambda _: " while being timed"):
            first_call_ns = look(context, process, incumbent)
            if incumbent and _clearly_slower(context, first_call_ns, incumbent):
                builder.timings = tuple(_rough_timing(context, i, ns) for i, ns in enumerate(first_call_ns))
                builder.detail = "dropped after two calls: clearly slower than the holder of its cell"
            else:
                rule = context.spec.rule
                builder.timings = tuple(
                    time_size(context, i, process, ns, baseline, rule) for i, ns in enumerate(first_call_ns)
                )
            check_plausible(context, builder.timings)
            objective = geometric_mean([timing.gflops for timing in builder.timings])
            if incumbent and incumbent_object and worth_a_duel(objective, builder.timings, incumbent.objective):
                builder.duel = duel(context, process, first_call_ns, incumbent, incumbent_object)


def remeasure_timing(context: EvaluationContext, builder: EvaluationBuilder, elite: Kernel) -> None:
    """Step 7 for an elite that was proven and timed before, in a fresh process."""
    made = _object_of(context, builder, elite)
    baseline = context.baseline_process  # started outside the exclusive lock
    rule = replace(context.spec.rule, budget_s=_LOOK_BUDGETS * context.spec.rule.budget_s)
    with builder.holding(context.alone()), builder.step("time"):
        process = context.start_timed("challenger", made)
        with process.child, outcomes(lambda _: " while being timed"):
            try:
                first_call_ns = look(context, process, None)
                builder.timings = tuple(
                    time_size(context, i, process, ns, baseline, rule) for i, ns in enumerate(first_call_ns)
                )
            except ChildCrashed as error:
                if error.process == process.name and _fault(context, error, made) is None:
                    raise Stop(Outcome.LOST, f"{error}, but not when it was tried again") from None
                raise
            check_plausible(context, builder.timings)


def _object_of(context: EvaluationContext, builder: EvaluationBuilder, elite: Kernel) -> Path:
    """The shared object of an elite; compiled again if a restart has lost it."""
    path = context.scratch.object_path(elite.id)
    if not path.exists():
        with builder.holding(context.lock.shared()), context.build_folder() as folder:
            shutil.move(context.compile(elite.source, Path(folder)), path)
    return path


def look(context: EvaluationContext, process: TimedProcess, incumbent: Incumbent | None) -> list[float]:
    """Nanoseconds of one call at each scored size; the better of two calls where the first looks hopeless.

    The first call also creates the kernel's threads and touches its buffers, so it alone does not condemn.
    """
    sizes = context.buffers.sizes
    first_call_ns = [probe(context.buffers, scored, process, context.track) for scored in sizes]
    if incumbent and _clearly_slower(context, first_call_ns, incumbent):
        again = [probe(context.buffers, scored, process, context.track) for scored in sizes]
        first_call_ns = [min(pair) for pair in zip(first_call_ns, again, strict=True)]
    return first_call_ns


def _clearly_slower(context: EvaluationContext, first_call_ns: list[float], incumbent: Incumbent) -> bool:
    speeds = [scored.flops / ns for scored, ns in zip(context.buffers.sizes, first_call_ns, strict=True)]
    return geometric_mean(speeds) * context.spec.drop_ratio < incumbent.objective


def time_size(
    context: EvaluationContext,
    index: int,
    process: TimedProcess,
    call_ns: float,
    baseline: TimedProcess,
    rule: TimingRule,
) -> Timing:
    """One scored size against the baseline.

    A kernel of which one call takes longer than a whole measurement may is called twice and compared with the
    baseline's run-long speed: rounds beside so short a block of the baseline would take a minute and tell no more.
    """
    scored = context.buffers.sizes[index]
    if call_ns > rule.budget_s * 1e9:
        entry = scored.entry(process, call_ns, rule)
        calls_ns = tuple(time_with_late_inputs(context.buffers, scored, entry, context.track) for _ in range(2))
        baseline_ns = _run_long_ns(context, index)
        return _timing(context, index, 1, PairedSamples(calls_ns, (baseline_ns, baseline_ns), slowest_ns=baseline_ns))
    challenger = scored.entry(process, call_ns, rule)
    reference = context.baseline_entry(index, baseline)
    samples = race(context.buffers, scored, challenger, reference, rule, context.track, context.rng)
    return _timing(context, index, challenger.timed, samples)


def _rough_timing(context: EvaluationContext, index: int, call_ns: float) -> Timing:
    """A single call as a timing, against the baseline's run-long speed."""
    return _timing(context, index, 1, PairedSamples((call_ns,), (_run_long_ns(context, index),)))


def _run_long_ns(context: EvaluationContext, index: int) -> float:
    return context.buffers.sizes[index].flops / context.spec.baseline_gflops[index]


def _timing(context: EvaluationContext, index: int, timed: int, samples: PairedSamples) -> Timing:
    scored, ratio = context.buffers.sizes[index], median_ratio([samples.ratios], context.rng)
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
        gflops=ratio.median * context.spec.baseline_gflops[index],
        quiet=math.isinf(samples.slowest_ns),
    )


def duel(
    context: EvaluationContext,
    process: TimedProcess,
    first_call_ns: list[float],
    incumbent: Incumbent,
    incumbent_object: Path,
) -> Duel:
    """The challenger against the holder of its cell, interleaved, over all scored sizes.

    The two are about equally fast, or there would be no duel: their blocks have the same number of calls. The holder
    has one call first, as the challenger had: a first call creates threads and touches memory, and a holder that does
    so in the race loses its first round by a tenth. A holder that crashes or is wrong in the duel has lost it.
    """
    incumbent_process = context.start_timed("holder", incumbent_object)
    rule = context.spec.duel_rule
    with incumbent_process.child:
        samples = []
        try:
            for scored, call_ns in zip(context.buffers.sizes, first_call_ns, strict=True):
                probe(context.buffers, scored, incumbent_process, context.track)
                challenger, reference = (scored.entry(each, call_ns, rule) for each in (process, incumbent_process))
                samples.append(race(context.buffers, scored, challenger, reference, rule, context.track, context.rng))
        except (ChildFailed, WrongResult) as error:
            if error.process != incumbent_process.name:
                raise
            process.child.close()  # its threads and memory may be what the holder lacked
            incumbent_process.child.close()
            if fault := _fault(context, error, incumbent_object):
                return Duel(incumbent.kernel_id, math.inf, math.inf, math.inf, fault=fault)
            raise Stop(Outcome.LOST, f"the holder of its cell was stopped in their duel: {error}") from None
    found = median_ratio([lap.ratios for lap in samples], context.rng)
    kernel_ns, incumbent_ns = zip(*((lap.kernel_ns, lap.reference_ns) for lap in samples), strict=True)
    return Duel(incumbent.kernel_id, found.median, found.low, found.high, kernel_ns, incumbent_ns)


def _fault(context: EvaluationContext, error: ChildFailed | WrongResult, made: Path) -> Fault | None:
    """What an elite did wrong; ``None`` when it was only late, or when its crash does not come twice.

    A wrong result is its own fault. A crash may be that of a host short of memory or processes, or of somebody who
    kills: the elite is called once more at each size, in a fresh process.
    """
    if isinstance(error, WrongResult):
        return Fault(Outcome.WRONG, str(error))
    if not isinstance(error, ChildCrashed):
        return None
    again = context.start_timed("holder", made)
    with again.child:
        try:
            for scored in context.buffers.sizes:
                probe(context.buffers, scored, again, context.track)
        except WrongResult as wrong:
            return Fault(Outcome.WRONG, str(wrong))
        except ChildCrashed as crash:
            blameless = isinstance(crash, ChildStartFailed) or again.child.was_killed
            return None if blameless else Fault(Outcome.CRASHED, str(crash))
        except ChildFailed:
            return None
    return None


def check_plausible(context: EvaluationContext, timings: tuple[Timing, ...]) -> None:
    """Step 8: no kernel computes or streams faster than this machine was measured to.

    A speed that only the drift-cancelled figure puts above the peak says that the reference was disturbed, not the
    kernel fast. Traffic is bounded only where the data exceeds the last-level cache, and by what *any* implementation
    must move.
    """
    for timing, scored in zip(timings, context.buffers.sizes, strict=True):
        median_ns = float(np.median(timing.kernel_ns))
        gflops, gbytes = scored.least_flops / median_ns, scored.least_bytes / median_ns
        size = ", ".join(f"{name}={value}" for name, value in scored.size.items())
        if gflops > _PEAK_MARGIN * context.spec.peak_gflops:
            raise Stop(
                Outcome.IMPLAUSIBLE,
                f"{gflops:.1f} GFLOP/s at {size} is above the measured peak of {context.spec.peak_gflops:.1f}",
            )
        if timing.gflops * scored.least_flops / scored.flops > _PEAK_MARGIN * context.spec.peak_gflops:
            raise Stop(
                Outcome.LOST, f"the machine was too busy to time a kernel: a ratio of {timing.ratio:.2f} at {size}"
            )
        if scored.least_bytes > 2 * context.spec.llc_bytes and gbytes > _TRIAD_MARGIN * context.spec.triad_gbytes_per_s:
            raise Stop(
                Outcome.IMPLAUSIBLE,
                f"{gbytes:.1f} GB/s at {size} is above the measured triad of {context.spec.triad_gbytes_per_s:.1f}",
            )
