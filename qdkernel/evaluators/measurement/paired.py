"""Timing two kernels against each other: interleaved blocks, fresh inputs, every timed output checked.

Each kernel runs in its own contained child, and the one that is not being timed is stopped. Otherwise a waiting OpenMP
pool that spins takes a core from the other kernel (measured: a false ratio of 2.05).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from qdkernel.core import Array, median_ratio
from qdkernel.evaluators.measurement.blocks import Block, CpuPlacement, time_block
from qdkernel.evaluators.measurement.buffers import ScoredSize, TimedCase, TimingBuffers, TimingRule
from qdkernel.evaluators.measurement.confirmation import confirm
from qdkernel.evaluators.measurement.quiet import QuietCores

_DECISIVE_ROUNDS = 2  # in both orders, as every two rounds are ABBA
_LOST_ROUNDS = 4  # that were disturbed, after which a challenger may be given up
_PATIENCE = 4  # budgets after which a ratio that is still uncertain is accepted
_WAITS = 6  # for quiet cores in one measurement; what disturbs it still is something else


@dataclass(frozen=True)
class PairedSamples:
    """Nanoseconds per call in each round, of challenger and reference.

    Attributes:
        kernel_ns: the challenger's.
        reference_ns: the reference's.
        slowest_ns: upper bound on the reference's time in ratios, so that a disturbed reference makes no kernel faster.
        quiet: whether the rounds were undisturbed; otherwise the challenger may look slower than it is.
        joules: mean energy of a call of the challenger in these rounds; ``None`` where the host does not report it. Its
            counters change once a millisecond, so a single block shows little.
    """

    kernel_ns: tuple[float, ...]
    reference_ns: tuple[float, ...]
    slowest_ns: float = math.inf
    quiet: bool = True
    joules: float | None = None

    @property
    def ratios(self) -> list[float]:
        """Reference time over kernel time, round by round."""
        return [min(r, self.slowest_ns) / k for k, r in zip(self.kernel_ns, self.reference_ns, strict=True)]


def time_pairs(
    buffers: TimingBuffers,
    scored: ScoredSize,
    challenger: TimedCase,
    reference: TimedCase,
    rule: TimingRule,
    placement: CpuPlacement,
    cores: QuietCores,
    rng: np.random.Generator,
    late_ns: float = math.inf,
) -> PairedSamples:
    """Times two kernels in alternating blocks until the ratio is known well enough.

    The order is ABBA or BAAB, drawn for every two rounds: a drift that is linear in time cancels. When both of two
    rounds were disturbed, the next ones wait for quiet cores. ``late_ns`` is the challenger's time of a call with late
    inputs, if it had one: it may confirm the speed.

    Raises:
        WrongResult: a timed call of an untrusted kernel left a wrong result.
        ChildFailed: a child died, was late, or is slow when nothing can be computed before the clock runs.
        Busy: the speed was not confirmed.
    """
    begin, waiting = time.monotonic(), _Waiting(cores, rule.quiet_s)
    rounds: list[tuple[Block, Block]] = []
    quiet_from: int | None = None  # number of the first round after a wait that found quiet cores
    while True:
        order = rng.permutation(2)
        rounds += [_round(buffers, scored, (challenger, reference), each, placement) for each in (order, order[::-1])]
        undelayed, counts = _undisturbed(rounds, quiet_from, reference.quiet_ns, rule)
        disturbed = not counts[-2:].any()
        lost = disturbed and _is_lost(rounds, rule)
        if disturbed and not waiting.over and not lost:
            if waiting.again() and quiet_from is None:
                quiet_from = len(rounds)
            continue
        elapsed_s = time.monotonic() - begin - waiting.spent_s
        if lost or (elapsed_s > rule.budget_s and np.count_nonzero(counts) < rule.rounds_min):
            samples = _of_busy_host(rounds, undelayed, reference.quiet_ns)
        else:
            samples = _samples(rounds, counts)
        tired = elapsed_s > _PATIENCE * rule.budget_s and len(rounds) >= rule.rounds_max
        if _enough(samples, rule, elapsed_s, rng) or tired:
            slower = [
                1.0 if each.trusted else confirm(buffers, scored, each, ns, rule, placement, waiting.again, known_ns)
                for each, ns, known_ns in (
                    (challenger.process, samples.kernel_ns, late_ns),
                    (reference.process, samples.reference_ns, math.inf),
                )
            ]
            return replace(
                samples,
                kernel_ns=tuple(ns * slower[0] for ns in samples.kernel_ns),
                reference_ns=tuple(ns * slower[1] for ns in samples.reference_ns),
                quiet=samples.quiet and not tired,
            )


def _round(
    buffers: TimingBuffers,
    scored: ScoredSize,
    entries: tuple[TimedCase, TimedCase],
    order: Array,
    placement: CpuPlacement,
) -> tuple[Block, Block]:
    """One block of each kernel on the same fresh inputs, every timed output checked."""
    used = [range(scored.first, scored.first + timed_case.warm + timed_case.timed) for timed_case in entries]
    warm = min(timed_case.warm for timed_case in entries)
    buffers.refresh(max(used, key=len), [timed_case.process.name for timed_case in entries], unchecked=warm)
    timed = {int(at): time_block(scored, entries[at], placement) for at in order}
    for timed_case, calls in zip(entries, used, strict=True):
        if not timed_case.process.trusted:
            buffers.check(calls[timed_case.warm :], timed_case.process.name)
    return timed[0], timed[1]


@dataclass
class _Waiting:
    """The waits for quiet cores in one measurement.

    Attributes:
        cores: those that kernels are timed on.
        most_s: seconds that may be spent altogether.
        count: waits so far.
        spent_s: seconds spent so far.
    """

    cores: QuietCores
    most_s: float
    count: int = 0
    spent_s: float = 0.0

    @property
    def over(self) -> bool:
        """Whether enough time was spent."""
        return self.count >= _WAITS or self.spent_s >= self.most_s

    def again(self) -> bool:
        """Waits once more, unless that is over; whether the cores are quiet now."""
        if self.over:
            return False
        begin = time.monotonic()
        quiet = self.cores.wait(self.most_s - self.spent_s)
        self.count, self.spent_s = self.count + 1, self.spent_s + time.monotonic() - begin
        return quiet


def _undisturbed(
    rounds: Sequence[tuple[Block, Block]], quiet_from: int | None, quiet_ns: float | None, rule: TimingRule
) -> tuple[Array, Array]:
    """In which rounds no thread had to wait for its core; in which of them the reference was as fast as ``quiet_ns``.

    A process that takes a core from a team of threads slows the whole team; it does not slow a kernel that does not use
    that core. When threads of a kernel wait in all blocks since cores were found quiet, the kernel itself is the cause,
    e.g. by more threads than cores.
    """
    settled = rounds[len(rounds) if quiet_from is None else quiet_from :]
    kernel_usual_ns, reference_usual_ns = (min((each[at].delayed_ns for each in settled), default=0.0) for at in (0, 1))
    reference_ns = np.array([reference.ns for _, reference in rounds])
    undelayed = np.array([not (k.disturbed(kernel_usual_ns) or r.disturbed(reference_usual_ns)) for k, r in rounds])
    return undelayed, undelayed & (reference_ns <= rule.disturbed * (math.inf if quiet_ns is None else quiet_ns))


def _samples(rounds: Sequence[tuple[Block, Block]], counts: Array) -> PairedSamples:
    kept = [blocks for blocks, counted in zip(rounds, counts, strict=True) if counted]
    kernel, reference = (tuple(blocks[at].ns for blocks in kept) for at in (0, 1))
    return PairedSamples(kernel, reference, joules=_mean_joules(kept))


def _of_busy_host(rounds: Sequence[tuple[Block, Block]], undelayed: Array, quiet_ns: float | None) -> PairedSamples:
    """The rounds that count when the budget is spent and too few were undisturbed.

    In a duel all rounds count, so that its interval shows how uncertain it is. Against the baseline the faster half of
    each kernel's blocks counts, paired by rank, as a busy host disturbs some blocks less than others; and the ratio is
    to the baseline on quiet cores at most, so it is too low rather than too high.
    """
    if quiet_ns is None:
        return replace(_samples(rounds, np.ones(len(rounds), bool)), quiet=bool(undelayed.all()))
    number = len(rounds) // 2
    kernel, reference = (tuple(sorted(each[at].ns for each in rounds)[:number]) for at in (0, 1))
    return PairedSamples(kernel, reference, quiet_ns, quiet=False, joules=_mean_joules(rounds))


def _mean_joules(rounds: Sequence[tuple[Block, Block]]) -> float | None:
    known = [kernel.joules for kernel, _ in rounds if kernel.joules is not None]
    return sum(known) / len(known) if known else None


def _enough(samples: PairedSamples, rule: TimingRule, elapsed_s: float, rng: np.random.Generator) -> bool:
    ratios = samples.ratios
    if len(ratios) < min(rule.rounds_min, _DECISIVE_ROUNDS):
        return False
    if rule.decisive is not None and (min(ratios) > rule.decisive or _is_behind(ratios, rule)):
        return True
    if len(ratios) < rule.rounds_min:
        return rule.most_s is not None and elapsed_s > rule.most_s
    found = median_ratio([ratios], rng)
    if found.half_width > rule.disturbed - 1:
        return False
    decided = rule.tie is not None and not found.low <= 1 + rule.tie <= found.high
    spent = len(ratios) >= rule.rounds_max or elapsed_s > rule.budget_s
    return decided or spent or found.half_width <= rule.half_width


def _is_lost(rounds: Sequence[tuple[Block, Block]], rule: TimingRule) -> bool:
    """Whether a challenger is given up by all rounds, also disturbed ones: better ones would be awaited for seconds."""
    if rule.hopeful is None or len(rounds) < _LOST_ROUNDS:
        return False
    return float(np.median([reference.ns / kernel.ns for kernel, reference in rounds])) < rule.hopeful


def _is_behind(ratios: Sequence[float], rule: TimingRule) -> bool:
    """Whether a challenger is slower in all rounds, or at a median that is enough to give it up."""
    median = float(np.median(ratios))
    hopeless = rule.hopeful is not None and median < rule.hopeful
    return hopeless or max(ratios) < 1.0 or (len(ratios) >= rule.rounds_min and median < 1.0)
