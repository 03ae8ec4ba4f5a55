"""The environment of a search whose kernels are looked up in a recording: no compiler, no measurement."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from qdkernel.config import Config
from qdkernel.core import Kernel, KernelId, Timing
from qdkernel.evaluators.measurement import MachinePeaks, Peak, Triad
from qdkernel.evaluators.pipeline import CompileSpec, EvaluationSpec, SharedScratch, TimingSpec
from qdkernel.evaluators.toolchain import Toolchain
from qdkernel.mutators import Mutator
from qdkernel.mutators.schedule import TEMPLATES, ScheduleMutator, TuneMutator
from qdkernel.problems import find_problem
from qdkernel.recorded.evaluator import RecordedEvaluator, RecordedKernel
from qdkernel.recorded.recording import Recording
from qdkernel.recorded.space import Configuration, G, Space
from qdkernel.recorded.template import RecordedTemplate
from qdkernel.runs import MachineRecord
from qdkernel.search import RunEnvironment


@dataclass(frozen=True)
class RecordedSpace:
    """A space and its recording, printed once and then ready for any number of searches.

    Attributes:
        recording: of every configuration of the space.
        kernels: the recorded kernels.
        configurations: the configuration of each kernel.
        mutators: operators that propose recorded kernels only.
    """

    recording: Recording
    kernels: Mapping[KernelId, RecordedKernel]
    configurations: Mapping[KernelId, Configuration]
    mutators: Mapping[str, Mutator]

    @classmethod
    def load(cls, space: Space[G], recording: Recording) -> RecordedSpace:
        """Prints the kernel of every configuration."""
        template = RecordedTemplate(TEMPLATES[space.problem], space)
        kernels, configurations = {}, {}
        for configuration in space.configurations:
            genome = space.genome(space.named(configuration))
            kernel_id = Kernel(template.print(genome)).id
            timing = _timing(recording, configuration)
            kernels[kernel_id] = RecordedKernel(template.cell_of(genome), timing)
            configurations[kernel_id] = configuration
        templates = {space.problem: template}
        mutators: dict[str, Mutator] = {
            "schedule": ScheduleMutator(templates),
            "tune": TuneMutator(templates),
        }
        return cls(recording, kernels, configurations, mutators)

    @contextlib.contextmanager
    def environment(self, config: Config) -> Iterator[RunEnvironment]:
        """The environment of one search; its scratch folder is removed when the block ends."""
        machine, scratch = self.recording.machine, SharedScratch.make()
        peaks, compiler = _peaks(machine), machine.compiler
        try:
            spec = EvaluationSpec(
                problem=machine.problem,
                scratch=str(scratch.folder),
                compile=CompileSpec(compiler.command, compiler.flags),
                timing=TimingSpec(
                    sizes=tuple(speed.size for speed in machine.baseline.gflops),
                    threads=machine.threads,
                    peak_gflops=peaks.plausible_gflops(machine.dtype, machine.threads),
                    triad_gbytes_per_s=peaks.triad_gbytes_per_s(machine.threads),
                    llc_bytes=machine.machine.last_level_bytes,
                    baseline_gflops=tuple(speed.gflops for speed in machine.baseline.gflops),
                ),
            )
            yield RunEnvironment(
                config=config,
                problem=find_problem(machine.problem),
                machine=machine.machine,
                peaks=peaks,
                toolchain=Toolchain(compiler.command, "as", "ld", compiler.version, compiler.flags),
                spec=spec,
                scratch=scratch,
                baseline=machine.baseline.name,
                workers=1,
                reachable=frozenset(known.cell for known in self.kernels.values()),
                mutators=self.mutators,
                evaluate=RecordedEvaluator(self.kernels),
                times=False,
            )
        finally:
            scratch.remove()


def _timing(recording: Recording, configuration: Configuration) -> Timing:
    (baseline,) = recording.machine.baseline.gflops
    problem = find_problem(recording.machine.problem)
    samples, gflops = recording.samples[configuration], recording.gflops[configuration]
    ratio = gflops / baseline.gflops
    return Timing(
        size=baseline.size,
        flops=recording.flops,
        bytes=problem.bytes(problem.scored_case(baseline.size)),
        block_calls=1,
        kernel_ns=tuple(1e6 * ms for ms in samples.kernel_ms),
        reference_ns=tuple(1e6 * ms for ms in samples.baseline_ms),
        ratio=ratio,
        ratio_low=ratio,
        ratio_high=ratio,
        gflops=gflops,
    )


def _peaks(machine: MachineRecord) -> MachinePeaks:
    recorded = machine.peaks
    return MachinePeaks(
        tuple(
            Peak(dtype, simd, threads, gflops)
            for dtype, by_threads in recorded.peak_gflops.items()
            for threads, by_simd in by_threads.items()
            for simd, gflops in by_simd.items()
        ),
        tuple(Triad(threads, best, None) for threads, best in recorded.triad_gbytes_per_s.items()),
    )
