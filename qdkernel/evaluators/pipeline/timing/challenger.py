"""Step 7 of an evaluation: a kernel timed against the baseline and, if it may win, the incumbent of its cell.

The cost is in proportion to what is at stake. A first estimate of two rounds, or of one call that takes long, is enough
to fill an empty cell and to pass over a kernel that is clearly slower than the incumbent. Only a kernel that may win
meets the incumbent in a duel, and only one that wins is timed by the full rule. The estimate of an elite is refined
when the run's elites are remeasured. docs/measurement.md states the rule and its errors.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from qdkernel.core import (
    Behaviour,
    Cell,
    Kernel,
    Measured,
    Outcome,
    Timing,
    geometric_mean,
    size_text,
    worth_a_duel,
)
from qdkernel.evaluators.measurement import TimedProcess, check_unannounced
from qdkernel.evaluators.pipeline.builder import EvaluationBuilder, Stop, outcomes
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.pipeline.scratch import Incumbent
from qdkernel.evaluators.pipeline.timer import Timer
from qdkernel.evaluators.pipeline.timing.duels import IncumbentStopped, duel, fault_of, is_ahead, pool_duels
from qdkernel.evaluators.pipeline.timing.estimates import (
    beside_baseline,
    bounded,
    first_call_ns,
    first_calls_ns,
    time_size,
)
from qdkernel.evaluators.pipeline.timing.plausibility import check_plausible
from qdkernel.evaluators.sandbox import ChildCrashed, ChildTimeout

_REMEASURE_BUDGETS = 2  # heuristic: budgets of a first timing that a remeasurement may take
_SLOW_FIRST = 10  # times the later calls, beyond which a first call is reported
_FIRST_NS = 5e6  # that a first call may take on top: it starts threads, maps buffers (measured: below 2 ms)
_DOUBTED = (Outcome.IMPLAUSIBLE, Outcome.LOST)  # outcomes that a disturbed host can cause


def time_challenger(
    context: EvaluationContext,
    builder: EvaluationBuilder,
    made: Path,
    behaviour: Behaviour,
    is_seed: bool,
    observe: Callable[[], Behaviour],
) -> None:
    """Steps 7 and 8: timing against the baseline and, if it may win, against the incumbent; plausibility.

    Args:
        context: of this process.
        builder: what is known of the kernel so far.
        made: its shared object.
        behaviour: by its code.
        is_seed: see ``evaluate``.
        observe: the behaviour by what runs; called for a kernel that takes a cell, with the cores shared. Where that is
            another cell, the kernel has to beat the incumbent there.
    """
    timer = context.timer
    takes_cell = _time_and_duel(context, builder, made, behaviour, is_seed)
    if not takes_cell or builder.measured is None or builder.measured.bound:
        return
    observed = builder.behaviour = observe()
    check_plausible(timer, builder.measured.timings, observed.cell)
    if observed.cell != behaviour.cell:
        builder.measured = replace(builder.measured, duel=None)
        if _incumbent(context, builder, observed.cell):
            _time_and_duel(context, builder, made, observed, is_seed)


def _incumbent(context: EvaluationContext, builder: EvaluationBuilder, cell: Cell) -> Incumbent | None:
    """The incumbent that the kernel has to beat in a cell; a kernel does not challenge itself."""
    found = context.scratch.incumbent(cell)
    return None if found is None or found.kernel_id == builder.kernel.id else found


def _time_and_duel(
    context: EvaluationContext, builder: EvaluationBuilder, made: Path, behaviour: Behaviour, is_seed: bool
) -> bool:
    """Times the kernel alone on the cores; whether it fills an empty cell or has won its duel.

    A failure that a disturbed host can cause counts only when it occurs in two processes, the second in a quiet moment.
    """
    timer, rival = context.timer, None
    if incumbent := _incumbent(context, builder, behaviour.cell):
        rival = incumbent, object_of(context, builder, Kernel(context.scratch.source(incumbent.kernel_id)))
    timer.baseline_process  # noqa: B018  started outside the exclusive lock
    with builder.holding(timer.alone()), builder.step("time"):
        try:
            _time_once(context, builder, made, behaviour, rival, is_seed)
        except Stop as stop:
            if stop.outcome not in _DOUBTED or isinstance(stop, IncumbentStopped):
                raise
            timer.await_quiet()
            _time_once(context, builder, made, behaviour, rival, is_seed)
    found = builder.measured.duel if builder.measured else None
    return rival is None or (found is not None and timer.spec.is_won(found))


def _time_once(
    context: EvaluationContext,
    builder: EvaluationBuilder,
    made: Path,
    behaviour: Behaviour,
    rival: tuple[Incumbent, Path] | None,
    is_seed: bool,
) -> None:
    timer, incumbent = context.timer, rival[0] if rival else None
    with contextlib.ExitStack() as children, outcomes(lambda _: ", while being timed"):
        process, calls_ns = _first_calls(timer, made, children, is_seed)
        timings = _first_timings(timer, process, calls_ns, incumbent)
        slow = _slow_first_calls(calls_ns, timings)
        if slow:  # by itself, or because the host was busy: it is slow in a second process, or not at all
            again_ns = _first_calls(timer, made, children, is_seed)[1]
            slow = _slow_first_calls([_least(*each) for each in zip(calls_ns, again_ns, strict=True)], timings)
        builder.behaviour = replace(behaviour, evidence={**behaviour.evidence, **slow})
        builder.measured = measured = measured_by(timings)
        check_plausible(timer, timings, behaviour.cell)
        if incumbent and not worth_a_duel(measured.objective, timings, incumbent.objective):
            builder.detail = "not timed further: slower than the incumbent of its cell"
            return
        if measured.bound:
            builder.detail = "stopped at a scored size: its speed there is at most what is recorded"
            return
        known_ns = [ns for ns in calls_ns if ns is not None]
        check_unannounced(timer.buffers, process, timer.placement, timer.rng, few=timer.is_long(known_ns))
        if rival:
            found = duel(timer, context.scratch, process, measured, known_ns, *rival)
            if is_ahead(found, timer.spec.duel_rule.tie or 0.0) and not timer.is_long(known_ns):
                again = duel(timer, context.scratch, process, measured, known_ns, *rival)
                found = pool_duels(found, again, timer.rng)
            if found.fault is None and timer.spec.is_won(found):
                measured = measured_by(
                    tuple(time_size(timer, i, process, ns, timer.won_rule(i, ns)) for i, ns in enumerate(known_ns))
                )
                check_plausible(timer, measured.timings)
            builder.measured = replace(measured, duel=found)


def _started(timer: Timer, made: Path, children: contextlib.ExitStack) -> TimedProcess:
    process = timer.start("challenger", made)
    children.enter_context(process.child)
    return process


def _first_calls(
    timer: Timer, made: Path, children: contextlib.ExitStack, is_seed: bool
) -> tuple[TimedProcess, list[float | None]]:
    """A fresh process of a kernel, and what ``_first_call_ns`` returns for each scored size."""
    process = _started(timer, made, children)
    calls_ns: list[float | None] = []
    for index in range(len(timer.sizes)):
        calls_ns.append(_first_call_ns(timer, index, process, is_seed))
        if calls_ns[-1] is None:
            process = _started(timer, made, children)  # the stopped call ended the other one
    return process, calls_ns


def _first_call_ns(timer: Timer, index: int, process: TimedProcess, is_seed: bool) -> float | None:
    """Nanoseconds of the first call at a scored size; ``None`` when a seed was stopped in it.

    The first call also creates the kernel's threads and touches its buffers.

    Raises:
        Stop: another kernel was stopped.
    """
    scored, patience_s = timer.sizes[index], timer.patience_s(index)
    try:
        return first_call_ns(timer, index, process, patience_s)
    except ChildTimeout:
        if patience_s >= timer.placement.timeout_s:
            raise
        if is_seed:
            return None
        baseline_ns = timer.baseline_ns(index)
        raise Stop(
            Outcome.TIMEOUT,
            f"not done after {patience_s:.3g} s at {size_text(scored.size)}, where the baseline takes "
            f"{baseline_ns * 1e-6:.3g} ms: {1e9 * patience_s / baseline_ns:.0f} times slower than the baseline or more",
        ) from None


def _first_timings(
    timer: Timer, process: TimedProcess, calls_ns: list[float | None], incumbent: Incumbent | None
) -> tuple[Timing, ...]:
    """First estimates; one call that takes long is enough to fill an empty cell, to meet its elite or to be dropped."""
    known_ns = [ns for ns in calls_ns if ns is not None]
    rough: dict[int, Timing] = {}
    if timer.spec.first_rounds and len(known_ns) == len(calls_ns) and timer.is_long(known_ns):
        rough = {index: beside_baseline(timer, index, ns) for index, ns in enumerate(known_ns)}
        found = measured_by(tuple(rough.values()))
        if incumbent and timer.spec.drop_ratio * found.objective < incumbent.objective:
            return found.timings
    rule = timer.spec.first_rule
    timings = []
    for index, ns in enumerate(calls_ns):
        if ns is None:
            timings.append(bounded(timer, index))
        elif index in rough and timer.is_long([ns]):
            timings.append(rough[index])
        else:
            timings.append(time_size(timer, index, process, ns, rule))
    return tuple(timings)


def remeasure_timing(context: EvaluationContext, builder: EvaluationBuilder, elite: Kernel) -> None:
    """Step 7 for an elite that was verified and timed before, in a fresh process, with other unannounced calls."""
    timer = context.timer
    made = object_of(context, builder, elite)
    timer.baseline_process  # noqa: B018  started outside the exclusive lock
    rule = replace(timer.spec.rule, budget_s=_REMEASURE_BUDGETS * timer.spec.rule.budget_s)
    with builder.holding(timer.alone()), builder.step("time"):
        process = timer.start("challenger", made)
        with process.child, outcomes(lambda _: ", while being timed"):
            try:
                calls_ns = first_calls_ns(timer, process)
                timings = tuple(time_size(timer, i, process, ns, rule) for i, ns in enumerate(calls_ns))
                check_unannounced(timer.buffers, process, timer.placement, timer.rng, few=timer.is_long(calls_ns))
            except ChildCrashed as error:
                if error.process == process.name and fault_of(timer, error, made) is None:
                    raise Stop(Outcome.LOST, f"{error}, but not when it was tried again") from None
                raise
            builder.measured = measured_by(timings)
            check_plausible(timer, timings)


def measured_by(timings: tuple[Timing, ...]) -> Measured:
    """The speed over all scored sizes."""
    return Measured(geometric_mean([timing.gflops for timing in timings]), timings)


def object_of(context: EvaluationContext, builder: EvaluationBuilder, elite: Kernel) -> Path:
    """The shared object of an elite; compiled again if a restart has lost it."""
    path = context.scratch.object_path(elite.id)
    if not path.exists():
        with builder.holding(context.lock.shared()), context.build_folder() as folder:
            shutil.move(context.compile(elite.source, Path(folder)), path)
    return path


def _least(first_ns: float | None, again_ns: float | None) -> float | None:
    """The shorter of two first calls; ``None`` when the first one was stopped, and the first when the second was."""
    return first_ns if first_ns is None or again_ns is None else min(first_ns, again_ns)


def _slow_first_calls(calls_ns: list[float | None], timings: tuple[Timing, ...]) -> Mapping[str, str]:
    """An entry of the evidence when first calls, which no speed counts, took many times the later ones."""
    told = [
        f"{size_text(timing.size)}: {first * 1e-6:.3g} ms, later {float(np.median(timing.kernel_ns)) * 1e-6:.3g} ms"
        for first, timing in zip(calls_ns, timings, strict=True)
        if first is not None and first > _SLOW_FIRST * float(np.median(timing.kernel_ns)) + _FIRST_NS
    ]
    return {"first call": "; ".join(told)} if told else {}
