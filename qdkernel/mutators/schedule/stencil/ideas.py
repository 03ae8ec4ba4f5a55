"""One line that states what distinguishes a stencil genome, or what changed from its parent and why."""

from __future__ import annotations

from qdkernel.mutators.schedule.stencil.genome import Genome
from qdkernel.mutators.schedule.wording import DYNAMIC_SCHEDULES, memory_changes, size_changes, width_change

_BLOCKING = {
    "none": "whole rows, one after the other",
    "register": "a register tile that reads each point once",
    "cache": "cache tiles whose rows are used again while they are in cache",
    "cache+register": "a register tile in cache tiles",
    "packed": "a register tile in cache tiles that are copied into scratch memory",
}
_THREADS = {
    "serial": "one thread",
    "loop": "threads share the outermost loop",
    "grid": "threads share a grid of tiles",
    "tasks": "threads take tasks",
}
_SCHEDULE = {
    "static": "equal shares: no bookkeeping",
    **DYNAMIC_SCHEDULES,
}


def technique(genome: Genome) -> str:
    """A genome in one line, without a full stop."""
    width = f"{genome.width}-bit vectors" if genome.width else "Scalar arithmetic"
    parts = [width, _BLOCKING[genome.blocking]]
    if genome.sweeps > 1:
        parts.append(f"up to {genome.sweeps} sweeps {'by a wavefront' if genome.wavefront else 'per tile'}")
    return f"{', '.join(parts)}; {_THREADS[genome.threads]}"


def difference(before: Genome, after: Genome) -> str:
    """What changed and why, at most three things, the weightiest first."""
    memory = memory_changes(before, after, "the next sweep reads them soon")
    changes = [*_structure(before, after), *_sizes(before, after), *memory]
    return "; ".join(changes[:3]) if changes else technique(after)


def _structure(before: Genome, after: Genome) -> list[str]:
    changes = []
    if before.blocking != after.blocking:
        changes.append(f"{before.blocking} -> {after.blocking} blocking: {_BLOCKING[after.blocking]}")
    if before.sweeps != after.sweeps:
        more = after.sweeps > before.sweeps
        reason = "fewer passes over memory" if more else "less work done twice, fewer live rows"
        changes.append(f"sweeps per pass {before.sweeps} -> {after.sweeps}: {reason}")
    changes += width_change(before.width, after.width)
    if before.threads != after.threads:
        changes.append(_THREADS[after.threads])
    elif before.schedule != after.schedule:
        changes.append(_SCHEDULE[after.schedule])
    return changes


def _sizes(before: Genome, after: Genome) -> list[str]:
    reasons = {
        "vectors": ("more sums in flight", "fewer live registers"),
        "rows": ("more rows share their loads", "fewer live registers"),
        "unroll": ("less loop overhead", "shorter code"),
        "tile_planes": ("fewer planes read twice", "the tile takes less cache"),
        "tile_rows": ("fewer rows read twice", "finer shares, the tile takes less cache"),
        "tile_columns": ("longer runs of contiguous memory", "the rows of a tile take less cache"),
        "band": ("fewer joints between bands", "finer shares"),
        "chunk": ("less bookkeeping", "finer shares"),
    }
    return size_changes(before, after, reasons)
