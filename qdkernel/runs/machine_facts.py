"""What views and exports read of a run folder's ``machine.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qdkernel.core import BEHAVIOUR_VERSION, geometric_mean_or_none
from qdkernel.machine import fingerprint, scaled_to_threads
from qdkernel.runs.machine_record import MachineRecord, SizeSpeed


@dataclass(frozen=True)
class MachineFacts:
    """The run's machine, peaks and baseline; what was not measured is empty or ``None``.

    Attributes:
        problem: its name, or the path of its folder.
        dtype: ``float64`` or ``float32``.
        threads: OpenMP threads while scoring.
        accuracy: the rule by which results were judged, ``componentwise`` or ``normwise``.
        cache: the cache level that inputs were brought into before the clock started; empty: they came from memory.
        behaviour: version of the rules that gave kernels their cells.
        bandwidth_bound: views report GB/s beside GFLOP/s.
        cpu: model name.
        cores: CPUs the run could use.
        hypervisor: whether the machine is virtual.
        simd_widths: bits, ascending.
        peaks: GFLOP/s by SIMD level name for this dtype and thread count.
        triad_gbytes_per_s: memory bandwidth for this thread count.
        baseline_name: e.g. ``OpenBLAS 0.3.34``.
        baseline: the baseline's speed at each scored size.
        compiler: ``command``, ``version`` and ``flags``.
        fingerprint: 16 hexadecimal digits that change with machine and compiler.
        energy: why the energy of calls is not known; empty where the host reports it.
    """

    problem: str = "unknown problem"
    dtype: str = ""
    threads: int = 1
    accuracy: str = "componentwise"
    cache: str = ""
    behaviour: str = BEHAVIOUR_VERSION
    bandwidth_bound: bool = False
    cpu: str = "unknown CPU"
    cores: int | None = None
    hypervisor: bool | None = None
    simd_widths: tuple[int, ...] = (128, 256, 512)
    peaks: Mapping[str, float] = field(default_factory=dict)
    triad_gbytes_per_s: float | None = None
    baseline_name: str = "baseline"
    baseline: tuple[SizeSpeed, ...] = ()
    compiler: Mapping[str, Any] = field(default_factory=dict)  # Any: command and version text, flags a list
    fingerprint: str = ""
    energy: str = ""

    @property
    def peak_gflops(self) -> float | None:
        """The fastest of the peaks."""
        return max(self.peaks.values(), default=None)

    @property
    def baseline_gflops(self) -> float | None:
        """Geometric mean over the baseline's sizes, comparable with an objective."""
        return geometric_mean_or_none([speed.gflops for speed in self.baseline])

    @property
    def flags(self) -> tuple[str, ...]:
        """The compiler flags of every kernel of the run."""
        return tuple(str(flag) for flag in self.compiler.get("flags") or ())

    @property
    def compile_command(self) -> str:
        """What to type before the files' names."""
        return " ".join([str(self.compiler.get("command") or "gcc"), *(self.flags or ("-O3", "-march=native"))])


def format_conditions(accuracy: str, cache: str) -> str:
    """What is unusual about how kernels were judged, e.g. ``, accuracy normwise, inputs in L2``; otherwise nothing."""
    rule = "" if accuracy == "componentwise" else f", accuracy {accuracy}"
    return rule + (f", inputs in {cache}" if cache else "")


def machine_facts(record: MachineRecord) -> MachineFacts:
    """The facts in a run's ``machine.json``, with the peaks for its dtype and number of threads."""
    machine, peaks, threads = record.machine, record.peaks, record.threads
    return MachineFacts(
        problem=record.problem,
        dtype=record.dtype,
        threads=threads,
        accuracy=record.accuracy,
        cache=record.cache,
        behaviour=record.behaviour,
        bandwidth_bound=record.bandwidth_bound,
        cpu=machine.cpu,
        cores=machine.cores,
        hypervisor=machine.hypervisor,
        simd_widths=machine.simd_widths,
        peaks=_peaks(peaks.peak_gflops.get(record.dtype, {}), threads),
        triad_gbytes_per_s=scaled_to_threads(peaks.triad_gbytes_per_s, threads),
        baseline_name=record.baseline.name,
        baseline=record.baseline.gflops,
        compiler=record.compiler.model_dump(mode="json"),
        fingerprint=fingerprint(machine, record.compiler.version),
        energy=record.energy,
    )


def _peaks(by_threads: Mapping[int, Mapping[str, float]], threads: int) -> dict[str, float]:
    levels = {level for peaks in by_threads.values() for level in peaks}
    found = {
        level: scaled_to_threads({n: peaks[level] for n, peaks in by_threads.items() if level in peaks}, threads)
        for level in levels
    }
    return {level: gflops for level, gflops in found.items() if gflops is not None}
