"""Cells, targets and stages in words, as prompts and plans use them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from qdkernel.core import AXES, Axis, Blocking, Cell, Outcome, PrefetchLevel
from qdkernel.evaluators.behaviour import LEAST_ACCUMULATORS, LEAST_TILE

OUTCOME_TEXTS = {
    Outcome.OK: "correct",
    Outcome.DUPLICATE: "equal to an earlier kernel",
    Outcome.POLICY_VIOLATION: "breaks the rules",
    Outcome.COMPILE_ERROR: "does not compile",
    Outcome.CRASHED: "crashed",
    Outcome.TIMEOUT: "too slow or endless",
    Outcome.OUTSIDE_STAGE: "outside the stage",
    Outcome.WRONG: "wrong result",
    Outcome.RACE: "its threads race",
    Outcome.IMPLAUSIBLE: "implausibly fast",
    Outcome.LOST: "not judged (the timing was disturbed; says nothing about the kernel)",
}
"""How an evaluation ended, in the words of a table."""

_B, _P = Blocking, PrefetchLevel  # short names for the table
_STEPS: dict[tuple[str, int, int], str] = {
    ("blocking", _B.REGISTER, _B.CACHE_REGISTER): "add cache tiles around the register tile",
    ("blocking", _B.CACHE, _B.CACHE_REGISTER): "add a register tile inside the cache tiles",
    ("blocking", _B.CACHE_REGISTER, _B.REGISTER): "remove the cache tiles, leave the register tile",
    ("blocking", _B.CACHE_REGISTER, _B.CACHE): "remove the register tile, leave the cache tiles",
    ("blocking", _B.CACHE_REGISTER, _B.PACKED): "pack the operands into contiguous panels",
    ("blocking", _B.PACKED, _B.CACHE_REGISTER): "remove the packing, leave cache and register tiles",
    ("prefetch", _P.NEAR, _P.FAR): "prefetch to L2 or L3 instead of L1",
    ("prefetch", _P.FAR, _P.NEAR): "prefetch to L1 instead of L2 or L3",
    (
        "prefetch",
        _P.NEAR,
        _P.BOTH,
    ): "add software prefetch to L2 or L3 (or streaming stores) beside that to L1",
    ("prefetch", _P.FAR, _P.BOTH): "add software prefetch to L1 beside that to L2 or L3",
    (
        "prefetch",
        _P.BOTH,
        _P.NEAR,
    ): "remove the prefetch to L2 or L3 and the streaming stores, leave that to L1",
    ("prefetch", _P.BOTH, _P.FAR): "remove the prefetch to L1, leave that to L2 or L3",
}
"""Changes by axis, level before and level after that read better than what ``_change`` puts together."""


def format_cell(cell: Cell) -> str:
    """A cell as people write it, e.g. ``packed, 512-bit, static loop, prefetch near``.

    ``parse_target_cell`` reads it back.
    """
    return ", ".join(axis.described[level].label for axis, level in zip(AXES, cell, strict=True))


def format_axes(simd_widths: Sequence[int]) -> str:
    """Every axis with its levels and their meanings, a line each; widths that the machine lacks are left out."""
    lines = []
    for axis in AXES:
        levels = zip(axis.levels, axis.meanings, strict=True)
        if axis.name == "simd":
            widths = {"scalar", *map(str, simd_widths)}
            lines.append(f"- simd: {', '.join(level for level, _ in levels if level in widths)}: bits of the vectors")
        else:
            lines.append(f"- {axis.name}: " + "; ".join(f"{level} ({meaning})" for level, meaning in levels))
    return "\n".join(lines)


def format_target(parent: Cell, target: Cell | None) -> str:
    """A target as its difference to the parent, then a sentence per changed axis on how the level is recognised."""
    if target is None:
        return "No particular cell: make the parent faster in whatever way you judge best."
    if target == parent:
        return f"The parent's own cell: keep {format_cell(parent)}, and make it faster."
    steps = list(zip(AXES, parent, target, strict=True))
    kept = [(axis, after) for axis, before, after in steps if before == after]
    changed = [(axis, before, after) for axis, before, after in steps if before != after]
    techniques = [f"{axis.name} ({_bare(axis, level)})" for axis, level in kept if level > 0]
    clauses = [f"keep {listed(techniques)}"] if techniques else []
    clauses += [_change(axis, before, after) for axis, before, after in changed]
    clauses += [axis.kept for axis, level in kept if level == 0]
    sentence = ", ".join(clauses)
    recognised = "\n".join(f"- {_recognized(axis, after)}" for axis, _, after in changed)
    return f"{sentence[0].upper()}{sentence[1:]}. That is the cell {format_cell(target)}.\n{recognised}"


def format_stage(stage: str, permitted: frozenset[Cell] | None, simd_widths: Sequence[int]) -> str:
    """Which levels a stage permits, for each axis that it restricts; empty when it permits everything."""
    if permitted is None:
        return ""
    widths = {"scalar", *map(str, simd_widths)}
    lines, full = [], 1
    for index, axis in enumerate(AXES):
        allowed = sorted({cell[index] for cell in permitted})
        reachable = [i for i, level in enumerate(axis.levels) if axis.name != "simd" or level in widths]
        full *= len(allowed)
        if not set(reachable) <= set(allowed):
            names = [axis.levels[level] for level in allowed]
            lines.append(f"- {axis.name}: only {listed(names, 'or')}")
    if not lines and full == len(permitted):
        return ""
    if full != len(permitted):
        lines.append("- not every combination of these levels is permitted; the target is")
    head = f"Stage {stage!r} permits" if stage else "This stage permits"
    return f"{head} only some techniques. A kernel measured outside of them is refused, however fast.\n" + "\n".join(
        lines
    )


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as a list in a sentence: ``a, b and c``."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def number(value: float) -> str:
    """A speed or size with three digits that mean something: ``0.912``, ``71.2``, ``104``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 4)}f}"


def format_bytes(num_bytes: float) -> str:
    """A size of memory, e.g. ``32 KiB``, ``6.0 MiB``."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if num_bytes >= size:
            value = num_bytes / size
            return f"{value:.0f} {unit}" if value == round(value) or value >= 100 else f"{value:.1f} {unit}"
    return f"{num_bytes:.0f} bytes"


def pairs(values: Iterable[tuple[str, object]]) -> str:
    """``m=512, n=512``."""
    return ", ".join(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in values)


def _bare(axis: Axis, level: int) -> str:
    """A level without the axis' name: ``cache+register``, ``512-bit``, ``near``."""
    described = axis.described[level]
    return described.name if axis.name in ("blocking", "prefetch") else described.label


def _recognized(axis: Axis, level: int) -> str:
    """How the measurement recognizes a level, with its limits."""
    return axis.described[level].recognized.format(least_sums=LEAST_ACCUMULATORS, least_tile=LEAST_TILE)


def _change(axis: Axis, before: int, after: int) -> str:
    if (axis.name, before, after) in _STEPS:
        return _STEPS[axis.name, before, after]
    if after == 0:
        return axis.removed
    technique = axis.described[after].technique
    if before == 0:
        return f"{'use' if axis.name == 'simd' else 'add'} {technique}"
    return f"go from {axis.described[before].technique} to {technique}"
