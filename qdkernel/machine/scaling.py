"""Peaks for thread counts between the measured ones."""

from __future__ import annotations

from collections.abc import Mapping


def scaled_to_threads(measured: Mapping[int, float], threads: int) -> float | None:
    """A speed for a thread count: the next smaller count's scaled by the threads, but no more than the next larger's.

    A simplification: peaks are measured for one thread and for all cores only.

    Args:
        measured: speed by number of threads.
        threads: at least 1; more than the largest count measured counts as that one.

    Returns:
        The speed, in the unit of ``measured``; ``None`` when nothing was measured for so few threads.
    """
    below = [count for count in measured if count <= threads]
    if not below:
        return None
    most = max(below)
    above = [measured[count] for count in measured if count > threads]
    return min(measured[most] * threads / most, *above) if most < threads and above else measured[most]
