"""What the machine can do at most: floating-point peak and memory bandwidth, measured and cached.

No honest kernel exceeds them. The plausibility step and every "share of peak" in the views use these numbers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qdkernel.errors import ToolchainError
from qdkernel.evaluators.toolchain import NATIVE, Toolchain, cache_dir, read_kept, write_kept
from qdkernel.machine import Machine, fingerprint, memory_bytes, scaled_to_threads

SOURCE = NATIVE / "peaks.c"

# Fixed and not the run's: a peak is the machine's at its level, whatever flags a run gives its kernels.
FLAGS = ("-std=gnu11", "-O3", "-march=native", "-fopenmp")

# Measured on two quiet virtual cores: a single 50 ms window reads up to 3 % low, the best of four under 0.5 %.
WINDOWS = 4
WINDOW_MS = 50.0

# A quiet machine takes 2 s per process; slow first touch of memory or a crowded host may stretch that.
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Peak:
    """Floating-point peak of one type, SIMD width and thread count.

    Attributes:
        dtype: ``float64`` or ``float32``.
        simd: ``scalar``, ``128``, ``256`` or ``512``, as on the archive's axis.
        threads: threads computing together, each on its own core.
        gflops: GFLOP/s of all threads together; a fused multiply-add counts two.
    """

    dtype: str
    simd: str
    threads: int
    gflops: float


@dataclass(frozen=True)
class Triad:
    """STREAM triad at one thread count, in GB/s of 24 bytes an element (McCalpin 1995).

    Attributes:
        threads: threads streaming together.
        plain: with ordinary stores, which first read the lines they overwrite; that read is not counted.
        non_temporal: with stores past the caches; ``None`` where the compiler has none.
    """

    threads: int
    plain: float
    non_temporal: float | None

    @property
    def best(self) -> float:
        """GB/s of the faster variant."""
        return max(self.plain, self.non_temporal or 0.0)


@dataclass(frozen=True)
class MachinePeaks:
    """The measured peaks and bandwidths, for 1 thread and for all cores."""

    peaks: tuple[Peak, ...]
    triads: tuple[Triad, ...]

    def peak_gflops(self, dtype: str, threads: int, simd: str | None = None) -> float:
        """GFLOP/s that ``threads`` threads reach at most.

        Between the measured counts: as many times one thread's, but no more than all cores'.

        Args:
            dtype: ``float64`` or ``float32``.
            threads: at least 1; more than all cores counts as all.
            simd: one width; ``None`` for the fastest.

        Raises:
            KeyError: nothing was measured for the type or the width.
        """
        peaks = [peak for peak in self.peaks if peak.dtype == dtype and simd in (None, peak.simd)]
        if not peaks:
            raise KeyError(f"no {dtype} peak measured for SIMD width {simd or 'any'}")
        return _scaled({count: _best(peaks, count) for count in {peak.threads for peak in peaks}}, threads)

    def plausible_gflops(self, dtype: str, threads: int) -> float:
        """GFLOP/s that no honest kernel passes: ``threads`` times the most that one core ever showed.

        Looser than the peak where cores slow each other down. It holds even if something else computed on a core while
        all of them were measured: the peak is then too low and would refuse good kernels.

        Raises:
            KeyError: nothing was measured for the type.
        """
        per_core = [peak.gflops / peak.threads for peak in self.peaks if peak.dtype == dtype]
        if not per_core:
            raise KeyError(f"no {dtype} peak measured")
        return threads * max(per_core)

    def plausible_by_simd(self, dtype: str, threads: int) -> dict[str, float]:
        """GFLOP/s that no code of a SIMD width passes, by width; otherwise as ``plausible_gflops``."""
        found: dict[str, float] = {}
        for peak in self.peaks:
            if peak.dtype == dtype:
                found[peak.simd] = max(found.get(peak.simd, 0.0), threads * peak.gflops / peak.threads)
        return found

    def triad_gbytes_per_s(self, threads: int) -> float:
        """GB/s of the best triad with ``threads`` threads, scaled between the measured counts like the peak."""
        return _scaled({triad.threads: triad.best for triad in self.triads}, threads)

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """Plain values that ``from_json`` reads back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> MachinePeaks:  # Any: JSON from a file, checked here
        """The peaks in ``to_json``'s form.

        Raises:
            ValueError: another form, nothing in it, or a number that no measurement gives.
        """
        try:
            peaks = tuple(Peak(**peak) for peak in data["peaks"])
            triads = tuple(Triad(**triad) for triad in data["triads"])
            names = {(peak.dtype, peak.simd) for peak in peaks if peak.threads == 1}
            numbers = [peak.gflops for peak in peaks] + [triad.plain for triad in triads]
            numbers += [triad.non_temporal for triad in triads if triad.non_temporal is not None]
            sound = all(math.isfinite(number) and number > 0 for number in numbers)
            single = {"float64", "float32"} <= {dtype for dtype, _ in names} and 1 in {t.threads for t in triads}
        except (KeyError, TypeError) as error:
            raise ValueError("not the peaks of a machine") from error
        if not (sound and single):
            raise ValueError("peaks that are not positive, or lack a single thread's")
        return cls(peaks, triads)


def _best(peaks: list[Peak], threads: int) -> float:
    return max(peak.gflops for peak in peaks if peak.threads == threads)


def _scaled(by_threads: dict[int, float], threads: int) -> float:
    speed = scaled_to_threads(by_threads, threads)
    if speed is None:
        raise KeyError(f"no peak measured for {threads} threads or fewer")
    return speed


def load_or_measure_peaks(
    machine: Machine, toolchain: Toolchain, *, exclusive: AbstractContextManager[object] | None = None
) -> MachinePeaks:
    """The machine's peaks, from the cache or measured now (about 5 s) and cached.

    Args:
        machine: what to measure; a changed machine or compiler is measured anew.
        toolchain: the compiler.
        exclusive: held while measuring, so that nothing else computes on the cores.

    Raises:
        ToolchainError: the compiler cannot build the measurement, or it does not run.
    """
    file = _cache_file(machine, toolchain)
    cached = _read(file)
    if cached is not None:
        return cached
    with exclusive or contextlib.nullcontext():
        cached = _read(file)  # another run may have measured while this one waited
        if cached is None:
            cached = measure_peaks(machine, toolchain)
            write_kept(file, _method(), cached.to_json())
    return cached


def renew_peaks(machine: Machine, toolchain: Toolchain) -> MachinePeaks:
    """The machine's peaks, measured again; the higher one of each is kept, and cached.

    A host that was busy at the first measurement makes peaks too low, nothing makes them too high. The cores must be
    held.

    Raises:
        ToolchainError: see ``load_or_measure_peaks``.
    """
    file = _cache_file(machine, toolchain)
    found, known = measure_peaks(machine, toolchain), _read(file)
    if known is not None:
        peaks = sorted((*found.peaks, *known.peaks), key=lambda peak: peak.gflops)
        triads = sorted((*found.triads, *known.triads), key=lambda triad: triad.best)
        found = MachinePeaks(
            tuple({(peak.dtype, peak.simd, peak.threads): peak for peak in peaks}.values()),
            tuple({triad.threads: triad for triad in triads}.values()),
        )
    write_kept(file, _method(), found.to_json())
    return found


def _cache_file(machine: Machine, toolchain: Toolchain) -> Path:
    return cache_dir() / fingerprint(machine, toolchain.version) / "peaks.json"


def measure_peaks(
    machine: Machine,
    toolchain: Toolchain,
    *,
    exclusive: AbstractContextManager[object] | None = None,
    windows: int = WINDOWS,
    window_ms: float = WINDOW_MS,
) -> MachinePeaks:
    """The machine's peaks for 1 thread and for all its cores, measured in processes of their own.

    Args:
        machine: gives the cores, the caches to overflow and the widths.
        toolchain: the compiler.
        exclusive: held while measuring, not while compiling.
        windows: measurements of each peak, of which the best counts; up to three times as many on a busy host.
        window_ms: length of one.

    Raises:
        ToolchainError: the compiler cannot build the measurement, or it does not run.
    """
    with tempfile.TemporaryDirectory(prefix="qdkernel-peaks-") as folder:
        program = compile_peaks(toolchain, Path(folder), machine.compiler_flags(FLAGS))
        settings = (str(windows), str(window_ms), str(triad_bytes(machine, memory_bytes())))
        with exclusive or contextlib.nullcontext():
            results = [_run(program, settings, threads) for threads in sorted({1, machine.cores})]
    peaks = [Peak(threads=result["threads"], **peak) for result in results for peak in result["peaks"]]
    triads = [Triad(threads=result["threads"], **result["triad"]) for result in results]
    return MachinePeaks(tuple(peaks), tuple(triads))


def triad_bytes(machine: Machine, memory_bytes: int) -> int:
    """Bytes in the triad's three arrays together: four times the outermost caches, but at most 1/8 of the memory."""
    return min(4 * machine.last_level_bytes * machine.last_level_instances, memory_bytes // 8)


def compile_peaks(toolchain: Toolchain, folder: Path, flags: Sequence[str] = FLAGS) -> Path:
    """The measuring program, built in ``folder``; it holds the peaks of the widths that the flags allow and no others.

    Raises:
        ToolchainError: the compiler is gone or rejects the program; the message contains its output.
    """
    program = folder / "peaks"
    command = [toolchain.command, *flags, str(SOURCE), "-o", str(program)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolchainError(
            f"{toolchain.command} does not run ({error}); install a C compiler (Debian: apt install gcc libc6-dev) "
            "or name another with compiler.command"
        ) from error
    if done.returncode != 0:
        raise ToolchainError(
            f"{' '.join(command)} failed; a GCC with OpenMP and the C library's headers is expected "
            f"(Debian: apt install gcc libc6-dev):\n{done.stderr[:2000]}"
        )
    return program


def _run(program: Path, settings: tuple[str, ...], threads: int) -> dict[str, Any]:  # Any: JSON
    """One process's measurement with a number of threads.

    A process for each count, as OpenMP fixes its places when it starts. The environment is the user's, since the
    compiler's libraries may be found through it, without its own OpenMP settings.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_", "KMP_"))}
    environment |= {"OMP_NUM_THREADS": str(threads), "OMP_DYNAMIC": "false"}
    environment |= {"OMP_PROC_BIND": "close", "OMP_PLACES": "cores"}  # unbound threads may share a core
    try:
        done = subprocess.run(
            [str(program), *settings], env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
        result: dict[str, Any] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise ToolchainError(
            f"the peaks could not be measured with {threads} threads ({error}); check that the folder "
            f"{tempfile.gettempdir()} allows programs to run (set TMPDIR otherwise) and that memory is not short"
        ) from error
    if result["threads"] != threads:
        raise ToolchainError(
            f"expected {threads} OpenMP threads, got {result['threads']}; check the limits on threads (ulimit -u)"
        )
    return result


def _read(file: Path) -> MachinePeaks | None:
    """The cached peaks; ``None`` when absent, damaged or measured in another way."""
    try:
        return MachinePeaks.from_json(read_kept(file, _method()))
    except ValueError:
        return None


def _method() -> str:
    """Changes with the measurement itself, so that an upgrade measures anew."""
    settings = [SOURCE.read_text(encoding="utf-8"), *FLAGS, str(WINDOWS), str(WINDOW_MS)]
    return hashlib.sha256("\0".join(settings).encode()).hexdigest()[:16]
