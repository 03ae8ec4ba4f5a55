"""The contained child that runs a kernel, seen from the parent that supervises it.

The parent owns the clock and the verdict. The child's exit status, its own clock and what it writes to the control
page are only ever used for messages.
"""

from __future__ import annotations

import contextlib
import enum
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from qdkernel.errors import ContainmentError
from qdkernel.evaluators.sandbox.cpu_accounting import CpuTimeMonitor
from qdkernel.evaluators.sandbox.failures import ChildCrashed, ChildStartFailed, ChildTimeout
from qdkernel.evaluators.sandbox.faults import Fault, describe_fault
from qdkernel.evaluators.sandbox.memory import PAGE, Layout, MemoryFile
from qdkernel.evaluators.sandbox.native_supervisor import Native
from qdkernel.machine import running_on

_CONTROL = np.dtype(
    [(name, "u4") for name in ("command", "armed", "start", "done", "first", "count", "state", "progress")]
    + [("float_control", "u4"), ("layers", "u4"), ("message", "S256"), ("thawed", "u4"), ("awake", "u4")]
    + [("base", "u8"), ("fault_address", "u8"), ("fault", "u4"), ("stack_kib", "u4"), ("cached", "u4")]
)
_FAILED = 3
_LATE, _GONE, _GONE_UNARMED = -1, -2, -3


class Layers(enum.IntFlag):
    """What contains a child; the bits of ``enum qd_layer``."""

    NONE = 0
    """Nothing: for trusted code only."""
    LIMITS = 1
    """Memory, processor time, file size."""
    LANDLOCK = 2
    """No file but the candidate itself, no TCP, no signals to others."""
    SECCOMP = 4
    """Only the system calls that allocation and the OpenMP runtime need."""
    ALL = 7


@dataclass(frozen=True)
class Limits:
    """What a contained child may use.

    Attributes:
        memory_mb: address space beyond the mapped data, MiB (thread stacks and arenas count).
        cpu_s: processor seconds of all threads together.
        layers: what contains it.
    """

    memory_mb: int = 2048
    cpu_s: int = 120
    layers: Layers = Layers.ALL


@dataclass(frozen=True)
class Executable:
    """What a child is started from.

    Attributes:
        runner: the runner built for the problem's prototype.
        object: shared object that holds the kernel.
        symbol: the kernel's function.
        environment: variables of the child; nothing else of the parent's environment reaches it.
    """

    runner: Path
    object: Path
    symbol: str
    environment: Mapping[str, str]


class Child:
    """A process that holds one kernel and runs blocks of calls on request.

    Args:
        native: the supervisor's native half (see ``_native``).
        executable: what to run.
        layout: the calls it can be asked for.
        inputs: input file, mapped read-only there.
        outputs: output file.
        cores: processors it may run on.
        limits: what contains it.
        cached: the arrays of each block's calls are brought into its cores' caches before the block starts.
        trace: memory in place of the counters of a kernel that counts.
        samples: memory for the places that its first thread is seen at during calls (``native/samples.h``).

    Attributes:
        cached: see above.
        delayed_ns: nanoseconds that its threads waited for a processor in the last block after which it was stopped,
            altogether: how much other processes disturbed the block. 0 where Linux does not report it.
    """

    def __init__(
        self,
        native: Native,
        executable: Executable,
        layout: Layout,
        inputs: MemoryFile,
        outputs: MemoryFile,
        cores: tuple[int, ...],
        limits: Limits,
        cached: bool = False,
        trace: MemoryFile | None = None,
        samples: MemoryFile | None = None,
    ) -> None:
        self._native = native
        self._layout = layout
        self._control = MemoryFile("control", PAGE)
        self.cached = cached
        self._control.bytes[: _CONTROL.itemsize].view(_CONTROL)["cached"] = cached
        self._block = self._first = self._count = self.delayed_ns = 0
        plan = MemoryFile("plan", len(layout.plan))
        plan.bytes[: len(layout.plan)] = np.frombuffer(layout.plan, np.uint8)
        data_mb = (inputs.num_bytes + outputs.num_bytes + sum(layout.segment_bytes)) >> 20
        read_only = [inputs.read_only_fd(), plan.read_only_fd()]
        fds = (read_only[0], outputs.fd, self._control.fd, read_only[1])
        command = [str(executable.runner), *map(str, fds), str(plan.num_bytes), str(os.getpid())]
        command += [str(limits.memory_mb + data_mb), str(limits.cpu_s), str(int(limits.layers))]
        command += [str(executable.object), executable.symbol]
        command += ["-1", "0"] if trace is None else [str(trace.fd), str(trace.num_bytes)]
        command += ["-1" if samples is None else str(samples.fd)]
        begun_s = time.monotonic()  # the child may run, and its processor time count, before Popen returns
        try:
            with running_on(cores):  # the OpenMP runtime reads the affinity mask before main() runs
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=dict(executable.environment),
                    pass_fds=(*fds, *(file.fd for file in (trace, samples) if file is not None)),
                    start_new_session=True,
                )
        finally:
            for fd in read_only:
                os.close(fd)
            plan.close()
        self._account = CpuTimeMonitor(self._process.pid, len(cores), begun_s)

    def run(
        self, first: int, count: int, timeout_s: float, *, cpu: int = -1, spin: bool = False, freeze: bool = False
    ) -> int:
        """Runs calls ``first .. first + count - 1``; the time from go to done in nanoseconds by this process's clock.

        Args:
            first: index of the first call in the layout.
            count: number of calls; 0 measures the handshake.
            timeout_s: deadline of the whole block.
            cpu: processor on which the parent waits; -1 for any.
            spin: spin for the answer instead of sleeping; only when the child leaves a core free.
            freeze: stop the child as ``stop`` does as soon as it reports that it is done, and the clock after that.

        Raises:
            ChildStartFailed: it died before it had called the kernel once.
            ChildCrashed: it died later.
            ChildTimeout: the deadline passed.
            CpuTimeExceeded: by the time it was stopped it had used more processors than it was given.
            ContainmentError: a layer that should contain it could not be put in force.
        """
        block, pid, wait_ns = self._next_block(first, count), self._process.pid, int(timeout_s * 1e9)
        code = self._native.block(self._control, pid, block, first, count, wait_ns, cpu, spin, freeze)
        self._check(code, timeout_s)
        if freeze:
            self._account.pause()
            self.delayed_ns = self._native.delayed_ns
        return code

    def run_on(
        self,
        inputs: Callable[[], None],
        first: int,
        count: int,
        timeout_s: float,
        *,
        calls_s: float | None = None,
        cpu: int = -1,
        spin: bool = False,
    ) -> int:
        """Like ``run``, on inputs that come while the child, ready for them, is stopped.

        Nothing can be computed before the clock runs, which starts when the child is awake again, at most 50 us after
        it was let go on. A wake-up takes 30 to 100 us or, where the parent shares its core, milliseconds; so this is
        for checking times rather than for measuring them.

        Args:
            inputs: puts them in place.
            first: index of the first call in the layout.
            count: number of calls.
            timeout_s: deadline of each half: until the child is ready, which in a new one includes its start and the
                mapping of all arrays; and of the calls.
            calls_s: deadline of the calls, where it is another.
            cpu: processor on which the parent waits; -1 for any.
            spin: see ``run``.

        Raises:
            ChildFailed: see ``run``.
        """
        block, pid, wait_ns = self._next_block(first, count), self._process.pid, int(timeout_s * 1e9)
        self._check(self._native.freeze(self._control, pid, block, first, count, wait_ns, cpu), timeout_s)
        self._account.pause()
        inputs()
        self._account.resume()
        calls_s = timeout_s if calls_s is None else calls_s
        code = self._native.thaw(self._control, pid, block, int(calls_s * 1e9), cpu, spin)
        self._check(code, calls_s)
        self._account.pause()
        self.delayed_ns = self._native.delayed_ns
        return code

    def _next_block(self, first: int, count: int) -> int:
        self._block, self._first, self._count = self._block + 1, first, count
        return self._block

    def _check(self, code: int, timeout_s: float) -> None:
        if code == _LATE:
            late = ChildTimeout(f"not done after {timeout_s:g} s, {self._progress()}", self._finished)
            self.close()
            raise late
        if code == _GONE_UNARMED and self._block == 1:
            raise ChildStartFailed(self._failure(), 0)
        if code in (_GONE, _GONE_UNARMED):
            raise ChildCrashed(self._exit_description(), self._finished)

    @property
    def cpu_s(self) -> float:
        """Processor time of all its threads until it was last stopped, seconds."""
        return self._account.used_s

    @property
    def awake_s(self) -> float:
        """How long it was not stopped, until then, seconds: its calls, and its waiting for them."""
        return self._account.awake_s

    @property
    def was_killed(self) -> bool:
        """Whether another process killed it, e.g. the kernel's out-of-memory killer, or ``close``."""
        return self._process.returncode == -signal.SIGKILL

    @property
    def changed_float_control(self) -> bool:
        """Whether a call left another rounding, flush-to-zero or exception mode behind."""
        return bool(self._read_control()["float_control"])

    def stop(self) -> None:
        """Stops every thread of the child, so that it takes nothing from the kernel that is timed next."""
        self._signal(signal.SIGSTOP)
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        self._account.pause()

    def go_on(self) -> None:
        """Undoes ``stop``."""
        self._account.resume()
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Kills the child, whatever its state, and reaps it."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._control.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _read_control(self) -> np.void:
        control: np.void = self._control.bytes[: _CONTROL.itemsize].view(_CONTROL)[0].copy()
        return control

    @property
    def _finished(self) -> int:
        return int(self._read_control()["progress"])

    def _progress(self) -> str:
        return f"after {self._finished} of {self._count} calls"

    def _failure(self) -> str:
        """Why the child ended before it ran a kernel; until then the control page holds the runner's own words."""
        control = self._read_control()
        if int(control["state"]) != _FAILED:
            return f"{self._end()} while the kernel was being loaded"
        message = bytes(control["message"]).decode(errors="replace")
        if message.startswith(("Landlock", "seccomp", "no-new-privileges")):
            raise ContainmentError(f"the child could not be contained: {message}; see `qdkernel doctor`")
        return message

    def _exit_description(self) -> str:
        """How the child ended, in words; of what a kernel may have written only numbers are used."""
        how = f"{self._end()} {self._progress()}"
        if self._process.returncode not in (-signal.SIGSEGV, -signal.SIGBUS):
            return how
        control = self._read_control()
        away = (int(control["fault_address"]) - int(control["base"])) % (1 << 64)
        fault, stack_kib = Fault(int(control["fault"]) & 31), int(control["stack_kib"])
        what = describe_fault(fault, away, stack_kib, self._layout, self._first + self._finished)
        return f"{how}: {what}" if what else how

    def _end(self) -> str:
        code = self._process.wait()
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"left with exit status {code}"
