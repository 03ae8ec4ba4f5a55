"""Phrases on what changed between two genomes, as every template's ideas use them."""

from __future__ import annotations

from collections.abc import Mapping

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
