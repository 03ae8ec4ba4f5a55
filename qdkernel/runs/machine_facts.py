"""What ``machine.json`` of a run folder tells the views and exports."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]  # Any: JSON values


@dataclass(frozen=True)
class SizeSpeed:
    """GFLOP/s at one scored size."""

    size: Mapping[str, int]
    gflops: float


@dataclass(frozen=True)
class MachineFacts:
    """The run's machine, peaks and baseline; whatever the file does not tell is empty or ``None``.

    Attributes:
        problem: registry name.
        dtype: ``float64`` or ``float32``.
        threads: OpenMP threads while scoring.
        accuracy: the rule by which results were judged, ``componentwise`` or ``normwise``.
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
    """

    problem: str = "unknown problem"
    dtype: str = ""
    threads: int = 1
    accuracy: str = "componentwise"
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

    @property
    def peak_gflops(self) -> float | None:
        """The fastest of the peaks."""
        return max(self.peaks.values(), default=None)

    @property
    def baseline_gflops(self) -> float | None:
        """Geometric mean over the baseline's sizes, comparable with an objective."""
        return geometric_mean([speed.gflops for speed in self.baseline])

    @property
    def flags(self) -> tuple[str, ...]:
        """The compiler flags of every kernel of the run."""
        return tuple(str(flag) for flag in self.compiler.get("flags") or ())

    @property
    def compile_command(self) -> str:
        """What to type before the files' names."""
        return " ".join([str(self.compiler.get("command") or "gcc"), *(self.flags or ("-O3", "-march=native"))])


def format_accuracy(accuracy: str) -> str:
    """``, accuracy normwise`` where results were not judged by the usual rule; otherwise nothing."""
    return "" if accuracy == "componentwise" else f", accuracy {accuracy}"


def geometric_mean(values: list[float]) -> float | None:
    """Geometric mean of positive numbers; ``None`` when there is none, or one is not positive."""
    if not values or any(not value > 0 for value in values):
        return None
    return math.exp(sum(math.log(value) for value in values) / len(values))


def machine_facts(data: Json) -> MachineFacts:
    """The facts in a parsed ``machine.json``; unknown keys are ignored and missing ones left at their defaults."""
    machine, peaks, baseline = (_object(data.get(key)) for key in ("machine", "peaks", "baseline"))
    compiler = _object(data.get("compiler"))
    threads = int(data.get("threads") or 1)
    dtype = str(data.get("dtype") or "")
    widths = machine.get("simd_widths")
    return MachineFacts(
        problem=str(data.get("problem") or MachineFacts.problem),
        dtype=dtype,
        threads=threads,
        accuracy=str(data.get("accuracy") or MachineFacts.accuracy),
        bandwidth_bound=bool(data.get("bandwidth_bound")),
        cpu=str(machine.get("cpu") or MachineFacts.cpu),
        cores=machine.get("cores"),
        hypervisor=machine.get("hypervisor"),
        simd_widths=MachineFacts.simd_widths if widths is None else tuple(int(width) for width in widths),
        peaks=_peaks(_object(_object(peaks.get("peak_gflops")).get(dtype)), threads),
        triad_gbytes_per_s=_at(_object(peaks.get("triad_gbytes_per_s")), threads),
        baseline_name=str(baseline.get("name") or MachineFacts.baseline_name),
        baseline=tuple(
            SizeSpeed(dict(entry["size"]), float(entry["gflops"])) for entry in baseline.get("gflops") or ()
        ),
        compiler=compiler,
        fingerprint=str(data.get("fingerprint") or _fingerprint(machine, compiler)),
    )


def _object(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _peaks(by_threads: Json, threads: int) -> dict[str, float]:
    levels = {level for peaks in by_threads.values() for level in peaks}
    found = {level: _at({n: peaks.get(level) for n, peaks in by_threads.items()}, threads) for level in levels}
    return {level: gflops for level, gflops in found.items() if gflops is not None}


def _at(by_threads: Json, threads: int) -> float | None:
    """The peak for a thread count; between the measured counts the smaller one scaled, but no more than the larger.

    A simplification: peaks are measured for one thread and for all cores only.
    """
    measured = {int(count): float(value) for count, value in by_threads.items() if value}
    below = [count for count in measured if count <= threads]
    above = [measured[count] for count in measured if count >= threads]
    if threads in measured or not below:
        return measured.get(threads)
    scaled = measured[max(below)] * threads / max(below)
    return min([scaled, *above]) if above else measured[max(below)]


def _fingerprint(machine: Json, compiler: Json) -> str:
    facts = json.dumps([dict(machine), compiler.get("version")], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:16]
