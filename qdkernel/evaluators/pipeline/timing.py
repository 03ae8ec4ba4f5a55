"""Steps 7 and 8 of an evaluation: a kernel timed against the baseline and the holder of its cell; plausibility."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from qdkernel.core import Duel, Fault, Kernel, Outcome, Timing, geometric_mean, median_ratio, worth_a_duel
from qdkernel.evaluators.measurement import Laps, Racer, TimingRule, WrongResult, probe, race, unforeseen
from qdkernel.evaluators.pipeline.builder import Draft, Stop, outcomes
from qdkernel.evaluators.pipeline.context import Bench
from qdkernel.evaluators.pipeline.scratch import Holder
from qdkernel.evaluators.sandbox import ChildCrashed, ChildFailed, ChildUnready

_LOOK_BUDGETS = 2  # by thought: what a look at an elite may cost while it waits for quiet cores
_PEAK_MARGIN = 1.02  # best window of the peak benchmark against a median: 2 % above it is no measurement error
_TRIAD_MARGIN = 1.25  # triad itself varies by 20 % between runs, and other mixes of reads and writes can beat it


def time_and_duel(bench: Bench, draft: Draft, made: Path) -> None:
    """Steps 7 and 8: timing against the baseline and, when it may win, against the holder of its cell; plausibility."""
    assert draft.cell is not None
    holder = bench.shelf.holder(draft.cell)
    if holder and holder.kernel_id == draft.kernel.id:
        holder = None  # evaluated again: it cannot challenge itself
    rival = _object_of(bench, draft, Kernel(bench.shelf.source(holder.kernel_id))) if holder else None
    baseline = bench.baseline_racer  # started outside the exclusive lock
    with draft.holding(bench.alone()), draft.step("time"):
        racer = bench.start_racer("challenger", made)
        with racer.child, outcomes(lambda _: " while being timed"):
            paces = look(bench, racer, holder)
            if holder and _hopeless(bench, paces, holder):
                draft.timings = tuple(_rough_timing(bench, i, ns) for i, ns in enumerate(paces))
                draft.detail = "dropped after two calls: clearly slower than the holder of its cell"
            else:
                rule = bench.spec.rule
                draft.timings = tuple(time_size(bench, i, racer, ns, baseline, rule) for i, ns in enumerate(paces))
            check_plausible(bench, draft.timings)
            objective = geometric_mean([timing.gflops for timing in draft.timings])
            if holder and rival and worth_a_duel(objective, draft.timings, holder.objective):
                draft.duel = duel(bench, racer, paces, holder, rival)


def time_again(bench: Bench, draft: Draft, elite: Kernel) -> None:
    """Step 7 for an elite that was proven and timed before, in a fresh process."""
    made = _object_of(bench, draft, elite)
    baseline = bench.baseline_racer  # started outside the exclusive lock
    rule = replace(bench.spec.rule, budget_s=_LOOK_BUDGETS * bench.spec.rule.budget_s)
    with draft.holding(bench.alone()), draft.step("time"):
        racer = bench.start_racer("challenger", made)
        with racer.child, outcomes(lambda _: " while being timed"):
            try:
                paces = look(bench, racer, None)
                draft.timings = tuple(time_size(bench, i, racer, ns, baseline, rule) for i, ns in enumerate(paces))
            except ChildCrashed as error:
                if error.racer == racer.name and _fault(bench, error, made) is None:
                    raise Stop(Outcome.LOST, f"{error}, but not when it was tried again") from None
                raise
            check_plausible(bench, draft.timings)


def _object_of(bench: Bench, draft: Draft, elite: Kernel) -> Path:
    """The shared object of an elite; compiled again if a restart has lost it."""
    path = bench.shelf.object_path(elite.id)
    if not path.exists():
        with draft.holding(bench.lock.shared()), bench.build_folder() as folder:
            shutil.move(bench.compile(elite.source, Path(folder)), path)
    return path


def look(bench: Bench, racer: Racer, holder: Holder | None) -> list[float]:
    """Nanoseconds of one call at each scored size; the better of two calls where the first looks hopeless.

    The first call also creates the kernel's threads and touches its buffers, so it alone does not condemn.
    """
    sizes = bench.arena.sizes
    paces = [probe(bench.arena, scored, racer, bench.track) for scored in sizes]
    if holder and _hopeless(bench, paces, holder):
        again = [probe(bench.arena, scored, racer, bench.track) for scored in sizes]
        paces = [min(pair) for pair in zip(paces, again, strict=True)]
    return paces


def _hopeless(bench: Bench, paces: list[float], holder: Holder) -> bool:
    speeds = [scored.flops / ns for scored, ns in zip(bench.arena.sizes, paces, strict=True)]
    return geometric_mean(speeds) * bench.spec.drop_ratio < holder.objective


def time_size(bench: Bench, index: int, racer: Racer, call_ns: float, baseline: Racer, rule: TimingRule) -> Timing:
    """One scored size against the baseline.

    A kernel of which one call takes longer than a whole measurement may is called twice and compared with the
    baseline's run-long speed: rounds beside so short a block of the baseline would take a minute and tell no more.
    """
    scored = bench.arena.sizes[index]
    if call_ns > rule.budget_s * 1e9:
        entry = scored.entry(racer, call_ns, rule)
        calls_ns = tuple(unforeseen(bench.arena, scored, entry, bench.track) for _ in range(2))
        baseline_ns = _run_long_ns(bench, index)
        return _timing(bench, index, 1, Laps(calls_ns, (baseline_ns, baseline_ns), slowest_ns=baseline_ns))
    challenger = scored.entry(racer, call_ns, rule)
    reference = bench.baseline_entry(index, baseline)
    laps = race(bench.arena, scored, challenger, reference, rule, bench.track, bench.rng)
    return _timing(bench, index, challenger.timed, laps)


def _rough_timing(bench: Bench, index: int, call_ns: float) -> Timing:
    """A single call as a timing, against the baseline's run-long speed."""
    return _timing(bench, index, 1, Laps((call_ns,), (_run_long_ns(bench, index),)))


def _run_long_ns(bench: Bench, index: int) -> float:
    return bench.arena.sizes[index].flops / bench.spec.baseline_gflops[index]


def _timing(bench: Bench, index: int, timed: int, laps: Laps) -> Timing:
    scored, ratio = bench.arena.sizes[index], median_ratio([laps.ratios], bench.rng)
    return Timing(
        size=scored.size,
        flops=scored.flops,
        bytes=scored.bytes,
        block_calls=timed,
        kernel_ns=laps.kernel_ns,
        reference_ns=laps.reference_ns,
        ratio=ratio.median,
        ratio_low=ratio.low,
        ratio_high=ratio.high,
        gflops=ratio.median * bench.spec.baseline_gflops[index],
        quiet=math.isinf(laps.slowest_ns),
    )


def duel(bench: Bench, racer: Racer, paces: list[float], holder: Holder, rival: Path) -> Duel:
    """The challenger against the holder of its cell, interleaved, over all scored sizes.

    The two are about equally fast, or there would be no duel: their blocks have the same number of calls. The holder
    has one call first, as the challenger had: a first call creates threads and touches memory, and a holder that does
    so in the race loses its first round by a tenth. A holder that crashes or is wrong in the duel has lost it.
    """
    opponent = bench.start_racer("holder", rival)
    rule = bench.spec.duel_rule
    with opponent.child:
        laps = []
        try:
            for scored, call_ns in zip(bench.arena.sizes, paces, strict=True):
                probe(bench.arena, scored, opponent, bench.track)
                challenger, reference = (scored.entry(each, call_ns, rule) for each in (racer, opponent))
                laps.append(race(bench.arena, scored, challenger, reference, rule, bench.track, bench.rng))
        except (ChildFailed, WrongResult) as error:
            if error.racer != opponent.name:
                raise
            racer.child.close()  # its threads and memory may be what the holder lacked
            opponent.child.close()
            if fault := _fault(bench, error, rival):
                return Duel(holder.kernel_id, math.inf, math.inf, math.inf, fault=fault)
            raise Stop(Outcome.LOST, f"the holder of its cell was stopped in their duel: {error}") from None
    found = median_ratio([lap.ratios for lap in laps], bench.rng)
    kernel_ns, holder_ns = zip(*((lap.kernel_ns, lap.reference_ns) for lap in laps), strict=True)
    return Duel(holder.kernel_id, found.median, found.low, found.high, kernel_ns, holder_ns)


def _fault(bench: Bench, error: ChildFailed | WrongResult, made: Path) -> Fault | None:
    """What an elite did wrong; ``None`` when it was only late, or when its crash does not come twice.

    A wrong result is its own fault. A crash may be that of a host short of memory or processes, or of somebody who
    kills: the elite is called once more at each size, in a fresh process.
    """
    if isinstance(error, WrongResult):
        return Fault(Outcome.WRONG, str(error))
    if not isinstance(error, ChildCrashed):
        return None
    again = bench.start_racer("holder", made)
    with again.child:
        try:
            for scored in bench.arena.sizes:
                probe(bench.arena, scored, again, bench.track)
        except WrongResult as wrong:
            return Fault(Outcome.WRONG, str(wrong))
        except ChildCrashed as crash:
            blameless = isinstance(crash, ChildUnready) or again.child.was_killed
            return None if blameless else Fault(Outcome.CRASHED, str(crash))
        except ChildFailed:
            return None
    return None


def check_plausible(bench: Bench, timings: tuple[Timing, ...]) -> None:
    """Step 8: no kernel computes or streams faster than this machine was measured to.

    A speed that only the drift-cancelled figure puts above the peak says that the reference was disturbed, not the
    kernel fast. Traffic is bounded only where the data exceeds the last-level cache, and by what *any* implementation
    must move.
    """
    for timing, scored in zip(timings, bench.arena.sizes, strict=True):
        median_ns = float(np.median(timing.kernel_ns))
        gflops, gbytes = scored.least_flops / median_ns, scored.least_bytes / median_ns
        size = ", ".join(f"{name}={value}" for name, value in scored.size.items())
        if gflops > _PEAK_MARGIN * bench.spec.peak_gflops:
            raise Stop(
                Outcome.IMPLAUSIBLE,
                f"{gflops:.1f} GFLOP/s at {size} is above the measured peak of {bench.spec.peak_gflops:.1f}",
            )
        if timing.gflops * scored.least_flops / scored.flops > _PEAK_MARGIN * bench.spec.peak_gflops:
            raise Stop(
                Outcome.LOST, f"the machine was too busy to time a kernel: a ratio of {timing.ratio:.2f} at {size}"
            )
        if scored.least_bytes > 2 * bench.spec.llc_bytes and gbytes > _TRIAD_MARGIN * bench.spec.triad_gbytes_per_s:
            raise Stop(
                Outcome.IMPLAUSIBLE,
                f"{gbytes:.1f} GB/s at {size} is above the measured triad of {bench.spec.triad_gbytes_per_s:.1f}",
            )
