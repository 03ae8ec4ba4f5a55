"""Whether a node is as fast as its peers: it measures the pinned baseline itself."""

from __future__ import annotations

import enum
import statistics
from collections.abc import Callable, Sequence

from qdkernel.core import geometric_mean


class Standing(enum.Enum):
    """How a node compares with the others of its class."""

    FIT = enum.auto()
    """Within the noise."""
    FLAGGED = enum.auto()
    """Slower by more than the noise."""
    EXCLUDED = enum.auto()
    """So slow that its timings mean nothing."""


class Peers:
    """The nodes of a class by the speed of their baselines.

    Args:
        flagged: fraction below the median of the other nodes at which a node is reported.
        excluded: fraction below it at which a node gets no more kernels.
        note: called once for each node that is reported or excluded.
    """

    def __init__(self, flagged: float, excluded: float, note: Callable[[str], None]) -> None:
        self._flagged = flagged
        self._excluded = excluded
        self._note = note
        self._speeds: dict[str, float] = {}
        self._standings: dict[str, Standing] = {}

    def report(self, host: str, baseline_gflops: Sequence[float]) -> list[str]:
        """Takes in what a node measured; returns the hosts that are excluded from now on.

        A node's first measurement counts: its later workers measure beside the first one's kernels.
        """
        if host in self._speeds:
            return []
        self._speeds[host] = geometric_mean(list(baseline_gflops))
        return [host for host in sorted(self._speeds) if self._judge(host) is Standing.EXCLUDED]

    def _judge(self, host: str) -> Standing | None:
        """The node's standing; ``None`` when it has not changed."""
        others = [speed for other, speed in self._speeds.items() if other != host]
        below = 1 - self._speeds[host] / statistics.median(others) if others else 0.0
        standing = Standing.FLAGGED if below > self._flagged else Standing.FIT
        if below > self._excluded:
            standing = Standing.EXCLUDED
        before = self._standings.get(host, Standing.FIT)
        if before in (standing, Standing.EXCLUDED):
            return None
        self._standings[host] = standing
        if standing is Standing.FIT:
            return standing
        consequence = "gets no more kernels" if standing is Standing.EXCLUDED else "is used, but look at it"
        self._note(f"node {host} {consequence}: its baseline is {below:.0%} slower than the median of its peers")
        return standing
