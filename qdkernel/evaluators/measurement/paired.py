"""Timing two kernels against each other: interleaved blocks, fresh inputs, every timed output checked.

Each kernel lives in its own contained child and the one that is not being timed is stopped: a waiting OpenMP pool
that spins takes its core from the other and was measured to fake a ratio of 2.05.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qdkernel.core import Array, median_ratio
from qdkernel.evaluators.measurement.buffers import ScoredSize, TimedCase, TimedProcess, TimingBuffers, TimingRule
from qdkernel.evaluators.sandbox import PrecomputationDetected

_CONFIRMATIONS = 12  # blocks at most; nearly always the first or second is fast enough
_CONFIRMED = 1.3  # how much longer than in the rounds such a block may take; the speed of shared hosts varies so much
_WAKING_NS = 150e3  # QD_THAW_NS of native/supervisor.c: largest error of the time of such a block
_PATIENCE = 8  # budgets spent on a ratio that stays uncertain before giving up


class Busy(Exception):
    """The host keeps the cores busy; the kernel's speed cannot be measured."""


@dataclass(frozen=True)
class CpuPlacement:
    """Where the parent waits while a child runs, whether it may spin, and the deadline of a block in seconds."""

    cpu: int
    spin: bool
    timeout_s: float


@dataclass(frozen=True)
class PairedSamples:
    """Nanoseconds per call in each round, of challenger and reference.

    Attributes:
        kernel_ns: the challenger's.
        reference_ns: the reference's.
        slowest_ns: upper bound on the reference's time in ratios, so that a disturbed reference makes no kernel faster.
    """

    kernel_ns: tuple[float, ...]
    reference_ns: tuple[float, ...]
    slowest_ns: float = math.inf

    @property
    def ratios(self) -> list[float]:
        """Reference time over kernel time, round by round."""
        return [min(r, self.slowest_ns) / k for k, r in zip(self.kernel_ns, self.reference_ns, strict=True)]


def probe(buffers: TimingBuffers, scored: ScoredSize, process: TimedProcess, placement: CpuPlacement) -> float:
    """Nanoseconds of one checked call by itself: a first estimate.

    Raises:
        WrongResult: its result is wrong.
        ChildFailed: it died or was late.
    """
    buffers.refresh(range(scored.first, scored.first + 1), [process.name])
    return timed_call(buffers, scored.first, process, placement)


def timed_call(
    buffers: TimingBuffers, index: int, process: TimedProcess, placement: CpuPlacement, what: str = "a timed call"
) -> float:
    """Nanoseconds of one checked call whose inputs are in place; ``what`` names it in messages.

    Raises:
        WrongResult: its result is wrong.
        ChildFailed: it died or was late.
    """
    case = buffers.layout.calls[index].case
    with process.attributing_failures({name: int(case[name]) for name in buffers.problem.size_names}):
        process.child.go_on()
        elapsed = process.child.run(index, 1, placement.timeout_s, cpu=placement.cpu, spin=placement.spin, freeze=True)
        process.child.stop()
    buffers.check(range(index, index + 1), process.name, what)
    return float(elapsed)


def time_with_late_inputs(
    buffers: TimingBuffers, scored: ScoredSize, timed_case: TimedCase, placement: CpuPlacement
) -> float:
    """Nanoseconds per call of a checked block whose inputs are written while the child is stopped.

    Raises:
        WrongResult: a result is wrong.
        ChildFailed: it died or was late.
    """
    process, calls = timed_case.process, range(scored.first, scored.first + timed_case.timed)
    with process.attributing_failures(scored.size):
        process.child.go_on()
        elapsed = process.child.run_on(
            lambda: buffers.refresh(calls, [process.name]),
            calls.start,
            len(calls),
            placement.timeout_s,
            cpu=placement.cpu,
            spin=placement.spin,
        )
    buffers.check(calls, process.name)
    return elapsed / len(calls)


def time_pairs(
    buffers: TimingBuffers,
    scored: ScoredSize,
    challenger: TimedCase,
    reference: TimedCase,
    rule: TimingRule,
    placement: CpuPlacement,
    rng: np.random.Generator,
) -> PairedSamples:
    """Times two kernels in alternating blocks until the ratio is known well enough.

    The order is ABBA or BAAB, drawn for every two rounds: a drift that is linear in time cancels.

    Raises:
        WrongResult: a timed call of an untrusted kernel left a wrong result.
        ChildFailed: a child died, was late, or is slow when nothing can be computed before the clock runs.
        Busy: the ratio stayed uncertain by more than a disturbance for long, or the speed was not confirmed.
    """
    begin = time.monotonic()
    rounds: list[tuple[float, float]] = []
    while True:
        order = rng.permutation(2)
        rounds += [_round(buffers, scored, (challenger, reference), each, placement) for each in (order, order[::-1])]
        elapsed_s = time.monotonic() - begin
        samples = _undisturbed(rounds, reference.quiet_ns, rule, late=elapsed_s > rule.budget_s)
        if _enough(samples, rule, elapsed_s, rng):
            for process, ns in ((challenger.process, samples.kernel_ns), (reference.process, samples.reference_ns)):
                if not process.trusted:
                    claimed_ns = float(np.median(ns))
                    _confirm(buffers, scored, scored.timed_case(process, claimed_ns, rule), claimed_ns, placement)
            return samples
        if elapsed_s > _PATIENCE * rule.budget_s and len(rounds) >= rule.rounds_max:
            raise Busy(
                f"after {len(rounds)} rounds in {elapsed_s:.1f} s its speed is not known to {rule.disturbed - 1:.0%}"
            )


def _round(
    buffers: TimingBuffers,
    scored: ScoredSize,
    entries: tuple[TimedCase, TimedCase],
    order: Array,
    placement: CpuPlacement,
) -> tuple[float, float]:
    """One block of each kernel on the same fresh inputs, every timed output checked; nanoseconds per call of both."""
    used = [range(scored.first, scored.first + timed_case.warm + timed_case.timed) for timed_case in entries]
    warm = min(timed_case.warm for timed_case in entries)
    buffers.refresh(max(used, key=len), [timed_case.process.name for timed_case in entries], unchecked=warm)
    block_ns = [0.0, 0.0]
    for at in order:
        block_ns[at] = _time_block(scored, entries[at], placement)
    for timed_case, calls in zip(entries, used, strict=True):
        if not timed_case.process.trusted:
            buffers.check(calls[timed_case.warm :], timed_case.process.name)
    return block_ns[0], block_ns[1]


def _undisturbed(
    rounds: Sequence[tuple[float, float]], quiet_ns: float | None, rule: TimingRule, late: bool
) -> PairedSamples:
    """The rounds that count: those in which the reference was about as fast as on quiet cores.

    If the budget is spent and too few rounds were that fast, because the host is slow throughout, the rounds count in
    which the reference was about as fast as in its faster quarter; the ratio is then to the reference on quiet cores.
    Otherwise a disturbance of one core would favor a kernel that does not use it.
    """
    reference_ns, slowest_ns = np.array([ns for _, ns in rounds]), math.inf
    counts = reference_ns <= rule.disturbed * (math.inf if quiet_ns is None else quiet_ns)
    if quiet_ns is not None and late and np.count_nonzero(counts) < rule.rounds_min:
        counts, slowest_ns = reference_ns <= rule.disturbed * np.quantile(reference_ns, 0.25), quiet_ns
    kept = [pair for pair, counted in zip(rounds, counts, strict=True) if counted]
    return PairedSamples(tuple(kernel for kernel, _ in kept), tuple(reference for _, reference in kept), slowest_ns)


def _time_block(scored: ScoredSize, timed_case: TimedCase, placement: CpuPlacement) -> float:
    """Nanoseconds per call of one block; the child is stopped before and after.

    Only a trusted kernel is warmed up by calls: in an untimed call a kernel could compute the timed ones ahead, as
    their inputs are in place. The runner wakes a kernel's threads instead.
    """
    child, first = timed_case.process.child, scored.first + timed_case.warm
    with timed_case.process.attributing_failures(scored.size):
        child.go_on()
        if timed_case.warm and timed_case.process.trusted:
            child.run(scored.first, timed_case.warm, placement.timeout_s, cpu=placement.cpu, spin=placement.spin)
        elapsed = child.run(
            first, timed_case.timed, placement.timeout_s, cpu=placement.cpu, spin=placement.spin, freeze=True
        )
        child.stop()
    return elapsed / timed_case.timed


def _confirm(
    buffers: TimingBuffers, scored: ScoredSize, timed_case: TimedCase, claimed_ns: float, placement: CpuPlacement
) -> None:
    """Confirms that a kernel is as fast when its inputs are written while it is stopped.

    In the rounds the inputs are in place before the child is ready, and waking up, which is not timed, takes
    milliseconds where the parent has no core of its own. A kernel that has taken over the runner could compute the
    block in that time.

    Raises:
        PrecomputationDetected: it is always less than half as fast.
        Busy: it is always clearly slower.
    """
    fastest_ns = math.inf
    for _ in range(_CONFIRMATIONS):
        fastest_ns = min(fastest_ns, time_with_late_inputs(buffers, scored, timed_case, placement))
        if fastest_ns <= _CONFIRMED * claimed_ns + _WAKING_NS / timed_case.timed:
            return
    slower = f"{fastest_ns / claimed_ns:.1f} times slower when its inputs come while it is stopped"
    if fastest_ns > 2 * claimed_ns + _WAKING_NS / timed_case.timed:
        with timed_case.process.attributing_failures(scored.size):
            raise PrecomputationDetected(f"computes before the clock runs: it is {slower}", 0)
    raise Busy(f"a kernel was {slower}")


def _enough(samples: PairedSamples, rule: TimingRule, elapsed_s: float, rng: np.random.Generator) -> bool:
    if len(samples.kernel_ns) < rule.rounds_min:
        return False
    found = median_ratio([samples.ratios], rng)
    if found.half_width > rule.disturbed - 1:
        return False
    decided = rule.tie is not None and not found.low <= 1 + rule.tie <= found.high
    spent = len(samples.kernel_ns) >= rule.rounds_max or elapsed_s > rule.budget_s
    return decided or spent or found.half_width <= rule.half_width
