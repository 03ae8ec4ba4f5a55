"""Moves in the space of genomes: good starts, neighbours, crossover, and the way towards a cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from qdkernel.core import Cell, PrefetchLevel, Threading
from qdkernel.mutators.contract import Brief
from qdkernel.mutators.schedule.choices import BLOCKINGS, SCHEDULES, WIDTHS, changed, widths_of
from qdkernel.mutators.schedule.draw import inherited, neighbour, pick
from qdkernel.mutators.schedule.gemm.genome import (
    DEPTH_UNIT,
    EDGES,
    LEAST_SHARED,
    MAX_TILE,
    ORDERS,
    PACKINGS,
    SMALLS,
    THREADS,
    UNROLLS,
    Genome,
    Prefetch,
    cell_of,
    repaired,
    threading_level,
    tile_units,
)
from qdkernel.mutators.schedule.gemm.model import TALLEST, WIDEST, Cache, caches_of, panels, register_tiles, shares

Item = TypeVar("Item")

# Rows of the register tile in scalar arithmetic, where a column of B is one element.
_SCALAR_SHAPES = ((8, 1), (6, 1), (12, 1), (4, 1))


@dataclass(frozen=True)
class TuningContext:
    """What a genome is fitted to: element size, SIMD widths, threads, caches, largest scored extents.

    Attributes:
        element_bytes: size of an element.
        widths: SIMD widths in bits, 0 for scalar first.
        fused: whether the machine has a fused multiply-add.
        threads: OpenMP threads while scoring.
        caches: L1d, L2 and L3.
        m: rows of C.
        n: columns of C.
        k: the inner dimension.
        aimed: whether the kernel is to fill a cell, not to beat the fastest of all.
    """

    element_bytes: int
    widths: tuple[int, ...]
    fused: bool
    threads: int
    caches: Mapping[str, Cache]
    m: int
    n: int
    k: int
    aimed: bool


def context_of(brief: Brief, element_bytes: int) -> TuningContext:
    """The context of a brief."""
    machine = brief.machine
    extent = {name: max((size.get(name, 512) for size in brief.sizes), default=512) for name in "mnk"}
    widths = widths_of(machine)
    # A level with 256-bit vectors has it (x86-64-v3), and so has every 64-bit ARM.
    fused = 256 in widths or machine.arch in ("aarch64", "arm64")
    caches = caches_of(machine.caches, machine.cache_ways)
    return TuningContext(element_bytes, widths, fused, brief.threads, caches, **extent, aimed=brief.target is not None)


def fresh(context: TuningContext, rng: np.random.Generator) -> Genome:
    """A packed kernel with the widest vectors, tiles and shares from the analytical model.

    Choices that the model ranks are drawn by their rank. The others are mostly what is best for most processors.
    """
    width = context.widths[-1]
    small = _small(context)
    rows, vectors = likely(_shapes(width, context, in_place=small > 0), rng)
    genome = Genome(
        width=width,
        rows=rows,
        vectors=vectors,
        order=pick(("jik", "jik", "jik", "ijk"), rng),
        unroll=pick((1, 1, 2, 4), rng),
        packing=pick(("ab", "ab", "ab", "b"), rng),
        upright=bool(rng.random() < 0.1),  # C lies in rows: storing columns costs a transposition
        stream=bool(rng.random() < 0.5),
        edges=pick(("narrow", "narrow", "narrow", "padded"), rng),
        prefetch_a=pick((None, None, None, Prefetch(0, 3)), rng),
        prefetch_b=pick((None, None, Prefetch(0, 3)), rng),
        prefetch_c=pick((Prefetch(0, 3), Prefetch(0, 3), Prefetch(0, 3), None), rng),
        small=pick((small, small, small, 0), rng),
    )
    lanes = genome.lanes(context.element_bytes)
    if context.threads == 1 or context.m * context.n * context.k <= LEAST_SHARED:
        return fitted(replace(genome, threads="serial"), context, rng)
    kc = panels(*genome.tile(context.element_bytes), context.element_bytes, context.caches, context.threads).kc
    ways = shares(context.m, context.n, context.k, (rows, vectors), lanes, context.threads, kc)
    schedule = pick(("static",) * 7 + ("dynamic",), rng)
    return fitted(replace(genome, threads=likely(ways, rng), schedule=schedule), context, rng)


def likely(items: Sequence[Item], rng: np.random.Generator) -> Item:
    """An item of a list that has the best first: that in two of three draws, the next in two of three others, ..."""
    return items[min(int(rng.geometric(2 / 3)) - 1, len(items) - 1)]


def _small(context: TuningContext) -> int:
    """The limit of the direct path that takes the scored size; 0 where packing pays: where operands leave L2.

    A quarter of L2 is left for C.
    """
    work = context.m * context.n * context.k
    limits = [limit for limit in SMALLS if limit >= work]
    operands = (context.m / context.threads + context.n) * context.k * context.element_bytes
    return limits[0] if limits and operands <= 0.75 * context.caches["L2"].size else 0


def _shapes(width: int, context: TuningContext, in_place: bool = False) -> Sequence[tuple[int, int]]:
    """Register tiles as (rows, vectors), the best first."""
    if width == 0:
        return _SCALAR_SHAPES
    lanes = width // (8 * context.element_bytes)
    return register_tiles(width, lanes, context.fused, context.m, context.n, in_place)


def fitted(genome: Genome, context: TuningContext, rng: np.random.Generator) -> Genome:
    """The genome with cache tiles from the analytical model, evened out over the scored extents and threads.

    Each dimension is cut into equal parts: a last tile that is nearly empty leaves a thread idle. At least one
    dimension has two tiles, or the nest would not be tiled at all.
    """
    size = context.element_bytes
    unit_m, unit_n = tile_units(genome, size)
    l2 = context.caches["L2"].size
    if genome.blocking == "cache":
        kc = pick((32, 64, 128), rng)
        mc = _even(context.m, pick((32, 64, 128), rng), unit_m, 2)
        nc = _even(context.n, min(pick((64, 128, 256), rng), l2 // (2 * kc * size)), unit_n, 2)
        return repaired(replace(genome, mc=mc, nc=nc, kc=min(kc, max(8, context.k // 2))), size)
    fit = panels(*genome.tile(size), size, context.caches, context.threads)
    # Twice as deep C is updated half as often, and the panel of B comes from L2: cores that load two vectors a cycle
    # from there lose nothing.
    kc = _even(context.k, pick((fit.kc, fit.kc, 2 * fit.kc), rng), DEPTH_UNIT, 1)
    parts_m, parts_n = _parts(genome, context.threads)
    nc = min(fit.nc * fit.kc // kc, MAX_TILE)
    tiled = kc < context.k or nc < context.n
    mc = min(fit.mc * fit.kc // kc, context.m if tiled else max(unit_m, context.m // 2))
    mc, nc = _even(context.m, mc, unit_m, parts_m), _even(context.n, nc, unit_n, parts_n)
    return repaired(replace(genome, mc=mc, nc=nc, kc=kc), size)


def _parts(genome: Genome, threads: int) -> tuple[int, int]:
    """What the numbers of blocks of rows and of columns are multiples of, so that all threads have as many."""
    if genome.threads == "grid" and genome.packing == "none":
        return threads, 2
    return threads if genome.threads == "rows" else 1, threads if genome.threads == "columns" else 1


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
        rows, vectors = likely(_shapes(width, context), rng)
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
    if threading_level(genome) == level:
        return genome
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
    if not context.aimed and rng.random() < 0.5:  # the fastest tile may be one that the model ranks low
        tile = {"rows": pick(range(1, TALLEST + 1), rng), "vectors": pick(range(1, WIDEST + 1), rng)}
        return fitted(changed(genome, tile), context, rng)
    if rng.random() < 0.5:
        rows, vectors = pick(_shapes(genome.width, context, in_place=rng.random() < 0.5), rng)
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
        other: Prefetch | None = Prefetch(pick((0, 1) if tiles else (0, 4, 8, 16), rng), pick((3, 3, 2, 0), rng))
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
    (0.5, lambda genome, _, rng: replace(genome, upright=not genome.upright)),
    (1.0, lambda genome, _, rng: replace(genome, stream=not genome.stream)),
    (1.0, lambda genome, _, rng: replace(genome, edges=pick(EDGES, rng))),
    (0.5, lambda genome, _, rng: replace(genome, small=pick(SMALLS, rng))),
    (1.5, _move_threads),
    (0.7, _move_blocking),
    (0.7, _move_width),
)

# Knobs that only make sense together are inherited together.
_GROUPS = (
    ("blocking", "packing", "stream"),
    ("width", "rows", "vectors", "upright"),
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
