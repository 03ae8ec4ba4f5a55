"""Cells, targets and stages in words, as prompts and plans use them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from qdkernel.core import AXES, Cell
from qdkernel.evaluators.behaviour import LEAST_ACCUMULATORS, LEAST_TILE

_LEVELS = (
    ("no blocking", "register blocking", "cache blocking", "cache+register blocking", "packed"),
    ("scalar", "128-bit", "256-bit", "512-bit"),
    ("serial", "static loop", "dynamic loop", "nested or 2-D threading"),
    ("no prefetch", "prefetch near", "prefetch far", "prefetch both"),
)
_ADDED = (
    ("plain loops", "a register tile", "cache tiles", "cache tiles around a register tile",
     "cache tiles around a register tile with operands packed into panels"),
    ("scalar arithmetic", "128-bit vectors", "256-bit vectors", "512-bit vectors"),
    ("one thread", "a parallel loop with static shares", "a parallel loop with dynamic or guided shares",
     "nested parallelism, a 2-D partition or tasks"),
    ("no software prefetch", "software prefetch to L1", "software prefetch to L2 or L3 (or streaming stores)",
     "software prefetch to L1 as well as to L2 or L3"),
)  # fmt: skip
_REMOVED = (
    "go back to plain loops, without tiles",
    "use scalar arithmetic only",
    "make it serial",
    "remove all software prefetch",
)
_PLAIN_KEPT = ("stay with plain loops", "stay scalar", "stay serial", "stay without software prefetch")
_STEPS = {
    (0, 1, 3): "add cache tiles around the register tile",
    (0, 2, 3): "add a register tile inside the cache tiles",
    (0, 3, 1): "remove the cache tiles, leave the register tile",
    (0, 3, 2): "remove the register tile, leave the cache tiles",
    (0, 3, 4): "pack the operands into contiguous panels",
    (0, 4, 3): "remove the packing, leave cache and register tiles",
    (3, 1, 2): "prefetch to L2 or L3 instead of L1",
    (3, 2, 1): "prefetch to L1 instead of L2 or L3",
    (3, 1, 3): "add software prefetch to L2 or L3 (or streaming stores) beside that to L1",
    (3, 2, 3): "add software prefetch to L1 beside that to L2 or L3",
    (3, 3, 1): "remove the prefetch to L2 or L3 and the streaming stores, leave that to L1",
    (3, 3, 2): "remove the prefetch to L1, leave that to L2 or L3",
}
"""Changes by axis, level before and level after that read better than what ``_change`` puts together."""
_SUMS = f"at least {LEAST_ACCUMULATORS} vector registers carry sums through the hot loop"
_TILE = (
    f"a loop steps by a constant tile of at least {LEAST_TILE}, smaller than the scored extent, and bounds the loops"
    " inside it, so that the hot loop is nested deeper than in plain code"
)
_RECOGNISED = (
    (
        f"Plain loops are recognised when fewer than {LEAST_ACCUMULATORS} registers carry sums through the hot loop and"
        " no loop steps by a tile.",
        f"A register tile is recognised when {_SUMS}, and no loop steps by a cache tile.",
        f"Cache tiles are recognised when {_TILE}, while fewer than {LEAST_ACCUMULATORS} registers carry sums.",
        f"Cache tiles around a register tile are recognised when both hold: {_TILE}; {_SUMS}.",
        f"Packing is recognised when all of these hold: {_TILE}; {_SUMS}; live code copies an operand into a scratch"
        " buffer that the hot loop reads.",
    ),
    (
        "Scalar is recognised when the hot loop has no packed floating-point instruction, so the compiler must not"
        " vectorise it either.",
        *(
            f"The width is that of the widest packed floating-point arithmetic in the hot loop: there must be"
            f" {width}-bit instructions{', and none wider' if width < 512 else ''}."
            for width in (128, 256, 512)
        ),
    ),
    (
        "Serial is recognised when no reachable code starts a parallel region.",
        "Static shares are recognised when a parallel region is started and its shares are fixed from the start.",
        "Dynamic shares are recognised by schedule(dynamic), guided or runtime, sections, or an atomic counter that"
        " threads draw their next share from.",
        "This level is recognised by tasks, by a parallel region inside another one, or by one index that is divided"
        " into two, as collapse(2) does.",
    ),
    (
        "No prefetch is recognised when no loop has a prefetch instruction or a streaming store.",
        "Near prefetch is recognised by prefetch instructions to L1 (locality 3, _MM_HINT_T0) inside a loop, and none"
        " to outer levels.",
        "Far prefetch is recognised by prefetch instructions to L2, L3 or non-temporal (locality 2, 1, 0), or streaming"
        " stores, inside a loop, and none to L1.",
        "Both is recognised by prefetch instructions to L1 and others to L2, L3 or non-temporal inside loops.",
    ),
)


def format_cell(cell: Cell) -> str:
    """A cell as people write it, e.g. ``packed, 512-bit, static loop, prefetch near``.

    ``parse_target_cell`` reads it back.
    """
    return ", ".join(_LEVELS[axis][level] for axis, level in enumerate(cell))


def format_axes(simd_widths: Sequence[int]) -> str:
    """Every axis with its levels and their meanings, a line each; widths that the machine lacks are left out."""
    lines = []
    for index, axis in enumerate(AXES):
        levels = zip(axis.levels, axis.meanings, strict=True)
        if axis.name == "simd":
            widths = {"scalar", *map(str, simd_widths)}
            lines.append(f"- simd: {', '.join(level for level, _ in levels if level in widths)}: bits of the vectors")
        else:
            lines.append(f"- {AXES[index].name}: " + "; ".join(f"{level} ({meaning})" for level, meaning in levels))
    return "\n".join(lines)


def format_target(parent: Cell, target: Cell | None) -> str:
    """A target as its difference to the parent, then a sentence per changed axis on how the level is recognised."""
    if target is None:
        return "No particular cell: make the parent faster in whatever way you judge best."
    if target == parent:
        return f"The parent's own cell: keep {format_cell(parent)}, and make it faster."
    kept = [axis for axis in range(len(AXES)) if parent[axis] == target[axis]]
    changed = [axis for axis in range(len(AXES)) if parent[axis] != target[axis]]
    techniques = [f"{AXES[a].name} ({_bare(a, target[a])})" for a in kept if target[a] > 0]
    clauses = [f"keep {listed(techniques)}"] if techniques else []
    clauses += [_change(axis, parent[axis], target[axis]) for axis in changed]
    clauses += [_PLAIN_KEPT[axis] for axis in kept if target[axis] == 0]
    sentence = ", ".join(clauses)
    recognised = "\n".join(f"- {_RECOGNISED[axis][target[axis]]}" for axis in changed)
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


def _bare(axis: int, level: int) -> str:
    """A level without the axis' name: ``cache+register``, ``512-bit``, ``near``."""
    return AXES[axis].levels[level] if AXES[axis].name in ("blocking", "prefetch") else _LEVELS[axis][level]


def _change(axis: int, before: int, after: int) -> str:
    if (axis, before, after) in _STEPS:
        return _STEPS[axis, before, after]
    if after == 0:
        return _REMOVED[axis]
    if before == 0:
        return f"{'use' if AXES[axis].name == 'simd' else 'add'} {_ADDED[axis][after]}"
    return f"go from {_ADDED[axis][before]} to {_ADDED[axis][after]}"
