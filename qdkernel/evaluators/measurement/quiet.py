"""Waiting for a quiet host: whether other processes take the cores that kernels are timed on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

from qdkernel.machine import running_on

_OWN = Path("/proc/thread-self/schedstat")  # Documentation/scheduler/sched-stats.rst
_SPIN_NS = 5e6  # longer than the 0.7 to 4 ms for which Linux lets one of two processes run
_DELAYED = 0.05  # of that time
_PAUSE_S = 0.1
_LEAST_SHARE = 1 / 32


class QuietCores:
    """Waits until no other process takes the cores that kernels are timed on.

    Each wait in vain halves how long the next ones last, and a quiet moment restores it: on a host that is never quiet
    a search must not spend its budget on waiting.

    Args:
        cores: processors, taken one after another.
    """

    def __init__(self, cores: Iterable[int]) -> None:
        self._cores = tuple(cores)
        self._share = 1.0

    def wait(self, patience_s: float) -> bool:
        """Waits until a spinning thread has each of the cores to itself for 5 ms.

        Args:
            patience_s: how long to wait at most, seconds; less after waits in vain.

        Returns:
            Whether the cores are quiet; true as well where Linux does not report how long a thread waited.
        """
        deadline = time.monotonic() + self._share * patience_s
        while not (quiet := all(_undelayed(core) for core in self._cores)) and time.monotonic() < deadline:
            time.sleep(_PAUSE_S)
        self._share = 1.0 if quiet else max(self._share / 2, _LEAST_SHARE)
        return quiet


def _undelayed(core: int) -> bool:
    with contextlib.suppress(OSError, ValueError), running_on((core,)):
        before_ns, end_ns = _waited_ns(), time.monotonic_ns() + _SPIN_NS
        while time.monotonic_ns() < end_ns:
            pass
        return _waited_ns() - before_ns <= _DELAYED * _SPIN_NS
    return True


def _waited_ns() -> int:
    return int(_OWN.read_text().split()[1])
