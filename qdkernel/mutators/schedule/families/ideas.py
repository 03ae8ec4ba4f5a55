"""One line that states what distinguishes a genome, or what changed from its parent and why."""

from __future__ import annotations

from qdkernel.mutators.schedule.families.genome import Genome
from qdkernel.mutators.schedule.wording import DYNAMIC_SCHEDULES, memory_changes, size_changes, width_change

_BLOCKING = {
    "none": "plain loops",
    "register": "a register tile",
    "cache": "cache tiles",
    "cache+register": "a register tile in cache tiles",
}
_THREADS = {"serial": "one thread", "loop": "threads share a loop", "tasks": "threads take tasks"}
_SCHEDULE = {"static": "equal shares: no bookkeeping", **DYNAMIC_SCHEDULES}
_SIZES = {
    "vectors": ("more independent work in flight", "fewer live registers"),
    "rows": ("more rows share their loads", "fewer live registers"),
    "tile": ("longer runs of contiguous memory", "the tile takes less cache"),
    "parts": ("finer shares", "less bookkeeping"),
    "chunk": ("less bookkeeping", "finer shares"),
}


def technique(genome: Genome) -> str:
    """A genome in one line, without a full stop."""
    width = f"{genome.width}-bit vectors" if genome.width else "Scalar code"
    parts = [width, _BLOCKING[genome.blocking]]
    if genome.stream:
        parts.append("streaming stores")
    return f"{', '.join(parts)}; {_THREADS[genome.threads]}"


def difference(before: Genome, after: Genome) -> str:
    """What changed and why, at most three things, the weightiest first."""
    changes = []
    if before.blocking != after.blocking:
        changes.append(f"{before.blocking} -> {after.blocking} blocking: {_BLOCKING[after.blocking]}")
    changes += width_change(before.width, after.width)
    if before.threads != after.threads:
        changes.append(_THREADS[after.threads])
    elif before.schedule != after.schedule:
        changes.append(_SCHEDULE[after.schedule])
    changes += [*size_changes(before, after, _SIZES), *memory_changes(before, after)]
    return "; ".join(changes[:3]) if changes else technique(after)
