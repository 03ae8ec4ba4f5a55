"""A worker's place of work: compiler, contained children, memory and baseline for the kernels of one run."""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from qdkernel.core import Cell
from qdkernel.evaluators.binary import Disassembly, SharedObject
from qdkernel.evaluators.measurement import (
    Baseline,
    BaselineChoice,
    CpuPlacement,
    Entry,
    ScoredSize,
    TimedProcess,
    TimingBuffers,
    TimingRule,
    kernel_environment,
    prepare_baseline,
    race,
)
from qdkernel.evaluators.pipeline.scratch import SharedScratch
from qdkernel.evaluators.pipeline.verification import VerificationSuite
from qdkernel.evaluators.sandbox import DECLARATIONS, Child, Executable, Layers, Layout, Limits, MemoryFile, Native
from qdkernel.evaluators.toolchain import (
    CompileLimits,
    assembly_hash,
    build_native,
    compile_kernel,
    find_toolchain,
    load_module,
)
from qdkernel.machine import CoreLock, running_on
from qdkernel.problems import find_problem

Describe = Callable[[str, SharedObject, Disassembly, int, int], tuple[Cell, dict[str, str]]]
"""``describe(source, shared object, disassembly, extent, nest depth)``: the cell and the evidence for it."""


DUEL_RULE = TimingRule(rounds_min=6, rounds_max=16, half_width=0.005, budget_s=0.3, disturbed=math.inf, tie=0.015)
"""A duel decides who holds a cell, so it may take longer than a first timing; six equal signs have a chance of 1.6 %.

One that stays uncertain is not won, so no bound on the uncertainty is needed."""


@dataclass(frozen=True)
class EvaluationSpec:
    """Everything needed to evaluate kernels of a run, in any process of the host; plain data.

    Attributes:
        problem: registry name.
        accuracy: the rule by which results are judged (see ``find_problem``).
        sizes: the scored sizes.
        threads: OpenMP threads while scoring.
        compiler: compiler command.
        flags: the run's optimisation flags.
        scratch: the run's scratch folder (see ``SharedScratch``).
        peak_gflops: measured peak at ``threads`` threads, for the plausibility step.
        triad_gbytes_per_s: measured STREAM triad at ``threads`` threads.
        llc_bytes: last-level cache.
        describe: measures a kernel's behaviour.
        baseline: the user's choice of baseline.
        baseline_gflops: the baseline's run-long GFLOP/s per scored size; empty until calibrated.
        rule: how long a kernel is timed against the baseline.
        duel_rule: how long against the holder of its cell; its ``tie`` is where a duel counts as decided.
        drop_ratio: a kernel this many times slower than its cell's holder is dropped after a call or two.
        compile_limits: of the compiler.
        memory_mb: of a contained child.
        run_s: deadline of a block of calls.
        layers: what contains a child.
        isa: the instruction-set level, for the object policy and the baseline; ``flags`` hold it already.
    """

    problem: str
    sizes: tuple[Mapping[str, int], ...]
    threads: int
    compiler: str
    flags: tuple[str, ...]
    scratch: str
    peak_gflops: float
    triad_gbytes_per_s: float
    llc_bytes: int
    describe: Describe
    baseline: BaselineChoice = field(default_factory=BaselineChoice)
    baseline_gflops: tuple[float, ...] = ()
    rule: TimingRule = field(default_factory=TimingRule)
    duel_rule: TimingRule = DUEL_RULE
    drop_ratio: float = 1.5
    compile_limits: CompileLimits = field(default_factory=CompileLimits)
    memory_mb: int = 2048
    run_s: float = 10.0
    accuracy: str = "componentwise"
    layers: Layers = Layers.ALL
    isa: str | None = None


class EvaluationContext:
    """The place of work made from a spec: one per process, kept for all its evaluations."""

    def __init__(self, spec: EvaluationSpec) -> None:
        self.spec = spec
        self.problem = find_problem(spec.problem, spec.accuracy)
        self.scratch = SharedScratch(Path(spec.scratch))
        self.lock = CoreLock()
        # Secret: no kernel may foresee its inputs. SFC64 is the fastest, and fresh inputs cost time.
        self.rng = np.random.Generator(np.random.SFC64(secrets.randbits(128)))
        self.toolchain = find_toolchain(spec.compiler, spec.flags)
        self.built = build_native(self.toolchain, self.problem)
        self.native = Native(load_module(self.toolchain, "_qd_supervisor", DECLARATIONS, '#include "supervisor.c"'))
        self.suite = VerificationSuite(self.problem, self.rng)
        self.buffers = TimingBuffers(self.problem, spec.sizes, self._expected_s(), spec.rule, self.rng)
        self._cores = tuple(sorted(os.sched_getaffinity(0)))
        self._baseline: tuple[Baseline, TimedProcess] | None = None

    @property
    def extent(self) -> int:
        """The longest loop of the scored sizes; a tile at least this long is no tile."""
        return max(int(value) for size in self.spec.sizes for value in size.values())

    @property
    def track(self) -> CpuPlacement:
        """How this process stands beside a child that is timed with the run's threads."""
        spare = self.spec.threads < len(self._cores)
        return CpuPlacement(cpu=self._cores[-1], spin=spare, timeout_s=self.spec.run_s)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """The cores for a benchmark: no other work of any run, and this process on the first of them.

        A child that goes on after a stop first spins out its idle threads, which stand on the other cores; a parent
        among them would lose milliseconds, and both clocks their steadiness (measured: the 90 % quantile of a 2.4 ms
        block falls from 4.6 to 2.5 ms).
        """
        with self.lock.exclusive(), running_on(self._cores[:1]):
            yield

    @property
    def verify_threads(self) -> tuple[int, ...]:
        """Thread counts a kernel must be right with: 1, 2 and all."""
        return tuple(sorted({1, min(2, len(self._cores)), len(self._cores)}))

    def build_folder(self) -> tempfile.TemporaryDirectory[str]:
        """An empty folder for one compilation."""
        return tempfile.TemporaryDirectory(prefix="build-", dir=self.scratch.folder)

    def compile(self, source: str, folder: Path) -> Path:
        """The kernel's shared object; see ``compile_kernel``."""
        return compile_kernel(source, self.problem, self.toolchain, self.built, folder, self.spec.compile_limits)

    def assembly_hash(self, source: str, folder: Path) -> str | None:
        """The hash of the assembly at ``-O0`` of a kernel compiled in ``folder``; see the function of that name."""
        return assembly_hash(source, self.toolchain, self.built, folder, self.spec.compile_limits)

    def start(
        self, shared_object: Path, layout: Layout, inputs: MemoryFile, outputs: MemoryFile, threads: int
    ) -> Child:
        """A contained child that holds a kernel, on as many cores as it has threads: asking for more gains nothing."""
        limits = Limits(memory_mb=self.spec.memory_mb, layers=self.spec.layers)
        executable = Executable(self.built.runner, shared_object, self.problem.name, kernel_environment(threads))
        return Child(self.native, executable, layout, inputs, outputs, self._cores[:threads], limits)

    def start_timed(self, name: str, shared_object: Path) -> TimedProcess:
        """A contained child ready to be timed, under the name of its output file."""
        buffers = self.buffers
        child = self.start(shared_object, buffers.layout, buffers.inputs, buffers.outputs(name), self.spec.threads)
        return TimedProcess(name, child)

    @property
    def baseline_name(self) -> str:
        """What the baseline is, with its version."""
        return self._ready_baseline()[0].name

    @property
    def baseline_process(self) -> TimedProcess:
        """The baseline in its child, which lives as long as the bench and is stopped between its blocks."""
        return self._ready_baseline()[1]

    def baseline_entry(self, index: int, process: TimedProcess) -> Entry:
        """The baseline ready to race at a scored size, with its calibrated speed."""
        scored = self.buffers.sizes[index]
        return Entry(process, scored.warm, scored.timed, scored.flops / self.spec.baseline_gflops[index])

    def calibrate(self) -> tuple[float, ...]:
        """The baseline's GFLOP/s for each scored size, alone on its cores."""
        process = self.baseline_process
        with self.alone():
            return tuple(self._calibrate_size(scored, process) for scored in self.buffers.sizes)

    def close(self) -> None:
        """Ends the baseline and gives the memory back."""
        if self._baseline:
            self._baseline[1].child.close()
            self._baseline = None
        self.suite.close()
        self.buffers.close()

    def _ready_baseline(self) -> tuple[Baseline, TimedProcess]:
        if self._baseline is None:
            spec = self.spec
            made = prepare_baseline(
                self.problem, spec.baseline, self.toolchain, self.built, spec.threads, self.scratch.folder, spec.isa
            )
            limits = Limits(memory_mb=spec.memory_mb, cpu_s=1 << 30, layers=made.layers & spec.layers)
            buffers, cores = self.buffers, self._cores[: spec.threads]
            outputs = buffers.outputs("baseline")
            child = Child(self.native, made.executable, buffers.layout, buffers.inputs, outputs, cores, limits)
            self._baseline = made, TimedProcess("baseline", child, trusted=True)
        return self._baseline

    def _calibrate_size(self, scored: ScoredSize, process: TimedProcess) -> float:
        """From a race of the baseline with itself; the faster quartile, as what disturbs only ever slows down.

        For a second, as cores that were idle run faster at first.
        """
        rule = TimingRule(rounds_min=12, rounds_max=1000, half_width=0.0, budget_s=1.0, disturbed=math.inf)
        entry = Entry(process, scored.warm, scored.timed)
        samples = race(self.buffers, scored, entry, entry, rule, self.track, self.rng)
        return float(scored.flops / np.quantile([*samples.kernel_ns, *samples.reference_ns], 0.25))

    def _expected_s(self) -> list[float]:
        """One call's time if it ran at the peaks."""
        times = []
        for size in self.spec.sizes:
            case = self.problem.scored_case(size)
            compute = self.problem.flops(case) / (self.spec.peak_gflops * 1e9)
            traffic = self.problem.least_bytes(case) / (self.spec.triad_gbytes_per_s * 1e9)
            times.append(max(compute, traffic))
        return times
