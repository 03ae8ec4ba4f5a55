"""How the C library gives back memory, for a process that makes large arrays again and again."""

from __future__ import annotations

import ctypes

# The first argument of mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_LARGEST = (1 << 31) - 1  # bytes that an int of mallopt holds


def keep_freed_memory() -> None:
    """Has the C library keep what is freed for the next request, instead of giving it back to Linux.

    Each page of a new array would have to be mapped and cleared again: on a virtual machine that takes a third of the
    time in which fresh inputs are made. Threads made later use the same memory. Without effect, but for the time, where
    the C library is not GNU's.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _LARGEST)):
            mallopt(parameter, value)
