"""Moves in the space of genomes: good starts, neighbours, crossover, and the way towards a cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from qdkernel.core import Cell, PrefetchLevel, Threading
from qdkernel.mutators.contract import Brief
from qdkernel.mutators.schedule.choices import BLOCKINGS, SCHEDULES, WIDTHS, changed, widths_of
from qdkernel.mutators.schedule.draw import inherited, neighbour, pick
from qdkernel.mutators.schedule.gemm.genome import (
    DEPTH_UNIT,
    EDGES,
    ORDERS,
    PACKINGS,
    SMALLS,
    THREADS,
    UNROLLS,
    Genome,
    Prefetch,
    cell_of,
    repaired,
    tile_units,
)

# (rows, vectors) that fill the register file: Low et al. 2016, eq. (1) asks for at least latency x throughput
# independent sums (8 to 10 here), and the fewer loads per multiply-add the better.
_SHAPES = {
    512: ((8, 3), (12, 2), (14, 2), (6, 4)),
    256: ((6, 2), (4, 3), (4, 2), (12, 1)),
    128: ((6, 2), (4, 3), (4, 2), (12, 1)),
    0: ((8, 1), (6, 1), (12, 1), (4, 1)),
}
_CACHES = {"L1d": 32 << 10, "L2": 512 << 10, "L3": 8 << 20}  # what a machine that names no caches is taken to have


@dataclass(frozen=True)
class TuningContext:
    """What a genome is fitted to: element size, SIMD widths, threads, caches in bytes, largest scored extents."""

    element_bytes: int
    widths: tuple[int, ...]
    threads: int
    l1: int
    l2: int
    l3: int
    m: int
    n: int
    k: int


def context_of(brief: Brief, element_bytes: int) -> TuningContext:
    """The context of a brief."""
    caches = {**_CACHES, **brief.machine.caches}
    extent = {name: max((size.get(name, 512) for size in brief.sizes), default=512) for name in "mnk"}
    return TuningContext(
        element_bytes, widths_of(brief.machine), brief.threads, caches["L1d"], caches["L2"], caches["L3"], **extent
    )


def fresh(context: TuningContext, rng: np.random.Generator) -> Genome:
    """A packed kernel with the widest vectors and tiles from the cache sizes."""
    width = context.widths[-1]
    rows, vectors = pick(_SHAPES[width], rng)
    threads = "serial" if context.threads == 1 else pick(("rows", "rows", "columns", "grid"), rng)
    genome = Genome(
        width=width,
        rows=rows,
        vectors=vectors,
        threads=threads,
        schedule=pick(("static", "static", "dynamic"), rng),
        order=pick(("jik", "jik", "ijk"), rng),
        unroll=pick((1, 1, 2), rng),
        packing=pick(("ab", "ab", "ab", "b"), rng),
        prefetch_c=pick((Prefetch(0, 3), Prefetch(0, 3), None), rng),
    )
    return fitted(genome, context, rng)


def fitted(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    """The genome with cache tiles after Low et al. 2016, sec. 4, evened out over the scored extents and threads.

    A panel of B (kc x register columns) takes up to about L1, the block of A (mc x kc) half of L2, the panel of B
    (kc x nc) half of L3. Each dimension is cut into equal parts: a last tile that is nearly empty leaves a thread
    idle. At least one dimension has two tiles, or the nest would not be tiled at all.
    """
    size = context.element_bytes
    unit_m, unit_n = tile_units(genome, size)
    if genome.blocking == "cache":
        kc = pick((32, 64, 128), rng)
        mc = _even(context.m, pick((32, 64, 128), rng), unit_m, 2)
        nc = _even(context.n, min(pick((64, 128, 256), rng), context.l2 // (2 * kc * size)), unit_n, 2)
        return repaired(replace(genome, mc=mc, nc=nc, kc=min(kc, max(8, context.k // 2))), size)
    deepest = max(128, min(512, context.l1 * 2 // (unit_n * size)))
    kc = _even(context.k, pick((deepest, deepest // 2, 256, 384), rng), DEPTH_UNIT, 1)
    parts_m = context.threads if genome.threads == "rows" else 1
    parts_n = context.threads if genome.threads == "columns" else 1
    if genome.threads == "grid" and genome.packing == "none":
        parts_m, parts_n = context.threads, 2
    mc = min(context.l2 // (2 * kc * size), max(unit_m, context.m // 2))
    nc = min(context.l3 // (2 * kc * size), 2048)
    mc, nc = _even(context.m, mc, unit_m, parts_m), _even(context.n, nc, unit_n, parts_n)
    return repaired(replace(genome, mc=mc, nc=nc, kc=kc), size)


def _even(extent: int, tile: int, unit: int, parts: int) -> int:
    """The tile, about ``tile`` at most, that cuts ``extent`` into a multiple of ``parts`` equal blocks."""
    blocks = -(-extent // max(tile, unit))
    blocks = -(-blocks // parts) * parts
    return max(unit, -(-extent // (blocks * unit)) * unit)


def towards(genome: Genome, target: Cell, context: TuningContext, rng: np.random.Generator) -> Genome:
    """The genome with just those knobs turned that make it aim at ``target``."""
    blocking, width = BLOCKINGS[target.blocking], WIDTHS[target.simd]
    moved = replace(genome, blocking=blocking, width=width)
    if moved.registers and (not genome.registers or width != genome.width):
        rows, vectors = pick(_SHAPES[width], rng)
        moved = replace(moved, rows=rows, vectors=vectors)
    if blocking == "packed" and genome.packing == "none":
        moved = replace(moved, packing=pick(("ab", "ab", "b"), rng))
    moved = _towards_threading(moved, target.threading, rng)
    moved = _towards_prefetch(moved, target.prefetch, rng)
    same = ("blocking", "width", "threads", "rows", "vectors")
    if moved.tiled and any(getattr(moved, name) != getattr(genome, name) for name in same):
        return fitted(moved, context, rng)
    return repaired(moved, context.element_bytes)


def _towards_threading(genome: Genome, level: int, rng: np.random.Generator) -> Genome:
    if level in (Threading.SERIAL, Threading.NESTED):
        return replace(genome, threads="serial" if level == Threading.SERIAL else "grid")
    threads = genome.threads if genome.threads in ("rows", "columns") else pick(("rows", "columns"), rng)
    wanted = ("static",) if level == Threading.STATIC else ("dynamic", "guided")
    schedule = genome.schedule if genome.schedule in wanted else pick(wanted, rng)
    return replace(genome, threads=threads, schedule=schedule)


def _towards_prefetch(genome: Genome, level: int, rng: np.random.Generator) -> Genome:
    """Drops prefetches of an unwanted kind, and adds one of each kind that is missing."""
    near, far = bool(level & PrefetchLevel.NEAR), bool(level & PrefetchLevel.FAR)
    kept: dict[str, Prefetch | None] = {}
    for name in _OPERANDS:
        choice: Prefetch | None = getattr(genome, name)
        wanted = choice is not None and (near if choice.locality == 3 else far)
        kept[name] = choice if wanted else None
    for kind_wanted, localities in ((near, (3,)), (far, (2, 2, 1, 0))):
        if not kind_wanted or any(p is not None and p.locality in localities for p in kept.values()):
            continue
        # A register tile has the cheapest place for a prefetch: C's rows, once, before the sums start.
        free = [name for name in _OPERANDS if kept[name] is None]
        name = pick(free, rng) if free else "prefetch_a"
        if genome.registers and kept["prefetch_c"] is None and rng.random() < 0.6:
            name = "prefetch_c"
        ahead = 0 if name == "prefetch_c" and genome.registers else pick((4, 8, 16), rng)
        kept[name] = Prefetch(ahead, pick(localities, rng))
    return changed(genome, kept)


_OPERANDS = ("prefetch_a", "prefetch_b", "prefetch_c")


def mutated(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    """A neighbour: one knob turned, sometimes two or three; never the genome itself."""
    return neighbour(genome, _MOVES, context, lambda child: repaired(child, context.element_bytes), rng)


def _move_tile(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    shapes = _SHAPES[genome.width]
    if rng.random() < 0.5:
        rows, vectors = pick(shapes, rng)
        return fitted(replace(genome, rows=rows, vectors=vectors), context, rng)
    rows = genome.rows + pick((-2, -1, 1, 2), rng)
    return replace(genome, rows=max(1, rows), vectors=genome.vectors + pick((-1, 0, 0, 1), rng))


def _move_cache(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    if rng.random() < 0.3:
        return fitted(genome, context, rng)
    name = pick(("mc", "nc", "kc"), rng)
    extent = {"mc": context.m, "nc": context.n, "kc": context.k}[name]
    if rng.random() < 0.5:  # another equal cut of the extent
        blocks = max(1, round(extent / max(1, getattr(genome, name)))) + pick((-1, 1, 2), rng)
        value = -(-extent // max(1, blocks))
    else:
        value = round(getattr(genome, name) * pick((0.5, 0.75, 1.25, 1.5, 2.0), rng))
    units = dict(zip(("mc", "nc"), tile_units(genome, context.element_bytes), strict=True))
    unit = units.get(name, DEPTH_UNIT)
    return changed(genome, {name: -(-value // unit) * unit})


def _move_prefetch(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    name = pick(_OPERANDS, rng)
    choice: Prefetch | None = getattr(genome, name)
    if choice is None:
        tiles = name == "prefetch_c" and genome.registers
        other: Prefetch | None = Prefetch(pick((0, 1) if tiles else (4, 8, 16), rng), pick((3, 3, 2, 0), rng))
    else:
        further = Prefetch(choice.ahead + pick((-4, -2, 2, 4, 8), rng), choice.locality)
        other = pick((None, further, Prefetch(choice.ahead, pick((3, 2, 1, 0), rng))), rng)
    return changed(genome, {name: other})


def _move_threads(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    moved = replace(genome, threads=pick(THREADS, rng), schedule=pick(SCHEDULES, rng))
    return fitted(moved, context, rng) if moved.tiled else moved


def _move_blocking(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    target = cell_of(genome)._replace(blocking=pick(range(len(BLOCKINGS)), rng))
    return towards(genome, target, context, rng)


def _move_width(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    target = cell_of(genome)._replace(simd=WIDTHS.index(pick(context.widths, rng)))
    return towards(genome, target, context, rng)


Move = Callable[[Genome, TuningContext, np.random.Generator], Genome]

_MOVES: tuple[tuple[float, Move], ...] = (
    (4.0, _move_cache),
    (3.0, _move_tile),
    (3.0, _move_prefetch),
    (1.5, lambda genome, _, rng: replace(genome, unroll=pick(UNROLLS, rng))),
    (1.5, lambda genome, _, rng: replace(genome, order=pick(ORDERS, rng))),
    (1.5, lambda genome, _, rng: replace(genome, packing=pick(PACKINGS, rng))),
    (1.0, lambda genome, _, rng: replace(genome, edges=pick(EDGES, rng))),
    (0.5, lambda genome, _, rng: replace(genome, small=pick(SMALLS, rng))),
    (1.5, _move_threads),
    (0.7, _move_blocking),
    (0.7, _move_width),
)

# Knobs that only make sense together are inherited together.
_GROUPS = (
    ("blocking", "packing"),
    ("width", "rows", "vectors"),
    ("mc", "nc", "kc"),
    ("threads", "schedule"),
    ("order",),
    ("unroll",),
    ("edges",),
    ("prefetch_a",),
    ("prefetch_b",),
    ("prefetch_c",),
    ("small",),
)


def crossed(one: Genome, other: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    """A child that has each group of knobs from one of two genomes."""
    child = inherited(one, other, _GROUPS, rng)
    if child.tiled and (child.mc == 0 or child.nc == 0 or child.kc == 0):
        return fitted(child, context, rng)
    return repaired(child, context.element_bytes)
