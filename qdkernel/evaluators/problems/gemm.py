"""General matrix multiply, C = alpha A B + beta C, row major, in double and in single precision.

The semantics are those of the BLAS (Dongarra et al. 1990, "A set of Level 3 Basic Linear Algebra Subprograms"):
nothing is read or written when m or n is 0; A and B are not read when alpha or k is 0; C is not read, so a NaN in it
vanishes, when beta is 0. Inputs that must not be read are filled with NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qdkernel.evaluators._problem import (
    Array,
    ArrayArgument,
    Arrays,
    Case,
    Expected,
    LibraryBaseline,
    Problem,
    Role,
    Scalar,
)
from qdkernel.evaluators.problems._gemm_cases import verify_cases
from qdkernel.evaluators.problems._gemm_inputs import make_inputs
from qdkernel.evaluators.problems._gemm_sketch import sketch, sketch_error


def _problem(name: str, c_type: str, dtype: np.dtype[Any]) -> Problem:
    """The GEMM of one precision."""
    return Problem(
        name=name,
        summary=f"C = alpha A B + beta C on row-major matrices of {c_type}",
        prototype=(
            f"void {name}(int m, int n, int k, {c_type} alpha, const {c_type} *restrict A, int lda, "
            f"const {c_type} *restrict B, int ldb, {c_type} beta, {c_type} *restrict C, int ldc)"
        ),
        dtype=dtype,
        arguments=(
            Scalar("m"),
            Scalar("n"),
            Scalar("k"),
            Scalar("alpha"),
            ArrayArgument("A", Role.IN, lambda case: (int(case["m"]), int(case["k"])), leading="lda"),
            Scalar("lda"),
            ArrayArgument("B", Role.IN, lambda case: (int(case["k"]), int(case["n"])), leading="ldb"),
            Scalar("ldb"),
            Scalar("beta"),
            ArrayArgument("C", Role.INOUT, lambda case: (int(case["m"]), int(case["n"])), leading="ldc"),
            Scalar("ldc"),
        ),
        size_names=("m", "n", "k"),
        size_from_int=lambda size: {"m": size, "n": size, "k": size},
        scored_case=_scored_case,
        verify_cases=verify_cases,
        make_inputs=lambda family, case, rng: make_inputs(dtype, family, case, rng),
        reference=_reference,
        sketch=lambda case, arrays, rng: sketch(dtype, case, arrays, rng),
        sketch_error=sketch_error,
        flops=lambda case: 2.0 * case["m"] * case["n"] * case["k"],
        bytes=lambda case: float(dtype.itemsize * _streamed_elements(case)),
        least_bytes=lambda case: float(
            dtype.itemsize * (case["m"] * case["k"] + case["k"] * case["n"] + case["m"] * case["n"])
        ),
        seeds=(f"{name}_naive.c",),
        baseline=LibraryBaseline(adapter=f"{name}_cblas.c", symbol=f"scipy_cblas_{name}"),
        default_sizes=lambda last_level_cache: [{"m": s, "n": s, "k": s} for s in (512, 1024)],
        nest_depth=3,
    )


def _scored_case(size: Mapping[str, int]) -> dict[str, int | float]:
    """The timed call: alpha = 1, beta = 0, rows without padding."""
    m, n, k = size["m"], size["n"], size["k"]
    return {"m": m, "n": n, "k": k, "alpha": 1.0, "lda": max(1, k), "ldb": max(1, n), "beta": 0.0, "ldc": max(1, n)}


def _streamed_elements(case: Case) -> float:
    """Elements moved when every matrix goes through memory once; C is read as well only when beta is not 0."""
    written_and_read = 1 if case["beta"] == 0 else 2
    return case["m"] * case["k"] + case["k"] * case["n"] + written_and_read * case["m"] * case["n"]


def _reference(case: Case, arrays: Arrays) -> dict[str, Expected]:
    """C in extended precision (float64 for single precision), by numpy's own loops, not through a BLAS.

    The magnitude is ``|alpha| |A| |B| + |beta| |C|`` (Dongarra et al. 1990, sec. 4) and, where a product was formed,
    ``tiny`` for each of its k + 2 operations: eps * tiny is the spacing of subnormal numbers, twice the most that one
    of them can lose below the normal range. It is 0, which demands equality, when all terms are integers and every
    partial sum in any order is exact in the dtype, and where the result is NaN or infinite.
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
    if _is_exact(read, magnitude, dtype):
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


DGEMM = _problem("dgemm", "double", np.dtype(np.float64))
SGEMM = _problem("sgemm", "float", np.dtype(np.float32))
