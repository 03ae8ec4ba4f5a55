"""The four axes of the archive and their ordered levels, version ``behaviour/1``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qdkernel.errors import UnknownName, unknown

BEHAVIOUR_VERSION = "behaviour/1"


@dataclass(frozen=True)
class Axis:
    """A named dimension of the archive; ``levels`` in order, ``meanings`` one sentence each."""

    name: str
    levels: tuple[str, ...]
    meanings: tuple[str, ...]


AXES: tuple[Axis, ...] = (
    Axis(
        "blocking",
        ("none", "register", "cache", "cache+register", "packed"),
        (
            "plain loops",
            "several accumulators live in the innermost loop",
            "tiled loops",
            "tiled loops around a register tile",
            "tiled loops around a register tile, operands copied into contiguous panels",
        ),
    ),
    Axis(
        "simd",
        ("scalar", "128", "256", "512"),
        (
            "scalar floating-point arithmetic in the hot loop",
            "128-bit vectors in the hot loop",
            "256-bit vectors in the hot loop",
            "512-bit vectors in the hot loop",
        ),
    ),
    Axis(
        "threading",
        ("serial", "static", "dynamic", "nested"),
        (
            "one thread",
            "a parallel loop with static shares",
            "a parallel loop with dynamic or guided shares",
            "nested parallelism, a 2-D partition, or tasks",
        ),
    ),
    Axis(
        "prefetch",
        ("none", "near", "far", "both"),
        (
            "no prefetch instruction inside a loop",
            "prefetch to L1 inside a loop",
            "prefetch to L2 or L3, or non-temporal stores, inside a loop",
            "near and far prefetch inside loops",
        ),
    ),
)


def cell_name(cell: Cell) -> str:
    """The name of a cell, e.g. ``packed/512/static/near``."""
    return "/".join(axis.levels[level] for axis, level in zip(AXES, cell, strict=True))


def parse_cell(text: str) -> Cell:
    """The cell named by ``text``, one level name per axis joined by slashes.

    Raises:
        UnknownName: not four parts, or a level that its axis does not have.
    """
    parts = text.split("/")
    if len(parts) != len(AXES):
        wanted = "/".join(axis.name for axis in AXES)
        raise UnknownName(f"a cell is written {wanted}, e.g. packed/512/static/none; got {text!r}")
    cell = []
    for axis, part in zip(AXES, parts, strict=True):
        if part not in axis.levels:
            raise unknown(f"{axis.name} level", part, axis.levels)
        cell.append(axis.levels.index(part))
    return tuple(cell)


def reachable_cells(simd_widths: Sequence[int]) -> Iterator[Cell]:
    """Every cell that a machine with these SIMD widths (bits) can hold; scalar is always reachable."""
    widths = {"scalar", *(str(width) for width in simd_widths)}
    for cell in itertools.product(*(range(len(axis.levels)) for axis in AXES)):
        if AXES[1].levels[cell[1]] in widths:
            yield cell


def neighbours(cell: Cell) -> Iterator[Cell]:
    """Cells one level away on one axis."""
    for axis, spec in enumerate(AXES):
        for level in (cell[axis] - 1, cell[axis] + 1):
            if 0 <= level < len(spec.levels):
                yield (*cell[:axis], level, *cell[axis + 1 :])


Cell = tuple[int, ...]
"""One level index per axis of the archive."""
