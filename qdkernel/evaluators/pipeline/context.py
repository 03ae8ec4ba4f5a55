"""What the evaluations of one process share: compiler, memory, contained children, the timer."""

from __future__ import annotations

import os
import tempfile
from functools import cached_property
from pathlib import Path

from qdkernel.evaluators.measurement import (
    Baseline,
    TimingBuffers,
    kernel_environment,
    new_generator,
    prepare_baseline,
    renew_peaks,
)
from qdkernel.evaluators.pipeline.scratch import SharedScratch
from qdkernel.evaluators.pipeline.spec import EvaluationSpec
from qdkernel.evaluators.pipeline.timer import Timer
from qdkernel.evaluators.pipeline.verification import VerificationSuite
from qdkernel.evaluators.sandbox import DECLARATIONS, Child, Executable, Layout, Limits, MemoryFile, Native
from qdkernel.evaluators.source import (
    PROBED_FILE,
    Preprocessed,
    needs_preprocessor,
    read_preprocessed,
    tokenize_c,
    with_probes,
)
from qdkernel.evaluators.toolchain import (
    assembly_hash,
    build_native,
    compile_counting,
    compile_kernel,
    find_toolchain,
    load_module,
    preprocess,
    static_tls,
)
from qdkernel.machine import CoreLock, this_machine
from qdkernel.problems import find_problem


class EvaluationContext:
    """Made from a spec once per process, and kept for all evaluations there."""

    def __init__(self, spec: EvaluationSpec) -> None:
        self.spec = spec
        self.problem = find_problem(spec.problem, spec.accuracy)
        host_folder = None if spec.host_scratch is None else Path(spec.host_scratch)
        self.scratch = SharedScratch(Path(spec.scratch), host_folder)
        self.lock = CoreLock()
        self.toolchain = find_toolchain(spec.compile.command, spec.compile.flags)
        self.built = build_native(self.toolchain, self.problem)
        self.native = Native(load_module(self.toolchain, "_qd_supervisor", DECLARATIONS, '#include "supervisor.c"\n'))
        self.suite = VerificationSuite(self.problem, new_generator())
        self._cores = tuple(sorted(os.sched_getaffinity(0)))

    @cached_property
    def timer(self) -> Timer:
        """Times kernels; made on first use, as many contexts only verify."""
        timing = self.spec.timing
        if timing is None:
            raise ValueError("expected a spec with timing to time kernels, got one for verification only")
        cores, run_s = self._cores, self.spec.run.run_s
        return Timer(
            timing,
            self.problem,
            self.lock,
            cores,
            run_s,
            self.start,
            self._start_timed_baseline,
            lambda: renew_peaks(this_machine(self.spec.isa), self.toolchain),
        )

    @property
    def verify_threads(self) -> tuple[int, ...]:
        """Thread counts with which a kernel must be right: 1, 2 and all."""
        return tuple(sorted({1, min(2, len(self._cores)), len(self._cores)}))

    def build_folder(self) -> tempfile.TemporaryDirectory[str]:
        """An empty folder for one compilation."""
        return tempfile.TemporaryDirectory(prefix="build-", dir=self.scratch.host_folder)

    def compile(self, source: str, folder: Path) -> Path:
        """The kernel's shared object; see ``compile_kernel``."""
        return compile_kernel(source, self.problem, self.toolchain, self.built, folder, self.spec.compile.limits)

    def compile_counting(self, folder: Path, imports: tuple[str, ...]) -> tuple[Path, int]:
        """The copy of a kernel compiled in ``folder`` that counts; see ``toolchain.compile_counting``."""
        return compile_counting(folder, imports, self.problem, self.toolchain, self.built, self.spec.compile.limits)

    def preprocess(self, source: str, folder: Path) -> Preprocessed | None:
        """What the contained compiler's preprocessor keeps of a source.

        ``None`` where that is the whole text, as without conditions and macros, or where it cannot be had.
        """
        tokens = tokenize_c(source)
        if not needs_preprocessor(tokens):
            return None
        output = preprocess(
            with_probes(tokens), PROBED_FILE, self.problem, self.toolchain, self.built, folder, self.spec.compile.limits
        )
        return None if output is None else read_preprocessed(tokens, output)

    def assembly_hash(self, source: str, folder: Path) -> str | None:
        """The hash of the assembly at ``-O0`` of a kernel compiled in ``folder``; see ``toolchain.assembly_hash``."""
        return assembly_hash(source, self.toolchain, self.built, folder, self.spec.compile.limits)

    def start(
        self,
        shared_object: Path,
        layout: Layout,
        inputs: MemoryFile,
        outputs: MemoryFile,
        threads: int,
        cached: bool = False,
        trace: MemoryFile | None = None,
        thread_local_bytes: int = 0,
        samples: MemoryFile | None = None,
    ) -> Child:
        """A contained child that holds a kernel, on exactly as many cores as it has threads.

        ``cached`` and ``samples``: see ``Child``. A copy that counts into a ``trace`` has ``thread_local_bytes`` of
        data beside its counters (``static_tls``).
        """
        limits = Limits(memory_mb=self.spec.run.memory_mb, layers=self.spec.run.layers)
        environment = kernel_environment(threads)
        if trace is not None:
            environment["GLIBC_TUNABLES"] = static_tls(thread_local_bytes)
        executable = Executable(self.built.runner, shared_object, self.problem.name, environment)
        cores = self._cores[:threads]
        return Child(self.native, executable, layout, inputs, outputs, cores, limits, cached, trace, samples)

    def close(self) -> None:
        """Ends the baseline's child and frees the memory."""
        if "timer" in self.__dict__:
            self.timer.close()
        self.suite.close()

    @cached_property
    def baseline(self) -> Baseline:
        """What kernels are measured against, ready to run; made on first use.

        Raises:
            ToolchainError: the library or its package is missing, or it lacks the symbol.
        """
        timing = self.timer.spec
        return prepare_baseline(
            self.problem,
            timing.baseline,
            self.toolchain,
            self.built,
            timing.threads,
            self.scratch.host_folder,
            self.spec.isa,
        )

    def start_baseline(self, layout: Layout, inputs: MemoryFile, outputs: MemoryFile) -> Child:
        """A child that holds the baseline."""
        made, run = self.baseline, self.spec.run
        limits = Limits(memory_mb=run.memory_mb, cpu_s=1 << 30, layers=made.layers & run.layers)
        timing = self.timer.spec
        cores, cached = self._cores[: timing.threads], bool(timing.cache)
        return Child(self.native, made.executable, layout, inputs, outputs, cores, limits, cached)

    def _start_timed_baseline(self, buffers: TimingBuffers) -> tuple[Baseline, Child]:
        return self.baseline, self.start_baseline(buffers.layout, buffers.inputs, buffers.outputs("baseline"))
