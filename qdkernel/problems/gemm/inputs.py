"""Input families of a matrix multiply: each makes one kind of wrong or cheaper arithmetic visible."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from qdkernel.core import Array, Case, InputFamily
from qdkernel.problems.families import uniform
from qdkernel.problems.slabs import by_slabs

Matrices = tuple[Array, Array, Array]
"""A (m, k), B (k, n) and C (m, n)."""
Maker = Callable[[np.dtype[Any], Case, np.random.Generator], Matrices]

_ROW_BITS = 40  # rows of the uniform family differ by up to 2^-40
_GROUPS = 8
_BETWEEN = 0.4  # of the dtype's digits lie between groups, 2^-20 or 2^-9: a wrong small element still shows in its row
_SPARSE = 0.1  # share of exact zeros in A of the special family


def input_families(dtype: np.dtype[Any]) -> dict[str, InputFamily]:
    """The families of a matrix multiply, each of which makes A (m, k), B (k, n) and C (m, n), contiguous.

    What a kernel must not read is NaN. Families:

    - uniform: in (-1, 1), each row of A and C times a power of two of its own; and rows, terms and columns belong to
      secret groups: what lies between two groups is smaller by 0.4 of the dtype's digits. Componentwise accurate
      arithmetic is not affected; errors bounded only by a norm of whole blocks (Strassen's) spoil the small elements,
      and no scaling of rows, terms and columns makes them large.
    - integers: as large as every partial sum stays exact in the dtype, so that any lower precision shows.
    - graded: rows of A and columns of B scaled over the dtype's range of digits; breaks fast algorithms as well.
    - cancellation: results far below their terms.
    - subnormal: inputs or results below the normal range, which a flush-to-zero mode loses.
    - special: NaN, infinities and exact zeros, scattered; every result must be of the class that IEEE 754 gives it in
      whatever order of summation.
    """
    return {name: _family(dtype, make) for name, make in _FAMILIES.items()}


def even_families(dtype: np.dtype[Any]) -> dict[str, InputFamily]:
    """The families under the same names, but of one scale throughout and finite, as fast algorithms need."""
    return {name: _family(dtype, _EVEN.get(name, make)) for name, make in _FAMILIES.items()}


def _family(dtype: np.dtype[Any], make: Maker) -> InputFamily:
    def family(case: Case, rng: np.random.Generator) -> dict[str, Array]:
        a, b, c = make(dtype, case, rng)
        if case["alpha"] == 0:
            a.fill(np.nan)
            b.fill(np.nan)
        if case["beta"] == 0:
            c.fill(np.nan)
        return {"A": a, "B": b, "C": c}

    return family


def _plain(dtype: np.dtype[Any], case: Case, rng: np.random.Generator) -> Matrices:
    """Entries in (-1, 1); C is left empty when it is not read."""
    m, n, k = int(case["m"]), int(case["n"]), int(case["k"])
    c = np.empty((m, n), dtype) if case["beta"] == 0 else uniform(dtype, (m, n), rng)
    return uniform(dtype, (m, k), rng), uniform(dtype, (k, n), rng), c


def _uniform(dtype: np.dtype[Any], case: Case, rng: np.random.Generator) -> Matrices:
    a, b, c = _plain(dtype, case, rng)
    rows = np.ldexp(np.ones((len(a), 1), dtype), -rng.integers(0, _ROW_BITS + 1, (len(a), 1)))
    of_rows, of_terms, of_columns = (rng.integers(0, _GROUPS, size) for size in (*a.shape, b.shape[1]))
    _scale(a, of_rows, of_terms, rows)
    _scale(b, of_terms, of_columns)
    if case["beta"] != 0:
        _scale(c, of_rows, of_columns, rows)
    return a, b, c


def _scale(matrix: Array, of_rows: Array, of_columns: Array, rows: Array | None = None) -> None:
    """Multiplies by a small power of two where row and column are of two groups, and by the row's own factor."""
    small = 0.5 ** int(_BETWEEN * np.finfo(matrix.dtype).nmant)
    of_groups = np.where(np.arange(_GROUPS)[:, np.newaxis] == of_columns, 1.0, small).astype(matrix.dtype)

    def scale(slab: slice, _: int) -> None:
        part = matrix[slab]
        part *= np.take(of_groups, of_rows[slab], axis=0)
        if rows is not None:
            part *= rows[slab]

    by_slabs(matrix.shape, scale)


def _integers(dtype: np.dtype[Any], case: Case, rng: np.random.Generator) -> Matrices:
    """Integers with k max|a| max|b| + max|c| below the dtype's largest exact integer."""
    m, n, k = int(case["m"]), int(case["n"]), int(case["k"])
    largest = math.isqrt(2 ** np.finfo(dtype).nmant // max(k, 1))
    a, b, c = (rng.integers(-largest, largest, shape, endpoint=True) for shape in ((m, k), (k, n), (m, n)))
    return a.astype(dtype), b.astype(dtype), c.astype(dtype)


def _graded(dtype: np.dtype[Any], case: Case, rng: np.random.Generator) -> Matrices:
    a, b, c = _plain(dtype, case, rng)
    decades = 12 if dtype.itemsize == 8 else 5  # rows then differ by most of the digits the dtype carries
    a *= (10.0 ** rng.uniform(-decades, 0, (len(a), 1))).astype(dtype)
    b *= (10.0 ** rng.uniform(-decades, 0, (1, b.shape[1]))).astype(dtype)
    return a, b, c


def _cancellation(dtype: np.dtype[Any], case: Case, rng: np.random.Generator) -> Matrices:
    """Term p and term k/2 + p cancel but for their last digits."""
    a, b, c = _plain(dtype, case, rng)
    half = len(b) // 2
    a[:, half : 2 * half] = a[:, :half]
    nearly = 1 + rng.uniform(-1, 1, (half, b.shape[1])) * math.sqrt(np.finfo(dtype).eps)
    b[half : 2 * half] = -b[:half] * nearly.astype(dtype)
    return a, b, c


def _subnormal(dtype: np.dtype[Any], case: Case, rng: np.random.Generator) -> Matrices:
    """Even rows of A are subnormal and meet normal columns of B; odd rows give subnormal products with the others."""
    a, b, c = _plain(dtype, case, rng)
    least, digits = np.finfo(dtype).minexp, np.finfo(dtype).nmant
    half = least // 2
    a[0::2] = np.ldexp(a[0::2], least - digits // 3)
    a[1::2] = np.ldexp(a[1::2], half)
    b[:, 0::2] = np.ldexp(b[:, 0::2], digits)
    b[:, 1::2] = np.ldexp(b[:, 1::2], least - half - digits // 3)
    if case["beta"] != 0:
        c = np.ldexp(c, least - digits // 3)
    return a, b, c


def _even_subnormal(dtype: np.dtype[Any], case: Case, rng: np.random.Generator) -> Matrices:
    """A and all results below the normal range, of one scale."""
    a, b, c = _plain(dtype, case, rng)
    exponent = np.finfo(dtype).minexp - np.finfo(dtype).nmant // 3
    return np.ldexp(a, exponent), b, np.ldexp(c, exponent) if case["beta"] != 0 else c


def _special(dtype: np.dtype[Any], case: Case, rng: np.random.Generator) -> Matrices:
    """Most rows and columns stay finite; zeros in A meet NaN and infinities in B, where skipping them would show."""
    a, b, c = _plain(dtype, case, rng)
    a[rng.random(a.shape) < _SPARSE] = 0
    strange = np.array([np.nan, np.inf, -np.inf, np.inf], dtype)
    matrices = (a, b, c) if case["beta"] != 0 else (a, b)
    for matrix in matrices:
        if matrix.size:
            places = rng.choice(matrix.size, min(strange.size, matrix.size), replace=False)
            matrix.flat[places] = strange[: places.size]
    if b.size:
        spoilt = np.flatnonzero(~np.isfinite(b).all(axis=1))
        a[::3, spoilt] = 0
    return a, b, c


_FAMILIES: Mapping[str, Maker] = {
    "uniform": _uniform,
    "integers": _integers,
    "graded": _graded,
    "cancellation": _cancellation,
    "subnormal": _subnormal,
    "special": _special,
}
_EVEN: Mapping[str, Maker] = {
    "uniform": _plain,
    "graded": _plain,
    "subnormal": _even_subnormal,
    "special": _plain,
}
