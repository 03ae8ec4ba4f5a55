"""Runs a kernel once under ThreadSanitizer in a process of its own, within limits of time and memory."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qdkernel.errors import ContainmentError
from qdkernel.evaluators.races.report import Race, read_race
from qdkernel.evaluators.races.runtime import RaceRuntime
from qdkernel.evaluators.sandbox import Layers, Layout, MemoryFile

_REPORT_BYTES = 1 << 18  # a report has some 5 kB
_POLL_S = 0.05
_RACE_STATUS = 66  # chosen; also the sanitizer's own default


class NotWatched(Exception):
    """The run ended before the last call, for another reason than a race; the message states it."""


@dataclass(frozen=True)
class RaceExecutable:
    """What a watched child is started from.

    Attributes:
        runner: the program made by ``build_race_runner``.
        runtime: the libraries.
        object: the instrumented kernel.
        symbol: its function.
        threads: of OpenMP.
        layers: what contains it.
    """

    runner: Path
    runtime: RaceRuntime
    object: Path
    symbol: str
    threads: int
    layers: Layers


@dataclass(frozen=True)
class WatchedCalls:
    """The calls of one watched run, and its limits.

    Attributes:
        layout: of the calls.
        number: how many are made, from the first on.
        inputs: input file, mapped read-only in the child.
        outputs: output file; what the calls leave there is not looked at.
        timeout_s: wall-clock deadline of all calls, the start included.
        memory_mb: resident memory beside the data, MiB: the sanitizer's own part is several times the kernel's.
    """

    layout: Layout
    number: int
    inputs: MemoryFile
    outputs: MemoryFile
    timeout_s: float
    memory_mb: int


def watch_races(executable: RaceExecutable, calls: WatchedCalls) -> Race | None:
    """Runs the calls once; the first race, ``None`` when the run ended without one.

    Raises:
        NotWatched: crashed, late, or out of memory; no evidence about races.
        ContainmentError: a layer that should contain it could not be put in force.
    """
    status, report = _run(executable, calls)
    if race := read_race(report):
        return race
    if status == 0:
        return None
    own = next((line for line in report.splitlines() if line.startswith("race_runner: ")), "")
    if own.startswith(("race_runner: Landlock", "race_runner: seccomp", "race_runner: no-new-privileges")):
        raise ContainmentError(f"the child could not be contained: {own.partition(': ')[2]}; see `qdkernel doctor`")
    fatal = next((line for line in report.splitlines() if "ThreadSanitizer" in line), "")
    how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"left with exit status {status}"
    raise NotWatched(own.partition(": ")[2] or fatal.strip("= ") or how)


def _run(executable: RaceExecutable, calls: WatchedCalls) -> tuple[int, str]:
    """(exit status, what was written to standard error)."""
    encoded = calls.layout.plan
    plan = MemoryFile("plan", len(encoded))
    plan.bytes[: len(encoded)] = np.frombuffer(encoded, np.uint8)
    fds = (calls.inputs.read_only_fd(), calls.outputs.fd, plan.read_only_fd())
    cpu_s = int(calls.timeout_s * executable.threads) + 1
    command = [str(executable.runner), *map(str, fds), str(plan.num_bytes), str(os.getpid()), str(cpu_s)]
    command += [str(int(executable.layers)), str(calls.number), str(executable.object), executable.symbol]
    command += [str(executable.runtime.openmp.parent)]
    read_end, write_end = os.pipe()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=write_end,
            env=_environment(executable),
            pass_fds=fds,
            start_new_session=True,
        )
    finally:
        for fd in (fds[0], fds[2], write_end):
            os.close(fd)
        plan.close()
    limit_bytes = (calls.memory_mb << 20) + calls.inputs.num_bytes + calls.outputs.num_bytes
    try:
        report = _read_report(read_end, process.pid, calls.timeout_s, limit_bytes)
    finally:
        os.close(read_end)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        _remove_registration(process.pid)
    return status, report


def _environment(executable: RaceExecutable) -> Mapping[str, str]:
    return {
        "OMP_NUM_THREADS": str(executable.threads),
        "OMP_DYNAMIC": "false",
        "OMP_TOOL_LIBRARIES": str(executable.runtime.archer),
        "TSAN_OPTIONS": f"ignore_noninstrumented_modules=1 halt_on_error=1 exitcode={_RACE_STATUS} history_size=5",
        "LC_ALL": "C",
    }


def _read_report(fd: int, pid: int, timeout_s: float, limit_bytes: int) -> str:
    """All of standard error, up to its end; the process may still run when time, memory or length are used up.

    Raises:
        NotWatched: the deadline passed, or the memory is used up, before a race was reported.
    """
    deadline, report = time.monotonic() + timeout_s, b""
    waiting = select.poll()
    waiting.register(fd, select.POLLIN | select.POLLHUP)
    while len(report) < _REPORT_BYTES:
        if waiting.poll(1e3 * _POLL_S):
            chunk = os.read(fd, 1 << 16)
            if not chunk:
                break
            report += chunk
        late = time.monotonic() > deadline
        if late or _resident_bytes(pid) > limit_bytes:
            if read_race(_text(report)):
                break
            raise NotWatched(
                f"not done after {timeout_s:g} s" if late else f"more than {limit_bytes >> 20} MiB of memory"
            )
    return _text(report)


def _text(report: bytes) -> str:
    return report.decode("utf-8", "replace")


def _resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 when it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _remove_registration(pid: int) -> None:
    """Removes what LLVM's runtime leaves in shared memory when its process does not end by itself."""
    for path in Path("/dev/shm").glob(f"__KMP_REGISTERED_LIB_{pid}_*"):
        path.unlink(missing_ok=True)
