"""What every part of the printed kernel shares: element type, constants, shared snippets of C."""

from __future__ import annotations

from dataclasses import dataclass

from qdkernel.mutators.schedule.c_text import Constant, define_lines
from qdkernel.mutators.schedule.gemm.genome import (
    DEPTH_UNIT,
    LEAST_DEPTH,
    MAX_TILE,
    SHARED_BYTES,
    SMALLS,
    Genome,
    Prefetch,
    panel_bytes,
    tile_units,
)

LINE_BYTES = 64  # a cache line
INLINE = "static inline __attribute__((always_inline)) void"


@dataclass(frozen=True)
class PrintContext:
    """A genome and the function it is printed for.

    Attributes:
        genome: the choices.
        function: name of the exported function.
        real: C element type.
        element_bytes: its size.
    """

    genome: Genome
    function: str
    real: str
    element_bytes: int

    @property
    def vector(self) -> bool:
        """Whether arithmetic is done in vectors."""
        return self.genome.width > 0

    @property
    def lanes(self) -> int:
        """Elements in a vector."""
        return self.genome.lanes(self.element_bytes)

    @property
    def padded_panels(self) -> bool:
        """Whether edge tiles run through zero-padded panels."""
        return self.genome.packing != "none" and self.genome.edges == "padded"

    @property
    def narrow(self) -> bool:
        """Whether edge tiles of packed panels have kernels of their own."""
        return self.genome.packing != "none" and self.genome.edges == "narrow"

    @property
    def partial(self) -> bool:
        """Whether a tile may stand for fewer columns of C than it computes."""
        return self.padded_panels or self.narrow

    @property
    def tile(self) -> tuple[int, int]:
        """Rows and columns of the register tile, in elements."""
        return self.genome.tile(self.element_bytes)

    @property
    def edge_rows(self) -> tuple[int, ...]:
        """Rows of the narrower tiles: the powers of two below those of the register tile."""
        return tuple(1 << power for power in range((self.genome.rows - 1).bit_length() - 1, -1, -1))

    @property
    def packed_a(self) -> bool:
        """Whether the register tile reads A from panels as high as itself."""
        return self.genome.packing == "ab" and self.vector

    @property
    def whole_rows(self) -> bool:
        """Whether the nest leaves over the rows that do not fill a register tile."""
        return self.genome.registers and not (self.narrow or (self.padded_panels and self.packed_a))

    @property
    def whole_columns(self) -> bool:
        """Whether the nest leaves over the columns that do not fill a register tile or a vector."""
        return self.vector and not self.partial

    @property
    def line(self) -> int:
        """Elements in a cache line."""
        return LINE_BYTES // self.element_bytes

    @property
    def cuts_shares(self) -> bool:
        """Whether the printed code cuts the threads' shares itself, to a tile; else OpenMP deals out blocks."""
        return self.genome.threads != "serial" and self.genome.schedule == "static"

    @property
    def private_b(self) -> bool:
        """Whether each thread packs its own B."""
        return self.genome.threads in ("columns", "grid", "depth")


def constants(style: PrintContext) -> str:
    """The ``#define`` lines, each with why it is there and, where it is free, how far ``tune`` may move it."""
    genome = style.genome
    lines: list[Constant] = []
    if style.vector:
        lines.append(("LANES", style.lanes, f"{style.real}s in a vector"))
    if genome.registers:
        lines += _register_constants(style)
    if genome.tiled:
        lines += _tile_constants(style)
    if genome.registers and style.vector and genome.unroll > 1:
        lines.append(("UNROLL", genome.unroll, "tune: 2, 4, 8; steps of k per turn of the loop"))
    for name in "abc":
        prefetch: Prefetch | None = getattr(genome, f"prefetch_{name}")
        if prefetch is not None and prefetch.ahead:
            lines.append((f"AHEAD_{name.upper()}", prefetch.ahead, _ahead_comment(style, name)))
    if genome.threads == "depth":
        lines.append(("SUMS", SHARED_BYTES // style.element_bytes, "elements of C that the threads keep apart at most"))
    if genome.small:
        why = f"tune: {', '.join(map(str, SMALLS))}; up to so many multiply-adds no packing"
        lines.append(("SMALL", genome.small, why))
    return define_lines(lines)


def _register_constants(style: PrintContext) -> list[Constant]:
    genome = style.genome
    if not style.vector:
        return [("MR", genome.rows, "rows of the register tile: as many sums do not wait for each other")]
    if genome.upright:
        return [
            ("NR", genome.rows, "columns of the register tile; NR * NV sums hide the latency of the multiply-add"),
            ("NV", genome.vectors, "vectors in a column of it; sums, a column of A and a B fill the register file"),
            ("MR", "(NV * LANES)", "rows of the register tile"),
        ]
    return [
        ("MR", genome.rows, "rows of the register tile; MR * NV sums hide the latency of the multiply-add"),
        ("NV", genome.vectors, "vectors in a row of it; sums, a row of B and an A fill the register file"),
        ("NR", "(NV * LANES)", "columns of the register tile"),
    ]


def _tile_constants(style: PrintContext) -> list[Constant]:
    genome = style.genome
    unit_m, unit_n = tile_units(genome, style.element_bytes)
    hi_m = hi_n = hi_k = MAX_TILE
    if genome.packing != "none":
        a_elements, b_elements = (size // style.element_bytes for size in panel_bytes(genome))
        hi_m = min(hi_m, a_elements // genome.kc)
        hi_n = min(hi_n, b_elements // genome.kc)
        hi_k = min(hi_k, a_elements // genome.mc, b_elements // genome.nc)
    uses = {
        "MC": "rows of the A block that stays in L2",
        "NC": "columns of B per pass: KC x NC stays in L3",
        "KC": "depth of the panels: a KC-deep panel of B stays in L1",
    }
    if genome.blocking == "cache":
        uses = {"MC": "rows of a cache tile", "NC": "columns of a cache tile", "KC": "depth of a cache tile"}
    rows: list[Constant] = []
    for name, value, unit, high in (
        ("MC", genome.mc, unit_m, hi_m),
        ("NC", genome.nc, unit_n, hi_n),
        ("KC", genome.kc, DEPTH_UNIT, hi_k),
    ):
        if value == 0:  # not tiled
            continue
        high = max(value, high // unit * unit)
        low = LEAST_DEPTH if name == "KC" and genome.packing != "none" else unit
        rows.append((name, value, f"tune: {low}..{high} step {unit}; {uses[name]}"))
    return rows


def _ahead_comment(style: PrintContext, name: str) -> str:
    if name == "c" and style.genome.registers:
        return "tune: 1, 2, 3; tiles by which C is fetched before its turn"
    return f"tune: 2..64 step 2; steps by which {name.upper()} is fetched before its turn"


def prefetch(style: PrintContext, name: str, address: str) -> str:
    """A prefetch statement for the operand ``name``."""
    choice: Prefetch = getattr(style.genome, f"prefetch_{name}")
    return f"__builtin_prefetch({address}, 0, {choice.locality});"


def unroll(style: PrintContext) -> str:
    """The pragma line before an innermost loop; empty when it is not unrolled."""
    return f"#pragma GCC unroll {style.genome.unroll}\n" if style.genome.unroll > 1 else ""


def update(target: str, total: str) -> str:
    """C's update; with beta = 0 the old contents, possibly NaN, are not read."""
    return f"{target} = beta == 0 ? alpha * {total} : alpha * {total} + beta * {target};"


def schedule(style: PrintContext) -> str:
    """The schedule clause of the parallel loop."""
    return f"schedule({style.genome.schedule})"
