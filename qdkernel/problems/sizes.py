"""Scored sizes of problems that are bound by memory bandwidth."""

from __future__ import annotations

import math
from collections.abc import Callable

_CACHES = 4  # a call's data is at least four times the last-level cache, as STREAM asks
_MOST_BYTES = 600e6  # of a call's data, on machines with a huge last-level cache


def streaming_extent(last_level_cache: int, point_bytes: int, dimensions: int, multiple: int) -> int:
    """The extent of a vector, square or cube whose data does not fit into the last-level cache.

    It is the least sufficient multiple of ``multiple``, and one step below the memory cap at most, so that a boundary
    fits as well.

    Args:
        last_level_cache: bytes.
        point_bytes: bytes per point, in all arrays together.
        dimensions: 1, 2 or 3.
        multiple: what the extent is a multiple of.
    """
    wanted = math.ceil((_CACHES * last_level_cache / point_bytes) ** (1 / dimensions) / multiple)
    most = int((_MOST_BYTES / point_bytes) ** (1 / dimensions) / multiple) - 1
    return int(multiple * max(1, min(wanted, most)))


def extent_beyond_cache(num_bytes: Callable[[int], float], last_level_cache: int) -> int:
    """The least extent whose data does not fit into the last-level cache, rounded up by at most a sixteenth.

    Args:
        num_bytes: bytes of a call's data for an extent, increasing.
        last_level_cache: bytes.
    """
    wanted = min(_CACHES * last_level_cache, 0.8 * _MOST_BYTES)
    low, high = 1, 2
    while num_bytes(high) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if num_bytes(middle) < wanted else (low, middle)
    step = 1 << max(0, high.bit_length() - 5)
    return -(-high // step) * step
