"""One seven-point stencil on a three-dimensional grid, out of place: v = c0 u + c1 (sum of the six neighbours of u).

``stencil3d7(nx, ny, nz, c0, c1, u, ldu, v, ldv)``: u has nz + 2 planes of ny + 2 rows of nx + 2 points: the points
computed and one more on every side. v has nz planes of ny rows of nx points, and is written only. Rows of u are ldu
elements apart and rows of v ldv elements, also from the last row of a plane to the first one of the next.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from qdkernel.core import Array, ArrayArgument, Arrays, Case, Expected, KernelBaseline, Problem, Role, Scalar
from qdkernel.problems.families import shared_families
from qdkernel.problems.sizes import streaming_extent
from qdkernel.problems.stencil.stencil3d7_sketch import sketch, sketch_error

_DTYPE = np.dtype(np.float64)

_GRIDS: tuple[tuple[int, int, int], ...] = (  # nx, ny, nz
    # nothing to compute
    (0, 3, 2), (4, 0, 3), (5, 2, 0),
    # single points, rows and planes
    (1, 1, 1), (1, 1, 5), (1, 7, 1), (9, 1, 1), (8, 8, 1), (1, 6, 7), (17, 1, 3),
    # around the SIMD widths
    (2, 3, 4), (3, 2, 2), (4, 4, 4), (5, 3, 2), (7, 5, 3), (8, 3, 5), (9, 4, 2), (15, 2, 3), (16, 5, 4), (17, 3, 3),
    (23, 3, 2), (31, 4, 3), (32, 3, 2), (33, 2, 3),
    # around common tiles, one long side at a time
    (63, 3, 2), (64, 5, 3), (65, 2, 4), (3, 65, 4), (5, 33, 7), (4, 5, 67), (2, 9, 131), (257, 3, 5), (3, 131, 2),
    (517, 2, 2),
    # several tiles in every direction
    (37, 41, 43), (48, 35, 70),
)  # fmt: skip
_COEFFICIENTS = ((0.4, 0.1), (-6.0, 1.0), (0.7, -0.3), (1.0, 0.0), (0.0, 0.25))
_PADDING = ((0, 0), (3, 0), (0, 5), (1, 2), (6, 7), (0, 0), (2, 1))  # elements behind each row of u and v
_FAMILIES = ("uniform", "graded", "uniform", "impulse", "uniform", "subnormal")
_SPECIAL = ((9, 8, 7), (33, 5, 6), (16, 16, 3))  # with a NaN and infinities: coefficients that are not 0


def _with_halo(case: Case) -> tuple[int, int, int]:
    return int(case["nz"]) + 2, int(case["ny"]) + 2, int(case["nx"]) + 2


def _inside(case: Case) -> tuple[int, int, int]:
    return int(case["nz"]), int(case["ny"]), int(case["nx"])


def _case(
    grid: tuple[int, int, int], coefficients: tuple[float, float], padding: tuple[int, int] = (0, 0)
) -> dict[str, int | float]:
    (nx, ny, nz), (c0, c1) = grid, coefficients
    ldu, ldv = nx + 2 + padding[0], max(1, nx) + padding[1]
    return {"nx": nx, "ny": ny, "nz": nz, "c0": c0, "c1": c1, "ldu": ldu, "ldv": ldv}


def _scored_case(size: Mapping[str, int]) -> dict[str, int | float]:
    """The timed call: an explicit step of the heat equation, rows without padding."""
    return _case((size["nx"], size["ny"], size["nz"]), (0.4, 0.1))


def _verify_cases(rng: np.random.Generator) -> list[tuple[Case, str]]:
    """Some fifty (case, family) pairs; five have sizes drawn from ``rng``, so no list can be memorised."""
    drawn = [(int(nx), int(ny), int(nz)) for nx, ny, nz in rng.integers(1, 30, (5, 3))]
    choices = zip(
        (*_GRIDS, *drawn, *_GRIDS[10:22]),  # 53 grids meet 5 pairs of coefficients, 7 paddings and 6 families
        itertools.cycle(_COEFFICIENTS),
        itertools.cycle(_PADDING),
        itertools.cycle(_FAMILIES),
    )
    cases = [(_case(grid, coefficients, padding), family) for grid, coefficients, padding, family in choices]
    return [*cases, *((_case(grid, (0.4, 0.1), (1, 3)), "special") for grid in _SPECIAL)]


def _reference(case: Case, arrays: Arrays) -> dict[str, Expected]:
    """The grid v in extended precision; the magnitude is the stencil of the absolute values.

    In any order, and however the coefficients are distributed, a term goes through six additions and a multiplication
    at most, which round it by less than ``4 eps``. Up to seven products below the normal range lose half the spacing of
    subnormal numbers, ``eps * tiny``, each. NaN and infinities are exact, and so are zeros whose terms are all 0.
    """
    u, c0, c1 = arrays["u"].astype(np.longdouble), np.longdouble(case["c0"]), np.longdouble(case["c1"])
    with np.errstate(invalid="ignore"):  # infinities that cancel
        value = c0 * u[1:-1, 1:-1, 1:-1] + c1 * _neighbours(u)
        size = np.abs(arrays["u"])
        magnitude = abs(case["c0"]) * size[1:-1, 1:-1, 1:-1] + abs(case["c1"]) * _neighbours(size)
    magnitude += float(np.finfo(_DTYPE).tiny) * (magnitude > 0)
    magnitude[~np.isfinite(value)] = 0
    return {"v": Expected(value, magnitude)}


def _neighbours(u: Array) -> Array:
    total: Array = u[1:-1, 1:-1, :-2] + u[1:-1, 1:-1, 2:]
    total += u[1:-1, :-2, 1:-1]
    total += u[1:-1, 2:, 1:-1]
    total += u[:-2, 1:-1, 1:-1]
    total += u[2:, 1:-1, 1:-1]
    return total


def _points(case: Case) -> float:
    return float(case["nx"] * case["ny"] * case["nz"])


_U = ArrayArgument("u", Role.IN, _with_halo, (None, "ldu", None))

STENCIL3D7 = Problem(
    name="stencil3d7",
    summary="v = c0 u + c1 (sum of u's six neighbours) at nz x ny x nx points; u has one more point on every side",
    prototype=(
        "void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, "
        "double *restrict v, int ldv)"
    ),
    dtype=_DTYPE,
    arguments=(
        Scalar("nx"),
        Scalar("ny"),
        Scalar("nz"),
        Scalar("c0"),
        Scalar("c1"),
        _U,
        Scalar("ldu"),
        ArrayArgument("v", Role.OUT, _inside, (None, "ldv", None)),
        Scalar("ldv"),
    ),
    size_names=("nx", "ny", "nz"),
    size_from_int=lambda size: {"nx": size, "ny": size, "nz": size},
    scored_case=_scored_case,
    verify_cases=_verify_cases,
    families=shared_families(_DTYPE, (_U,), ("uniform", "graded", "impulse", "subnormal", "special")),
    reference=_reference,
    sketch=sketch,
    sketch_error=sketch_error,
    flops=lambda case: 8.0 * _points(case),  # six additions and two multiplications per point
    # Every point is read once and written once; as in STREAM a write counts once, though a cache may fetch the line
    # before it is overwritten.
    bytes=lambda case: 16.0 * _points(case),
    least_bytes=lambda case: 16.0 * _points(case),
    folder=Path(__file__).parent / "seeds",
    seeds=(
        "stencil3d7_naive.c",
        "stencil3d7_tiled.c",
        "stencil3d7_simd.c",
        "stencil3d7_stream.c",
    ),
    baseline=KernelBaseline("stencil3d7_baseline.c"),
    default_sizes=lambda last_level_cache: [
        dict.fromkeys(("nx", "ny", "nz"), streaming_extent(last_level_cache, 16, 3, 16))
    ],
    nest_depth=3,
    error_limit=8.0,  # twice what the order of summation can reach
    bandwidth_bound=True,
)
