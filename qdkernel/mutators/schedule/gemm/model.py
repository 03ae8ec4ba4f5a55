"""Where the search starts: the analytical model of Low et al. 2016, from facts of the processor alone.

T. M. Low, F. D. Igual, T. M. Smith, E. S. Quintana-Orti: Analytical Modeling Is Enough for High-Performance BLIS. ACM
Transactions on Mathematical Software 43(2), 2016. The register tile follows from latency, throughput and number of
the vector registers (section 4.2), the cache tiles from size and associativity of the caches (section 4.3).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# No operating system reports these two; they hold for x86-64 cores since 2013 (Haswell: 5 and 2; Skylake, Zen 2 and
# later: 4 and 2). The same number of vector loads starts per cycle.
LATENCY = 4
PER_CYCLE = 2
REGISTERS = {0: 16, 128: 16, 256: 16, 512: 32}
"""Vector registers by SIMD width in bits: SSE and AVX have 16, AVX-512 has 32."""

TALLEST, WIDEST = 16, 4  # rows and vectors of the largest tile that is printed
# A row of A that is read where it lies takes an address register; 8 of the 16 are left for that.
TALLEST_IN_PLACE = 8
_MOST_TRAFFIC = 1.5  # chosen: how much more a tile may read per multiply-add than the squarest one
# Chosen, not measured: cycles to copy an element into a panel, and to wait at a barrier.
_COPY_CYCLES, _BARRIER_CYCLES = 0.75, 2000.0


@dataclass(frozen=True)
class Cache:
    """A data cache: its size in bytes and its associativity."""

    size: int
    ways: int

    @property
    def way(self) -> int:
        """Bytes in one way of all sets."""
        return self.size // self.ways


# What is assumed of a cache that the machine does not report: the smallest of x86-64 servers of the last ten years.
ASSUMED_CACHES = {"L1d": Cache(32 << 10, 8), "L2": Cache(512 << 10, 8), "L3": Cache(8 << 20, 16)}


def caches_of(sizes: Mapping[str, int], ways: Mapping[str, int]) -> dict[str, Cache]:
    """The three data caches, by name; what is not reported is taken from ``ASSUMED_CACHES``.

    Args:
        sizes: bytes by name.
        ways: associativity by name.
    """
    return {
        name: Cache(sizes.get(name, assumed.size), ways.get(name, assumed.ways))
        for name, assumed in ASSUMED_CACHES.items()
    }


@functools.cache  # asked for with most proposals, always for the same few widths and extents
def register_tiles(
    width: int, lanes: int, fused: bool, m: int, n: int, in_place: bool = False
) -> tuple[tuple[int, int], ...]:
    """Register tiles as (rows, vectors), the best for each number of vectors, the best of all first.

    A tile has at least ``LATENCY * PER_CYCLE`` sums, so that none waits for its own last value (eq. 1), no more loads
    than multiply-adds, and fits the register file with a row of B, an element of A and, without a fused multiply-add,
    a product. They are ordered by the cycles that they need for C, edges included, and where these are equal within
    2 % by the elements that they read per multiply-add: nearly square tiles read the fewest (section 4.2).

    Args:
        width: SIMD width in bits, not 0.
        lanes: elements in a vector.
        fused: whether multiply and add are one instruction.
        m: rows of C.
        n: columns of C.
        in_place: A is read where it lies.
    """

    def traffic(tile: tuple[int, int]) -> float:
        return 1 / tile[0] + 1 / (tile[1] * lanes)

    def order(tile: tuple[int, int]) -> tuple[int, float]:
        return math.floor(math.log(step_cycles(m, n, tile, lanes) / ideal) / math.log(1.02)), traffic(tile)

    ideal = m * n / (lanes * PER_CYCLE)
    fitting = [tile for tile in _tiles(width, fused) if not in_place or tile[0] <= TALLEST_IN_PLACE]
    most = _MOST_TRAFFIC * min(traffic(tile) for tile in fitting)
    best: dict[int, tuple[int, int]] = {}
    for tile in sorted((tile for tile in fitting if traffic(tile) <= most), key=order):
        best.setdefault(tile[1], tile)
    return tuple(best.values())


def _tiles(width: int, fused: bool) -> Iterator[tuple[int, int]]:
    for rows, vectors in itertools.product(range(1, TALLEST + 1), range(1, WIDEST + 1)):
        sums = rows * vectors
        registers = sums + vectors + (1 if fused else 2)
        if sums >= LATENCY * PER_CYCLE and rows + vectors <= sums and registers <= REGISTERS[width]:
            yield rows, vectors


def step_cycles(m: int, n: int, tile: tuple[int, int], lanes: int) -> float:
    """Cycles for one step of k on all of C, with narrower tiles at its edges."""
    rows, vectors = tile
    left, columns = m % rows, -(-n // lanes)
    heights = [(rows, m // rows), *((1 << power, left >> power & 1) for power in range(TALLEST.bit_length()))]
    widths = [(vectors, columns // vectors), (columns % vectors, 1)]
    return sum(
        many * wide * max(height * width / PER_CYCLE, (height + width) / PER_CYCLE, LATENCY)
        for height, many in heights
        for width, wide in widths
        if many and width
    )


@dataclass(frozen=True)
class Panels:
    """Rows, columns and depth of the packed panels: mc, nc and kc."""

    mc: int
    nc: int
    kc: int


def panels(rows: int, columns: int, element_bytes: int, caches: Mapping[str, Cache], threads: int) -> Panels:
    """The largest panels that stay in their caches (section 4.3).

    A micro-panel of A and one of B share L1 with a line of C in each set; a block of A stays in L2 beside a panel of B,
    and a panel of B in L3 beside the threads' blocks of A. A way is a whole one: what is left of it is not used.

    Args:
        rows: of the register tile.
        columns: of the register tile.
        element_bytes: size of an element.
        caches: L1d, L2, L3.
        threads: that share L3.
    """
    l1, l2, l3 = caches["L1d"], caches["L2"], caches["L3"]
    ways_a = max(1, math.floor((l1.ways - 1) / (1 + columns / rows)))
    kc = max(1, ways_a * l1.way // (rows * element_bytes))
    deep = kc * element_bytes
    ways_b = -(-columns * deep // l2.way)
    mc = max(rows, max(1, l2.ways - 1 - ways_b) * l2.way // deep)
    ways_a = -(-threads * mc * deep // l3.way)
    nc = max(columns, max(1, l3.ways - 1 - ways_a) * l3.way // deep)
    return Panels(mc, nc, kc)


def shares(m: int, n: int, k: int, tile: tuple[int, int], lanes: int, threads: int, kc: int) -> list[str]:
    """How threads share a packed product (``threads`` of a genome), the fastest first.

    The slowest thread counts: its steps of k, the elements that it packs, its barriers.
    """
    rows, columns = tile[0], tile[1] * lanes

    def part(extent: int, unit: int, parts: int) -> int:
        return min(extent, math.ceil(math.ceil(extent / unit) / parts) * unit)

    def cycles(i: int, j: int, p: float, copied: float) -> float:
        return step_cycles(i, j, tile, lanes) * p + _COPY_CYCLES * copied

    high, wide = part(m, rows, threads), part(n, columns, threads)
    grids = [(t, threads // t) for t in range(1, threads + 1) if threads % t == 0]
    in_grid = [(part(m, rows, down), part(n, columns, across)) for down, across in grids]
    costs = {
        "rows": cycles(high, n, k, (high + n / threads) * k) + 2 * -(-k // kc) * _BARRIER_CYCLES,
        "columns": cycles(m, wide, k, (m + wide) * k),
        "grid": min(cycles(i, j, k, (i + j) * k) for i, j in in_grid),
        "depth": cycles(m, n, k / threads, (m + n) * k / threads + m * n) + _BARRIER_CYCLES,
    }
    return sorted(costs, key=lambda name: costs[name])
