"""The analytical model, against the tiles that BLIS and Low et al. 2016 give for known processors."""

from __future__ import annotations

import pytest

from qdkernel.mutators.schedule.gemm.model import (
    ASSUMED_CACHES,
    Cache,
    Panels,
    caches_of,
    panels,
    register_tiles,
    shares,
    step_cycles,
)

# (width, lanes, fused multiply-add) and the tile of BLIS's kernels for such processors, in elements.
KERNELS = {
    "dgemm, AVX2": (256, 4, True, (6, 8)),  # haswell, zen
    "sgemm, AVX2": (256, 8, True, (6, 16)),
    "dgemm, AVX-512": (512, 8, True, (14, 16)),  # skx
}


@pytest.mark.parametrize("name", KERNELS)
def test_the_register_tile_for_large_matrices_is_that_of_blis(name: str) -> None:
    width, lanes, fused, (rows, columns) = KERNELS[name]
    assert register_tiles(width, lanes, fused, 10_000, 10_000)[0] == (rows, columns // lanes)


def test_the_tiles_for_256_bits_include_6x8_and_4x12_doubles() -> None:
    assert {(6, 2), (4, 3)} <= set(register_tiles(256, 4, True, 960, 960))


def test_without_a_fused_multiply_add_a_register_is_left_for_the_product() -> None:
    assert (4, 3) in register_tiles(128, 2, True, 960, 960)
    assert all(rows * vectors + vectors + 2 <= 16 for rows, vectors in register_tiles(128, 2, False, 960, 960))


def test_a_tile_that_fits_the_matrix_comes_before_one_that_leaves_edges() -> None:
    whole, ragged = step_cycles(64, 64, (8, 2), 8), step_cycles(64, 64, (9, 3), 8)
    assert whole == 64 * 64 / 8 / 2
    assert ragged > whole
    assert register_tiles(512, 8, True, 64, 64, in_place=True)[0][0] == 8


def test_edges_of_few_sums_cost_the_latency_of_the_multiply_add() -> None:
    assert step_cycles(1, 4, (6, 2), 4) == 4


def test_the_panels_for_haswell_are_those_of_the_paper() -> None:
    caches = {"L1d": Cache(32 << 10, 8), "L2": Cache(256 << 10, 8), "L3": Cache(8 << 20, 16)}
    # 3 of 8 ways of L1 for A: 3 * 4096 / (6 * 8) deep; 6 of 8 ways of L2 for the block of A; 14 of 16 of L3 for B.
    assert panels(6, 8, 8, caches, 1) == Panels(mc=6 * 32768 // 2048, nc=14 * 524288 // 2048, kc=256)


def test_threads_that_share_the_last_cache_leave_less_of_it_for_b() -> None:
    assert panels(6, 8, 8, ASSUMED_CACHES, 16).nc < panels(6, 8, 8, ASSUMED_CACHES, 1).nc


def test_caches_that_are_not_reported_are_assumed() -> None:
    assert caches_of({}, {}) == ASSUMED_CACHES
    assert caches_of({"L2": 1 << 20}, {"L1d": 12})["L1d"] == Cache(32 << 10, 12)


# (m, n, k) and how two threads share it best.
SHAPES = {
    "few rows": ((64, 2048, 512), "columns"),
    "small C, long k": ((96, 96, 8192), "depth"),
    "few columns": ((2000, 16, 2000), "rows"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_skinny_shapes_are_shared_along_their_long_side(name: str) -> None:
    (m, n, k), expected = SHAPES[name]
    best = shares(m, n, k, (6, 2), 4, 2, 256)[0]
    assert best == expected or (best == "grid" and expected != "depth")
