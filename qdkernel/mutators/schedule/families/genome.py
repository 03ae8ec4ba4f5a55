"""The genome that the families of loop nests share: every schedule part that one of them prints.

``Genome`` holds the choices, ``cell_of`` says which cell they are meant for, ``repaired`` moves any combination to the
nearest one that a family can print.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from qdkernel.core import Cell, Threading
from qdkernel.mutators.schedule.choices import BLOCKINGS, LOCALITIES, REGISTERS, TILED, WIDTHS
from qdkernel.mutators.schedule.families.family import Family
from qdkernel.mutators.schedule.json_genome import JsonGenome

THREADS = ("serial", "loop", "tasks")
MAX_PARTS = 64
MAX_CHUNK = 64
AHEAD = range(16, 1025, 16)  # elements by which data is prefetched: two lines of doubles at least
LEAST_SUMS = 4  # of a register tile, as the archive counts it


@dataclass(frozen=True)
class Genome(JsonGenome):
    """The scheduling choices of one kernel; a family does not use all of them.

    Attributes:
        blocking: level of the archive's blocking axis that the loop nest is built for.
        width: SIMD width in bits; 0 for scalar code.
        rows: rows (or points) computed together.
        vectors: vectors side by side: sums in registers, or loads in flight.
        tile: extent of a cache tile; 0 without.
        threads: ``serial``, a parallel ``loop``, or ``tasks``.
        schedule: OpenMP schedule of a parallel loop.
        parts: equal parts of a vector that threads share.
        chunk: rows that a thread takes at a time from a dynamic loop.
        near: distance in elements of the prefetch to L1; 0 for none.
        far: distance in elements of the prefetch to outer caches; 0 for none.
        locality: third argument of the far ``__builtin_prefetch``: 2, 1, 0 are t1, t2, nta.
        stream: whether results are stored past the caches.
    """

    blocking: str = "none"
    width: int = 512
    rows: int = 1
    vectors: int = 1
    tile: int = 0
    threads: str = "serial"
    schedule: str = "static"
    parts: int = 2
    chunk: int = 8
    near: int = 0
    far: int = 0
    locality: int = 2
    stream: bool = False

    @property
    def tiled(self) -> bool:
        """Whether the nest has cache tiles."""
        return self.blocking in TILED

    @property
    def registers(self) -> bool:
        """Whether the innermost loop keeps a register tile."""
        return self.blocking in REGISTERS

    @property
    def dynamic(self) -> bool:
        """Whether threads take their next share when they are free."""
        return self.threads == "loop" and self.schedule != "static"


def cell_of(genome: Genome, family: Family) -> Cell:
    """The archive's cell that the genome aims at; without arithmetic no width and no blocking can be measured."""
    looped = Threading.DYNAMIC if genome.dynamic else Threading.STATIC
    threading = {"serial": Threading.SERIAL, "loop": looped, "tasks": Threading.NESTED}[genome.threads].value
    prefetch = (genome.near > 0) + 2 * (genome.far > 0 or genome.stream)
    if not family.arithmetic:
        return Cell(0, 0, threading, prefetch)
    return Cell(BLOCKINGS.index(genome.blocking), WIDTHS.index(genome.width), threading, prefetch)


def repaired(genome: Genome, family: Family) -> Genome:
    """The nearest genome that the family can print, of the same cell as far as the family has it."""
    for step in (_with_blocking, _with_threads, _with_register_tile, _with_stores, _with_distances):
        genome = step(genome, family)
    return genome


def _with_blocking(genome: Genome, family: Family) -> Genome:
    """The highest blocking of the family that is not above, and its tile."""
    level = BLOCKINGS.index(genome.blocking)
    below = [name for name in family.blockings if BLOCKINGS.index(name) <= level]
    genome = replace(genome, blocking=below[-1] if below else family.blockings[0])
    return replace(genome, tile=nearest(genome.tile, family.tiles) if genome.tiled else 0)


def _with_threads(genome: Genome, family: Family) -> Genome:
    if genome.threads != "loop":
        genome = replace(genome, schedule="static")
    parts = min(max(genome.parts, 2), MAX_PARTS) if family.flat and genome.threads != "serial" else Genome.parts
    chunk = min(max(genome.chunk, 1), MAX_CHUNK) if not family.flat and genome.dynamic else Genome.chunk
    return replace(genome, parts=parts, chunk=chunk)


def _with_register_tile(genome: Genome, family: Family) -> Genome:
    """At least four sums for a register tile and as many as there are registers, fewer than four sums without.

    Scalar sums of one row would be stored side by side, and the compiler would make vectors of them.
    """
    most = family.most_vectors if genome.width or family.most_rows == 1 else 1
    rows, vectors = min(max(genome.rows, 1), family.most_rows), min(max(genome.vectors, 1), most)
    if genome.registers:
        while rows * vectors < LEAST_SUMS:
            rows, vectors = (rows, vectors + 1) if vectors < most else (rows + 1, vectors)
        while rows * vectors > (24 if genome.width == 512 else 10):
            rows, vectors = (rows - 1, vectors) if rows > vectors else (rows, vectors - 1)
    elif family.sums:
        vectors = min(vectors, LEAST_SUMS - 1)
        rows = min(rows, (LEAST_SUMS - 1) // vectors)
    return replace(genome, rows=rows, vectors=vectors)


def _with_stores(genome: Genome, family: Family) -> Genome:
    """Streaming stores are of whole vectors; elsewhere a prefetch takes their place."""
    if genome.stream and not (family.streams and genome.width):
        return replace(genome, stream=False, far=genome.far or 256)
    return genome


def _with_distances(genome: Genome, family: Family) -> Genome:
    near, far = (nearest(ahead, AHEAD) if ahead > 0 else 0 for ahead in (genome.near, genome.far))
    locality = genome.locality if far and genome.locality in LOCALITIES else Genome.locality
    return replace(genome, near=near, far=far, locality=locality)


def nearest(value: int, choices: range) -> int:
    """The choice that is nearest to ``value``, the lower of two."""
    steps = (value - choices.start + (choices.step - 1) // 2) // choices.step
    return choices[min(max(steps, 0), len(choices) - 1)]
