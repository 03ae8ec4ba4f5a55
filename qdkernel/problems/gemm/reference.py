"""The right answer of a matrix multiply, in higher precision, with the error that rounding explains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qdkernel.core import Array, Arrays, Case, Expected


def reference(case: Case, arrays: Arrays, exact: bool = True) -> dict[str, Expected]:
    """C in extended precision (float64 for single precision), by numpy's own loops, not through a BLAS.

    The magnitude is ``|alpha| |A| |B| + |beta| |C|`` (Dongarra et al. 1990, sec. 4) and, where a product was formed,
    ``tiny`` for each of its k + 2 operations: eps * tiny is the spacing of subnormal numbers, twice the most that one
    of them can lose below the normal range. It is 0, which demands equality, when all terms are integers and every
    partial sum in any order is exact in the dtype (unless ``exact`` is false), and where the result is NaN or infinite.
    """
    dtype = arrays["C"].dtype
    wide = np.longdouble if dtype.itemsize == 8 else np.float64
    alpha, beta = dtype.type(case["alpha"]), dtype.type(case["beta"])
    value = np.zeros(arrays["C"].shape, wide)
    magnitude = np.zeros(arrays["C"].shape, np.float64)
    read: list[Array] = [np.array([alpha, beta])]
    with np.errstate(invalid="ignore"):  # infinities that cancel
        if alpha != 0 and case["k"] > 0:
            a, b = arrays["A"], arrays["B"]
            value += alpha.astype(wide) * _product(a.astype(wide), b.astype(wide))
            magnitude += np.abs(float(alpha)) * _product(np.abs(a.astype(np.float64)), np.abs(b.astype(np.float64)))
            magnitude += (case["k"] + 2) * float(np.finfo(dtype).tiny)
            read += [a, b]
        if beta != 0:
            value += beta.astype(wide) * arrays["C"].astype(wide)
            magnitude += np.abs(float(beta) * arrays["C"].astype(np.float64))
            read.append(arrays["C"])
    magnitude[~np.isfinite(value)] = 0
    if exact and _is_exact(read, magnitude, dtype):
        magnitude = np.zeros_like(magnitude)
    return {"C": Expected(value, magnitude)}


def _is_exact(read: Sequence[Array], magnitude: Array, dtype: np.dtype[Any]) -> bool:
    """Whether all terms are integers small enough that no order of summation rounds."""
    integers = all(bool(np.all(values == np.rint(values))) for values in read)
    return integers and float(magnitude.max(initial=0.0)) <= 2.0 ** (np.finfo(dtype).nmant + 1)


def _product(a: Array, b: Array) -> Array:
    """``a @ b`` without a BLAS: einsum never calls one unless asked to optimise."""
    product: Array = np.einsum("ik,kj->ij", a, b)
    return product
