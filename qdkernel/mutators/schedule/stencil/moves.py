"""Moves in the space of stencil genomes: good starts, neighbors, crossover, and the way towards a cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from qdkernel.core import Cell, Threading
from qdkernel.mutators.contract import Brief
from qdkernel.mutators.schedule.choices import BLOCKINGS, LOCALITIES, SCHEDULES, WIDTHS, changed, widths_of
from qdkernel.mutators.schedule.draw import inherited, neighbour, pick, towards_prefetch
from qdkernel.mutators.schedule.stencil.genome import (
    ELEMENT_BYTES,
    MAX_SWEEPS,
    THREADS,
    TILE_UNIT,
    UNROLLS,
    Genome,
    repaired,
)
from qdkernel.mutators.schedule.stencil.shape import Stencil

_L1, _L2 = 32 << 10, 512 << 10  # what a machine that names no caches is taken to have
_EXTENT = 512  # of a size that does not name the dimension


@dataclass(frozen=True)
class TuningContext:
    """What a genome is fitted to.

    Attributes:
        dimensions: 2 or 3.
        most_sweeps: 1 for a problem without sweeps.
        widths: SIMD widths of the machine in bits, 0 for scalar first.
        threads: while scoring.
        l1: bytes.
        l2: bytes.
        planes: largest scored extent; 0 in two dimensions.
        rows: largest scored extent.
        columns: largest scored extent.
    """

    dimensions: int
    most_sweeps: int
    widths: tuple[int, ...]
    threads: int
    l1: int
    l2: int
    planes: int
    rows: int
    columns: int


def context_of(brief: Brief, stencil: Stencil) -> TuningContext:
    """The context of a brief."""
    caches = {"L1d": _L1, "L2": _L2, **brief.machine.caches}
    extents = [max((size.get(name, _EXTENT) for size in brief.sizes), default=_EXTENT) for name in stencil.extents]
    planes, rows, columns = extents if len(extents) == 3 else (0, *extents)
    most = MAX_SWEEPS if stencil.sweeps else 1
    return TuningContext(
        stencil.dimensions,
        most,
        widths_of(brief.machine),
        brief.threads,
        caches["L1d"],
        caches["L2"],
        planes,
        rows,
        columns,
    )


def fresh(context: TuningContext, rng: np.random.Generator) -> Genome:
    """Wide vectors in rows, tiles or a wavefront; or packed tiles that are swept several times."""
    threads = "serial" if context.threads == 1 else pick(("loop", "loop", "loop", "grid"), rng)
    blocking = pick(("none", "none", "cache", "cache+register", "packed"), rng)
    genome = Genome(
        blocking=blocking,
        width=context.widths[-1],
        rows=pick((1, 2, 4), rng),
        vectors=pick((4, 4, 5, 6), rng),
        unroll=pick((1, 1, 2), rng),
        threads=threads,
        schedule=pick(("static", "static", "dynamic"), rng),
        sweeps=pick((1, 2, 4, 8), rng),
        stream=bool(rng.random() < 0.3),
    )
    return fitted(genome, context, rng)


def fitted(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    """The genome with tiles from the cache sizes, at least two along the rows, evened out over the threads.

    Three rows of a tile (three planes in three dimensions) stay in half of L1 or L2 while it is swept; a packed tile
    lies in half of L2, twice.
    """
    cache = pick((context.l1, context.l2, context.l2), rng)
    planes = 0
    if context.dimensions == 3:
        planes = pick((8, 16, 32), rng)
        columns = min(context.columns, pick((64, 128, 256), rng))
        rows = max(TILE_UNIT, cache // (6 * columns * ELEMENT_BYTES))
    else:
        columns = min(context.columns, pick((256, 512, 1024, 2048), rng), cache // (6 * ELEMENT_BYTES))
        rows = pick((16, 32, 64, 128), rng)
    if genome.blocking == "packed":
        rows = min(rows, max(TILE_UNIT, context.l2 // (4 * columns * max(planes, 1) * ELEMENT_BYTES)))
    genome = replace(genome, tile_planes=planes, tile_rows=rows, tile_columns=columns, band=pick((32, 64, 128), rng))
    return _bounded(genome, context)


def _bounded(genome: Genome, context: TuningContext) -> Genome:
    """A tile as long as the grid does not tile it: at most half of the rows, in whole units."""
    half = max(TILE_UNIT, context.rows // 2 // TILE_UNIT * TILE_UNIT)
    genome = replace(genome, tile_rows=min(genome.tile_rows, half))
    return repaired(genome, context.dimensions, context.most_sweeps)


def towards(genome: Genome, target: Cell, context: TuningContext, rng: np.random.Generator) -> Genome:
    """The genome with just those choices changed that make it aim at ``target``."""
    blocking, width = BLOCKINGS[target.blocking], WIDTHS[target.simd]
    moved = replace(genome, blocking=blocking, width=width)
    moved = _towards_threading(moved, target.threading, rng)
    strips = moved.strips
    moved = towards_prefetch(moved, target.prefetch, lambda: _distance(strips, rng), rng)
    if moved.tiled and not genome.tiled:
        return fitted(moved, context, rng)
    return _bounded(moved, context)


def _towards_threading(genome: Genome, level: int, rng: np.random.Generator) -> Genome:
    if level == Threading.SERIAL:
        return replace(genome, threads="serial")
    if level == Threading.NESTED:
        known = genome.threads in ("grid", "tasks")
        return genome if known else replace(genome, threads=pick(("grid", "grid", "tasks"), rng))
    wanted = ("static",) if level == Threading.STATIC else ("dynamic", "guided")
    schedule = genome.schedule if genome.schedule in wanted else pick(wanted, rng)
    return replace(genome, threads="loop", schedule=schedule)


def _distance(strips: bool, rng: np.random.Generator) -> int:
    return pick((1, 2, 4, 8), rng) if strips else pick((32, 64, 128, 256), rng)


def mutated(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    """A neighbor: one choice changed, sometimes two or three; never the genome itself."""
    return neighbour(genome, _MOVES, context, lambda child: _bounded(child, context), rng)


def _move_tile(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    if rng.random() < 0.3:
        return fitted(genome, context, rng)
    name = pick(("tile_rows", "tile_columns", "tile_planes")[: context.dimensions], rng)
    return changed(genome, {name: round(getattr(genome, name) * pick((0.5, 0.75, 1.25, 1.5, 2.0), rng))})


def _move_register_tile(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    if genome.strips:
        return replace(genome, vectors=genome.vectors + pick((-1, 1), rng))
    return replace(genome, rows=max(1, genome.rows + pick((-1, 1, 2), rng)))


def _move_sweeps(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    if genome.wavefront and rng.random() < 0.5:
        return replace(genome, band=round(genome.band * pick((0.5, 1.5, 2.0), rng)))
    return replace(genome, sweeps=pick((1, 2, 3, 4, 6, 8), rng))


def _move_prefetch(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    if rng.random() < 0.3:
        return replace(genome, stream=not genome.stream, far=0)
    name = pick(("near", "far"), rng)
    ahead = pick((0, _distance(genome.strips, rng)), rng) if getattr(genome, name) else _distance(genome.strips, rng)
    return changed(genome, {name: ahead, "locality": pick(LOCALITIES, rng)})


def _move_threads(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    chunk = round(genome.chunk * pick((0.5, 1.0, 2.0), rng))
    return replace(genome, threads=pick(THREADS, rng), schedule=pick(SCHEDULES, rng), chunk=chunk)


def _move_blocking(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    moved = replace(genome, blocking=pick(BLOCKINGS, rng))
    return fitted(moved, context, rng) if moved.tiled and not genome.tiled else moved


Move = Callable[[Genome, TuningContext, np.random.Generator], Genome]

_MOVES: tuple[tuple[float, Move], ...] = (
    (4.0, _move_tile),
    (2.0, _move_register_tile),
    (3.0, _move_sweeps),
    (3.0, _move_prefetch),
    (1.5, lambda genome, _, rng: replace(genome, unroll=pick(UNROLLS, rng))),
    (1.5, _move_threads),
    (1.0, _move_blocking),
    (0.7, lambda genome, context, rng: replace(genome, width=pick(context.widths, rng))),
)

# Choices that only make sense together are inherited together.
_GROUPS = (
    ("blocking",),
    ("width", "rows", "vectors"),
    ("tile_planes", "tile_rows", "tile_columns"),
    ("threads", "schedule", "chunk"),
    ("sweeps", "band"),
    ("unroll",),
    ("near",),
    ("far", "locality", "stream"),
)


def crossed(one: Genome, other: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    """A child that has each group of choices from one of two genomes."""
    child = inherited(one, other, _GROUPS, rng)
    return fitted(child, context, rng) if child.tiled and not child.tile_rows else _bounded(child, context)
