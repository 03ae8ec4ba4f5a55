"""Memory of the host, and what of it this process and its children may still take."""

from __future__ import annotations

import os
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def memory_bytes() -> int:
    """Bytes of the host's memory."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def free_bytes() -> int:
    """Bytes that can be taken without swapping: of the host, or of the control group where that has less."""
    host = next(line for line in _MEMINFO.read_text().splitlines() if line.startswith("MemAvailable:"))
    available = int(host.split()[1]) << 10
    try:
        limit, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return available  # no control groups of version 2 here
    return available if limit == "max" else min(available, int(limit) - int(used))
