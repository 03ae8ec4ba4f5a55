"""What it takes to time kernels: buffers, cores, and the baseline in a child of its own."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from qdkernel.core import Problem
from qdkernel.evaluators.measurement import (
    Baseline,
    CpuPlacement,
    MachinePeaks,
    QuietCores,
    ScoredSize,
    TimedCase,
    TimedProcess,
    TimingBuffers,
    TimingRule,
    calibrate,
    new_generator,
)
from qdkernel.evaluators.pipeline.spec import TimingSpec
from qdkernel.evaluators.sandbox import Child, Layout, MemoryFile
from qdkernel.machine import CoreLock, EnergyMeter, find_energy_meter, running_on

_PATIENCE_S = 0.5  # for a call, at least: a scalar loop on one thread needs 0.03 s at n = 384 and 0.5 s at 1024
_LONG_S, _SLOW = 0.02, 1.5  # heuristic: 20 calls of 20 ms are all that an evaluation may take
_COSTLY_S = 5e-3  # a call; a round of such calls takes 20 ms or more, its inputs and checks as long again
_PEAKS_KEPT_S = 60.0  # a cheat is not worth more than one measurement of the peaks a minute
_QUIET_PATIENCE_S = 3.0  # disturbances that last longer are left to the choice of rounds

Start = Callable[[Path, Layout, MemoryFile, MemoryFile, int, bool], Child]
"""Starts a contained child: ``start(shared object, layout, inputs, outputs, threads, cached)``."""


class Timer:
    """Times kernels of one run in this process.

    Attributes:
        calibrated_quietly: whether the last calibration found cores that no other process took.
        quiet_cores: the cores that kernels are timed on.
        peak_gflops: the most that any kernel can reach here, as far as measured.
        simd_gflops: the same by SIMD level.

    Args:
        spec: how kernels are timed.
        problem: what they compute.
        lock: keeps benchmarks of this host apart.
        cores: processors of this process.
        timeout_s: deadline of a block of calls.
        start: starts the child of a kernel.
        start_baseline: prepares the baseline and starts its child, given the buffers.
        measure_peaks: measures the machine's peaks.
    """

    def __init__(
        self,
        spec: TimingSpec,
        problem: Problem,
        lock: CoreLock,
        cores: tuple[int, ...],
        timeout_s: float,
        start: Start,
        start_baseline: Callable[[TimingBuffers], tuple[Baseline, Child]],
        measure_peaks: Callable[[], MachinePeaks],
    ) -> None:
        self.spec = spec
        self._problem = problem
        self.rng = new_generator()  # orders of blocks, resampling; inputs and checks have generators of their own
        self.buffers = TimingBuffers(
            problem, spec.sizes, _expected_s(problem, spec), spec.rule, spec.cache_bytes if spec.cache else math.inf
        )
        self._lock, self._cores, self._start = lock, cores, start
        self._start_baseline, self._measure_peaks = start_baseline, measure_peaks
        self.peak_gflops, self.simd_gflops = spec.peak_gflops, dict(spec.simd_gflops)
        self._peaks_measured_s = -math.inf
        self._baseline: tuple[Baseline, TimedProcess] | None = None
        self.calibrated_quietly = True
        self.quiet_cores = QuietCores(cores[: spec.threads])
        meter = find_energy_meter()
        # The parent waits on the last core; it spins where the child leaves that one free.
        self.placement = CpuPlacement(
            cpu=cores[-1],
            spin=spec.threads < len(cores),
            timeout_s=timeout_s,
            team=spec.threads > 1,
            energy=meter if isinstance(meter, EnergyMeter) else None,
        )

    @property
    def sizes(self) -> tuple[ScoredSize, ...]:
        """The scored sizes with their cases."""
        return self.buffers.sizes

    @property
    def extent(self) -> int:
        """The longest loop of the scored sizes; a tile at least this long is none."""
        return max(int(value) for size in self.spec.sizes for value in size.values())

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """The cores for one benchmark: no other work of any run, and this process on the first of them.

        After a stop, a child's idle threads first spin on the other cores. A parent on one of those would lose
        milliseconds (measured: with it on the first core the 90 % quantile of a 2.4 ms block falls from 4.6 to 2.5 ms).
        """
        with self._lock.exclusive(), running_on(self._cores[:1]):
            yield

    def start(self, name: str, shared_object: Path) -> TimedProcess:
        """A contained child ready to be timed; ``name`` is that of its output file."""
        buffers = self.buffers
        outputs, cached = buffers.outputs(name), bool(self.spec.cache)
        child = self._start(shared_object, buffers.layout, buffers.inputs, outputs, self.spec.threads, cached)
        return TimedProcess(name, child)

    def await_quiet(self) -> bool:
        """Waits a while until no other process takes the cores; returns whether they are quiet now."""
        return self.quiet_cores.wait(_QUIET_PATIENCE_S)

    def is_long(self, calls_ns: Sequence[float]) -> bool:
        """Whether a call takes so long that each further one counts."""
        return max(calls_ns) > 1e9 * _LONG_S

    def is_slow(self, index: int, call_ns: float) -> bool:
        """Whether a call takes long, and much longer than the baseline's."""
        return call_ns > max(1e9 * _LONG_S, _SLOW * self.baseline_ns(index))

    def won_rule(self, index: int, call_ns: float) -> TimingRule:
        """How long a kernel that has won its cell is timed at a scored size: where calls take long, two rounds."""
        if self.spec.first_rounds is None:
            return self.spec.rule
        return self.spec.rule.within_budget(1e-9 * (call_ns + self.baseline_ns(index)))

    def duel_rule(self, index: int, call_ns: float) -> TimingRule:
        """How long a kernel is timed against the incumbent at a scored size.

        In a search with one size, rounds that take long go on only as long as the kernel is ahead by the tie width at
        their median. With several sizes it may win by the others.
        """
        rule = self.spec.duel_rule
        if not self.is_slow(index, call_ns):
            rule = replace(rule, most_s=None)
        if self.spec.first_rounds is not None and len(self.sizes) == 1 and call_ns > 1e9 * _COSTLY_S:
            rule = replace(rule, hopeful=1.0 + (rule.tie or 0.0))
        return rule

    def patience_s(self, index: int) -> float:
        """Seconds after which a call at a scored size is stopped."""
        hopeless_s = max(_PATIENCE_S, 1e-9 * self.spec.patience * self.baseline_ns(index))
        return min(self.placement.timeout_s, hopeless_s)

    def measure_peaks_again(self) -> bool:
        """Raises the peaks to what the cores reach now, in a quiet moment; false if that was done a minute ago.

        Takes about 5 s; the cores must be held.
        """
        if time.monotonic() - self._peaks_measured_s < _PEAKS_KEPT_S:
            return False
        self.await_quiet()
        peaks, dtype, threads = self._measure_peaks(), self._problem.dtype.name, self.spec.threads
        self.peak_gflops = max(self.peak_gflops, peaks.plausible_gflops(dtype, threads))
        for level, gflops in peaks.plausible_by_simd(dtype, threads).items():
            self.simd_gflops[level] = max(self.simd_gflops.get(level, 0.0), gflops)
        self._peaks_measured_s = time.monotonic()
        return True

    @property
    def baseline_name(self) -> str:
        """What the baseline is, with its version."""
        return self._ready_baseline()[0].name

    @property
    def baseline_process(self) -> TimedProcess:
        """The baseline in its child, which is kept as long as the timer and is stopped between its blocks."""
        return self._ready_baseline()[1]

    def baseline_case(self, index: int, process: TimedProcess) -> TimedCase:
        """The baseline ready to be timed at a scored size, with its calibrated speed."""
        scored = self.sizes[index]
        return TimedCase(process, scored.warm, scored.timed, self.baseline_ns(index))

    def baseline_ns(self, index: int) -> float:
        """Nanoseconds of one call of the baseline at a scored size, at its calibrated speed."""
        return self.sizes[index].flops / self.spec.baseline_gflops[index]

    def calibrate(self) -> tuple[float, ...]:
        """The baseline's GFLOP/s for each scored size, alone on its cores, in a quiet moment if one comes."""
        process = self.baseline_process
        with self.alone():
            settled = self.quiet_cores.wait(min(_QUIET_PATIENCE_S, self.spec.rule.quiet_s))
            cases = [TimedCase(process, scored.warm, scored.timed) for scored in self.sizes]
            found = [
                calibrate(self.buffers, scored, case, self.placement, self.spec.rule.budget_s, settled)
                for scored, case in zip(self.sizes, cases, strict=True)
            ]
            self.calibrated_quietly = all(quiet for _, quiet in found)
            return tuple(scored.flops / ns for scored, (ns, _) in zip(self.sizes, found, strict=True))

    @cached_property
    def single_calls(self) -> TimingBuffers:
        """Buffers with one call at each scored size, for a run that is not timed; a child maps them faster."""
        return TimingBuffers(self._problem, self.spec.sizes, [math.inf] * len(self.spec.sizes), self.spec.rule)

    def close(self) -> None:
        """Ends the baseline and frees the buffers."""
        if "single_calls" in self.__dict__:
            self.single_calls.close()
        if self._baseline:
            self._baseline[1].child.close()
            self._baseline = None
        self.buffers.close()

    def _ready_baseline(self) -> tuple[Baseline, TimedProcess]:
        if self._baseline is None:
            made, child = self._start_baseline(self.buffers)
            self._baseline = made, TimedProcess("baseline", child, trusted=True)
        return self._baseline


def _expected_s(problem: Problem, spec: TimingSpec) -> list[float]:
    """Seconds of one call at each scored size if it ran at the machine's peaks."""
    return [at_peaks_s(problem, spec, size) for size in spec.sizes]


def at_peaks_s(problem: Problem, spec: TimingSpec, size: Mapping[str, int]) -> float:
    """Seconds of one call at a scored size if it ran at the machine's peaks."""
    case = problem.scored_case(size)
    compute = problem.flops(case) / (spec.peak_gflops * 1e9)
    traffic = problem.least_bytes(case) / (spec.triad_gbytes_per_s * 1e9)
    return max(compute, traffic)
