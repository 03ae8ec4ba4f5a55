"""Moves in the space of genomes: good starts, neighbours, crossover, and the way towards a cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from qdkernel.core import Cell, Threading
from qdkernel.mutators.contract import Brief
from qdkernel.mutators.schedule.choices import BLOCKINGS, LOCALITIES, SCHEDULES, WIDTHS, changed, widths_of
from qdkernel.mutators.schedule.draw import inherited, neighbour, pick, towards_prefetch
from qdkernel.mutators.schedule.families.family import Family
from qdkernel.mutators.schedule.families.genome import THREADS, Genome, repaired

_EXTENT = 1024  # of a brief without sizes
_DISTANCES = (64, 128, 256, 512)


@dataclass(frozen=True)
class TuningContext:
    """What a genome is fitted to.

    Attributes:
        family: of the kernel.
        widths: SIMD widths of the machine in bits, 0 for scalar first.
        threads: while scoring.
        extent: the largest scored one.
    """

    family: Family
    widths: tuple[int, ...]
    threads: int
    extent: int


def context_of(brief: Brief, family: Family) -> TuningContext:
    """The context of a brief."""
    extent = max((extent for size in brief.sizes for extent in size.values()), default=_EXTENT)
    return TuningContext(family, widths_of(brief.machine), brief.threads, extent)


def fresh(context: TuningContext, rng: np.random.Generator) -> Genome:
    """The widest vectors, equal shares for the threads, and any blocking that the family has."""
    family = context.family
    genome = Genome(
        blocking=pick(family.blockings, rng),
        width=context.widths[-1],
        rows=pick((1, 2, 4, 6, 8), rng),
        vectors=pick((1, 2, 4, 8), rng),
        threads="serial" if context.threads == 1 else "loop",
        schedule=pick(("static", "static", "dynamic"), rng),
        parts=context.threads * pick((1, 1, 4, 16), rng),
        near=pick((0, 0, *_DISTANCES), rng),
        stream=family.streams and bool(rng.random() < 0.5),
    )
    return _bounded(replace(genome, tile=_tile(context, rng)), context)


def _tile(context: TuningContext, rng: np.random.Generator) -> int:
    tiles = context.family.tiles
    return int(tiles[0] * (tiles[-1] / tiles[0]) ** rng.random())


def _bounded(genome: Genome, context: TuningContext) -> Genome:
    """A tile as long as the problem does not tile it."""
    return repaired(replace(genome, tile=min(genome.tile, context.extent // 2)), context.family)


def towards(genome: Genome, target: Cell, context: TuningContext, rng: np.random.Generator) -> Genome:
    """The genome with just those choices changed that make it aim at ``target``, as far as the family has them."""
    if context.family.arithmetic:
        moved = replace(genome, blocking=BLOCKINGS[target.blocking], width=WIDTHS[target.simd])
        if moved.tiled and not genome.tiled:
            moved = replace(moved, tile=_tile(context, rng))
        genome = moved
    genome = _towards_threading(genome, target.threading, rng)
    return _bounded(towards_prefetch(genome, target.prefetch, lambda: pick(_DISTANCES, rng), rng), context)


def _towards_threading(genome: Genome, level: int, rng: np.random.Generator) -> Genome:
    if level == Threading.SERIAL:
        return replace(genome, threads="serial")
    if level == Threading.NESTED:
        return replace(genome, threads="tasks")
    wanted = ("static",) if level == Threading.STATIC else ("dynamic", "guided")
    schedule = genome.schedule if genome.schedule in wanted else pick(wanted, rng)
    return replace(genome, threads="loop", schedule=schedule)


def mutated(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    """A neighbour: one choice changed, sometimes two or three; never the genome itself."""
    return neighbour(genome, _MOVES, context, lambda child: _bounded(child, context), rng)


def _move_register_tile(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    name = pick(("rows", "vectors", "vectors"), rng)
    return changed(genome, {name: max(1, getattr(genome, name) + pick((-2, -1, 1, 2), rng))})


def _move_prefetch(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    if context.family.streams and rng.random() < 0.3:
        return replace(genome, stream=not genome.stream, far=0)
    name = pick(("near", "far"), rng)
    return changed(genome, {name: pick((0, *_DISTANCES), rng), "locality": pick(LOCALITIES, rng)})


def _move_threads(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    if rng.random() < 0.5:
        parts = context.threads * pick((1, 2, 4, 8, 16), rng)
        return replace(genome, parts=parts, chunk=round(genome.chunk * pick((0.5, 2.0), rng)))
    return replace(genome, threads=pick(THREADS, rng), schedule=pick(SCHEDULES, rng))


def _move_blocking(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    return replace(genome, blocking=pick(context.family.blockings, rng), tile=genome.tile or _tile(context, rng))


Move = Callable[[Genome, TuningContext, np.random.Generator], Genome]

_MOVES: tuple[tuple[float, Move], ...] = (
    (2.0, lambda genome, _, rng: replace(genome, tile=round(genome.tile * pick((0.5, 0.75, 1.5, 2.0), rng)))),
    (3.0, _move_register_tile),
    (3.0, _move_prefetch),
    (2.0, _move_threads),
    (1.0, _move_blocking),
    (0.7, lambda genome, context, rng: replace(genome, width=pick(context.widths, rng))),
)

# Choices that only make sense together are inherited together.
_GROUPS = (
    ("blocking", "tile"),
    ("width", "rows", "vectors"),
    ("threads", "schedule", "parts", "chunk"),
    ("near",),
    ("far", "locality", "stream"),
)


def crossed(one: Genome, other: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    """A child that has each group of choices from one of two genomes."""
    return _bounded(inherited(one, other, _GROUPS, rng), context)
