"""Memory that this process and its children may still take."""

from __future__ import annotations

from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def free_bytes() -> int:
    """Bytes that can be taken without swapping: of the host, or of the control group where that has less."""
    host = next(line for line in _MEMINFO.read_text().splitlines() if line.startswith("MemAvailable:"))
    available = int(host.split()[1]) << 10
    try:
        limit, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return available  # no control groups of version 2 here
    return available if limit == "max" else min(available, int(limit) - int(used))
