"""Processor time of a contained child against that of the cores it was given."""

from __future__ import annotations

import contextlib
import time

from qdkernel.evaluators.sandbox.failures import CpuTimeExceeded

# A virtual machine was seen to charge 14 % too much for 40 ms. A kernel gains by running on half as many cores again.
_CPU_SLACK, _CPU_SLACK_S = 1.2, 10e-3


class CpuTimeMonitor:
    """Whether a child uses more processor time than its processors have while it is awake.

    A kernel that moves to cores it was not given is faster by what they add, without being above any peak. What it
    leaves unused is no credit for later (a cumulative sum with a floor: Page 1954, "Continuous inspection schemes").

    Both clocks are read while every thread of the child stands, where Linux has accounted for all that they ran; at its
    ticks, every 1 to 10 ms, it has not. The monotonic clock is read before the child continues and after it stands. So
    processor time between two readings is at most the time between them on each processor, however long the host keeps
    the parent or the child waiting in between.

    Args:
        pid: the child.
        num_cores: processors it was given.
        begun_s: when it was started or before, seconds of the monotonic clock.

    Attributes:
        used_s: processor time until it was last paused, seconds.
        awake_s: how long it was awake until then, seconds.
    """

    def __init__(self, pid: int, num_cores: int, begun_s: float) -> None:
        self._clock = ~pid << 3 | 2  # clock_getcpuclockid(3): processor time of all threads of another process
        self._num_cores = num_cores
        self._resumed_s: float | None = begun_s
        self.used_s = self.awake_s = self._over_s = 0.0

    def resume(self) -> None:
        """The child, of which every thread stands, is about to continue."""
        if self._resumed_s is None:
            self._resumed_s = time.monotonic()

    def pause(self) -> None:
        """Every thread of the child stands.

        Raises:
            CpuTimeExceeded: it used more processor time than its processors had.
        """
        if self._resumed_s is None:
            return
        used_before_s = self.used_s
        with contextlib.suppress(OSError):  # it is gone; the next block reports how
            self.used_s = time.clock_gettime(self._clock)
        awake_s = time.monotonic() - self._resumed_s
        self._resumed_s = None
        self.awake_s += awake_s
        excess_s = self.used_s - used_before_s - _CPU_SLACK * self._num_cores * awake_s
        self._over_s = max(0.0, self._over_s + excess_s)
        if self._over_s > _CPU_SLACK_S:
            cores = f"its {self._num_cores} cores have" if self._num_cores > 1 else "its core has"
            raise CpuTimeExceeded(
                f"used {1e3 * self._over_s:.0f} ms more processor time than {cores}; a kernel stays on the cores it is "
                "given",
                0,
            )
