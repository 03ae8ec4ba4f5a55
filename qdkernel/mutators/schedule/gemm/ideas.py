"""One line that states what distinguishes a genome, or what changed from its parent and why."""

from __future__ import annotations

from qdkernel.mutators.schedule.gemm.genome import Genome, Prefetch
from qdkernel.mutators.schedule.wording import DYNAMIC_SCHEDULES, LOCALITY, size_changes, width_change

_BLOCKING = {
    "none": "plain loops, nothing kept but the compiler's own",
    "register": "sums of a register tile stay in registers over all of k",
    "cache": "tiles that are used again while they are in cache",
    "cache+register": "a register tile inside cache tiles",
    "packed": "panels packed so that the micro-kernel streams unit-stride",
}
_PACKING = {
    "none": "read the operands where they lie",
    "b": "pack B into panels as wide as the register tile, leave A in place",
    "ab": "pack A and B so that the micro-kernel streams both unit-stride",
}
_STREAM = {
    True: "pack each panel of B just before its first use, while it stays in L1",
    False: "pack all panels of B before the first tile",
}
_UPRIGHT = {
    True: "vectors along the rows of A: a B is broadcast to them, C is transposed at the end",
    False: "vectors along the columns of B: an A is broadcast to them, C is stored as it lies",
}
_THREADS = {
    "serial": "one thread: no barrier, no team to wake",
    "rows": "threads share the rows, so each reads its own part of A",
    "columns": "threads share the columns, so each reads its own part of B",
    "grid": "threads share a 2-D grid of tiles: finer shares, better balance",
    "depth": "threads share k and add up their sums: shares for all when C is small and k long",
}
_EDGES = {
    "padded": "pad the edges with zeros, so that all work is in vectors",
    "narrow": "narrower tiles at the edges: no work is done on padding",
    "scalar": "a scalar loop for the edges keeps the tile code lean",
}
_SCHEDULE = {
    "static": "static shares: no bookkeeping",
    **DYNAMIC_SCHEDULES,
}


def summary(genome: Genome) -> str:
    """A genome in one line."""
    width = f"{genome.width}-bit" if genome.width else "scalar"
    tile = f" {genome.rows}x{genome.vectors} register tile," if genome.registers else ""
    return f"{width},{tile} {_BLOCKING[genome.blocking]}; {_THREADS[genome.threads]}"


def difference(before: Genome, after: Genome) -> str:
    """What changed and why, at most three things, the weightiest first."""
    changes = [*_structure(before, after), *_sizes(before, after), *_prefetches(before, after), *_rest(before, after)]
    return "; ".join(changes[:3]) if changes else summary(after)


def _structure(before: Genome, after: Genome) -> list[str]:
    changes = []
    if before.blocking != after.blocking:
        changes.append(f"{before.blocking} -> {after.blocking} blocking: {_BLOCKING[after.blocking]}")
    elif before.packing != after.packing:
        changes.append(_PACKING[after.packing])
    elif before.stream != after.stream:
        changes.append(_STREAM[after.stream])
    changes += width_change(before.width, after.width)
    if before.threads != after.threads:
        changes.append(_THREADS[after.threads])
    elif before.schedule != after.schedule:
        changes.append(_SCHEDULE[after.schedule])
    return changes


def _sizes(before: Genome, after: Genome) -> list[str]:
    changes = []
    if before.upright != after.upright:
        changes.append(_UPRIGHT[after.upright])
    if after.registers and (before.rows, before.vectors) != (after.rows, after.vectors):
        shapes = f"{before.rows}x{before.vectors} -> {after.rows}x{after.vectors}"
        changes.append(f"register tile {shapes} vectors: {after.rows * after.vectors} sums in flight")
    reasons = {
        "kc": ("fewer updates of C per sum", "the panel of B takes less of L1"),
        "mc": ("a panel of B is used more often", "the block of A takes less of L2, the shares are finer"),
        "nc": ("a block of A is used more often", "the panels of B take less of the shared cache"),
    }
    return changes + size_changes(before, after, reasons)


def _prefetches(before: Genome, after: Genome) -> list[str]:
    changes = []
    for name in ("a", "b", "c"):
        old: Prefetch | None = getattr(before, f"prefetch_{name}")
        new: Prefetch | None = getattr(after, f"prefetch_{name}")
        if old == new:
            continue
        if new is None:
            changes.append(f"leave {name.upper()} to the hardware prefetcher")
        elif new.ahead == 0 and name != "c":
            changes.append(f"prefetch the next panel of {name.upper()} ({LOCALITY[new.locality]})")
        elif new.ahead == 0:
            changes.append(f"prefetch the tile of C before its sums start ({LOCALITY[new.locality]})")
        else:
            changes.append(f"prefetch {name.upper()} {new.ahead} ahead ({LOCALITY[new.locality]})")
    return changes


def _rest(before: Genome, after: Genome) -> list[str]:
    changes = []
    if before.order != after.order:
        changes.append(f"loop order {before.order} -> {after.order}")
    if before.unroll != after.unroll:
        changes.append(f"unroll the innermost loop {after.unroll} times")
    if before.edges != after.edges:
        changes.append(_EDGES[after.edges])
    if before.small != after.small:
        changes.append(f"products up to {after.small} multiply-adds skip packing" if after.small else "always pack")
    return changes
