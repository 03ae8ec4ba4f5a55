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


def await_quiet(cores: Iterable[int], patience_s: float) -> bool:
    """Waits until a spinning thread has each of the cores to itself for 5 ms.

    Args:
        cores: processors, taken one after another.
        patience_s: how long to wait at most, seconds.

    Returns:
        Whether the cores are quiet; true as well where Linux does not report how long a thread waited.
    """
    deadline, cores = time.monotonic() + patience_s, tuple(cores)
    while not all(_undelayed(core) for core in cores):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_S)
    return True


def _undelayed(core: int) -> bool:
    with contextlib.suppress(OSError, ValueError), running_on((core,)):
        before_ns, end_ns = _waited_ns(), time.monotonic_ns() + _SPIN_NS
        while time.monotonic_ns() < end_ns:
            pass
        return _waited_ns() - before_ns <= _DELAYED * _SPIN_NS
    return True


def _waited_ns() -> int:
    return int(_OWN.read_text().split()[1])
