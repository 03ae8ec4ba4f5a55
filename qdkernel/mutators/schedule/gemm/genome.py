"""The genome of the schedule operator: every choice that a loop-nest template can print, and what makes it valid.

Order of the ideas: ``Genome`` holds the choices, ``cell_of`` says which cell they aim at, ``repaired`` clips any
combination to one that can be printed and run. Sizes are in elements, so a genome serves every element type.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from qdkernel.core import Cell, Threading
from qdkernel.mutators.schedule.choices import BLOCKINGS, REGISTERS, TILED, WIDTHS, changed
from qdkernel.mutators.schedule.json_genome import JsonGenome

ORDERS = ("ijk", "ikj", "jik", "jki", "kij", "kji")
PACKINGS = ("none", "b", "ab")
EDGES = ("padded", "narrow", "scalar")
THREADS = ("serial", "rows", "columns", "grid", "depth")
UNROLLS = (1, 2, 4, 8)
SMALLS = (0, 4096, 32768, 262144, 2097152, 16777216)  # multiply-adds: cubes of 16, 32, 64, 128 and 256
LEAST_SHARED = SMALLS[3]  # multiply-adds; chosen: below, waking the other threads takes longer than the product
MAX_TILE = 2048
DEPTH_UNIT = 8
LEAST_DEPTH = 32  # of packed panels: below, copying costs more than it saves, and prefetches run past their end

# An OpenMP thread has 8 MB of stack by default; private panels keep well below, for whoever sets OMP_STACKSIZE.
PRIVATE_BYTES = 3 << 19
# Shared panels are static: bounded so that a kernel's pages stay few and its panels stay in a last-level cache.
SHARED_BYTES = 4 << 20

_PREFETCHES = ("prefetch_a", "prefetch_b", "prefetch_c")
_REGISTERS = {0: 16, 128: 16, 256: 16, 512: 32}  # AVX has 16 vector registers, AVX-512 has 32


@dataclass(frozen=True)
class Prefetch:
    """A software prefetch.

    Attributes:
        ahead: distance: steps of the innermost loop for A and B, 0 for the next packed panel (of B, its source,
            while this one is packed); tiles for the C of a register tile.
        locality: third argument of ``__builtin_prefetch``: 3 is t0 (near); 2, 1, 0 are t1, t2, nta (far).
    """

    ahead: int
    locality: int


@dataclass(frozen=True)
class Genome(JsonGenome):
    """The scheduling choices of one matrix-multiply kernel.

    Attributes:
        blocking: level of the archive's blocking axis that the loop nest is built for.
        order: order of the loops over rows (i), columns (j) and the inner dimension (k), outermost first. With a
            register tile k is innermost, and the order is that of the tile loops.
        width: SIMD width in bits; 0 for scalar arithmetic.
        rows: rows of the register tile; with upright vectors the columns.
        vectors: columns of the register tile, in vectors (1 for scalar arithmetic); with upright vectors the rows.
        upright: whether the vectors of the register tile lie along the rows of A, not along the columns of B.
        unroll: how often the innermost loop is unrolled.
        mc: rows of a cache tile.
        nc: columns of a cache tile.
        kc: depth of a cache tile; 0 where k is not tiled.
        packing: operands copied into contiguous panels: ``none``, ``b`` or ``ab``.
        stream: each panel of B is packed just before its first use, so that it is still in L1; else all come first.
        edges: what is left over by the tiles: vectors ``padded`` with zeros, tiles of their own (``narrow``), or a
            ``scalar`` loop.
        threads: ``serial``, shares of ``rows``, of ``columns``, of both (a 2-D ``grid``), or of k (``depth``).
        schedule: OpenMP schedule of the parallel loop.
        prefetch_a: prefetch of A, or none.
        prefetch_b: prefetch of B, or none.
        prefetch_c: prefetch of C, or none.
        small: products of up to this many multiply-adds take a direct path without packing; 0 for no such path.
            Above ``LEAST_SHARED`` threads share it, by columns or by rows.
    """

    blocking: str = "packed"
    order: str = "jik"
    width: int = 512
    rows: int = 8
    vectors: int = 3
    upright: bool = False
    unroll: int = 2
    mc: int = 128
    nc: int = 504
    kc: int = 256
    packing: str = "ab"
    stream: bool = False
    edges: str = "padded"
    threads: str = "serial"
    schedule: str = "static"
    prefetch_a: Prefetch | None = None
    prefetch_b: Prefetch | None = None
    prefetch_c: Prefetch | None = None
    small: int = 0

    @property
    def tiled(self) -> bool:
        """Whether the nest has cache tiles."""
        return self.blocking in TILED

    @property
    def registers(self) -> bool:
        """Whether the innermost loop keeps a register tile."""
        return self.blocking in REGISTERS

    def lanes(self, element_bytes: int) -> int:
        """Elements in a vector; 1 for scalar arithmetic."""
        return max(1, self.width // (8 * element_bytes))

    def tile(self, element_bytes: int) -> tuple[int, int]:
        """Rows and columns of the register tile, in elements."""
        short, long = self.rows, self.vectors * self.lanes(element_bytes)
        return (long, short) if self.upright else (short, long)

    def to_json(self) -> dict[str, Any]:  # Any: JSON values
        """Plain JSON values, read back by ``from_json``."""
        values = super().to_json()
        return {**values, **{name: dict(vars(values[name])) for name in _PREFETCHES if values[name] is not None}}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:  # Any: JSON values
        """The genome written by ``to_json``.

        Raises:
            TypeError: a field is missing from this version, or unknown to it.
        """
        prefetches = {name: Prefetch(**values[name]) for name in _PREFETCHES if values.get(name) is not None}
        return super().from_json({**values, **prefetches})


def cell_of(genome: Genome) -> Cell:
    """The archive's cell that the genome aims at; where its kernel lands is for measurement to say."""
    prefetches = [p for p in (genome.prefetch_a, genome.prefetch_b, genome.prefetch_c) if p is not None]
    near = any(p.locality == 3 for p in prefetches)
    far = any(p.locality < 3 for p in prefetches)
    return Cell(
        BLOCKINGS.index(genome.blocking),
        WIDTHS.index(genome.width),
        threading_level(genome),
        near + 2 * far,
    )


def threading_level(genome: Genome) -> int:
    """The level of the archive's threading axis that the genome aims at."""
    if genome.threads == "serial":
        return Threading.SERIAL.value
    if genome.threads == "grid":
        return Threading.NESTED.value
    dealt = genome.schedule != "static" and genome.threads != "depth"
    return (Threading.DYNAMIC if dealt else Threading.STATIC).value


@functools.lru_cache(maxsize=1024)  # most genomes pass several times: when moved, when aimed and when printed
def repaired(genome: Genome, element_bytes: int) -> Genome:
    """The nearest genome that can be printed for an element type of ``element_bytes``; it aims at the same cell.

    Knobs that the chosen blocking does not use take their default, so that equal kernels have equal genomes.
    """
    for step in (_with_threads, _with_order, _with_register_tile, _with_packing, _with_edges, _with_prefetch):
        genome = step(genome)
    return _with_cache_tiles(genome, element_bytes)


def _with_threads(genome: Genome) -> Genome:
    """Only packed panels are shared by depth, and what is cut by hand has no schedule."""
    packed = genome.blocking == "packed"
    if genome.threads in ("serial", "depth") or (packed and genome.threads == "grid"):
        genome = changed(genome, {"schedule": "static"})
    return genome if packed or genome.threads != "depth" else changed(genome, {"threads": "rows"})


def _with_order(genome: Genome) -> Genome:
    """The parallel loop must be outermost and must not be k, or threads would race for C."""
    order = genome.order
    if genome.registers:
        order = "ijk" if order.index("i") < order.index("j") else "jik"
    if genome.blocking != "packed":  # a packed nest has its own fixed outer loops
        if genome.threads == "grid":
            order = "ijk" if order.index("i") < order.index("j") else "jik"
        elif genome.threads != "serial":
            first = "i" if genome.threads == "rows" else "j"
            order = first + order.replace(first, "")
    if genome.width == 0 and order.endswith("j"):
        # Unit stride in the innermost loop: the compiler would turn the scalar loop into vectors.
        order = {"ikj": "ijk", "kij": "kji"}[order]
    if genome.width == 0 and genome.blocking == "cache":
        order = "ijk" if order.index("i") < order.index("j") else "jik"  # see _with_cache_tiles
    return changed(genome, {"order": order})


def _with_register_tile(genome: Genome) -> Genome:
    """Accumulators, the vectors of B and one of A must fit the register file; at least 4 accumulators."""
    if not genome.registers:
        return changed(genome, {"rows": 1, "vectors": 1})
    if genome.width == 0:
        return changed(genome, {"vectors": 1, "rows": min(max(genome.rows, 4), 12)})
    budget = _REGISTERS[genome.width]
    vectors = min(max(genome.vectors, 1), 4)
    rows = min(max(genome.rows, -(-4 // vectors)), (budget - 1 - vectors) // vectors, 16)
    return changed(genome, {"rows": rows, "vectors": vectors})


def _with_packing(genome: Genome) -> Genome:
    packing = genome.packing if genome.blocking == "packed" else "none"
    if genome.blocking == "packed" and packing == "none":
        packing = "b"
    vector_panels = packing != "none" and genome.width > 0
    upright = genome.upright and vector_panels and packing == "ab"  # A is read in vectors that its rows do not hold
    stream = genome.stream and vector_panels and genome.threads != "rows"  # there all threads wait for the same panels
    values = {
        "packing": packing,
        "upright": upright,
        "stream": stream,
        "order": "jik" if stream else genome.order,
        "small": genome.small if vector_panels and not upright else 0,
    }
    return changed(genome, values)


def _with_edges(genome: Genome) -> Genome:
    """Scalar arithmetic has scalar edges, and only packed panels have narrow tiles, which are not upright."""
    if genome.width == 0:
        return changed(genome, {"edges": "scalar"})
    wide = genome.packing == "none" or genome.upright
    return changed(genome, {"edges": "padded"}) if genome.edges == "narrow" and wide else genome


def _with_prefetch(genome: Genome) -> Genome:
    """A prefetch must have an operand that moves with the innermost loop; else it moves to one that does."""
    genome = _with_distances(genome)
    if genome.registers:
        return genome
    still = {"i": "prefetch_b", "j": "prefetch_a", "k": "prefetch_c"}[genome.order[2]]
    stuck: Prefetch | None = getattr(genome, still)
    if stuck is None:
        return genome
    moved = changed(genome, {still: None})
    for name in ("prefetch_b", "prefetch_a", "prefetch_c"):
        if name != still and getattr(moved, name) is None:
            moved = changed(moved, {name: stuck})
            break
    if cell_of(moved) != cell_of(genome):  # both others were taken, by the other kind: give up one of those
        name = "prefetch_b" if still != "prefetch_b" else "prefetch_a"
        moved = changed(moved, {name: stuck})
    return moved


def _with_distances(genome: Genome) -> Genome:
    distances = {}
    for name in _PREFETCHES:
        choice: Prefetch | None = getattr(genome, name)
        if choice is not None:
            tiles = name == "prefetch_c" and genome.registers
            packed = genome.packing == "ab" or (genome.packing == "b" and name == "prefetch_b")
            least = 0 if packed and genome.width else 2
            ahead = min(max(choice.ahead, 0), 3) if tiles else min(max(choice.ahead // 2 * 2, least), 64)
            distances[name] = changed(choice, {"ahead": ahead})
    return changed(genome, distances)


def _with_cache_tiles(genome: Genome, element_bytes: int) -> Genome:
    """Tiles are multiples of the register tile, at least 8, and their panels fit their buffers."""
    if not genome.tiled:
        return changed(genome, {"mc": 0, "nc": 0, "kc": 0})
    rows, columns = tile_units(genome, element_bytes)
    if genome.width == 0 and genome.blocking == "cache":
        # With an offset of a k tile in the address GCC adds a vector version of the loop for a stride of 1.
        return changed(genome, {"mc": _clip(genome.mc, rows), "nc": _clip(genome.nc, columns), "kc": 0})
    kc, mc, nc = _clip(genome.kc, DEPTH_UNIT), _clip(genome.mc, rows), _clip(genome.nc, columns)
    if genome.packing != "none":
        a_elements, b_elements = (size // element_bytes for size in panel_bytes(genome))
        kc = min(max(kc, LEAST_DEPTH), a_elements // rows // 8 * 8, b_elements // columns // 8 * 8)
        mc = min(mc, a_elements // kc // rows * rows)
        nc = min(nc, b_elements // kc // columns * columns)
    return changed(genome, {"mc": mc, "nc": nc, "kc": kc})


def tile_units(genome: Genome, element_bytes: int) -> tuple[int, int]:
    """What mc and nc are multiples of: whole register tiles, at least 8 elements."""
    rows, columns = genome.tile(element_bytes)
    return -(-8 // rows) * rows, -(-8 // columns) * columns


def panel_bytes(genome: Genome) -> tuple[int, int]:
    """Largest panels of A and of B in bytes: a thread's own lie on its stack, shared ones are static."""
    private = genome.threads in ("columns", "grid", "depth")
    return (SHARED_BYTES if genome.threads == "serial" else PRIVATE_BYTES // 2), (
        PRIVATE_BYTES if private else SHARED_BYTES
    )


def _clip(tile: int, unit: int) -> int:
    """The multiple of ``unit`` nearest to ``tile``, at least one and up to ``MAX_TILE``."""
    return max(unit, min(round(tile / unit) * unit, MAX_TILE // unit * unit))
