"""Timing two kernels against each other: interleaved blocks, fresh inputs, every timed output checked.

Each kernel lives in its own contained child and the one that is not being timed is stopped: a waiting OpenMP pool
that spins takes its core from the other and was measured to fake a ratio of 2.05.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.evaluators._child import Child, ChildAhead, ChildFailed
from qdkernel.evaluators._memory import Layout, MemoryFile, Placing
from qdkernel.evaluators._problem import Array, Problem, Role
from qdkernel.evaluators._statistics import median_ratio

_HANDS = 2  # threads that make fresh inputs
_WARM_BELOW_S = 5e-3  # calls shorter than this are preceded by an untimed one: waking a pool costs up to 0.1 ms


_CONFIRMATIONS = 12  # blocks at most; nearly always the first or the second is quick enough
_CONFIRMED = 1.3  # how much longer than in the rounds such a block may take; shared hosts switch speeds by as much
_WAKING_NS = 150e3  # the part of waking up that is timed in such a block
_PATIENCE = 8  # budgets spent on a ratio that stays uncertain before giving up


class WrongResult(Exception):
    """A timed call left a wrong result; the message says which, ``racer`` whose."""

    def __init__(self, message: str, racer: str) -> None:
        super().__init__(message)
        self.racer = racer


class Busy(Exception):
    """Something else on the host keeps the cores busy; nothing can be said about a kernel's speed."""


@dataclass(frozen=True)
class TimingRule:
    """When a measurement is long enough.

    Attributes:
        block_ms: aimed length of a timed block; one wake-up (10-50 us) is in every block.
        rounds_min: pairs of blocks at least, however slow the kernel: the true median lies outside the whole range of
            five samples in 6 % of the cases, of six in 3 %.
        rounds_max: pairs of blocks that are enough.
        half_width: stop when the ratio's 95 % interval is narrower than this, relative.
        budget_s: stop after this long even if it is wider.
        disturbed: a round in which the reference is this many times slower than on quiet cores does not count, and a
            ratio that is less certain than that is none. Slow drift cancels in the ratio; a disturbance that hits one
            block of a pair does not.
        tie: when set, stop also as soon as the interval lies on one side of ``1 + tie``: the duel is decided.
    """

    block_ms: float = 1.5
    rounds_min: int = 6
    rounds_max: int = 8
    half_width: float = 0.025
    budget_s: float = 0.12
    disturbed: float = 1.15
    tie: float | None = None


@dataclass(frozen=True)
class Racer:
    """A kernel in its child, and the name of its output file; ``trusted`` outputs are not checked."""

    name: str
    child: Child
    trusted: bool = False

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Puts this racer's name on what its child fails with."""
        try:
            yield
        except ChildFailed as error:
            error.racer = self.name
            raise


@dataclass(frozen=True)
class Entry:
    """A racer, how many calls make its block, and how fast it is on quiet cores if that is known.

    Attributes:
        racer: the kernel.
        warm: untimed calls at the start of a block.
        timed: timed calls.
        quiet_ns: nanoseconds of one call on quiet cores.
    """

    racer: Racer
    warm: int
    timed: int
    quiet_ns: float | None = None


@dataclass(frozen=True)
class ScoredSize:
    """One scored size and its calls in the arena.

    Attributes:
        size: e.g. ``{"m": 512, "n": 512, "k": 512}``.
        flops: floating-point operations of a call.
        least_flops: operations that the most frugal admitted algorithm needs.
        bytes: bytes a call streams.
        least_bytes: bytes any implementation must move.
        first: index of its first call.
        warm: untimed calls at the start of a block.
        timed: timed calls of a block, at most.
    """

    size: Mapping[str, int]
    flops: float
    least_flops: float
    bytes: float
    least_bytes: float
    first: int
    warm: int
    timed: int

    @property
    def calls(self) -> range:
        """Indices of all its calls."""
        return range(self.first, self.first + self.warm + self.timed)

    def entry(self, racer: Racer, call_ns: float, rule: TimingRule) -> Entry:
        """Blocks of the aimed length for a kernel this fast; slow ones need but one call and no warming up."""
        timed = int(np.clip(np.ceil(rule.block_ms * 1e6 / call_ns), 1, self.timed))
        return Entry(racer, min(self.warm, _warm_calls(call_ns * 1e-9)), timed)


def _warm_calls(call_s: float) -> int:
    return 1 if call_s < _WARM_BELOW_S else 0


class Arena:
    """Memory for the timed calls of all scored sizes: one input file, one output file per racer.

    Args:
        problem: what is computed.
        sizes: the scored sizes.
        expected_s: a guess of one call's time for each size; decides how many calls make a block.
        rule: how long blocks should be.
        rng: secret; makes the inputs and the checks.
    """

    _CALLS_MAX = 16  # more would push the working set of a block out of the last-level cache

    def __init__(
        self,
        problem: Problem,
        sizes: Sequence[Mapping[str, int]],
        expected_s: Sequence[float],
        rule: TimingRule,
        rng: np.random.Generator,
    ) -> None:
        self.problem = problem
        # Made before a benchmark confines its thread to one core: fresh inputs come from two cores, between blocks.
        self._rngs = rng.spawn(_HANDS)
        self._hands = ThreadPoolExecutor(_HANDS)
        everybody = threading.Barrier(_HANDS)
        for _ in self._hands.map(lambda _: everybody.wait(), range(_HANDS)):
            pass  # each task waits for the others, so each got a thread of its own
        scored: list[ScoredSize] = []
        for size, call_s in zip(sizes, expected_s, strict=True):
            case = problem.scored_case(size)
            timed = int(np.clip(np.ceil(rule.block_ms * 1e-3 / call_s), 1, self._CALLS_MAX))
            scored.append(
                ScoredSize(
                    size=dict(size),
                    flops=problem.flops(case),
                    least_flops=(problem.least_flops or problem.flops)(case),
                    bytes=problem.bytes(case),
                    least_bytes=problem.least_bytes(case),
                    first=scored[-1].calls.stop if scored else 0,
                    warm=_warm_calls(call_s),
                    timed=timed,
                )
            )
        self.sizes = tuple(scored)
        calls = [(problem.scored_case(s.size), Placing.FRONT) for s in scored for _ in s.calls]
        self.layout = Layout(problem, calls)
        self.inputs = MemoryFile("timed-inputs", self.layout.input_bytes)
        self._outputs: dict[str, MemoryFile] = {}
        self._sketches: dict[int, Any] = {}  # Any: private to the problem

    def outputs(self, racer: str) -> MemoryFile:
        """The output file of a racer; made on first use and used again by the next one of that name."""
        if racer not in self._outputs:
            self._outputs[racer] = MemoryFile(f"timed-outputs-{racer}", self.layout.output_bytes)
        return self._outputs[racer]

    def refresh(self, calls: range, racers: Sequence[str], unchecked: int = 0) -> None:
        """Fresh random inputs for ``calls``, initial outputs for each racer, and the sketches to check them by.

        The first ``unchecked`` calls get no sketch: they only warm up, nothing is claimed of them.
        """
        outputs = [self.outputs(racer) for racer in racers]

        def share(hand: int) -> None:
            for index in calls[hand::_HANDS]:
                self._refresh_call(index, outputs, self._rngs[hand], checked=index >= calls.start + unchecked)

        for _ in self._hands.map(share, range(_HANDS)):
            pass  # waits, and raises what a hand raised

    def _refresh_call(self, index: int, outputs: Sequence[MemoryFile], rng: np.random.Generator, checked: bool) -> None:
        call = self.layout.calls[index]
        arrays = self.problem.make_inputs("uniform", call.case, rng)
        for placed in call.arrays:
            for file in [self.inputs] if placed.argument.role is Role.IN else outputs:
                self.layout.view(file, placed)[...] = arrays[placed.argument.name]
        if checked:
            self._sketches[index] = self.problem.sketch(call.case, arrays, rng)

    def check(self, calls: range, racer: str) -> None:
        """Compares what a racer left in its outputs with the sketches.

        Raises:
            WrongResult: a call's result is wrong.
        """
        for index in calls:
            call = self.layout.calls[index]
            arrays = {
                placed.argument.name: self.layout.view(
                    self.inputs if placed.argument.role is Role.IN else self.outputs(racer), placed
                )
                for placed in call.arrays
            }
            error = self.problem.sketch_error(call.case, arrays, self._sketches[index])
            if not error <= 1.0:
                size = ", ".join(f"{name}={call.case[name]}" for name in self.problem.size_names)
                raise WrongResult(
                    f"the result of a timed call ({size}) is wrong: {error:.3g} times the error allowed", racer
                )

    def close(self) -> None:
        """Gives the memory back."""
        self._hands.shutdown()
        self.inputs.close()
        for file in self._outputs.values():
            file.close()


@dataclass(frozen=True)
class Track:
    """How the parent stands beside the child: where it waits, whether it may spin, and the deadline of a block."""

    cpu: int
    spin: bool
    timeout_s: float


@dataclass(frozen=True)
class Laps:
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


def probe(arena: Arena, scored: ScoredSize, racer: Racer, track: Track) -> float:
    """Nanoseconds of one call, by itself, checked; a first look that tells the hopeless from the rest.

    Raises:
        WrongResult: its result is wrong.
        ChildFailed: it died or was late.
    """
    calls = range(scored.first, scored.first + 1)
    arena.refresh(calls, [racer.name])
    with racer.answering():
        racer.child.go_on()
        elapsed = racer.child.run(calls.start, 1, track.timeout_s, cpu=track.cpu, spin=track.spin, freeze=True)
        racer.child.stop()
    arena.check(calls, racer.name)
    return float(elapsed)


def unforeseen(arena: Arena, scored: ScoredSize, entry: Entry, track: Track) -> float:
    """Nanoseconds per call of a block, checked, whose inputs come while the kernel is stopped.

    Raises:
        WrongResult: a result is wrong.
        ChildFailed: it died or was late.
    """
    racer, calls = entry.racer, range(scored.first, scored.first + entry.timed)
    with racer.answering():
        racer.child.go_on()
        elapsed = racer.child.run_on(
            lambda: arena.refresh(calls, [racer.name]),
            calls.start,
            len(calls),
            track.timeout_s,
            cpu=track.cpu,
            spin=track.spin,
        )
    arena.check(calls, racer.name)
    return elapsed / len(calls)


def race(
    arena: Arena,
    scored: ScoredSize,
    challenger: Entry,
    reference: Entry,
    rule: TimingRule,
    track: Track,
    rng: np.random.Generator,
) -> Laps:
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
        rounds += [_round(arena, scored, (challenger, reference), each, track) for each in (order, order[::-1])]
        elapsed_s = time.monotonic() - begin
        laps = _undisturbed(rounds, reference.quiet_ns, rule, late=elapsed_s > rule.budget_s)
        if _enough(laps, rule, elapsed_s, rng):
            for racer, ns in ((challenger.racer, laps.kernel_ns), (reference.racer, laps.reference_ns)):
                if not racer.trusted:
                    claimed_ns = float(np.median(ns))
                    _confirm(arena, scored, scored.entry(racer, claimed_ns, rule), claimed_ns, track)
            return laps
        if elapsed_s > _PATIENCE * rule.budget_s and len(rounds) >= rule.rounds_max:
            raise Busy(
                f"after {len(rounds)} rounds in {elapsed_s:.1f} s its speed is not known to {rule.disturbed - 1:.0%}"
            )


def _round(
    arena: Arena, scored: ScoredSize, entries: tuple[Entry, Entry], order: Array, track: Track
) -> tuple[float, float]:
    """One block of each kernel on the same fresh inputs, every timed output checked; nanoseconds per call of both."""
    used = [range(scored.first, scored.first + entry.warm + entry.timed) for entry in entries]
    warm = min(entry.warm for entry in entries)
    arena.refresh(max(used, key=len), [entry.racer.name for entry in entries], unchecked=warm)
    lap_ns = [0.0, 0.0]
    for at in order:
        lap_ns[at] = _lap(scored, entries[at], track)
    for entry, calls in zip(entries, used, strict=True):
        if not entry.racer.trusted:
            arena.check(calls[entry.warm :], entry.racer.name)
    return lap_ns[0], lap_ns[1]


def _undisturbed(rounds: Sequence[tuple[float, float]], quiet_ns: float | None, rule: TimingRule, late: bool) -> Laps:
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
    return Laps(tuple(kernel for kernel, _ in kept), tuple(reference for _, reference in kept), slowest_ns)


def _lap(scored: ScoredSize, entry: Entry, track: Track) -> float:
    """Nanoseconds per call of one block; the child runs only meanwhile.

    Only a trusted racer is warmed up by calls of its own: in an untimed call a kernel could compute the timed ones
    ahead, whose inputs are in place. The runner wakes a kernel's threads instead.
    """
    child, first = entry.racer.child, scored.first + entry.warm
    with entry.racer.answering():
        child.go_on()
        if entry.warm and entry.racer.trusted:
            child.run(scored.first, entry.warm, track.timeout_s, cpu=track.cpu, spin=track.spin)
        elapsed = child.run(first, entry.timed, track.timeout_s, cpu=track.cpu, spin=track.spin, freeze=True)
        child.stop()
    return elapsed / entry.timed


def _confirm(arena: Arena, scored: ScoredSize, entry: Entry, claimed_ns: float, track: Track) -> None:
    """Sees that a kernel is as fast when its inputs come while it is stopped.

    In the rounds they are in place before it stands ready, and waking up, which is not timed, takes milliseconds where
    the parent has no core to itself. Whoever has seized the runner could compute the block meanwhile.

    Raises:
        ChildAhead: it is never even half as fast.
        Busy: it is never about as fast.
    """
    fastest_ns = math.inf
    for _ in range(_CONFIRMATIONS):
        fastest_ns = min(fastest_ns, unforeseen(arena, scored, entry, track))
        if fastest_ns <= _CONFIRMED * claimed_ns + _WAKING_NS / entry.timed:
            return
    slower = f"{fastest_ns / claimed_ns:.1f} times slower when its inputs come while it is stopped"
    if fastest_ns > 2 * claimed_ns + _WAKING_NS / entry.timed:
        ahead = ChildAhead(f"is {slower}: in the timed rounds it computed before the clock ran", 0)
        ahead.racer = entry.racer.name
        raise ahead
    raise Busy(f"a kernel was {slower}")


def _enough(laps: Laps, rule: TimingRule, elapsed_s: float, rng: np.random.Generator) -> bool:
    if len(laps.kernel_ns) < rule.rounds_min:
        return False
    found = median_ratio([laps.ratios], rng)
    if found.half_width > rule.disturbed - 1:
        return False
    decided = rule.tie is not None and not found.low <= 1 + rule.tie <= found.high
    spent = len(laps.kernel_ns) >= rule.rounds_max or elapsed_s > rule.budget_s
    return decided or spent or found.half_width <= rule.half_width
