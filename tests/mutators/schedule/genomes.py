"""Named genomes that together cover every blocking, width, packing, edge handling, sharing and kind of prefetch."""

from __future__ import annotations

from dataclasses import replace

from qdkernel.mutators.schedule.gemm import Genome, Prefetch

NEAR_C = Prefetch(0, 3)

_CHOICES = {
    "plain_scalar": Genome(blocking="none", width=0, order="ijk", prefetch_b=Prefetch(8, 2)),
    "plain_axpy": Genome(blocking="none", width=256, order="ikj", threads="rows", edges="scalar", unroll=4),
    "plain_columns": Genome(blocking="none", width=128, order="jki", threads="columns", prefetch_c=Prefetch(4, 3)),
    "register_scalar": Genome(blocking="register", width=0, rows=6, threads="grid", prefetch_a=Prefetch(8, 3)),
    "register_wide": Genome(blocking="register", width=512, rows=6, vectors=4, prefetch_b=Prefetch(4, 0)),
    "cache_scalar": Genome(blocking="cache", width=0, order="jik", threads="columns"),
    "cache_order": Genome(blocking="cache", width=256, order="kij", prefetch_b=Prefetch(8, 3)),
    "cache_grid": Genome(blocking="cache", width=512, order="jik", threads="grid"),
    "tiled_dynamic": Genome(
        blocking="cache+register", width=256, rows=4, threads="rows", schedule="dynamic", edges="scalar"
    ),
    "packed_scalar": Genome(width=0, rows=8, packing="ab", threads="rows"),
    "packed_b": Genome(width=512, packing="b", threads="columns", prefetch_a=Prefetch(16, 3)),
    "packed_rows": Genome(threads="rows", unroll=1, prefetch_c=NEAR_C, prefetch_b=Prefetch(6, 2)),
    "packed_grid": Genome(threads="grid", edges="scalar"),
    "packed_upright": Genome(width=256, rows=6, vectors=2, upright=True, threads="rows", unroll=4),
    "packed_upright_wide": Genome(rows=9, vectors=2, upright=True, threads="grid", edges="scalar", prefetch_c=NEAR_C),
    "packed_stream": Genome(width=256, rows=6, vectors=2, threads="columns", edges="narrow", stream=True, unroll=1),
    "packed_stream_b": Genome(packing="b", threads="grid", stream=True, prefetch_b=Prefetch(0, 2)),
    "packed_depth": Genome(width=256, rows=6, vectors=2, threads="depth", edges="narrow", unroll=4),
    "packed_narrow": Genome(rows=14, vectors=2, threads="columns", edges="narrow", prefetch_a=Prefetch(0, 3), unroll=1),
    "packed_b_narrow": Genome(width=256, rows=4, packing="b", threads="rows", schedule="guided", edges="narrow"),
    "packed_grid_scalar": Genome(width=0, threads="grid"),
    "packed_small": Genome(width=128, rows=6, vectors=2, small=4096, prefetch_a=Prefetch(8, 3)),
    "packed_small_columns": Genome(width=256, rows=6, vectors=2, threads="columns", schedule="dynamic", small=16777216),
    "packed_small_rows": Genome(
        rows=9, threads="rows", edges="narrow", small=2097152, prefetch_b=Prefetch(0, 3), order="ijk"
    ),
    "packed_depth_scalar": Genome(width=0, threads="depth"),
}

# Small tiles: several of them even at the small sizes of the check.
GENOMES = {name: replace(genome, mc=48, nc=48, kc=32) for name, genome in _CHOICES.items()}

GOLDEN = (
    "plain_scalar",
    "plain_axpy",
    "register_wide",
    "cache_order",
    "tiled_dynamic",
    "packed_b",
    "packed_rows",
    "packed_depth",
    "packed_upright",
)
