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
from qdkernel.evaluators.measurement.buffers import Entry, ScoredSize, TimedProcess, TimingBuffers, TimingRule
from qdkernel.evaluators.sandbox import PrecomputationDetected

_CONFIRMATIONS = 12  # blocks at most; nearly always the first or the second is quick enough
_CONFIRMED = 1.3  # how much longer than in the rounds such a block may take; shared hosts switch speeds by as much
_WAKING_NS = 150e3  # QD_THAW_NS of native/supervisor.c: by so much the clock of such a block may differ
_PATIENCE = 8  # budgets spent on a ratio that stays uncertain before giving up


class Busy(Exception):
    """Something else on the host keeps the cores busy; nothing can be said about a kernel's speed."""


@dataclass(frozen=True)
class CpuPlacement:
    """How the parent stands beside the child: where it waits, whether it may spin, and the deadline of a block."""

    cpu: int
    spin: bool
    timeout_s: float


@dataclass(frozen=True)
class PairedSamples:
    """Nanoseconds per call in each round, challenger beside reference.

    Attributes:
        kernel_ns: the challenger's.
        reference_ns: the reference's.
        slowest_ns: a reference slower than this is taken as this fast: that it was disturbed makes no kernel faster.
    """

    kernel_ns: tuple[float, ...]
    reference_ns: tuple[float, ...]
    slowest_ns: float = math.inf

    @property
    def ratios(self) -> list[float]:
        """Reference time over kernel time, round by round."""
        return [min(r, self.slowest_ns) / k for k, r in zip(self.kernel_ns, self.reference_ns, strict=True)]


def probe(buffers: TimingBuffers, scored: ScoredSize, process: TimedProcess, track: CpuPlacement) -> float:
    """Nanoseconds of one call, by itself, checked; a first look that tells the hopeless from the rest.

    Raises:
        WrongResult: its result is wrong.
        ChildFailed: it died or was late.
    """
    calls = range(scored.first, scored.first + 1)
    buffers.refresh(calls, [process.name])
    with process.answering():
        process.child.go_on()
        elapsed = process.child.run(calls.start, 1, track.timeout_s, cpu=track.cpu, spin=track.spin, freeze=True)
        process.child.stop()
    buffers.check(calls, process.name)
    return float(elapsed)


def time_with_late_inputs(buffers: TimingBuffers, scored: ScoredSize, entry: Entry, track: CpuPlacement) -> float:
    """Nanoseconds per call of a block, checked, whose inputs come while the kernel is stopped.

    Raises:
        WrongResult: a result is wrong.
        ChildFailed: it died or was late.
    """
    process, calls = entry.process, range(scored.first, scored.first + entry.timed)
    with process.answering():
        process.child.go_on()
        elapsed = process.child.run_on(
            lambda: buffers.refresh(calls, [process.name]),
            calls.start,
            len(calls),
            track.timeout_s,
            cpu=track.cpu,
            spin=track.spin,
        )
    buffers.check(calls, process.name)
    return elapsed / len(calls)


def race(
    buffers: TimingBuffers,
    scored: ScoredSize,
    challenger: Entry,
    reference: Entry,
    rule: TimingRule,
    track: CpuPlacement,
    rng: np.random.Generator,
) -> PairedSamples:
    """Times two kernels in alternating blocks until the ratio is known well enough.

    The order is ABBA or BAAB, drawn for every two rounds: a drift that is linear in time cancels.

    Raises:
        WrongResult: a timed call of an untrusted racer left a wrong result.
        ChildFailed: a racer died, was late, or is slow when nothing can be computed before the clock runs.
        Busy: for a long time the ratio stayed uncertain by more than a disturbance, or the speed was not confirmed.
    """
    begin = time.monotonic()
    rounds: list[tuple[float, float]] = []
    while True:
        order = rng.permutation(2)
        rounds += [_round(buffers, scored, (challenger, reference), each, track) for each in (order, order[::-1])]
        elapsed_s = time.monotonic() - begin
        samples = _undisturbed(rounds, reference.quiet_ns, rule, late=elapsed_s > rule.budget_s)
        if _enough(samples, rule, elapsed_s, rng):
            for process, ns in ((challenger.process, samples.kernel_ns), (reference.process, samples.reference_ns)):
                if not process.trusted:
                    claimed_ns = float(np.median(ns))
                    _confirm(buffers, scored, scored.entry(process, claimed_ns, rule), claimed_ns, track)
            return samples
        if elapsed_s > _PATIENCE * rule.budget_s and len(rounds) >= rule.rounds_max:
            raise Busy(
                f"after {len(rounds)} rounds in {elapsed_s:.1f} s its speed is not known to {rule.disturbed - 1:.0%}"
            )


def _round(
    buffers: TimingBuffers, scored: ScoredSize, entries: tuple[Entry, Entry], order: Array, track: CpuPlacement
) -> tuple[float, float]:
    """One block of each kernel on the same fresh inputs, every timed output checked; nanoseconds per call of both."""
    used = [range(scored.first, scored.first + entry.warm + entry.timed) for entry in entries]
    warm = min(entry.warm for entry in entries)
    buffers.refresh(max(used, key=len), [entry.process.name for entry in entries], unchecked=warm)
    lap_ns = [0.0, 0.0]
    for at in order:
        lap_ns[at] = _lap(scored, entries[at], track)
    for entry, calls in zip(entries, used, strict=True):
        if not entry.process.trusted:
            buffers.check(calls[entry.warm :], entry.process.name)
    return lap_ns[0], lap_ns[1]


def _undisturbed(
    rounds: Sequence[tuple[float, float]], quiet_ns: float | None, rule: TimingRule, late: bool
) -> PairedSamples:
    """The rounds that count: those in which the reference was about as fast as on quiet cores.

    A host may have a slow hour. So when it is getting late and too few rounds were as fast as that, those count in
    which the reference was about as fast as in the faster quarter of this race; but then the ratio is to the
    reference on quiet cores. What slows one core only would otherwise flatter whoever does not need it.
    """
    reference_ns, slowest_ns = np.array([ns for _, ns in rounds]), math.inf
    counts = reference_ns <= rule.disturbed * (math.inf if quiet_ns is None else quiet_ns)
    if quiet_ns is not None and late and np.count_nonzero(counts) < rule.rounds_min:
        counts, slowest_ns = reference_ns <= rule.disturbed * np.quantile(reference_ns, 0.25), quiet_ns
    kept = [pair for pair, counted in zip(rounds, counts, strict=True) if counted]
    return PairedSamples(tuple(kernel for kernel, _ in kept), tuple(reference for _, reference in kept), slowest_ns)


def _lap(scored: ScoredSize, entry: Entry, track: CpuPlacement) -> float:
    """Nanoseconds per call of one block; the child runs only meanwhile.

    Only a trusted racer is warmed up by calls of its own: in an untimed call a kernel could compute the timed ones
    ahead, whose inputs are in place. The runner wakes a kernel's threads instead.
    """
    child, first = entry.process.child, scored.first + entry.warm
    with entry.process.answering():
        child.go_on()
        if entry.warm and entry.process.trusted:
            child.run(scored.first, entry.warm, track.timeout_s, cpu=track.cpu, spin=track.spin)
        elapsed = child.run(first, entry.timed, track.timeout_s, cpu=track.cpu, spin=track.spin, freeze=True)
        child.stop()
    return elapsed / entry.timed


def _confirm(buffers: TimingBuffers, scored: ScoredSize, entry: Entry, claimed_ns: float, track: CpuPlacement) -> None:
    """Sees that a kernel is as fast when its inputs come while it is stopped.

    In the rounds they are in place before it stands ready, and waking up, which is not timed, takes milliseconds where
    the parent has no core to itself. Whoever has seized the runner could compute the block meanwhile.

    Raises:
        PrecomputationDetected: it is never even half as fast.
        Busy: it is never about as fast.
    """
    fastest_ns = math.inf
    for _ in range(_CONFIRMATIONS):
        fastest_ns = min(fastest_ns, time_with_late_inputs(buffers, scored, entry, track))
        if fastest_ns <= _CONFIRMED * claimed_ns + _WAKING_NS / entry.timed:
            return
    slower = f"{fastest_ns / claimed_ns:.1f} times slower when its inputs come while it is stopped"
    if fastest_ns > 2 * claimed_ns + _WAKING_NS / entry.timed:
        with entry.process.answering():
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
