"""What every part of a printed stencil kernel needs: the genome, the problem, and shared snippets of C."""

from __future__ import annotations

from dataclasses import dataclass

from qdkernel.mutators.schedule.c_text import Constant, define_lines
from qdkernel.mutators.schedule.stencil.genome import (
    ELEMENT_BYTES,
    LEAST_TILE_COLUMNS,
    MAX_AHEAD,
    MAX_BAND,
    MAX_CHUNK,
    MAX_ROWS_AHEAD,
    MAX_SWEEPS,
    MAX_TILE_COLUMNS,
    MAX_TILE_ROWS,
    ROW_STEP,
    SCRATCH_BYTES,
    TILE_UNIT,
    Genome,
    scratch_bytes,
)
from qdkernel.mutators.schedule.stencil.shape import Stencil

LINE_ELEMENTS = 64 // ELEMENT_BYTES  # of a cache line


@dataclass(frozen=True)
class PrintContext:
    """A valid genome and the stencil it is printed for."""

    genome: Genome
    stencil: Stencil

    @property
    def vector(self) -> bool:
        """Whether arithmetic is done in vectors."""
        return self.genome.width > 0

    @property
    def solid(self) -> bool:
        """Whether the grid has three dimensions."""
        return self.stencil.dimensions == 3

    @property
    def packed(self) -> bool:
        """Whether tiles are copied into scratch memory, so that source and target have different strides."""
        return self.genome.blocking == "packed"

    @property
    def read_strides(self) -> tuple[str, ...]:
        """Names of the strides of what is read."""
        names = ("row", "plane") if self.solid else ("row",)
        return tuple(f"from_{name}" for name in names) if self.packed else names

    @property
    def row(self) -> str:
        """Stride between the rows of what is read."""
        return self.read_strides[0]

    @property
    def to_row(self) -> str:
        """Stride between the rows of what is written."""
        return "to_row" if self.packed else "row"

    def parameters(self, *, one_row: bool = False) -> str:
        """The parameters of an innermost function after its counts; one that writes one row needs no stride for it."""
        strides = ", ".join(f"ptrdiff_t {name}" for name in self._strides(one_row))
        return f"const double *restrict from, double *restrict to, {strides}"

    def arguments(self, shift: str = "", *, one_row: bool = False) -> str:
        """The arguments that pass on a function's own ones, shifted by an expression with ``{row}`` for the stride."""
        read, written = (shift.format(row=stride) for stride in (self.row, self.to_row))
        return ", ".join([f"from{read}", f"to{written}", *self._strides(one_row)])

    def _strides(self, one_row: bool) -> tuple[str, ...]:
        return self.read_strides if one_row or not self.packed else (*self.read_strides, self.to_row)

    def neighbors(self, at: str, *, south: bool, value: str = "{}") -> list[str]:
        """The neighbors of the point or vector at the pointer ``at``, the southern one only on demand."""
        places = [f"{at} - 1", f"{at} + 1", f"{at} - {self.row}"]
        if south:
            places.append(f"{at} + {self.row}")
        if self.solid:
            plane = self.read_strides[1]
            places += [f"{at} - {plane}", f"{at} + {plane}"]
        return [value.format(place) for place in places]

    def point(self, center: str, ring: str) -> str:
        """The new value of a point or vector."""
        return self.stencil.point.format(center=center, ring=ring)

    def newest(self, at: str) -> str:
        """The place near ``at`` that a sweep reaches first: a row south, or the next plane."""
        return f"{at} + {self.read_strides[-1]}"

    def unroll(self) -> str:
        """The pragma line before an innermost loop; empty when it is not unrolled."""
        return f"#pragma GCC unroll {self.genome.unroll}\n" if self.genome.unroll > 1 else ""

    def prefetches(self, at: str, *, stride: str = "") -> list[str]:
        """Prefetch statements for what will be read ``NEAR`` and ``FAR`` steps after ``at``."""
        genome = self.genome
        steps = [("NEAR", 3)] if genome.near else []
        steps += [("FAR", genome.locality)] if genome.far else []
        times = f" * {stride}" if stride else ""
        return [f"__builtin_prefetch({at} + {name}{times}, 0, {locality});" for name, locality in steps]


def constants(style: PrintContext) -> str:
    """The ``#define`` lines, each with its reason and, where it is free, the values that ``tune`` may set."""
    genome = style.genome
    lines: list[Constant] = []
    if style.vector:
        lines.append(("LANES", genome.lanes, "doubles in a vector"))
    if genome.strips:
        lines.append(("VECTORS", genome.vectors, "vectors side by side in a strip: as many sums do not wait"))
        lines.append(("STRIP", "(VECTORS * LANES)", "columns of a strip"))
    elif genome.rows > 1:
        why = "as many sums do not wait for each other" if genome.registers else "rows between share their loads"
        lines.append(("ROWS", genome.rows, f"rows computed together: {why}"))
    lines += _tile_constants(style) if genome.tiled else []
    if genome.sweeps > 1:
        lines.append(("SWEEPS", genome.sweeps, _sweeps_comment(style)))
    if genome.wavefront:
        what = "planes" if style.solid else "rows"
        lines.append(("BAND", genome.band, f"tune: 16..{MAX_BAND} step {TILE_UNIT}; least {what} of a thread's band"))
    if genome.schedule != "static" and genome.blocking == "none" and not genome.wavefront:
        what = "planes" if style.solid else "loop steps"
        lines.append(("CHUNK", genome.chunk, f"tune: 1..{MAX_CHUNK}; {what} that a thread takes at a time"))
    for name, ahead, target in (("NEAR", genome.near, "L1"), ("FAR", genome.far, "an outer cache")):
        if ahead:
            lines.append((name, ahead, f"tune: {_distances(genome)} by which data is fetched into {target}"))
    return define_lines(lines)


def _distances(genome: Genome) -> str:
    return f"1..{MAX_ROWS_AHEAD}; rows" if genome.strips else f"{ROW_STEP}..{MAX_AHEAD} step {ROW_STEP}; columns"


def _sweeps_comment(style: PrintContext) -> str:
    most = MAX_SWEEPS
    if style.packed:
        genome = style.genome
        planes, rows, columns = genome.tile_planes, genome.tile_rows, genome.tile_columns
        most = max(n for n in range(1, MAX_SWEEPS + 1) if scratch_bytes(planes, rows, columns, n) <= SCRATCH_BYTES)
    return f"tune: 2..{max(most, 2)}; most sweeps in one pass over memory"


def _tile_constants(style: PrintContext) -> list[Constant]:
    genome = style.genome
    least = max(LEAST_TILE_COLUMNS, genome.vectors * genome.lanes if genome.strips else 0)
    sides = [
        ("PLANES", genome.tile_planes, TILE_UNIT, MAX_TILE_ROWS),
        ("ROWS", genome.tile_rows, TILE_UNIT, MAX_TILE_ROWS),
        ("COLUMNS", genome.tile_columns, least, MAX_TILE_COLUMNS),
    ]
    lines: list[Constant] = []
    for name, value, low, high in sides:
        if not value:
            continue
        if style.packed:
            high = _most(style, name, high)
        lines.append(
            (f"TILE_{name}", value, f"tune: {low}..{max(high, value)} step {TILE_UNIT}; {name.lower()} of a cache tile")
        )
    return lines


def _most(style: PrintContext, name: str, high: int) -> int:
    """The longest side that keeps the scratch memory of a packed tile within bounds."""
    genome = style.genome

    def bytes_with(side: int) -> int:
        tile = {"PLANES": genome.tile_planes, "ROWS": genome.tile_rows, "COLUMNS": genome.tile_columns, name: side}
        return scratch_bytes(tile["PLANES"], tile["ROWS"], tile["COLUMNS"], genome.sweeps)

    return max((s for s in range(TILE_UNIT, high + 1, TILE_UNIT) if bytes_with(s) <= SCRATCH_BYTES), default=TILE_UNIT)
