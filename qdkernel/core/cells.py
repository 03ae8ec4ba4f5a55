"""Cells of the archive: one level of each axis."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from qdkernel.core.axes import AXES, SIMD
from qdkernel.errors import UnknownName, unknown


class Cell(NamedTuple):
    """A cell of the archive: an index into the levels of each axis, in the order of ``AXES``.

    It equals the plain tuple of its indices, which is how JSON and arrays hold it; the enumerations of
    ``qdkernel.core.axes`` name the indices.
    """

    blocking: int
    simd: int
    threading: int
    prefetch: int


@functools.cache
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
    return Cell(*cell)


def reachable_cells(simd_widths: Sequence[int]) -> Iterator[Cell]:
    """Every cell that a machine with these SIMD widths (bits) can hold; scalar is always reachable."""
    widths = {"scalar", *(str(width) for width in simd_widths)}
    for levels in itertools.product(*(range(len(axis.levels)) for axis in AXES)):
        cell = Cell(*levels)
        if SIMD.levels[cell.simd] in widths:
            yield cell


@functools.cache  # asked for with every proposal, for all elites
def neighbours(cell: Cell) -> tuple[Cell, ...]:
    """Cells one level away on one axis."""
    return tuple(
        cell._replace(**{spec.name: level})
        for axis, spec in enumerate(AXES)
        for level in (cell[axis] - 1, cell[axis] + 1)
        if 0 <= level < len(spec.levels)
    )
