"""Five-point Jacobi sweeps on a square grid with fixed boundary, alternating between two buffers.

``jacobi2d(n, t, u, v, ld)``: u and v are (n + 2) x (n + 2) grids with row stride ld, and enter with the same boundary.
Each of the t sweeps replaces every interior point by the mean of itself and its four neighbours, u to v, then v to u,
and so on; the field after t sweeps is in u when t is even and in v when t is odd. Interior points of the other buffer
are scratch, the boundaries of both stay as they are, and v's interior enters as NaN because kernels must not read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from qdkernel.core import Array, ArrayArgument, Arrays, Case, Expected, KernelBaseline, Problem, Role, Scalar
from qdkernel.problems.families import shared_families
from qdkernel.problems.sizes import streaming_extent
from qdkernel.problems.stencil.jacobi2d_sketch import sketch, sketch_error

_SCORED_SWEEPS = 4  # a call then takes tens of milliseconds beyond a 32 MB cache, and blocking in time can show

_CASES: tuple[tuple[int, int, int, str], ...] = (  # n, t, columns behind each row, family
    # nothing inside, or nothing to do
    (0, 3, 0, "uniform"), (1, 0, 0, "uniform"), (5, 0, 2, "uniform"),
    # each number of sweeps on the smallest grids
    (1, 1, 0, "uniform"), (1, 2, 3, "uniform"), (1, 7, 0, "graded"), (2, 3, 0, "uniform"), (3, 2, 1, "impulse"),
    # around the SIMD widths
    (4, 1, 0, "uniform"), (5, 3, 0, "graded"), (6, 2, 4, "uniform"), (7, 7, 0, "uniform"), (8, 1, 0, "uniform"),
    (9, 2, 1, "impulse"), (13, 3, 0, "uniform"), (15, 2, 5, "graded"), (16, 7, 0, "uniform"), (17, 1, 3, "uniform"),
    (23, 7, 0, "impulse"), (31, 3, 0, "uniform"), (32, 2, 6, "uniform"), (33, 1, 0, "graded"),
    # around common tiles
    (47, 7, 1, "uniform"), (59, 2, 0, "uniform"), (63, 3, 0, "uniform"), (64, 7, 0, "impulse"), (65, 2, 7, "uniform"),
    (67, 1, 0, "uniform"), (70, 3, 0, "graded"), (129, 4, 0, "uniform"), (131, 7, 2, "uniform"),
    # several tiles in both directions, more sweeps than the scored call
    (301, 2, 0, "uniform"), (257, 9, 3, "uniform"),
    # outside the usual range of numbers
    (17, 3, 1, "subnormal"), (40, 4, 0, "subnormal"), (9, 1, 0, "special"), (35, 3, 2, "special"),
    (66, 4, 0, "special"),
)  # fmt: skip


def _rows_and_columns(case: Case) -> tuple[int, int]:
    return int(case["n"]) + 2, int(case["n"]) + 2


def _scored_case(size: Mapping[str, int]) -> dict[str, int | float]:
    """The timed call: rows without padding."""
    return {"n": size["n"], "t": size["t"], "ld": size["n"] + 2}


def _default_sizes(last_level_cache: int) -> list[dict[str, int]]:
    """One grid of which both buffers together do not fit into the last-level cache (bytes)."""
    return [{"n": streaming_extent(last_level_cache, 16, 2, 64), "t": _SCORED_SWEEPS}]


def _verify_cases(rng: np.random.Generator) -> list[tuple[Case, str]]:
    """Some forty (case, family) pairs; five have sizes drawn from ``rng``, so no list can be memorised."""
    drawn = [(int(n), int(t), int(extra), "uniform") for n, t, extra in rng.integers((1, 1, 0), (80, 9, 9), (5, 3))]
    return [({"n": n, "t": t, "ld": n + 2 + extra}, family) for n, t, extra, family in (*_CASES, *drawn)]


def _share_boundary(case: Case, arrays: dict[str, Array], rng: np.random.Generator) -> None:
    """Gives v the boundary of u, and NaN inside."""
    arrays["v"] = arrays["u"].copy()
    arrays["v"][1:-1, 1:-1] = np.nan


def _reference(case: Case, arrays: Arrays) -> dict[str, Expected]:
    """Both buffers after t sweeps in extended precision.

    A sweep multiplies and adds non-negative weights: in any order it rounds each point by at most ``3 eps`` of the
    same sweep applied to |u| (four additions, one product, the constant 0.2), and passes earlier errors on with those
    weights. So ``t`` times the sweeps of |u| is the magnitude, honest error ratios stay below 3, and boundaries,
    unreached zeros and t = 0 are exact. Below the normal range a sweep loses up to five halves of the spacing of
    subnormal numbers, ``eps * tiny``, wherever there was anything to lose. NaN and infinities are exact.
    """
    t = int(case["t"])
    field = arrays["u"].astype(np.longdouble)
    bound = np.abs(arrays["u"].astype(np.float64))
    fifth = np.longdouble(1) / 5
    with np.errstate(invalid="ignore"):  # infinities that cancel
        for _ in range(t):
            field[1:-1, 1:-1] = fifth * _sum_of_five(field)
            bound[1:-1, 1:-1] = 0.2 * _sum_of_five(bound)
    magnitude = np.zeros_like(bound)
    inside = bound[1:-1, 1:-1]
    magnitude[1:-1, 1:-1] = t * (inside + 3 * float(np.finfo(np.float64).tiny) * (inside > 0))
    magnitude[~np.isfinite(field)] = 0
    scratch = np.zeros_like(bound)
    scratch[1:-1, 1:-1] = np.inf
    boundary = arrays["v"].astype(np.longdouble)
    boundary[1:-1, 1:-1] = 0
    result, other = ("u", "v") if t % 2 == 0 else ("v", "u")
    return {result: Expected(field, magnitude), other: Expected(boundary, scratch)}


def _sum_of_five(field: Array) -> Array:
    total: Array = field[1:-1, 1:-1] + field[:-2, 1:-1] + field[2:, 1:-1] + field[1:-1, :-2] + field[1:-1, 2:]
    return total


_U = ArrayArgument("u", Role.INOUT, _rows_and_columns, ("ld", None))
_FAMILIES = ("uniform", "graded", "impulse", "subnormal", "special")

JACOBI2D = Problem(
    name="jacobi2d",
    summary="t sweeps of the five-point mean over an n x n grid, alternating between two buffers",
    prototype="void jacobi2d(int n, int t, double *restrict u, double *restrict v, int ld)",
    dtype=np.dtype(np.float64),
    arguments=(
        Scalar("n"),
        Scalar("t"),
        _U,
        ArrayArgument("v", Role.INOUT, _rows_and_columns, ("ld", None)),
        Scalar("ld"),
    ),
    size_names=("n", "t"),
    size_from_int=lambda size: {"n": size, "t": _SCORED_SWEEPS},
    scored_case=_scored_case,
    verify_cases=_verify_cases,
    families=shared_families(np.dtype(np.float64), (_U,), _FAMILIES, _share_boundary),
    reference=_reference,
    sketch=sketch,
    sketch_error=sketch_error,
    flops=lambda case: 5.0 * case["n"] ** 2 * case["t"],  # four additions and a product per point and sweep
    # Per sweep every point is read once and written once; as in STREAM a write counts once, though a cache may fetch
    # the line before it is overwritten.
    bytes=lambda case: 16.0 * case["n"] ** 2 * case["t"],
    least_bytes=lambda case: 16.0 * case["n"] ** 2,  # all sweeps in one pass over memory: blocking in time is allowed
    folder=Path(__file__).parent / "seeds",
    seeds=(
        "jacobi2d_naive.c",
        "jacobi2d_omp.c",
        "jacobi2d_tiled.c",
        "jacobi2d_simd.c",
        "jacobi2d_stream.c",
        "jacobi2d_wavefront.c",
    ),
    baseline=KernelBaseline("jacobi2d_baseline.c"),
    default_sizes=_default_sizes,
    nest_depth=3,
    bandwidth_bound=True,
)
