"""The Level-1 BLAS operation y = alpha x + y in double precision, with increments.

The semantics are those of the BLAS (Lawson et al. 1979, "Basic Linear Algebra Subprograms for Fortran Usage"): nothing
is read or written when n is 0; x is not read and y stays as it is when alpha is 0; a vector with a negative increment
is passed by its lowest address, where its last element is. Increments of 0, which make the result depend on the order
of evaluation, do not occur.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from qdkernel.core import Array, ArrayArgument, Arrays, Case, Expected, LibraryBaseline, Problem, Role, Scalar
from qdkernel.problems.checks import comparison
from qdkernel.problems.families import shared_families
from qdkernel.problems.sizes import streaming_extent

_DTYPE = np.dtype(np.float64)
_LENGTHS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 15, 16, 17, 23, 31, 32, 33, 47, 63, 64, 65, 97, 127, 128, 129, 251, 257, 509,
            1000, 1021, 2049, 4099, 16411, 70001)  # fmt: skip
_INCREMENTS = ((1, 1), (1, 1), (2, 1), (1, 3), (1, 1), (-1, 1), (1, -1), (1, 1), (-2, -3), (5, 2), (-1, -1))
_ALPHAS = (1.0, 0.7, -1.0, -3.25, 1e-3)
_FAMILIES = ("uniform", "graded", "uniform", "impulse", "subnormal", "uniform", "special")
# 34 lengths, 11 increments, 5 factors, 7 families: no two lists have a length in common, so all pairs meet.


def _vector(case: Case) -> tuple[int]:
    return (int(case["n"]),)


def _scored_case(size: Mapping[str, int]) -> dict[str, int | float]:
    """The timed call: contiguous vectors."""
    return {"n": size["n"], "alpha": 0.7, "incx": 1, "incy": 1}


def _verify_cases(rng: np.random.Generator) -> list[tuple[Case, str]]:
    """Some eighty (case, family) pairs; eight have lengths drawn from ``rng``, so no list can be memorised."""
    lengths = (*_LENGTHS, *_LENGTHS[2:], *map(int, rng.integers(2, 5000, 8)))
    choices = zip(lengths, itertools.cycle(_INCREMENTS), itertools.cycle(_ALPHAS), itertools.cycle(_FAMILIES))
    cases = [(n, alpha, increments, family) for n, increments, alpha, family in choices]
    # alpha = 0: y stays as it is, whatever x holds
    cases += [(n, 0.0, (1, 1), "uniform") for n in (1, 8, 33, 1000)]
    cases += [(17, 0.0, (2, -1), "special"), (64, 0.0, (1, 1), "special")]
    return [({"n": n, "alpha": alpha, "incx": incx, "incy": incy}, family) for n, alpha, (incx, incy), family in cases]


def _spoil_unread(case: Case, arrays: dict[str, Array], rng: np.random.Generator) -> None:
    """Fills x with NaN where alpha is 0."""
    if case["alpha"] == 0:
        arrays["x"].fill(np.nan)


def _axpy(case: Case, arrays: Arrays, wide: type[np.floating]) -> dict[str, Expected]:
    """The result in a precision, with the error that rounding explains.

    A product and a sum, fused or not, err by at most ``eps (|alpha x| + |y|)``, and by half the spacing of subnormal
    numbers, ``eps * tiny``, where the product is below the normal range. NaN and infinities are exact, and so is all
    of y when alpha is 0.
    """
    x, y, alpha = arrays["x"].astype(wide, copy=False), arrays["y"].astype(wide, copy=False), wide(case["alpha"])
    if alpha == 0:
        return {"y": Expected(y, np.zeros(y.shape))}
    with np.errstate(invalid="ignore"):  # infinities that cancel
        product = alpha * x
        value = product + y
        magnitude = np.abs(product) + np.abs(y)
    magnitude = magnitude + np.where(product != 0, np.finfo(_DTYPE).tiny, 0)
    magnitude[~np.isfinite(value)] = 0
    return {"y": Expected(value, magnitude.astype(np.float64, copy=False))}


_ARGUMENTS = (
    Scalar("n"),
    Scalar("alpha"),
    ArrayArgument("x", Role.IN, _vector, ("incx",)),
    Scalar("incx"),
    ArrayArgument("y", Role.INOUT, _vector, ("incy",)),
    Scalar("incy"),
)
_SKETCH, _SKETCH_ERROR = comparison(
    lambda case, arrays: _axpy(case, arrays, np.float64), own_error=1.0, elementwise=True
)

DAXPY = Problem(
    name="daxpy",
    summary="y = alpha x + y on vectors of doubles with increments, as in the BLAS",
    prototype="void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)",
    dtype=_DTYPE,
    arguments=_ARGUMENTS,
    size_names=("n",),
    size_from_int=lambda size: {"n": size},
    scored_case=_scored_case,
    verify_cases=_verify_cases,
    families=shared_families(
        _DTYPE, (_ARGUMENTS[2], _ARGUMENTS[4]), ("uniform", "graded", "impulse", "subnormal", "special"), _spoil_unread
    ),
    reference=lambda case, arrays: _axpy(case, arrays, np.longdouble),
    sketch=_SKETCH,
    sketch_error=_SKETCH_ERROR,
    flops=lambda case: 2.0 * case["n"],
    bytes=lambda case: 24.0 * case["n"],  # x and y are read, y is written
    least_bytes=lambda case: 24.0 * case["n"],
    folder=Path(__file__).parent / "seeds",
    seeds=("daxpy_naive.c", "daxpy_omp.c", "daxpy_simd.c", "daxpy_blocks.c"),
    baseline=LibraryBaseline(adapter="daxpy_cblas.c", symbol="scipy_cblas_daxpy"),
    default_sizes=lambda last_level_cache: [{"n": streaming_extent(last_level_cache, 16, 1, 1 << 16)}],
    nest_depth=1,
    error_limit=2.0,  # twice what two roundings can reach
    error_words="|alpha x| + |y|",
    bandwidth_bound=True,
)
