"""Phrases on what changed between two genomes, as every template's ideas use them."""

from __future__ import annotations

from collections.abc import Mapping

from qdkernel.mutators.schedule.choices import FetchingGenome

LOCALITY = {3: "L1", 2: "L2", 1: "L3", 0: "non-temporal"}
"""Where a prefetch puts a line, by the third argument of ``__builtin_prefetch``."""
DYNAMIC_SCHEDULES = {
    "dynamic": "dynamic shares: a disturbed thread holds nobody up",
    "guided": "guided shares: large first, small last",
}


def width_change(before: int, after: int) -> list[str]:
    """What to say of SIMD widths in bits, 0 for scalar; nothing when they are equal."""
    if before == after:
        return []
    old, new = (f"{width}-bit" if width else "scalar" for width in (before, after))
    return [f"{old} -> {new} arithmetic"]


def size_changes(before: object, after: object, reasons: Mapping[str, tuple[str, str]]) -> list[str]:
    """What to say of the sizes that both genomes have.

    Args:
        before: a genome.
        after: another.
        reasons: by name of a field, what a larger value is good for, and what a smaller one.
    """
    changes = []
    for name, (grown, shrunk) in reasons.items():
        old, new = getattr(before, name), getattr(after, name)
        if old and new and old != new:
            changes.append(f"{name} {old} -> {new}: {grown if new > old else shrunk}")
    return changes


def memory_changes(before: FetchingGenome, after: FetchingGenome, why_cached: str = "") -> list[str]:
    """What to say of streaming stores and prefetches; ``why_cached``: what stores through the caches are good for."""
    changes = []
    if before.stream != after.stream:
        streamed = "store results past the caches: no line is fetched only to be overwritten"
        cached = "store results through the caches" + (f": {why_cached}" if why_cached else "")
        changes.append(streamed if after.stream else cached)
    near = (before.near, 3), (after.near, 3)
    far = (before.far, before.locality), (after.far, after.locality)
    for (old, old_level), (new, level) in (near, far):
        if new and (new, level) != (old, old_level):
            changes.append(f"prefetch {new} ahead ({LOCALITY[level]})")
        elif old and not new:
            changes.append(f"no prefetch to {LOCALITY[old_level]}: leave it to the hardware")
    return changes
