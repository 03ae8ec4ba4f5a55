"""The genome of stencil kernels: every choice that the template can print, and what makes a combination valid.

``Genome`` holds the choices, ``cell_of`` says which cell they are meant for, ``repaired`` moves any combination to the
nearest valid one of the same cell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from qdkernel.core import Cell, Threading
from qdkernel.mutators.schedule.choices import BLOCKINGS, LOCALITIES, REGISTERS, TILED, WIDTHS
from qdkernel.mutators.schedule.json_genome import JsonGenome

THREADS = ("serial", "loop", "grid", "tasks")
UNROLLS = (1, 2, 4)

ELEMENT_BYTES = 8
TILE_UNIT = 8
MAX_TILE_ROWS = 512
MAX_TILE_COLUMNS = 2048
MAX_SWEEPS = 8
MAX_CHUNK = 64
MAX_BAND = 512
ROW_STEP = 16  # elements: prefetch distances along a row are multiples of two cache lines
MAX_AHEAD = 512
MAX_ROWS_AHEAD = 32
LEAST_TILE_COLUMNS = 64
# An OpenMP thread has 8 MB of stack by default; the two scratch tiles keep well below, for whoever sets OMP_STACKSIZE.
SCRATCH_BYTES = 1 << 20


@dataclass(frozen=True)
class Genome(JsonGenome):
    """The scheduling choices of one stencil kernel.

    Attributes:
        blocking: level of the archive's blocking axis that the loop nest is built for.
        width: SIMD width in bits; 0 for scalar arithmetic.
        rows: rows computed together: of a vector loop along the row without a register tile, and of a scalar one with.
        vectors: vectors side by side in a strip that walks down the rows; only vector kernels with a register tile.
        unroll: how often the innermost loop is unrolled.
        tile_planes: planes of a cache tile; 0 where planes are not tiled.
        tile_rows: rows of a cache tile.
        tile_columns: columns of a cache tile.
        sweeps: most sweeps done in one pass over memory: by a wavefront without tiles, in scratch memory when packed.
        band: least rows (planes in three dimensions) of a thread's band in a wavefront.
        threads: ``serial``, a parallel ``loop``, a ``grid`` of tiles (``collapse``), or ``tasks``.
        schedule: OpenMP schedule of a parallel loop.
        chunk: rows that a thread takes at a time from a dynamic loop over rows.
        near: distance of the prefetch to L1; 0 for none. Elements along a row, or rows where a strip walks down.
        far: distance of the prefetch to outer caches; 0 for none.
        locality: third argument of the far ``__builtin_prefetch``: 2, 1, 0 are t1, t2, nta.
        stream: whether results are stored past the caches.
    """

    blocking: str = "none"
    width: int = 512
    rows: int = 1
    vectors: int = 4
    unroll: int = 1
    tile_planes: int = 0
    tile_rows: int = 64
    tile_columns: int = 512
    sweeps: int = 1
    band: int = 128
    threads: str = "serial"
    schedule: str = "static"
    chunk: int = 16
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
    def strips(self) -> bool:
        """Whether vectors side by side walk down the rows."""
        return self.registers and self.width > 0

    @property
    def wavefront(self) -> bool:
        """Whether several sweeps go over the grid together, one behind the other."""
        return self.blocking == "none" and self.sweeps > 1

    @property
    def lanes(self) -> int:
        """Elements in a vector; 1 for scalar arithmetic."""
        return max(1, self.width // (8 * ELEMENT_BYTES))


def cell_of(genome: Genome) -> Cell:
    """The archive's cell that the genome aims at; the evaluator measures where its kernel lands."""
    looped = Threading.STATIC if genome.schedule == "static" else Threading.DYNAMIC
    threading = {"serial": Threading.SERIAL, "loop": looped}.get(genome.threads, Threading.NESTED).value
    prefetch = (genome.near > 0) + 2 * (genome.far > 0 or genome.stream)
    return Cell(BLOCKINGS.index(genome.blocking), WIDTHS.index(genome.width), threading, prefetch)


def repaired(genome: Genome, dimensions: int, most_sweeps: int) -> Genome:
    """The nearest valid genome, with the same cell; choices that it does not use get their default.

    Args:
        genome: any combination of choices.
        dimensions: 2 or 3.
        most_sweeps: 1 for a problem without sweeps, otherwise ``MAX_SWEEPS``.
    """
    genome = _with_sweeps(genome, most_sweeps)
    for step in (_with_threads, _with_register_tile, _with_stores, _with_distances):
        genome = step(genome)
    return _with_tiles(genome, dimensions)


def _with_sweeps(genome: Genome, most_sweeps: int) -> Genome:
    sweeps = min(max(genome.sweeps, 1), most_sweeps) if genome.blocking in ("none", "packed") else 1
    genome = replace(genome, sweeps=sweeps)
    band = min(max(round(genome.band / TILE_UNIT), 2) * TILE_UNIT, MAX_BAND) if genome.wavefront else Genome.band
    return replace(genome, band=band)


def _with_threads(genome: Genome) -> Genome:
    if genome.threads == "grid" and not genome.tiled:
        genome = replace(genome, threads="tasks")
    if genome.threads != "loop":
        genome = replace(genome, schedule="static")
    chunked = genome.schedule != "static" and genome.blocking == "none" and not genome.wavefront
    return replace(genome, chunk=min(max(genome.chunk, 1), MAX_CHUNK) if chunked else Genome.chunk)


def _with_register_tile(genome: Genome) -> Genome:
    """At least four sums in registers for a register tile, at most one for a scalar loop without."""
    if genome.strips:
        # A strip keeps two vectors per vector of results, and AVX has 16 registers.
        most = 6 if genome.width < 512 else 8
        return replace(genome, rows=1, vectors=min(max(genome.vectors, 4), most), unroll=_unroll(genome, 2))
    if genome.registers:
        rows = min(max(genome.rows, 4), 6)
    else:
        rows = min(max(genome.rows, 1), 4 if genome.width and not genome.wavefront else 1)
    unroll = _unroll(genome, 4 if rows == 1 and not genome.registers else 1)
    return replace(genome, rows=rows, vectors=Genome.vectors, unroll=unroll)


def _unroll(genome: Genome, most: int) -> int:
    return min(genome.unroll if genome.unroll in UNROLLS else 1, most)


def _with_stores(genome: Genome) -> Genome:
    """Streaming stores need whole aligned vectors along a row; elsewhere a prefetch takes their place."""
    if not genome.stream or (genome.width and not genome.registers and not genome.wavefront):
        return replace(genome, rows=1) if genome.stream else genome
    return replace(genome, stream=False, far=genome.far or 64)


def _with_distances(genome: Genome) -> Genome:
    return replace(
        genome,
        near=_distance(genome, genome.near),
        far=_distance(genome, genome.far),
        locality=(genome.locality if genome.locality in LOCALITIES else 2) if genome.far else Genome.locality,
    )


def _distance(genome: Genome, ahead: int) -> int:
    if ahead <= 0:
        return 0
    if genome.strips:
        return min(ahead, MAX_ROWS_AHEAD)
    return min(max(round(ahead / ROW_STEP), 1) * ROW_STEP, MAX_AHEAD)


def _with_tiles(genome: Genome, dimensions: int) -> Genome:
    """Tiles are multiples of 8, hold a strip at least, and fit the scratch memory of a packed kernel."""
    if not genome.tiled:
        return replace(genome, tile_planes=0, tile_rows=0, tile_columns=0)
    least = max(LEAST_TILE_COLUMNS, genome.vectors * genome.lanes if genome.strips else 0)
    rows = _clip(genome.tile_rows, TILE_UNIT, MAX_TILE_ROWS)
    columns = _clip(genome.tile_columns, least, MAX_TILE_COLUMNS)
    planes = _clip(genome.tile_planes, TILE_UNIT, MAX_TILE_ROWS) if dimensions == 3 else 0
    if genome.blocking == "packed":
        planes, rows, columns = _within_scratch(planes, rows, columns, least, genome.sweeps)
    return replace(genome, tile_planes=planes, tile_rows=rows, tile_columns=columns)


def _within_scratch(planes: int, rows: int, columns: int, least: int, sweeps: int) -> tuple[int, int, int]:
    """The tile made smaller, its longest side first, until its scratch memory is within bounds."""
    while scratch_bytes(planes, rows, columns, sweeps) > SCRATCH_BYTES:
        if columns > max(least, rows, planes):
            columns -= TILE_UNIT
        elif max(rows, planes) > TILE_UNIT:
            rows, planes = (rows - TILE_UNIT, planes) if rows >= planes else (rows, planes - TILE_UNIT)
        else:
            columns -= TILE_UNIT
    return planes, rows, columns


def scratch_bytes(planes: int, rows: int, columns: int, sweeps: int) -> int:
    """Size of the two copies of a tile with the neighbors that ``sweeps`` sweeps need."""
    halo = 2 * sweeps
    return 2 * ELEMENT_BYTES * (planes + halo if planes else 1) * (rows + halo) * (columns + halo)


def _clip(tile: int, least: int, most: int) -> int:
    return min(max(round(tile / TILE_UNIT) * TILE_UNIT, least), most)
