"""One benchmark at a time per host: a lock shared by all processes and runs on the machine.

While a benchmark holds the cores exclusively nothing else of any run computes on them: compiling, verifying and
proposing hold them shared. A second DGEMM beside the first was measured to cut it from 51 to 18 GFLOP/s.

A benchmark does not wait for the end of work that can be stopped: ``give_way`` stops it until the benchmark is over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

from qdkernel.errors import QdkernelError


class CoreLock:
    """A readers-writer lock on the host's cores, held through two lock files; waiting writers go first.

    ``flock`` alone would starve a waiting benchmark while compilations overlap without a gap, so every
    process passes a gate first, which a waiting benchmark keeps shut. Locks of killed processes are released.

    Args:
        directory: where the two files live; the same for all runs on the host. Default: the temporary folder.
    """

    def __init__(self, directory: Path | None = None) -> None:
        base = directory or Path(tempfile.gettempdir())
        self._gate = base / "qdkernel-gate.lock"
        self._cores = base / "qdkernel-cores.lock"

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Holds the cores for work that may run at the same time as other such work, but not as a benchmark."""
        hold = _SharedHold(self._gate, self._cores)
        token = _held.set(hold)
        try:
            yield
        finally:
            _held.reset(token)
            hold.release()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Holds the cores alone, for a benchmark."""
        with _locked(self._gate, fcntl.LOCK_EX), _locked(self._cores, fcntl.LOCK_EX):
            yield


class _SharedHold:
    """The cores held shared.

    Attributes:
        lent_s: seconds for which benchmarks had them so far.
    """

    def __init__(self, gate: Path, cores: Path) -> None:
        self._gate, self._cores = gate, cores
        self.lent_s = 0.0
        self._fd = -1
        self._take()

    def _take(self) -> None:
        with _locked(self._gate, fcntl.LOCK_SH):
            self._fd = _lock(self._cores, fcntl.LOCK_SH)

    def release(self) -> None:
        """Gives the cores up, unless that was done."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def is_wanted(self) -> bool:
        """Whether a benchmark waits for the cores: it keeps the gate shut."""
        try:
            with _locked(self._gate, fcntl.LOCK_SH | fcntl.LOCK_NB):
                return False
        except BlockingIOError:
            return True

    def lend(self) -> float:
        """Gives the cores up and takes them again; the seconds between."""
        begin = time.monotonic()
        self.release()
        self._take()
        seconds = time.monotonic() - begin
        self.lent_s += seconds
        return seconds


_held: ContextVar[_SharedHold | None] = ContextVar("the cores, where this thread holds them shared", default=None)


def give_way(stop: Callable[[], None], go_on: Callable[[], None]) -> float:
    """Lets a benchmark that waits have the cores, in the middle of work for which this thread holds them shared.

    Args:
        stop: stops the work.
        go_on: continues it.

    Returns:
        Seconds for which the work was stopped; 0 when no benchmark waits, or this thread does not hold the cores.
    """
    hold = _held.get()
    if hold is None or not hold.is_wanted():
        return 0.0
    stop()
    seconds = hold.lend()
    go_on()
    return seconds


def lent_s() -> float:
    """Seconds for which ``give_way`` has stopped this thread's work since it took the cores."""
    hold = _held.get()
    return 0.0 if hold is None else hold.lent_s


@contextlib.contextmanager
def _locked(path: Path, mode: int) -> Iterator[None]:
    fd = _lock(path, mode)
    try:
        yield
    finally:
        os.close(fd)  # releases the lock


def _lock(path: Path, mode: int) -> int:
    # Any user of the host may take the lock. NOFOLLOW: the name must not be a link to another file.
    flags = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(path, flags, 0o644)
    except OSError as error:
        raise QdkernelError(
            f"the lock file {path} cannot be opened ({error.strerror}); remove it, or set TMPDIR to a folder that "
            "every run on this host can write"
        ) from error
    try:
        fcntl.flock(fd, mode)
    except BlockingIOError:
        os.close(fd)
        raise
    return fd
